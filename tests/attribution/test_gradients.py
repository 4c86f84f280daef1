"""Gradient × input: its sums are derivatives in every family, and exact where the quantity is linear."""

import numpy as np
import pytest

import nbtoolkit as nbt
from nbtoolkit.attribution import gradient_x_input

from ..zoo_targets import EVERY, NO_POSITIONS, additive, sums_of, zoo_target


@pytest.mark.parametrize(("name", "how"), EVERY)
def test_sums_are_derivatives_in_every_family(name, how):
    t = zoo_target(name, how)
    result = gradient_x_input(t)
    assert result.check.residual < 0.01 and np.isfinite(result.values).all()
    assert result.values.dims == (("position",) if name in NO_POSITIONS else ("patch",))
    assert float(abs(result.values).max()) > 1e-4 or name == "idefics2"  # its image positions are all alike
    assert result.null.shape == result.values.shape


def test_a_linear_quantity_returns_its_coefficients(rng):
    t = zoo_target("llava")
    coefficients = rng.normal(size=t.n_positions)
    result = gradient_x_input(additive(t, coefficients))
    image, text = list(t.at("image")), [k.position for k in t.tokens if k.role != "image"]
    sums = sums_of(t)
    np.testing.assert_allclose(result.values, coefficients[image] * (sums[image] - sums[image].mean()), atol=1e-4)
    expected = coefficients[text] * (sums[text] - sums[text].mean())
    np.testing.assert_allclose(result.details["text"], expected, atol=1e-4)


def test_an_empty_state_keeps_its_place():
    t = zoo_target("gemma3")  # a mark of its template has an embedding of zeros, where a norm's gradient explodes
    lengths = np.linalg.norm(t.residual(0), axis=-1)
    text = gradient_x_input(t).details["text"]
    empty = [p for p in text.position.values.tolist() if lengths[p] == 0]
    assert empty and (text.sel(position=empty) == 0).all() and float(abs(text).max()) < 100


def test_bad_input_is_one_clear_error():
    with pytest.raises(nbt.NbtoolkitError, match="baseline is 'dataset'; expected 'mean' or 'blur'"):
        gradient_x_input(zoo_target("llava"), baseline="dataset")
