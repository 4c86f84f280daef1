"""Listings: JSON Lines and CSV, errors with their line."""

import pytest

import nbtoolkit as nbt


@pytest.mark.parametrize("line", ['{"file_name": "../../etc/passwd", "caption": "x"}', "nonsense", '{"caption": "x"}'])
def test_listing_errors_name_the_line(tmp_path, line):
    (tmp_path / "captions.jsonl").write_text(line)
    with pytest.raises(nbt.NbtoolkitError, match="line 1"):
        nbt.load_data(tmp_path)


@pytest.mark.parametrize(("name", "mark"), [("captions.csv", ","), ("metadata.csv", ";"), ("pairs.tsv", "\t")])
def test_a_listing_may_name_a_picture_several_times(folder, name, mark):
    lines = ["image_name", "comment"], ["a.jpg", '"a dog, sitting"'], ["b.jpg", "two cats"], ["a.jpg", "the dog"]
    (folder / name).write_text("\n".join(map(mark.join, lines)), "utf-8-sig")
    data = nbt.load_data(folder / name if name == "pairs.tsv" else folder)
    assert data["id"][:] == ["a.jpg", "b.jpg"]
    assert data["captions"][:] == [["a dog, sitting", "the dog"], ["two cats"]]
    assert data[1]["image"].size == (20, 10)


def test_a_listing_may_lie_elsewhere(folder, tmp_path_factory):
    listing = tmp_path_factory.mktemp("elsewhere") / "list.jsonl"
    listing.write_text('{"img": "a.jpg", "said": "a dog", "key": 3}')
    data = nbt.load_data(listing, images=folder, captions="said")
    assert data["id"][:] == ["3"] and data["captions"][:] == [["a dog"]]
    with pytest.raises(
        nbt.NbtoolkitError,
        match=r"line 1 has the columns \['img', 'key', 'said'\]; expected one for the captions, such as 'caption'",
    ):
        nbt.load_data(listing, images=folder)
    with pytest.raises(
        nbt.NbtoolkitError, match=r"no column 'file' for the image; the columns are \['img', 'said', 'key'\]"
    ):
        nbt.load_data(listing, images=folder, image="file", captions="said")


def test_a_comma_too_many_is_named(folder):
    (folder / "captions.csv").write_text("file_name,caption\na.jpg,a dog, sitting\n")
    with pytest.raises(
        nbt.NbtoolkitError,
        match=r"line 2 has more than 2 fields; expected 2, as in the header. Put texts with commas in quotes",
    ):
        nbt.load_data(folder)


def test_one_id_is_one_picture(folder):
    (folder / "captions.csv").write_text("id,file_name,caption\n1,a.jpg,a dog\n1,b.jpg,a cat\n")
    with pytest.raises(nbt.NbtoolkitError, match="line 3: the id '1' stands for another image before"):
        nbt.load_data(folder)


def test_flickrs_captions_txt(folder):
    (folder / "captions.txt").write_text('image,caption\na.jpg,A dog .\na.jpg,"One dog, asleep ."\nb.jpg,A cat .\n')
    for source in (folder, folder / "captions.txt"):
        assert nbt.load_data(source)["captions"][:] == [["A dog .", "One dog, asleep ."], ["A cat ."]]


def test_several_images_per_line(folder):
    (folder / "captions.jsonl").write_text(
        '{"images": ["a.jpg", "b.jpg"], "caption": "two ramps"}\n{"images": ["c.jpg"], "caption": "a ramp", "id": 5}\n'
    )
    data = nbt.load_data(folder)
    assert data["id"][:] == ["a.jpg + b.jpg", "5"] and [len(row) for row in data["image"]] == [2, 1]
    assert data[0]["image"][1].size == (20, 10)
    (folder / "captions.jsonl").write_text('{"images": [], "caption": "nothing"}')
    with pytest.raises(nbt.NbtoolkitError, match="line 1 has an empty list of images; expected at least one"):
        nbt.load_data(folder)


def test_absolute_paths_say_how_they_are_read(folder, tmp_path_factory):
    listing = tmp_path_factory.mktemp("elsewhere") / "list.csv"
    listing.write_text(f"file_name,caption\n{folder / 'a.jpg'},a dog\n")
    with pytest.raises(nbt.NbtoolkitError, match="For a listing with absolute paths, give images='/'"):
        nbt.load_data(listing)
    assert nbt.load_data(listing, images="/")[0]["image"].size == (20, 10)


def test_other_texts_of_a_line_are_columns(folder):
    lines = [
        '{"file_name": "a.jpg", "caption": "a dog", "question": "What ?", "n": 3}',
        '{"file_name": "a.jpg", "caption": "the dog", "question": "Who ?"}',
        '{"file_name": "b.jpg", "caption": "a cat", "source": "web"}',
    ]
    (folder / "captions.jsonl").write_text("\n".join(lines))
    data = nbt.load_data(folder)
    assert data.column_names == ["id", "image", "captions", "question", "source"]
    assert data["question"][:] == ["What ?", None] and data["source"][:] == [None, "web"]
