"""Attention knockout: a replay with a cut equals a whole pass with it, in every family, sdpa and eager."""

import numpy as np
import pytest

import nbtoolkit as nbt
from nbtoolkit.interventions import attention_knockout
from nbtoolkit.models.inference import inference
from nbtoolkit.models.replay import record
from nbtoolkit.models.taps import Cut, tap

from ..zoo_targets import EVERY, pair


@pytest.mark.parametrize(("name", "how"), EVERY)
def test_a_knockout_equals_a_whole_pass_with_the_cut(name, how):
    if name == "git":
        pytest.skip("GIT has an attention function of its own, and is refused: see below")
    t, other = pair(name, how)
    m = attention_knockout(t, "image", "last", n_null=2)
    others = set(range(max(t.at("last")))) - {*t.at("image"), *t.at("last")}
    assert m.check.residual == 0 and m.null.sizes["draw"] == (2 if len(t.at("image")) < len(others) else 1)
    for k, layer in enumerate(m.values.layer.values):
        cut = Cut(int(layer), t.at("last"), t.at("image"))
        with tap(t.model, cuts=[cut]), inference(t.model.hf):
            whole = t.measure(record(t.model, t.inputs).stream[-1])
        assert m.values.values[k] == pytest.approx(float(whole[0]) - t.value, abs=2e-5)
    assert np.abs(m.values).max() > 0
    # the whole image cut at every layer: two images give equal answers
    everyone = [p for p in range(t.n_positions) if p not in t.at("image")]
    n = t.model.n_layers
    blind = [
        x.value + float(attention_knockout(x, "image", everyone, window=n, layers=[n // 2], n_null=0).values[0])
        for x in (t, other)
    ]
    assert blind[0] == pytest.approx(blind[1], abs=1e-5) and abs(t.value - other.value) > 1e-3


def test_what_cannot_be_cut_is_refused():
    t, _ = pair("git")
    with pytest.raises(nbt.errors.ModelError, match="has no attention between positions"):
        attention_knockout(t)
    t, _ = pair("llava")
    for options, message in (
        ({"sources": "picture"}, "role is 'picture'"),
        ({"sources": [999]}, r"sources is \[999\]; expected a role or whole numbers from"),
        ({"sources": []}, r"sources is \[\], which no position is"),
        ({"heads": [4]}, r"heads is \[4\]; expected heads from 0 to 3"),
        ({"window": 0}, "window is 0"),
    ):
        with pytest.raises(nbt.NbtoolkitError, match=message):
            attention_knockout(t, **options)


def test_the_word_of_the_toy_reads_the_image():
    """A planted fact: the toy says “dog” because of the image, so its attention to it matters more than to other positions."""
    model, data = nbt.load_model("toy"), nbt.load_data("toy", n=40)
    row = nbt.attribution.mentions(model, data["image"], "dog").rows[0]
    t = nbt.target(model, data[row]["image"], "dog", foil="cat")
    m = attention_knockout(t, window=3, n_null=3)
    assert float(m.values.min()) < -5 * float(np.abs(m.null).max()) and m.unit == "nats"
    assert float(m.details["probability"].min()) < -0.01


def test_a_null_of_all_other_sources_is_one_draw():
    model, image = nbt.load_model("toy"), nbt.load_data("toy", n=1)[0]["image"]
    t = nbt.target(model, image, "cars", response="two red cars", foil="dogs")
    few = attention_knockout(t, "image", "last", layers=[2], n_null=3)
    assert few.null.sizes["draw"] == 1 and "there are no more" in few.note
    assert attention_knockout(t, t.at("image")[:3], "last", layers=[2], n_null=3).null.sizes["draw"] == 3
