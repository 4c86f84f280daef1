"""Concept maps: inner products on the grid of patches of every family."""

import numpy as np
import pytest
import torch

import nbtoolkit as nbt
from nbtoolkit.models.hooks import watching

from ..models.test_zoo import load, pictures
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
         "idefics3": (5, 2, 2), "internvl": (1, 2, 2), "llama4": (3, 2, 2), "ovis2": (3, 2, 2), "git": (1, 4, 4), "molmo2": (1, 2, 2)}  # fmt: skip


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
            "fuyu",
            "blip-2-t5",
            "mllama",
            "florence-2",
        }, error
        assert "no grid of patches" in str(error) or "no image positions" in str(error)
        return
    assert found.ndim == 3 and found.shape == GRIDS.get(name, found.shape) and np.ptp(found) > 0
