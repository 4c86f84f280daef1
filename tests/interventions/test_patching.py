"""Activation patching: clean states everywhere are the clean pass; what cannot matter changes nothing; in every family."""

import numpy as np
import pytest

import nbtoolkit as nbt
from nbtoolkit.interventions import activation_patching

from ..zoo_targets import EVERY, pair, telling_pair


@pytest.mark.parametrize(("name", "how"), EVERY)
def test_the_stream_of_a_clean_pass_brings_the_word_back(name, how):
    t, other = telling_pair(name, how)
    m = activation_patching(t, other)
    layers = m.values.layer.values.tolist()
    assert layers[0] == t.first_layer and layers[-1] == t.model.n_layers
    if t.first_layer == 0:
        assert float(m.values.sel(layer=0, group="image")) == pytest.approx(1, abs=1e-3)
        assert float(m.values.sel(layer=0, group="last")) == pytest.approx(0, abs=1e-3)
    last = m.values.sel(layer=t.model.n_layers)
    assert float(last.sel(group="last")) == pytest.approx(1, abs=1e-3)
    assert float(last.sel(group="image")) == pytest.approx(0, abs=1e-3)
    # patched with itself, and everything
    everywhere = activation_patching(t, other, groups={"all": range(t.n_positions)}, placebo=t)
    np.testing.assert_allclose(everywhere.values, 1, atol=2e-3)
    np.testing.assert_allclose(everywhere.null, everywhere.values, atol=1e-5)
    itself = activation_patching(t, other, groups=["image", "last"], layers=[-1, layers[0]], placebo=other)
    np.testing.assert_allclose(itself.null, 0, atol=1e-3)  # the corrupt pass patched with itself
    assert float(abs(m.null.sel(group="last", layer=layers[-1]) - 1)) > 1e-3  # the noise floor: an unrelated image


@pytest.mark.parametrize("part", ["attention", "mlp", "heads"])
@pytest.mark.parametrize(("name", "how"), EVERY)
def test_parts_are_patched_where_they_enter_the_stream(name, how, part):
    """After the last layer only the last position is read; all heads together are the attention, where no norm follows."""
    t, other = telling_pair(name, how)
    n = t.model.n_layers
    try:
        m = activation_patching(t, other, part=part, layers=[n], groups=["image", "last"])
    except nbt.errors.ModelError as error:
        pytest.skip(f"{name}: {error}")
    np.testing.assert_allclose(m.values.sel(group="image"), 0, atol=1e-3)
    assert np.isfinite(m.values).all() and np.isfinite(m.null).all()


def test_pairs_that_do_not_fit_are_refused():
    t, other = pair("llava")
    with pytest.raises(nbt.errors.MethodError, match="expected values that differ"):
        activation_patching(t, t.again(t.image))
    with pytest.raises(nbt.errors.MethodError, match="positions; expected as many"):
        activation_patching(t, t.again(question="What is this ?"))
    with pytest.raises(nbt.errors.MethodError, match="part is 'neurons'; expected one of 'stream'"):
        activation_patching(t, other, part="neurons")
    with pytest.raises(nbt.errors.MethodError, match="have different models or words"):
        activation_patching(t, nbt.target(t.model, t.image, "red", response="a red dog sits"))


@pytest.mark.parametrize("part", ["stream", "attention", "mlp", "heads"])
@pytest.mark.parametrize("name", ["llava", "blip-2", "aya-vision"])
def test_behind_a_prefix_the_numbers_are_those_of_whole_passes(name, part):
    t, other = pair(name)
    groups = ["last", "response"]
    fast = activation_patching(t, other, part=part, groups=groups).values
    assert other.prefix is not None and other.prefix.start(other.at("response")[0]) > 0
    whole = t.again(other.image)
    whole.__dict__["prefix"] = None
    np.testing.assert_allclose(fast, activation_patching(t, whole, part=part, groups=groups).values, atol=1e-4)
    assert float(abs(fast).max()) > 1e-3
