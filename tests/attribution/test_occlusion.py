"""Occlusion: coefficients of an additive function, nothing for a patch that nobody reads, and one pass of the vision tower."""

import numpy as np
import pytest
from PIL import Image, ImageFilter

import nbtoolkit as nbt
from nbtoolkit.attribution import occlusion
from nbtoolkit.attribution.baselines import BLUR, baseline_states
from nbtoolkit.attribution.occlusion import _ends, _scores
from nbtoolkit.models.taps import Cut, tap
from nbtoolkit.targets import target
from nbtoolkit.types.measurement import Measurement

from ..models.test_zoo import pictures
from ..zoo import FAMILIES
from ..zoo_targets import EVERY, NO_POSITIONS, additive, pair, sums_of, zoo_target


@pytest.mark.parametrize(("name", "how"), EVERY)
def test_the_occlusion_of_nothing_changes_nothing_in_every_family(name, how):
    t = zoo_target(name, how)
    tokens = occlusion(t, unit="token", null="none")
    assert tokens.check.residual < 1e-5 and tokens.null is None
    assert tokens.values.position.values.tolist() == [k.position for k in t.tokens if k.role != "image"]
    assert float(abs(tokens.values).max()) > 1e-3
    if name in NO_POSITIONS:
        with pytest.raises(nbt.NbtoolkitError, match="Occlusion of the image needs image positions"):
            occlusion(t)
        return
    patches = occlusion(t)
    assert patches.check.residual < 1e-5 and patches.unit == t.quantity.unit
    assert patches.values.position.values.tolist() == list(t.at("image"))
    assert patches.null.shape == patches.values.shape
    if name != "idefics2":  # its image positions are all alike
        assert float(abs(patches.values).max()) > 1e-5
    if name == "llava":  # the same by hand
        edited = t.residual(0)
        edited[0] = edited[list(t.at("image"))].mean(0)
        assert float(patches.values[0]) == pytest.approx(t.value - float(t.replay(0, edited[None])[0]), abs=1e-6)


@pytest.mark.parametrize("keep_only", [False, True])
def test_an_additive_function_returns_its_coefficients(keep_only, rng):
    t = zoo_target("llava")
    coefficients = rng.normal(size=t.n_positions)
    dead = t.at("image")[3]
    coefficients[dead] = 0
    toy = additive(t, coefficients)
    image, text = list(t.at("image")), [k.position for k in t.tokens if k.role != "image"]
    sums = sums_of(t)
    result = occlusion(toy, keep_only=keep_only, null="none").values.values
    np.testing.assert_allclose(result / (sums[image] - sums[image].mean()), coefficients[image], atol=1e-4)
    assert abs(result[3]) < 1e-12
    result = occlusion(toy, unit="token", keep_only=keep_only, null="none").values.values
    np.testing.assert_allclose(result / (sums[text] - sums[text].mean()), coefficients[text], atol=1e-4)


@pytest.mark.parametrize(("name", "how"), EVERY)
def test_a_patch_that_nobody_reads_has_no_effect(name, how):
    if name == "git":
        pytest.skip("GIT has an attention function of its own, in which nothing can be cut")
    t, _ = pair(name, how)
    i = len(t.at("image")) // 2
    dead = t.at("image")[i]
    others = tuple(p for p in range(t.n_positions) if p != dead)
    with tap(t.model, cuts=[Cut(layer, others, (dead,)) for layer in range(1, t.model.n_layers + 1)]):
        t = zoo_target(name, how)
        scores = occlusion(t, null="none").values
    assert abs(float(scores[i])) < 2e-6
    if name != "idefics2":  # its image positions are all alike
        assert float(abs(scores).max()) > 2e-6


@pytest.mark.parametrize(("name", "how"), EVERY)
def test_an_additive_function_returns_its_coefficients_in_every_family(name, how, rng):
    t, _ = pair(name, how)
    coefficients = rng.normal(size=t.n_positions)
    states, image = t.residual(0).astype(float), list(t.at("image"))
    coefficients /= abs(states).sum(-1).mean()
    change = (states - baseline_states(t, 0).double().numpy()).sum(-1)
    result = occlusion(additive(t, coefficients), null="none").values
    np.testing.assert_allclose(result, (coefficients * change)[image], atol=1e-5)


def test_the_vision_tower_runs_once():
    t = zoo_target("llava")
    calls = []
    handle = t.model.vision.register_forward_hook(lambda *_: calls.append(1))
    try:
        assert t.tokens and t.replayed_from == 0
        before = len(calls)
        occlusion(t, null="none")
        occlusion(t, null="none", unit="block")
        occlusion(t, null="none", unit="token", keep_only=True)
        assert len(calls) == before  # the pass of the target itself is the only one
        occlusion(t, null="image")
        assert len(calls) == before + 1
        occlusion(t, null="none", baseline="blur")
        assert len(calls) == before + 2
    finally:
        handle.remove()


def test_blocks_merge_patches(model, data):
    t = target(model, data[0]["image"], "a", response="a dog")
    single, one = occlusion(t, null="none"), occlusion(t, unit="block", size=1, null="none")
    np.testing.assert_allclose(single.values, one.values, atol=1e-5)
    blocks = occlusion(t, unit="block", size=4, null="none")
    assert blocks.values.sizes["patch"] == 4
    assert np.bincount(blocks.details["unit"].values[list(t.at("image"))]).tolist() == [16] * 4
    assert (blocks.details["unit"].values[-1], blocks.values.x0.values.tolist()) == (-1, [0, 64, 0, 64])
    assert (blocks.values.x1.values[0], blocks.values.y1.values[0]) == (64, 64)
    whole = occlusion(t, unit="block", size=8, null="none")
    only = occlusion(t, unit="block", size=8, null="none", keep_only=True)
    np.testing.assert_allclose(whole.values, only.values, atol=1e-6)  # one unit is all units


def test_marks_between_patches_are_a_unit_of_blocks():
    t = zoo_target("pixtral")
    blocks = occlusion(t, unit="block", null="none")
    marks = [p for p in t.at("image") if p not in t.patches[0]]
    assert marks and (blocks.details["unit"].values[marks] == blocks.values.sizes["patch"] - 1).all()
    assert np.isnan(blocks.values.x0.values[-1])


def test_baselines():
    t = zoo_target("llava")
    mean = occlusion(t, null="none").values
    np.testing.assert_allclose(occlusion(t, baseline="dataset", data=[t.image], null="none").values, mean, atol=1e-5)
    other = occlusion(t, baseline="dataset", data=pictures()[1:3], null="none").values
    assert float(abs(other - mean).max()) > 1e-4
    flat = zoo_target("llava", image=Image.new("RGB", (64, 64), (200, 30, 30)))
    assert float(abs(occlusion(flat, baseline="blur", null="none").values).max()) < 1e-6  # blurring changes nothing
    assert float(abs(occlusion(t, baseline="blur", null="none").values).max()) > 1e-4


def test_later_layers_and_the_last():
    t = zoo_target("llava")
    assert float(abs(occlusion(t, layer=2, null="none").values).max()) > 1e-5
    assert (
        float(abs(occlusion(t, layer=-1, null="none").values).max()) < 1e-6
    )  # the last layer's image predicts no word


@pytest.mark.parametrize("name", [name for name in FAMILIES if name not in NO_POSITIONS])
def test_the_occlusion_of_all_positions_by_a_blurred_image_is_to_show_that_image(name):
    """Also where the image is added again between the blocks (Qwen3-VL), which a replay of edited states alone leaves."""
    t = zoo_target(name)
    blurred = t.again(t.image.filter(ImageFilter.GaussianBlur(max(t.image.size) / BLUR)))
    scores, _ = _scores(t, 0, [t.at("image")], _ends(t, 0, "blur", None), False)
    assert float(scores[0]) == pytest.approx(t.value - blurred.value, abs=1e-5)
    assert name != "qwen3-vl" or (len(t.recording.between) == 2 and abs(scores[0]) > 1e-3)


def test_the_measurement_is_saved(tmp_path):
    result = occlusion(zoo_target("llava"), unit="token")
    again = Measurement.open(result.save(tmp_path / "occlusion"))
    assert again.values.equals(result.values) and again.provenance["settings"]["unit"] == "token"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"unit": "pixel"}, "unit is 'pixel'; expected 'patch', 'block', 'token'"),
        ({"baseline": "zero"}, "baseline is 'zero'; expected 'mean', 'blur', 'dataset'"),
        ({"baseline": "dataset"}, "baseline is 'dataset' with no data; expected baseline='dataset' with data=…"),
        ({"data": []}, "baseline is 'mean' with data; expected"),
        ({"baseline": "dataset", "data": []}, "data has no images; expected at least one"),
        ({"unit": "token", "baseline": "blur"}, "baseline is 'blur' with unit='token'; expected 'mean'"),
        ({"null": "blank"}, "null is 'blank'; expected 'image' or 'none'"),
        ({"size": 0}, "size is 0; expected"),
        ({"layer": 9}, "layer"),
    ],
)
def test_bad_input_is_one_clear_error(options, message):
    with pytest.raises(nbt.NbtoolkitError, match=message):
        occlusion(zoo_target("llava"), **options)


def test_blocks_need_a_grid():
    with pytest.raises(
        nbt.NbtoolkitError, match="unit is 'block', and the image positions of .* are no grid of patches"
    ):
        occlusion(zoo_target("blip-2"), unit="block")


def test_numbers_that_overflow_are_not_given():
    t = zoo_target("llava")
    with pytest.raises(nbt.errors.MeasurementError, match="occlusion is not given, because its check fails: .*nan"):
        occlusion(additive(t, np.full(t.n_positions, np.inf)), null="none")
