"""Concept maps: inner products on the grid of patches of every family."""

import numpy as np
import pytest
import torch
from PIL import Image

import nbtoolkit as nbt
from nbtoolkit.attribution import patch_scores
from nbtoolkit.models.hooks import watching

from ..models.test_zoo import load, pictures
from ..painting import as_shipped, noise, paint
from ..zoo import FAMILIES


def test_saliency_is_the_inner_product_on_the_grid(model, data, dictionary):
    cd, _ = dictionary
    image = data[3]["image"]
    inputs, seen = model.encode([image]), []
    with torch.inference_mode(), watching(model.blocks, lambda layer, h: seen.append(h) if layer == cd.layer else None):
        model.hf(**inputs)
    mask = model.image_mask(inputs)
    expected = seen[0][mask].numpy() @ cd.concepts[2]
    np.testing.assert_allclose(nbt.saliency(model, image, cd, 2).ravel(), expected, rtol=1e-4, atol=1e-3)
    with pytest.raises(nbt.NbtoolkitError, match="There is no concept 8; the dictionary has 8"):
        nbt.saliency(model, image, cd, 8)


GRIDS = {"llava": (1, 4, 4), "pixtral": (1, 3, 4), "mistral3": (1, 3, 4), "llava-next": (1, 4, 4), "qwen2.5-vl": (1, 2, 2), "glm-4v": (1, 2, 3),
         "idefics3": (5, 2, 2), "internvl": (1, 2, 2), "llama4": (3, 2, 2), "ovis2": (3, 2, 2), "git": (1, 4, 4), "molmo2": (1, 2, 2),
         "fuyu": (1, 3, 4)}  # fmt: skip


@pytest.mark.parametrize("name", list(FAMILIES))
def test_every_family_has_its_grid_or_says_why_not(name):
    model = load(name)
    concepts = np.eye(2, model.d_model, dtype=np.float32)
    cd = nbt.ConceptDictionary(concepts, np.ones((1, 2)), ["a"], 2, "PCA")
    try:
        found = nbt.saliency(model, pictures(1)[0], cd, 0)
    except nbt.NbtoolkitError as error:
        assert name in {
            "blip-2",
            "instructblip",
            "kosmos-2",
            "idefics2",
            "blip-2-t5",
            "mllama",
            "florence-2",
        }, error
        assert "no grid of patches" in str(error) or "no image positions" in str(error)
        return
    assert found.ndim == 3 and found.shape == GRIDS.get(name, found.shape) and np.ptp(found) > 0


def axes(model, n=1):
    return nbt.ConceptDictionary(np.eye(n, model.d_model, dtype=np.float32), np.ones((1, n)), ["a"], 2, "PCA")


def test_the_map_of_ovis_2_is_that_of_its_whole_image():
    """Its first tile; the last shows the lower half only, and stays as it is where the upper half is painted."""
    model, image = load("ovis2"), noise((192, 96))
    cd = axes(model)
    before = nbt.saliency(model, image, cd, 0)
    assert before.shape == (3, 2, 2) and before.tile == 0 and before.frames[0].tolist() == [0, 0, 192, 96]
    after = nbt.saliency(model, paint(image, before.geometry.boxes[1]), cd, 0)
    change = np.abs(after.whole - before.whole)
    assert np.unravel_index(change.argmax(), change.shape) == (0, 1)


def test_tiles_of_llava_next_are_scored_and_drawn():
    model, image = load("llava-next"), noise((96, 64))
    cd = axes(model, 3)
    scores, geometry = patch_scores(model, image, cd)
    assert scores.shape == (3, geometry.n_positions) and set(geometry.tiles) == {-1, 0, 1, 2}
    maps = nbt.attribution.saliencies(model, image, cd)
    assert maps.shape == (3, 1, 4, 4)
    np.testing.assert_array_equal(maps[1, 0], nbt.saliency(model, image, cd, 1)[0])
    np.testing.assert_array_equal(maps[:, 0].reshape(3, 16), scores[:, :16])
    fine = geometry.map(scores, tiles="all")
    assert fine.shape == (3, 64, 96) and np.isfinite(fine).all() and len(np.unique(fine[0])) == 24
    assert len(np.unique(geometry.map(scores)[0])) == 16


def test_a_cropped_part_has_no_score():
    model = as_shipped("llava")
    one = nbt.saliency(model, noise((96, 64)), axes(model), 0)
    np.testing.assert_allclose(one.frames[one.tile], [16, 0, 80, 64], atol=0.5)
    over = one.geometry.map(one.ravel())
    assert np.isnan(over[:, :15]).all() and np.isnan(over[:, 81:]).all() and np.isfinite(over[:, 17:79]).all()


def test_a_strip_is_refused_before_it_fills_the_memory():
    model = as_shipped("llava")
    model.processor.image_processor.size = type(model.processor.image_processor)(size={"shortest_edge": 336}).size
    with pytest.raises(nbt.errors.DataError, match="1 × 10000 pixels, and the processor of .* would enlarge it"):
        nbt.saliency(model, Image.new("RGB", (1, 10_000)), axes(model), 0)


def test_positions_that_depend_on_the_prompt_are_refused(monkeypatch):
    model = as_shipped("llava")
    other = as_shipped("llava-next").geometry(noise((64, 64)))
    monkeypatch.setattr(model, "geometry", lambda image: other)
    with pytest.raises(nbt.errors.ModelError, match="has 16 image positions with this prompt; expected"):
        nbt.saliency(model, noise((64, 64)), axes(model), 0)
