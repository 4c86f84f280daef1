"""Batches of images: large ones are decoded at a size that suffices, and small files that become large cost nothing."""

import datasets
import numpy as np
import pytest
import torch
from PIL import Image

import nbtoolkit as nbt
from nbtoolkit.data import images as boundary
from nbtoolkit.extraction import image_batches
from nbtoolkit.models.budget import sufficient_side

from ..data.bombs import bomb_png, measured
from ..data.made import encoded
from ..models.test_zoo import load


def enlarged(data, side):
    """The images of a data set as large PNGs."""
    rows = [{"id": row["id"], "captions": row["captions"], "image": row["image"].resize((side, side))} for row in data]
    cells = [{"bytes": encoded(row["image"]), "path": None} for row in rows]
    kinds = {"id": datasets.Value("string"), "image": datasets.Image(),
             "captions": datasets.List(datasets.Value("string"))}  # fmt: skip
    columns = {"id": [r["id"] for r in rows], "image": cells, "captions": [r["captions"] for r in rows]}
    return datasets.Dataset.from_dict(columns, features=datasets.Features(kinds))


def test_large_images_are_read_at_a_size_that_suffices(model, data, monkeypatch):
    large = enlarged(data.select(range(40)), 512)
    full = nbt.extract(model, large, "dog", progress=False)
    sizes = []
    for module in (boundary, image_batches):
        monkeypatch.setattr(module, "LARGE", 1000)
    read = image_batches.read_images
    monkeypatch.setattr(
        image_batches, "read_images", lambda cell, side: sizes.append(read(cell, side).size) or read(cell, side)
    )
    reduced = nbt.extract(model, large, "dog", progress=False)
    assert set(sizes) == {(128, 128)} and reduced.sample_ids == full.sample_ids
    assert np.abs(reduced.states - full.states).max() < 0.05 * np.abs(full.states).max()


@pytest.mark.parametrize("family", ["llava", "qwen2-vl"])
def test_the_side_that_suffices_is_that_of_what_the_model_gets(family):
    model = load(family)
    values = model.prepare([Image.new("RGB", (2048, 2048))])["pixel_values"]
    assert (sufficient_side(model) - 1) ** 2 < values.numel() / 3 <= sufficient_side(model) ** 2
    assert image_batches.decoding_side(model, [(4000, 4000)]) is None
    assert image_batches.decoding_side(model, [(10, 10), (5000, 4000)]) == sufficient_side(model)


def test_a_processor_that_does_not_shrink_gets_images_in_full():
    class Model:
        @staticmethod
        def prepare(images):
            return {"pixel_values": torch.zeros(3, *images[0].size)}

    assert sufficient_side(Model()) is None


def test_images_that_become_large_cost_less_than_a_gigabyte(tmp_path):
    """Four of 13,000 × 13,000 pixels and four just within the limit, beside the images of the embedded world."""
    for k in range(4):
        bomb_png(tmp_path / f"bomb{k}.png", 13_000)
        bomb_png(tmp_path / f"large{k}.png", 8_192)
    lines = [f'{{"file_name": "{f.name}", "caption": "a dog"}}' for f in sorted(tmp_path.iterdir())]
    (tmp_path / "captions.jsonl").write_text("\n".join(lines))
    out, _, _ = measured(
        """
data = nbt.load_data(sys.argv[1])
try:
    nbt.extract(nbt.load_model("toy"), data, "dog", progress=False)
except nbt.NbtoolkitError as error:
    out = str(error)
""",
        tmp_path,
    )
    assert "The model never says 'dog': 8 images have it in a caption" in out
