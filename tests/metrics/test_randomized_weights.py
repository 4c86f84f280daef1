"""Randomised weights: a map of the model changes, a map of the image does not, and every weight comes back bit by bit."""

import functools
from dataclasses import replace

import numpy as np
import pytest
import torch

import nbtoolkit as nbt
from nbtoolkit.attribution import attention_to_image, direct_logit_attribution, gradient_x_input, occlusion
from nbtoolkit.metrics import randomization_check

from ..zoo.glass_box import cases, glass_box
from ..zoo_targets import zoo_model, zoo_target

occluded = functools.partial(occlusion, null="none")
blocks = functools.partial(occlusion, null="none", unit="block")
attended = functools.partial(attention_to_image, null="uniform")


def of_the_toy():
    model, data = nbt.load_model("toy"), nbt.load_data("toy", n=40)
    row = nbt.attribution.mentions(model, data["image"], "dog").rows[0]
    return nbt.target(model, data[row]["image"], "dog", foil="cat")


def edges(t):
    """An edge detector: contrast of the pixels of each patch, whatever the model is."""
    measurement = occluded(t)
    pixels, values = np.asarray(t.image.convert("L"), float), measurement.values
    boxes = np.stack([values[c].values for c in ("x0", "y0", "x1", "y1")], 1).astype(int)
    return replace(measurement, values=values.copy(data=[pixels[b:d, a:c].std() for a, b, c, d in boxes]))


def bits(model):
    return {name: p.detach().clone() for name, p in model.hf.named_parameters()}


def same(model, before):
    return all(torch.equal(p, before[name]) for name, p in model.hf.named_parameters())


@pytest.mark.parametrize("instrument", [blocks, pytest.param(gradient_x_input, marks=pytest.mark.slow), attended])
def test_a_map_of_the_model_changes_with_its_weights(instrument):
    t = of_the_toy()
    before = bits(t.model)
    cascade = randomization_check(instrument, t, n_draws=2)
    assert cascade.values.layer.values.tolist() == [5, 4, 3, 2, 1] and cascade.values[0] > 0.5
    assert abs(float(cascade.values[-1])) < 0.5 < float(cascade.values[0]) and cascade.check.residual == 0
    every = randomization_check(instrument, t, weights="all", n_draws=2)
    assert every.values.layer.values.tolist() == [0] and abs(float(every.values[0])) < 0.35
    assert same(t.model, before)


def test_an_edge_detector_fails():
    t = of_the_toy()
    result = randomization_check(edges, t, n_draws=1)
    np.testing.assert_allclose(result.values, 1)
    np.testing.assert_allclose(result.details["magnitude"], 1)
    assert "still correlates 1.00 with its own map" in result.note
    assert abs(float(result.null.mean())) < 0.1 < float(result.null.std()) < 0.2 and result.p() == pytest.approx(
        1 / 101
    )


def test_the_glass_box_is_no_map_of_the_image():
    hf, processor = glass_box()
    model, case = nbt.load_model(hf, processor=processor), cases()[0]
    t = nbt.target(model, case.image, case.word, case.question, foil=case.foil)
    value = t.value
    result = randomization_check(occluded, t, n_draws=2)
    assert float(abs(result.values).max()) < 0.9 and t.again(t.image).value == value
    first = randomization_check(
        lambda t: replace(m := direct_logit_attribution(t, "patch", n_draws=1), values=m.values.sum(("layer", "head"))),
        t, weights="independent", n_draws=2,
    )  # fmt: skip
    assert first.values.layer.values.tolist() == [2, 1] and first.note == ""
    assert first.details["draws"].shape == (2, 2)


@pytest.mark.parametrize("name", ["gemma3", "llava", "qwen3-vl"])  # the first one's embedding and head are tied
@pytest.mark.parametrize("weights", ["cascading", "all"])
def test_weights_come_back_bit_by_bit_also_after_an_error(name, weights):
    model, t = zoo_model(name), zoo_target(name)
    before, value, calls = bits(model), t.value, []
    tied = model.hf.get_output_embeddings().weight is model.hf.get_input_embeddings().weight
    assert tied == (name == "gemma3")

    def failing(target):
        calls.append(target.value)
        if len(calls) == 2:
            raise RuntimeError("in the second step")
        return occluded(target)

    if weights == "all":
        calls.append(value)  # the only step is the second one
        with pytest.raises(RuntimeError, match="second step"):
            randomization_check(lambda target: occluded(target) if target is t else failing(target), t, weights=weights)
    else:
        with pytest.raises(RuntimeError, match="second step"):
            randomization_check(failing, t, weights=weights)
    assert calls[0] == value != calls[1]  # the pass of the target is not a recording of other weights
    assert same(model, before) and t.value == value == t.again(t.image).value
    assert tied == (model.hf.get_output_embeddings().weight is model.hf.get_input_embeddings().weight)
    assert randomization_check(occluded, t, weights=weights, n_draws=1).check.residual == 0 and same(model, before)


def test_one_seed_gives_one_result():
    t = zoo_target("llava")
    a, b, c = (randomization_check(occluded, t, n_draws=2, random_state=seed) for seed in (0, 0, 1))
    assert a.values.equals(b.values) and a.null.equals(b.null) and not a.values.equals(c.values)
    np.testing.assert_allclose(a.values, a.details["draws"].mean("draw"))


def test_bad_input_is_one_clear_error():
    t = zoo_target("llava")
    for options, message in (
        ({"weights": "top"}, "weights is 'top'; expected one of 'cascading', 'independent', 'all'"),
        ({"n_draws": 0}, "n_draws is 0"),
        ({"instrument": lambda t: 1.0}, "instrument gives float; expected a Measurement"),
        ({"instrument": lambda t: replace(m := occluded(t), values=m.values * 0)}, "The map of occlusion is constant"),
    ):
        with pytest.raises(nbt.NbtoolkitError, match=message):
            randomization_check(**({"instrument": occluded, "target": t} | options))


def test_quantised_weights_are_refused():
    from ..zoo import build

    hf, processor = build("llava")
    model = nbt.load_model(hf, processor=processor)
    t = nbt.target(model, cases()[0].image, "dog", response="a dog", foil="cat")
    codes = torch.nn.Parameter(torch.zeros(3, dtype=torch.uint8), requires_grad=False)
    model.blocks[-1].register_parameter("codes", codes)
    with pytest.raises(nbt.errors.ModelError, match=r"A weight is torch.uint8 on cpu; expected floating-point weights"):
        randomization_check(occluded, t)
