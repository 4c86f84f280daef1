"""The session of an Inspector: what it opens with, and measurements as messages."""

import base64
import json
import threading

import numpy as np
import pytest

from nbtoolkit.attribution import saliency
from nbtoolkit.errors import Cancelled, DataError, MethodError, NbtoolkitError, NothingFoundError
from nbtoolkit.lens import logit_lens
from nbtoolkit.live.inspector import open_session
from nbtoolkit.live.inspector_payload import decoded
from nbtoolkit.targets import target
from nbtoolkit.widgets.inspector import Inspector


@pytest.fixture(scope="module")
def image(data):
    return data[4]["image"]


@pytest.fixture(scope="module")
def session(model, image):
    return open_session(model, image, word="hat", compute=("lens", "attention"))


def measured(session, name, key="hat", **more):
    data, buffers = session.run("measure", {"name": name, "target": key, **more})
    json.dumps(data, allow_nan=False)
    assert sum(map(len, buffers)) < 2_000_000
    return data, decoded(data, buffers)


def test_the_opening_has_tokens_words_and_geometry(session, model):
    meta = session.meta()
    side = meta["sides"]["a"]
    json.dumps(meta, allow_nan=False)
    assert (meta["token"], meta["n_layers"], meta["n_heads"], meta["d_model"]) == ("hat", 5, 4, 128)
    assert meta["checks"].startswith("checks ok (")
    assert [role for _, role in side["tokens"]].count("image") == 64 == len(side["geometry"]["positions"])
    assert side["geometry"]["grid"] == [8, 8] and side["geometry"]["boxes"][4:8] == [0.125, 0, 0.25, 0.125]
    assert [w["key"] for w in side["words"]][:3] == ["a", "ginger", "cat"] and "a#2" in [
        w["key"] for w in side["words"]
    ]
    hat = next(w for w in side["words"] if w["key"] == "hat")
    own = target(model, session.sides["a"].image, "hat")
    assert hat["probability"] == pytest.approx(own.probability, rel=1e-4)
    assert hat["position"] == own.positions[0] and side["tokens"][hat["positions"][0]][0].strip() == "hat"
    assert base64.b64decode(side["image"].partition(",")[2])[:2] == b"\xff\xd8"


def test_a_target_is_that_of_the_library(session, model, image):
    for key, occurrence in (("hat", 0), ("a#2", 1)):
        own = target(model, image, key.partition("#")[0], occurrence=occurrence)
        ours = session.target(key)
        assert ours.value == pytest.approx(own.value, abs=1e-5) and ours.positions == own.positions
        assert ours.quantity.foils == own.quantity.foils and ours.tokens == own.tokens
        assert ours.image_span == own.image_span


def test_a_lens_message_holds_the_measurement(session, model, image):
    data, arrays = measured(session, "lens")
    m = logit_lens(target(model, image, "hat"))
    np.testing.assert_allclose(arrays["values"], m.values[..., 0], atol=1e-4)
    np.testing.assert_allclose(arrays["null"], m.null[..., 0], atol=1e-4)
    assert (arrays["words"].values == m.details["top_words"].values).mean() > 0.999
    np.testing.assert_allclose(np.exp(arrays["log_probs"]), m.details["top_probability"], atol=1e-4)
    assert data["unit"] == "nats" and "residual" in data["check"] and data["null"].startswith("placebo image")


def test_attention_has_a_number_per_head_and_patch(session):
    _, arrays = measured(session, "attention")
    m = session.measurement("attention")
    assert arrays["values"].dims == ("layer", "head", "patch") and arrays["values"].patch.values.tolist() == list(
        range(64)
    )
    np.testing.assert_allclose(arrays["values"].values, m.values.values)
    assert m.target is session.target("hat")


def test_results_stay_per_target(session):
    first = session.measurement("lens", "hat", "").values
    assert session.measurement("lens", "hat", "").values is first and session.measurement("lens").values is first
    assert session.measurement("lens", "cat", "").values is not first
    assert session.measurement("lens", "hat", "cap").values is not first
    assert (
        {"a|hat||lens|", "a|hat|cap|lens|", "a|cat||lens|"} <= {*session.measurements} == {*session.meta()["computed"]}
    )


def test_a_run_reports_and_stops(session):
    seen, stop = [], threading.Event()
    session.measurement("lens", "ginger", progress=lambda done, total: seen.append((done, total)))
    assert seen and all(0 <= done <= total for done, total in seen)
    stop.set()
    with pytest.raises(Cancelled):
        session.measurement("lens", "beach", cancel=stop)
    session.measurement("lens", "beach")  # nothing of the stopped run is in the way


def test_refusals_are_sentences(session, model, image):
    with pytest.raises(NothingFoundError, match="Did you mean 'hat'"):
        session.target("hats")
    with pytest.raises(NothingFoundError, match="Did you mean 'ginger'"):
        open_session(model, image, word="gingre")
    with pytest.raises(MethodError, match="Did you mean 'lens'"):
        session.measurement("lense")
    with pytest.raises(MethodError, match="side is 'b'"):
        session.run("measure", {"name": "lens", "target": "hat", "side": "b"})
    with pytest.raises(MethodError, match="counts as the token"):
        session.target("hat", "Hat")
    with pytest.raises(DataError, match="takes no question"):
        session.run("ask", {"question": "what?"})
    assert session.meta()["token"] == "hat"  # as before


def test_without_a_word_it_is_the_one_that_needs_the_image_most(model, image):
    session = open_session(model, image)
    side = session.sides["a"]
    falls = {}
    for key in side.words:
        own = session.target(key)
        other = own.again(side.blank.image)
        falls[key] = np.log(own.probability) - np.log(other.probability)
    content = {k: v for k, v in falls.items() if k.partition("#")[0] not in ("a", "the", "in", "on", "an")}
    assert session.key == max(content, key=content.get)


@pytest.fixture(scope="module")
def with_study(model, image, study):
    return open_session(model, image, word="hat", study=study)


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("occlusion", ""),
        ("gradients", ""),
        ("concept", "4:1"),
        ("contribution", ""),
        ("neurons", ""),
        ("concepts", "4"),
        ("patching", ""),
        ("knockout", ""),
        ("writers", "4:1"),
        ("faithfulness", "attention"),
        ("faithfulness", "head:4.1"),
        ("faithfulness", "lens:3"),
        ("faithfulness", "concept:4:1"),
    ],
)
def test_every_instrument_has_a_message(with_study, name, of):
    data, arrays = measured(with_study, name, of=of)
    m = with_study.measurement(name, of=of)
    assert data["name"] == name and data["unit"] == m.unit and str(m.check) == data["check"] and m.check.holds
    assert np.isfinite(arrays["values"].values).all()
    if name not in ("neurons", "faithfulness"):
        np.testing.assert_allclose(arrays["values"].values, m.values.values, rtol=1e-6, atol=1e-9)
    seconds = {one["name"]: one["seconds"] for one in with_study.meta()["instruments"]}
    assert seconds[name] > 0


def test_heads_mlps_and_the_rest_sum_to_the_logit(with_study):
    data, arrays = measured(with_study, "contribution")
    facts = data["facts"]
    rest = facts["embedding"] + facts["constant"]
    total = float(arrays["attention"].sum() + arrays["mlp"].sum()) + rest
    assert total == pytest.approx(facts["total"], abs=1e-3)
    np.testing.assert_allclose(arrays["values"].sum("head"), arrays["attention"], atol=1e-3)


def test_the_strongest_neurons_have_words(with_study):
    data, arrays = measured(with_study, "neurons")
    m = with_study.measurement("neurons")
    layer, index = map(int, str(arrays["values"].neuron.values[0]).split("."))
    assert abs(float(m.values.sel(layer=layer, neuron=index))) == pytest.approx(float(np.nanmax(abs(m.values))))
    assert arrays["words"].shape == (50, 5) and all(isinstance(w, str) for w in arrays["words"].values.ravel())
    assert data["facts"]["total"] == pytest.approx(float(m.values.sum()), rel=1e-5)


def test_writers_sum_to_the_score_of_the_concept(with_study, study):
    data, arrays = measured(with_study, "writers", of="4:1")
    state = with_study.target("hat").residual(4)[-1]
    score = float(state @ study.dictionary(4).concept(1))
    everything = data["facts"]["embedding"] + float(arrays["attention"].sum() + arrays["mlp"].sum())
    assert data["facts"]["total"] == pytest.approx(score, abs=1e-4) == pytest.approx(everything, abs=1e-3)


def test_a_concept_map_is_that_of_the_library(with_study, model, image, study):
    _, arrays = measured(with_study, "concept", of="4:1")
    np.testing.assert_allclose(
        arrays["values"].values, saliency(model, image, study.dictionary(4), 1).ravel(), atol=1e-3
    )


def test_what_needs_concepts_says_so(session):
    refused = {one["name"]: one["refused"] for one in session.meta()["instruments"] if one["refused"]}
    assert {*refused} == {"concept", "concepts", "writers"} and "study=" in refused["concept"]
    with pytest.raises(MethodError, match="study="):
        session.measurement("concept", of="4:1")


@pytest.mark.parametrize("of", ["", "9", "4:99", "x", "4:-1"])
def test_a_concept_that_is_not_there_is_refused(with_study, of):
    with pytest.raises(MethodError, match="of is"):
        with_study.measurement("concept", of=of)


@pytest.mark.parametrize("of", ["", "colour", "head:x", "head:9.1"])
def test_a_map_that_is_not_there_is_refused(with_study, of):
    with pytest.raises(NbtoolkitError, match=r"of is|attention_to_image has no"):
        with_study.measurement("faithfulness", of=of)


@pytest.mark.parametrize("name", ["faithfulness", "concept", "oclusion"])
def test_what_is_computed_at_once_is_of_the_word(model, image, name):
    with pytest.raises(MethodError, match=f"compute has '{name}'; expected some of 'lens', 'attention'"):
        open_session(model, image, word="hat", compute=("lens", name))


def test_a_view_that_opens_later_has_what_python_computed(session):
    view = Inspector(session)
    assert "a|hat||faithfulness|attention" not in view._computed
    view.compute("faithfulness:attention")
    assert "a|hat||faithfulness|attention" in view._computed and "a|hat||attention|" in view._computed
    view.close()
