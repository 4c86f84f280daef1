"""COCO captions: the official format and Karpathy's splits."""

import json

import pytest

import nbtoolkit as nbt


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
    with pytest.raises(
        nbt.NbtoolkitError, match="is an empty list; expected COCO|is not valid JSON|does not lie in the folder"
    ):
        nbt.load_data(folder / "x.json")
