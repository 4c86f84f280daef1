"""Planted truth for all instruments: in the glass box the question decides which of two patches is named."""

import functools
from dataclasses import replace

import numpy as np
import pytest

import nbtoolkit as nbt
from nbtoolkit.attribution import (
    attention_to_image,
    direct_logit_attribution,
    gradient_x_input,
    integrated_gradients,
    occlusion,
)
from nbtoolkit.interventions import activation_patching, attention_knockout, path_effects

from .zoo.glass_box import CELLS, cases, glass_box, mask

HOWS = ("sdpa", "eager")
CASES = [pytest.param(case, id=f"{case.question} {case.word}") for case in cases()]


@functools.cache
def box(how):
    hf, processor = glass_box()
    hf.set_attn_implementation(how)
    return nbt.load_model(hf, processor=processor)


def of(case, how="sdpa"):
    return nbt.target(box(how), case.image, case.word, case.question, foil=case.foil)


def summed(measurement):
    """The measurement as a map over patches: sums over layers and heads."""
    others = [axis for axis in measurement.values.dims if axis != "patch"]
    return replace(measurement, values=measurement.values.sum(others))


def knocked_out(t):
    """A map of attention knockouts: what the word loses where the last position cannot read a patch at any layer."""
    whole = {"window": t.model.n_layers, "layers": [1], "n_null": 0}
    losses = [-float(attention_knockout(t, [p], **whole).values[0]) for p in t.at("image")]
    own = occlusion(t, null="none")
    return replace(own, values=own.values.copy(data=losses).rename("attention_knockout"))


MAPS = {
    "attention": lambda t: summed(attention_to_image(t)),
    "occlusion": lambda t: occlusion(t, null="none"),
    "occlusion, keep only": lambda t: occlusion(t, keep_only=True, null="none"),
    "occlusion, blurred": lambda t: occlusion(t, baseline="blur", null="none"),
    "integrated gradients": integrated_gradients,
    "gradient × input": gradient_x_input,
    "direct logit attribution": lambda t: summed(direct_logit_attribution(t, "patch", n_draws=1)),
    "attention knockout": knocked_out,
}


@pytest.mark.parametrize("case", CASES)
def test_the_question_decides_which_patch_is_named(case):
    t = nbt.target(box("sdpa"), case.image, case.word, case.question)
    assert t.response == case.word and t.probability > 0.98  # in the model's own words
    assert len(t.at("image")) == 16 and t.at("question") == (16, 17, 18, 19)
    boxes = t.patches[1].boxes[[case.named, case.other]]
    for (x0, y0, x1, y1), patch in zip(boxes.astype(int), (case.named, case.other), strict=True):
        assert mask(patch)[y0:y1, x0:x1].all() and mask(patch).sum() == (y1 - y0) * (x1 - x0)


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("method", MAPS)
def test_a_faithful_map_points_at_the_named_patch_every_time(method, how):
    for case in cases():
        t = of(case, how)
        own = MAPS[method](t)
        scores = nbt.metrics.faithfulness(own, t, n_steps=4, n_random=3, mask=mask(case.named)).details
        assert float(scores["pointing"]) == 1 == float(scores["iou"])
        values = own.values.values
        assert values[case.named] > 3 * np.abs(np.delete(values, case.named)).max()
        auc = scores["auc"].sel(curve="deletion"), scores["auc"].sel(curve="insertion")
        assert auc[0] < 0.25 and auc[1] > 0.75  # the first of four steps does all but what the black patches do


@pytest.mark.parametrize("salient", ["brightest patch", "centre"])
def test_a_map_of_what_is_salient_points_at_it_every_other_time(salient):
    hits = []
    for case in cases():
        t = of(case)
        if salient == "centre":  # four patches are nearest; the first of the two coloured ones counts
            x, y = (np.arange(16) % 4 - 1.5, np.arange(16) // 4 - 1.5)
            map_ = np.where(np.isin(np.arange(16), list(CELLS.values())), 1e-3, 0) - np.hypot(x, y)
        else:
            map_ = [np.asarray(case.image)[mask(patch)].mean() for patch in range(16)]
        values = occlusion(t, null="none").values.copy(data=map_)
        measured = replace(occlusion(t, null="none"), values=values)
        scores = nbt.metrics.faithfulness(measured, t, n_steps=4, n_random=3, mask=mask(case.named)).details
        hits.append(float(scores["pointing"]))
    assert np.mean(hits) == 0.5


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("case", CASES)
def test_one_layer_reads_the_question_and_the_next_one_the_patch(case, how):
    t = of(case, how)
    first, last = t.at("image")[0], t.n_positions - 1
    named, other, side = first + case.named, first + case.other, t.at("question")[2]
    assert t.tokens[side].text.strip() in ("left", "right")
    knockouts = {p: attention_knockout(t, [p], n_null=0).values.values for p in (named, other, side)}
    np.testing.assert_allclose(knockouts[named], [0, -t.value], atol=0.02 * t.value)
    np.testing.assert_allclose(knockouts[other], 0, atol=1e-3)
    assert knockouts[side][0] < -2 and abs(knockouts[side][1]) < 1e-5
    far = t.again(question=next(c.question for c in cases() if c.question != case.question))
    blind = attention_knockout(far, [side], layers=[1], n_null=0).values.values[0] + far.value
    assert blind == pytest.approx(knockouts[side][0] + t.value, abs=1e-3)  # neither side is asked for: both are alike
    groups = {"named": [named], "other": [other], "side": [side], "last": [last]}
    recovered = activation_patching(t, t.again(swapped(case)), groups=groups)  # the colours change places
    truth = {"named": [1, 1, 0], "other": [0, 0, 0], "side": [0, 0, 0], "last": [0, 0, 1]}
    for group, expected in truth.items():
        np.testing.assert_allclose(recovered.values.sel(group=group), expected, atol=0.02, err_msg=group)
    recovered = activation_patching(t, far, groups=groups)  # the other side is asked for
    truth |= {"named": [0, 0, 0], "side": [1, 0, 0], "last": [0, 1, 1]}
    for group, expected in truth.items():
        np.testing.assert_allclose(recovered.values.sel(group=group), expected, atol=0.02, err_msg=group)
    heads = activation_patching(t, far, part="heads", layers=[1, 2], groups=["last"]).values
    np.testing.assert_allclose(heads.sel(group="last"), [[1, 0, 0, 0], [1, 0, 0, 0]], atol=0.02)


def swapped(case):
    """The image of the other arrangement."""
    return next(c.image for c in cases() if c.question == case.question and c.word != case.word)


@pytest.mark.parametrize("case", CASES)
def test_the_image_reaches_the_word_past_the_question(case):
    effects = path_effects(of(case)).values
    np.testing.assert_allclose(effects.sel(effect="direct"), 0, atol=1e-4)
    np.testing.assert_allclose(effects.sel(effect="indirect"), effects.sel(effect="total"), atol=1e-4)
    t = nbt.target(box("sdpa"), case.image, case.word, case.question, response=f"a {case.word}", foil=case.foil)
    effects = path_effects(t, through="question").values  # the position that reads the patch is none of the question's
    np.testing.assert_allclose(effects.sel(effect="indirect"), 0, atol=1e-4)
    assert float(effects.sel(effect="total").min()) > 5


@pytest.mark.parametrize("case", CASES)
def test_the_lens_reads_the_word_where_it_comes_from(case):
    t = of(case)
    lens = nbt.lens.logit_lens(t)
    rank = lens.details["word_rank"].sel(word=case.word)
    named, other = (t.at("image")[0] + patch for patch in (case.named, case.other))
    assert rank.sel(position=named).values.tolist() == [1, 1, 1] and (rank.sel(position=other) > 1).all()
    assert rank.sel(position=t.n_positions - 1).values.tolist()[2] == 1  # the last position reads it in layer 2
    assert float(lens.values.sel(layer=1, position=t.n_positions - 1, word=case.word)) < np.log(0.05)


def test_neurons_are_none_of_it_and_one_head_is_all_of_it():
    for case in cases():
        t = of(case)
        assert float(abs(direct_logit_attribution(t, "neuron", n_draws=1).values).max()) == 0
        heads = direct_logit_attribution(t, "head", n_draws=1).values
        assert float(heads.sel(layer=2, head=0)) == pytest.approx(t.value, rel=0.01)
        assert float(abs(heads).sum()) == pytest.approx(t.value, rel=0.01)
