"""Attention to the image: rows of every family rebuild the heads, and equal the model's own maps."""

import numpy as np
import pytest
import torch

import nbtoolkit as nbt
from nbtoolkit.attribution import attention_to_image
from nbtoolkit.models.taps import tap
from nbtoolkit.targets import target
from nbtoolkit.types.measurement import Measurement

from ..zoo_targets import EVERY, NO_POSITIONS, zoo_target


@pytest.mark.parametrize(("name", "how"), EVERY)
def test_rows_rebuild_the_heads_in_every_family(name, how):
    t = zoo_target(name, how)
    if name in NO_POSITIONS:
        with pytest.raises(nbt.NbtoolkitError, match=r"Attention to the image needs image positions, and .* has none"):
            attention_to_image(t)
        return
    if name == "git":
        with pytest.raises(nbt.NbtoolkitError, match="has no attention between positions of its residual stream"):
            attention_to_image(t)
        return
    result = attention_to_image(t)
    assert result.check.residual < 2e-6 and result.unit == "no unit"
    assert result.values.dims == ("layer", "head", "patch") and result.values.sizes["patch"] == len(t.at("image"))
    assert result.values.layer.values.tolist() == list(range(1, t.model.n_layers + 1))
    share = result.details["share"]
    np.testing.assert_allclose(share.sum("group"), 1, atol=1e-5)
    np.testing.assert_allclose(share.sel(group="image"), result.values.sum("patch"), atol=1e-5)
    assert result.null.shape == result.values.shape and "size of the image" in str(result.null_kind)
    if name not in ("llava-mistral", "gemma3"):  # their windows are shorter than the text after the image
        assert float(abs(result.null - result.values).max()) > (0 if name == "idefics2" else 1e-4)


@pytest.mark.parametrize("name", ["llava", "gemma3", "qwen2.5-vl"])
def test_rows_are_those_of_the_models_own_maps(name):
    t = zoo_target(name, "eager")
    with torch.inference_mode():
        maps = t.model.hf(**t.inputs, output_attentions=True).attentions
    own = np.stack([m[0, :, -1].float().numpy() for m in maps])[..., list(t.at("image"))]
    np.testing.assert_allclose(attention_to_image(t).values, own, atol=1e-6)
    np.testing.assert_allclose(attention_to_image(zoo_target(name)).values, own, atol=1e-5)  # sdpa gives no maps itself


def test_listening_changes_no_bit_of_the_states():
    t = zoo_target("llava")
    before = t.replay(0, t.residual(0)[None])
    attention_to_image(t)
    assert (t.replay(0, t.residual(0)[None]) == before).all()


def test_uniform_attention_is_over_what_a_head_can_read():
    t = zoo_target("llava")
    null = attention_to_image(t, null="uniform").null
    np.testing.assert_allclose(null, 1 / t.n_positions, rtol=1e-5)
    sliding = zoo_target("llava-mistral")  # its window is 8 positions, which end after the image
    null = attention_to_image(sliding, null="uniform").null
    first = sliding.n_positions - 8
    readable = np.array(sliding.at("image")) >= first
    assert (null.values[..., ~readable] == 0).all()


def test_a_word_of_several_pieces_has_the_mean_of_its_rows(model, data):
    t = target(model, data[0]["image"], "umbrella", response="a umbrella")
    assert len(t.positions) == 7
    rows = attention_to_image(t).values
    with torch.inference_mode(), tap(model, t.positions) as attention:
        model.hf(**t.inputs)
    own = attention.rows[2][0].mean(1)[:, list(t.at("image"))]
    np.testing.assert_allclose(rows.sel(layer=2), own, atol=1e-6)


def test_the_measurement_is_drawn_on_the_patches_and_saved(model, data, tmp_path):
    t = target(model, data[0]["image"], "a", response="a dog")
    result = attention_to_image(t)
    geometry = model.geometry(t.image)
    np.testing.assert_allclose(np.stack([result.values[c] for c in ("x0", "y0", "x1", "y1")], 1), geometry.boxes)
    again = Measurement.open(result.save(tmp_path / "attention"))
    assert again.values.equals(result.values) and again.null.equals(result.null) and again.note == result.note


def test_an_unknown_null_is_refused():
    with pytest.raises(nbt.NbtoolkitError, match="null is 'blank'; expected 'image' or 'uniform'"):
        attention_to_image(zoo_target("llava"), null="blank")
