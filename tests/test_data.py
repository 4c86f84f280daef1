"""The data door: every accepted source, every kind of picture, every refusal."""

import io
import json

import datasets
import numpy as np
import pytest
from PIL import Image

import nbtoolkit as nbt
from nbtoolkit.data import read_image, thumbnail, vocabulary


def encoded(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def gradient(mode="RGB", size=(20, 10)):
    ramp = np.linspace(0, 255, size[0] * size[1]).reshape(size[1], size[0]).astype(np.uint8)
    return Image.fromarray(np.stack([ramp, ramp // 2, 255 - ramp], -1)).convert(mode)


def test_folder_with_captions(tmp_path):
    gradient().save(tmp_path / "a.jpg")
    gradient().save(tmp_path / "b.png")
    lines = [{"file_name": "a.jpg", "caption": "a ramp"}, {"file_name": "b.png", "captions": ["one", "two"], "id": 7}]
    (tmp_path / "captions.jsonl").write_text("\n".join(map(json.dumps, lines)))
    data = nbt.load_data(tmp_path)
    assert data["id"][:] == ["a.jpg", "7"] and data["captions"][:] == [["a ramp"], ["one", "two"]]
    assert data[0]["image"].size == (20, 10)


def test_dataset_columns_are_detected_or_named():
    pictures = [gradient(), gradient()]
    data = nbt.load_data(datasets.Dataset.from_dict({"img": pictures, "text": ["a", "b"], "more": [1, 2]}, features=datasets.Features(
        {"img": datasets.Image(), "text": datasets.Value("string"), "more": datasets.Value("int64")})))  # fmt: skip
    assert data.column_names == ["id", "image", "captions", "more"] and data["id"][:] == ["0", "1"]
    odd = datasets.Dataset.from_dict(
        {"x": pictures, "y": ["a", "b"]},
        features=datasets.Features({"x": datasets.Image(), "y": datasets.Value("string")}),
    )
    assert nbt.load_data(odd, captions="y")["captions"][:] == [["a"], ["b"]]
    with pytest.raises(nbt.NbtoolkitError, match=r"No column of \['x', 'y'\] looks like the captions; name it"):
        nbt.load_data(odd)
    with pytest.raises(nbt.NbtoolkitError, match=r"no column 'z' for the captions; the columns are \['x', 'y'\]"):
        nbt.load_data(odd, captions="z")


def test_photographs_are_read_as_they_are(photos):
    assert len(photos) == 103 and photos.column_names[:3] == ["id", "image", "captions"]
    assert {len(c) for c in photos["captions"]} == {1, 5}
    sizes = [read_image(im).size for im in photos.select(range(30))["image"]]
    assert any(w > h for w, h in sizes) and any(w < h for w, h in sizes)


@pytest.mark.parametrize("mode", ["CMYK", "P", "RGBA", "L", "LA", "1", "RGB"])
def test_every_mode_is_read_as_rgb(mode):
    kind = "TIFF" if mode in ("CMYK", "LA") else "PNG"
    image = read_image(encoded(gradient(mode), kind))
    assert image.mode == "RGB" and image.size == (20, 10)
    reference = np.asarray(gradient("L" if mode in ("L", "LA") else "RGB").convert("RGB"), float)
    assert np.abs(np.asarray(image, float) - reference).mean() < (130 if mode == "1" else 15)


def test_transparency_shows_white():
    image = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    assert np.asarray(read_image(encoded(image))).min() == 255


def test_sixteen_bits_are_scaled_not_clipped():
    ramp = np.linspace(0, 65535, 64).reshape(8, 8).astype(np.uint16)
    out = np.asarray(read_image(encoded(Image.fromarray(ramp))))[..., 0]
    assert np.abs(out.astype(int) - (ramp // 257).astype(int)).max() <= 1


def test_exif_rotation_is_applied():
    image = gradient()
    exif = image.getexif()
    exif[0x0112] = 6  # rotate by 270 degrees to be upright
    turned = read_image(encoded(image, "JPEG", exif=exif, quality=95))
    assert turned.size == (10, 20)
    assert np.abs(np.asarray(turned, float) - np.asarray(image.rotate(270, expand=True), float)).mean() < 6


def test_damaged_pictures_are_refused():
    whole = encoded(Image.effect_noise((64, 64), 80), "JPEG")
    for broken in (whole[: len(whole) // 2], b"not a picture", "/nowhere/x.jpg", None):
        with pytest.raises(nbt.NbtoolkitError, match="The image cannot be read"):
            read_image(broken)


def test_thumbnails_are_small_jpegs():
    picture = Image.open(io.BytesIO(thumbnail(Image.new("RGB", (1000, 500)), 256)))
    assert picture.size == (256, 128) and picture.format == "JPEG"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: p / "missing.parquet", "There is no file or folder"),
        (lambda p: (p / "x.txt").write_text("x") and p / "x.txt", "is not a Parquet file"),
        (lambda p: (p / "x.parquet").write_bytes(b"nonsense") and p / "x.parquet", "cannot be read as Parquet"),
        (lambda p: p, "has no captions.jsonl"),
        (lambda p: nbt.toy.scenes(0), "The data set is empty"),
        (lambda p: 7, "data is a int; expected 'toy', a Parquet file"),
        (lambda p: datasets.Dataset.from_dict({"image": [], "captions": []}), "The data set is empty"),
    ],
)
def test_sources_that_cannot_be_used(tmp_path, make, message):
    with pytest.raises(nbt.NbtoolkitError, match=message):
        nbt.load_data(make(tmp_path))


@pytest.mark.parametrize("line", ['{"file_name": "../../etc/passwd", "caption": "x"}', "nonsense", '{"caption": "x"}'])
def test_listing_errors_name_the_line(tmp_path, line):
    (tmp_path / "captions.jsonl").write_text(line)
    with pytest.raises(nbt.NbtoolkitError, match="line 1"):
        nbt.load_data(tmp_path)


def test_no_scenes_at_all_are_an_empty_data_set():
    with pytest.raises(nbt.NbtoolkitError, match="The data set is empty"):
        nbt.load_data("toy", n=0)


def test_repeated_ids_are_refused():
    rows = datasets.Dataset.from_dict({"id": ["a", "a"], "image": ["x", "y"], "caption": ["", ""]})
    with pytest.raises(nbt.NbtoolkitError, match="The id 'a' occurs more than once"):
        nbt.load_data(rows)


def test_vocabulary():
    assert vocabulary([["A dog, 2 cats"], ["dog's"]]) == {"a", "dog", "cats", "s"}


# --- doors ------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        gradient().save(tmp_path / name)
    return tmp_path


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


def test_coco_captions_as_published(folder):
    content = {"images": [{"id": 9, "file_name": "a.jpg"}, {"id": 7, "file_name": "b.jpg"}],
               "annotations": [{"image_id": 7, "caption": "a cat"}, {"image_id": 9, "caption": "a dog"}, {"image_id": 7, "caption": "the cat"}]}  # fmt: skip
    (folder / "captions_val2014.json").write_text(json.dumps(content))
    data = nbt.load_data(folder / "captions_val2014.json")
    assert data["id"][:] == ["9", "7"] and data["captions"][:] == [["a dog"], ["a cat", "the cat"]]
    with pytest.raises(nbt.NbtoolkitError, match="is COCO's own format, one split per file"):
        nbt.load_data(folder / "captions_val2014.json", split="val")
    with pytest.raises(
        nbt.NbtoolkitError, match=r"The first image of 'captions_val2014.json' is not at .*; name the folder"
    ):
        nbt.load_data(folder / "captions_val2014.json", images=folder / "nowhere")


def test_coco_captions_in_karpathys_splits(folder):
    def entry(name, split, *texts):
        return {
            "filepath": "",
            "filename": name,
            "cocoid": ord(name[0]),
            "split": split,
            "sentences": [{"raw": t} for t in texts],
        }

    images = [
        entry("a.jpg", "train", "a dog", "one dog"),
        entry("b.jpg", "restval", "a cat"),
        entry("c.jpg", "test", "a bus"),
    ]
    path = folder / "dataset_coco.json"
    path.write_text(json.dumps({"dataset": "coco", "images": images}))
    assert nbt.load_data(path)["id"][:] == ["97", "98", "99"]
    assert nbt.load_data(path, split="train+restval")["captions"][:] == [["a dog", "one dog"], ["a cat"]]
    with pytest.raises(nbt.NbtoolkitError, match=r"has the splits \['restval', 'test', 'train'\].*got 'val'"):
        nbt.load_data(path, split="val")


@pytest.mark.parametrize("content", ["[]", "{", '{"images": [{"id": 1, "file_name": "../x.jpg"}], "annotations": []}'])
def test_other_json_is_refused(folder, content):
    (folder / "x.json").write_text(content)
    with pytest.raises(nbt.NbtoolkitError, match="is not a COCO captions file|does not lie in the folder"):
        nbt.load_data(folder / "x.json")


@pytest.fixture
def repository(tmp_path):
    """A folder as on the Hugging Face hub: Parquet files, two splits."""
    features = datasets.Features({"image": datasets.Image(), "caption": datasets.List(datasets.Value("string"))})
    for split, n in (("train", 5), ("test", 2)):
        rows = {"image": [gradient()] * n, "caption": [[f"{split} {i}"] for i in range(n)]}
        data = datasets.Dataset.from_dict(rows, features=features)
        (tmp_path / "repo" / "data").mkdir(parents=True, exist_ok=True)
        data.to_parquet(tmp_path / "repo" / "data" / f"{split}-00000-of-00001.parquet")
    return tmp_path / "repo"


def test_a_hugging_face_repository(repository, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    assert nbt.load_data(repository, split="test")["captions"][:] == [["test 0"], ["test 1"]]
    with pytest.raises(
        nbt.NbtoolkitError, match=r"has the splits \['test', 'train'\]; expected split= to name one of them, got None"
    ):
        nbt.load_data(repository)
    saved = tmp_path / "saved"
    nbt.load_data(repository, split="train").save_to_disk(saved)
    assert len(nbt.load_data(saved)) == 5


def test_a_stream_is_taken_as_far_as_asked(repository, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    stream = datasets.load_dataset(str(repository), split="train", streaming=True)
    data = nbt.load_data(stream, n=3)
    assert data["captions"][:] == [["train 0"], ["train 1"], ["train 2"]] and data[0]["image"].size == (20, 10)
    assert len(nbt.load_data(datasets.load_dataset(str(repository), streaming=True), split="test", n=9)) == 2
    assert len(nbt.load_data(str(repository), split="train", streaming=True, n=2)) == 2
    with pytest.raises(nbt.NbtoolkitError, match="is a stream; expected n=, the number of rows to take"):
        nbt.load_data(stream)


def test_an_id_out_of_reach_says_so():
    with pytest.raises(
        nbt.NbtoolkitError,
        match=r"There is no file or folder 'no-such/data', and no data set of that name could be opened",
    ):
        nbt.load_data("no-such/data", split="train")
