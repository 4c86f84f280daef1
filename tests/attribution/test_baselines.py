"""Baselines: what stands for an absent patch or token."""

import numpy as np
import pytest

from nbtoolkit.attribution.baselines import baseline_states, moves
from nbtoolkit.targets.axes import patch_positions

from ..zoo_targets import zoo_target


def test_the_mean_is_of_patches_and_not_of_the_marks_between_them():
    t = zoo_target("pixtral")
    patches, states = patch_positions(t), t.residual(0)
    assert patches and set(patches) < set(t.at("image"))
    base = baseline_states(t, 0).numpy()
    for position in t.at("image"):
        np.testing.assert_allclose(base[position], states[patches].mean(0), atol=1e-6)
    text = [k.position for k in t.tokens if k.role != "image"]
    np.testing.assert_allclose(base[text[0]], states[text].mean(0), atol=1e-6)


def test_positions_without_a_grid_are_all_patches():
    t = zoo_target("blip-2")
    assert patch_positions(t) == list(t.at("image"))


@pytest.mark.parametrize("name", ["llava", "gemma3"])
def test_moves_change_one_modality_each_and_no_empty_state(name):
    t = zoo_target(name)
    own, ends = t.residual(0), moves(t, 0)
    image = list(t.at("image"))
    text = [k.position for k in t.tokens if k.role != "image"]
    assert (ends["image"].numpy()[text] == own[text]).all() and (ends["text"].numpy()[image] == own[image]).all()
    empty = np.linalg.norm(own, axis=-1) == 0
    assert (ends["text"].numpy()[empty] == 0).all() and empty.any() == (name == "gemma3")
