"""Integrated gradients: complete in every family, exact with one node where linear, refused where a gap remains."""

import numpy as np
import pytest

import nbtoolkit as nbt
from nbtoolkit.attribution import integrated_gradients
from nbtoolkit.attribution.baselines import moves
from nbtoolkit.attribution.integrated import _paths

from ..zoo_targets import EVERY, NO_POSITIONS, additive, sums_of, zoo_target


@pytest.mark.parametrize(("name", "how"), EVERY)
def test_scores_are_complete_in_every_family(name, how):
    t = zoo_target(name, how)
    if name == "llama4":  # the choice of an expert jumps along the path, which no quadrature follows
        with pytest.raises(nbt.errors.MeasurementError, match="with 256 nodes, the scores' sum misses"):
            integrated_gradients(t)
        return
    result = integrated_gradients(t)
    assert result.check.residual <= 0.01 and "Completeness gap in nats: " in result.note
    if name in NO_POSITIONS:
        assert result.values.dims == ("position",)
        return
    change = t.value - float(t.replay(0, moves(t, 0)["image"][None])[0])
    assert float(result.values.sum()) == pytest.approx(change, abs=0.011 * float(abs(result.values).sum()) + 1e-5)
    assert result.null.shape == result.values.shape


@pytest.mark.parametrize(("name", "how"), [case for case in EVERY if case[0] != "llama4"])
def test_the_gap_shrinks_with_nodes_in_every_family(name, how):
    t = zoo_target(name, how)
    few, many = (_paths(t, 0, "mean", n, np.inf) for n in (1, 16))
    for path, more in few.items():
        assert abs(many[path].gap) <= max(abs(more.gap), 1e-4), path


def test_the_gap_shrinks_with_nodes():
    t = zoo_target("llava")
    gaps = [integrated_gradients(t, n_nodes=n, tolerance=1.0).check.residual for n in (1, 2, 4, 16)]
    assert gaps == sorted(gaps, reverse=True) and gaps[0] > 1e-3 and gaps[-1] < 1e-5


def test_nodes_are_doubled_until_the_gap_is_small():
    t = zoo_target("llava")
    assert integrated_gradients(t, n_nodes=1).provenance["settings"]["n_nodes"]["image"] > 1
    with pytest.raises(
        nbt.errors.MeasurementError, match=r"with 256 nodes, the scores' sum misses .* expected at most 0\."
    ):
        integrated_gradients(t, n_nodes=200, tolerance=0.0)


def test_a_linear_quantity_is_exact_with_one_node(rng):
    t = zoo_target("llava")
    coefficients = rng.normal(size=t.n_positions)
    result = integrated_gradients(additive(t, coefficients), n_nodes=1)
    image, sums = list(t.at("image")), sums_of(t)
    np.testing.assert_allclose(result.values, coefficients[image] * (sums[image] - sums[image].mean()), atol=1e-4)
    assert result.provenance["settings"]["n_nodes"] == {"image": 1, "text": 1}


def test_a_later_layer():
    result = integrated_gradients(zoo_target("llava"), layer=2)
    assert result.check.holds and result.provenance["settings"]["layer"] == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_nodes": 0}, "n_nodes is 0; expected"),
        ({"tolerance": float("nan")}, "tolerance is nan; expected"),
        ({"baseline": "zero"}, "baseline is 'zero'; expected 'mean' or 'blur'"),
    ],
)
def test_bad_input_is_one_clear_error(options, message):
    with pytest.raises(nbt.NbtoolkitError, match=message):
        integrated_gradients(zoo_target("llava"), **options)


def test_a_model_that_adds_the_image_again_says_where():
    assert "adds the image again after layers 1, 2" in integrated_gradients(zoo_target("qwen3-vl")).note
    assert "again" not in integrated_gradients(zoo_target("qwen3-vl"), layer=3).note


@pytest.mark.parametrize(("name", "how"), EVERY)
def test_one_path_alone_is_that_of_both(name, how):
    if name == "llama4":
        pytest.skip("a router of experts is no continuous function, so gradients along a path do not sum to the change")
    t = zoo_target(name, how)
    both, text = integrated_gradients(t), integrated_gradients(t, along="text")
    words = both.values if name in NO_POSITIONS else both.details["text"]
    np.testing.assert_allclose(text.values, words, atol=1e-6)
    assert text.values.dims == ("position",) == text.null.dims and [*text.provenance["gap"]] == ["text"]
    if name in NO_POSITIONS:
        with pytest.raises(nbt.errors.ModelError, match="needs image positions"):
            integrated_gradients(t, along="image")
        return
    image = integrated_gradients(t, along="image")
    np.testing.assert_allclose(image.values, both.values, atol=1e-6)
    np.testing.assert_allclose(image.null, both.null, atol=1e-6)
    assert not image.details and [*image.provenance["gap"]] == ["image"] and "(text" not in image.note
    assert image.check.residual <= both.check.residual == max(image.check.residual, text.check.residual)


def test_an_unknown_path_is_refused():
    with pytest.raises(nbt.errors.MethodError, match="along is 'sound'; expected 'both' or 'image' or 'text'"):
        integrated_gradients(zoo_target("llava"), along="sound")
