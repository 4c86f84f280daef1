"""Axes of measurements: boxes of patches, marks without one, and the same target with another image."""

import numpy as np
import pytest
import torch

from nbtoolkit.targets.axes import (
    by_position,
    on_fitting_threads,
    patch_coordinates,
    placebo,
    position_coordinates,
    rounding,
)

from ..models.test_zoo import pictures
from ..zoo_targets import zoo_target


@pytest.mark.parametrize("name", ["llava", "pixtral", "idefics3", "molmo2"])
def test_patches_have_the_boxes_of_the_geometry_and_marks_have_none(name):
    t = zoo_target(name)
    columns = {k: v for k, (_, v) in patch_coordinates(t, t.at("image")).items()}
    positions, geometry = t.patches
    here = [t.at("image").index(p) for p in positions]
    boxes = np.stack([columns[c] for c in ("x0", "y0", "x1", "y1")], 1)
    np.testing.assert_array_equal(boxes[here], geometry.boxes)
    assert columns["row"][here].tolist() == geometry.cells[:, 0].tolist()
    marks = [i for i in range(len(boxes)) if i not in here]
    assert np.isnan(boxes[marks]).all() and (columns["tile"][marks] == -1).all()
    assert bool(marks) == (name != "llava")


def test_positions_that_are_no_patches_have_no_boxes():
    t = zoo_target("blip-2")
    assert np.isnan(patch_coordinates(t, t.at("image"))["x0"][1]).all()


def test_positions_have_text_and_role():
    t = zoo_target("llava")
    columns = position_coordinates(t, [0, t.n_positions - 1])
    assert columns["role"][1].tolist() == ["image", "response"] and columns["text"][1][1].strip() == "red"


def test_scores_by_position_are_those_of_image_and_text():
    t = zoo_target("llava")
    values, details = by_position(t, np.arange(t.n_positions), "scores")
    assert values.values.tolist() == list(t.at("image")) and values.name == "scores"
    assert details["text"].values.tolist() == details["text"].position.values.tolist()
    values, details = by_position(zoo_target("mllama"), np.arange(100), "scores")
    assert values.dims == ("position",) and not details


def test_the_placebo_has_the_text_and_the_size_and_another_image():
    t = zoo_target("llava")
    other = placebo(t)
    assert other.image.size == t.image.size and other.n_positions == t.n_positions and other.tokens == t.tokens
    image, text = list(t.at("image")), [k.position for k in t.tokens if k.role != "image"]
    assert (other.residual(0)[text] == t.residual(0)[text]).all()
    assert np.abs(other.residual(0)[image] - t.residual(0)[image]).min(1).max() > 0
    same = t.again(t.image)
    assert same.value == t.value


def test_the_span_of_another_image_is_measured_where_its_size_is_another():
    t = zoo_target("pixtral")
    assert t.image_span == t.again(pictures()[0]).image_span
    other = t.again(pictures()[0].resize((64, 64)))
    assert other.n_positions != t.n_positions and other.image_span != t.image_span
    assert len(other.at("image")) - len(t.at("image")) == other.n_positions - t.n_positions


def test_an_instrument_of_a_small_model_runs_on_one_thread():
    before, counts = torch.get_num_threads(), []
    torch.set_num_threads(2)
    try:
        on_fitting_threads(lambda target: counts.append(torch.get_num_threads()))(zoo_target("llava"))
        assert counts == [1] and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_rounding_follows_the_format():
    assert rounding(zoo_target("llava")) == 1e-4
