"""The session of an Inspector on every family, on a model of 24 layers and 576 image tokens, and on what people bring."""

import contextlib
import io
import json
import time

import numpy as np
import pytest
import xarray
from PIL import Image

import nbtoolkit as nbt
from nbtoolkit.errors import MethodError, ModelError, NbtoolkitError, NothingFoundError
from nbtoolkit.live.inspector import check_study, open_session
from nbtoolkit.live.inspector_instruments import INSTRUMENTS
from nbtoolkit.live.inspector_payload import MOST_BYTES, decoded, message
from nbtoolkit.types.measurement import Identity, Measurement

from ..models.test_zoo import pictures
from ..zoo import FAMILIES
from ..zoo_targets import NO_POSITIONS, RESPONSE, zoo_model
from .large import large_llava

QUICK = ("llava", "qwen3-vl", "idefics3", "gemma3", "blip-2", "mllama", "git", "molmo2")
EVERY = [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in FAMILIES]
EXPERTS = ("llama4",)  # whose second layer has no neurons that all tokens share
DEAF = ("git",)  # whose attention cannot be heard
EDITS = {
    "knock out": {"op": "knock_out", "targets": "response"},
    "heads": {"op": "ablate", "layers": [2], "part": "attention", "heads": [1]},
    "mean": {"op": "ablate", "layers": [3], "part": "mlp", "how": "mean"},
    "neurons": {"op": "ablate", "layer": 2, "neurons": [3, 4]},
    "mask": {"op": "mask", "patches": [0, 1]},
    "blank": {"op": "patch", "layer": 3, "positions": "image", "from": "blank"},
    "steer": {"op": "steer", "layer": 1, "word": "cat", "strength": 1.0, "positions": "after"},
}


@pytest.mark.parametrize("name", EVERY)
def test_every_family_opens_and_refuses_in_sentences(name):
    session = open_session(zoo_model(name), pictures()[0], word="dog", response=RESPONSE, compute=("lens", "attention"))
    meta = session.meta()
    json.dumps(meta, allow_nan=False)
    side = meta["sides"]["a"]
    assert bool(side["geometry"]) != bool(side["no_grid"]) and len(side["words"]) == 4
    refused = {one["name"] for one in meta["instruments"] if one["refused"]}
    assert ("attention" in refused) == (name in NO_POSITIONS)
    assert "a|dog||lens|" in meta["computed"]  # a refused instrument does not lose the others
    assert ("a|dog||attention|" in meta["computed"]) == (name not in (*NO_POSITIONS, *DEAF))
    for instrument in ("lens", "attention", "contribution", "patching"):
        with contextlib.suppress(NbtoolkitError):
            data, buffers = session.run("measure", {"name": instrument, "target": "dog"})
            assert np.isfinite(decoded(data, buffers)["values"].values).all()


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("name", EVERY)
def test_edits_of_every_family_are_those_of_their_lines(name, edit):
    model, image = zoo_model(name), pictures()[0]
    session = open_session(model, image, word="dog", response=RESPONSE)
    question = {"edits": [EDITS[edit]], "target": "dog"}
    try:
        after = session.run("edit", question)["after"]
    except NbtoolkitError as error:
        refused = ("neurons",) if name in EXPERTS else ("knock out", "mask", "blank")
        assert name in (*NO_POSITIONS, *DEAF, *EXPERTS) and edit in refused and "expected" in str(error)
        return
    code, out = session.run("edits_as_python", question)["text"], io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(code, {"model": model, "image": image})
    response, log_prob = out.getvalue().rstrip("\n").split("\n")[-2:]
    assert response == after["response"] and float(log_prob) == pytest.approx(after["log_prob"], abs=1e-3), code


def test_messages_of_a_large_model_are_small_and_quick():
    model, image = large_llava(), pictures()[0]
    session = open_session(model, image, word="bus", response="a red bus", compute=("lens", "attention"))
    assert len(json.dumps(session.meta())) < 2_000_000
    for name, shape in (
        ("lens", (25, session.target().n_positions)),
        ("attention", (24, 16, 576)),
        ("contribution", (24, 16)),
    ):
        data, buffers = session.run("measure", {"name": name, "target": "bus"})
        start = time.perf_counter()
        data, buffers = session.run("measure", {"name": name, "target": "bus"})
        assert time.perf_counter() - start < 0.3  # from memory
        assert sum(map(len, buffers)) < 2_000_000
        values, own = decoded(data, buffers)["values"], session.measurement(name).values
        assert values.shape == own.shape[:2] if name == "lens" else values.shape == shape
        np.testing.assert_allclose(values, own[..., 0] if name == "lens" else own, rtol=2e-3, atol=1e-4)


def test_a_message_that_would_be_too_large_leaves_out_nulls_then_layers():
    axes = {"layer": range(1, 33), "head": range(32), "patch": range(2928)}
    values = xarray.DataArray(
        np.random.default_rng(0).random((32, 32, 2928), np.float32), axes, ("layer", "head", "patch")
    )
    m = Measurement(values, "no unit", Identity("x", 0, 1))
    data, buffers = message({"note": "Mind this."}, {"values": m.values, "null": m.values}, {})
    assert sum(map(len, buffers)) <= MOST_BYTES and "null" not in data["arrays"]
    shown = decoded(data, buffers)["values"]
    assert shown.layer.values.tolist() == [4, 8, 12, 16, 20, 24, 28, 32]
    np.testing.assert_allclose(shown, values.sel(layer=shown.layer.values), rtol=1e-3)
    assert data["note"] == (
        "Mind this. The null is too large for the view; it is in the Measurement. The view shows every 4th layer up to the last one; "
        "the Measurement has all."
    )


def test_a_response_of_500_words():
    words = " ".join(["dog", "cat", "snow", "beach", "red"] * 100)
    session = open_session(large_llava(), pictures()[0], word="dog#100", response=words)
    meta = session.meta()
    assert len(meta["sides"]["a"]["words"]) == 500 and meta["token"] == "dog#100"
    _, buffers = session.run("measure", {"name": "lens", "target": "dog#100"})
    assert sum(map(len, buffers)) < 2_000_000
    edited = session.run("edit", {"edits": [{"op": "mask", "patches": [0]}], "target": "dog#50"})
    assert len(edited["before"]["response"].split()) <= 40  # the model's own, not the one that was given


def test_a_response_that_is_too_long_is_refused(model, data):
    with pytest.raises(ModelError, match="expected at most 256, the context of toy"):
        open_session(model, data[0]["image"], response="dog " * 300)


@pytest.mark.parametrize("which", ["toy", "llava"])
def test_an_image_of_one_pixel(which, model):
    own = model if which == "toy" else zoo_model("llava")
    session = open_session(own, Image.new("RGB", (1, 1), "red"), compute=("lens", "attention"))
    meta = session.meta()
    json.dumps(meta, allow_nan=False)
    assert meta["sides"]["a"]["aspect"] == 1 and {"lens", "attention"} == {k.split("|")[3] for k in meta["computed"]}
    assert session.run("edit", {"edits": [{"op": "mask", "patches": [0]}], "target": session.key})["before"]["response"]


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script> dog", "\ud800 dog", "a\x00dog", "dog \u202eevil", "🐕 小狗 dog's"]
)
def test_hostile_responses_are_texts(model, data, text):
    session = open_session(model, data[0]["image"], response=text, compute=("lens",))
    meta = session.meta()
    json.dumps(meta, allow_nan=False).encode()
    for word in meta["sides"]["a"]["words"]:
        assert session.target(word["key"], "").positions
    assert session.run("measure", {"name": "lens", "target": session.key})[0]["name"] == "lens"


@pytest.mark.parametrize("text", ["", "  ", "...", "?!"])
def test_a_response_without_words_is_refused(model, data, text):
    with pytest.raises(NothingFoundError, match="expected one with a word"):
        open_session(model, data[0]["image"], response=text)


def test_words_that_are_no_words_are_refused(model, data):
    for word in ("", "\ud800", "x" * 500, "two words", "#2", "a#9"):
        with pytest.raises(NothingFoundError, match="is not in the response"):
            open_session(model, data[4]["image"], word=word)


def test_a_word_of_two_words_is_one(model, data):
    session = open_session(model, data[4]["image"], word="ginger cat")
    assert session.key == "ginger cat" and len(session.target().positions) == 2
    assert session.measurement("lens").values.word.values[0] == "ginger cat"


def test_subjects_are_checked(model, data, study):
    image = data[4]["image"]
    own = nbt.target(model, image, "hat", foil="cap")
    session = open_session(own)
    assert (session.key, session.foil) == ("hat", "cap") and session.target().value == pytest.approx(
        own.value, abs=1e-5
    )
    for arguments, text in [
        ((own, image), "image is given beside a target"),
        ((model,), "image is None"),
        ((5,), "subject is 5"),
    ]:
        with pytest.raises(MethodError, match=text):
            open_session(*arguments)
    other = open_session(zoo_model("llava"), image, response=RESPONSE)
    with pytest.raises(MethodError, match="expected a study of this model"):
        check_study(study, other.sides["a"])


def test_the_other_side(model, data):
    first, second = data[4]["image"], data[9]["image"]
    session = open_session(model, first, word="hat", other=second, compute=("lens",))
    meta = session.meta()
    assert {*meta["sides"]} == {"a", "b"} and meta["sides"]["b"]["label"] == "other image"
    own = next(key for key in session.sides["b"].words if key not in session.sides["a"].words)
    assert session.target(own, "", side="b").response == session.sides["b"].response
    mirrored = session.target("hat", "", side="b")  # which the response of b lacks
    expected = session.target("hat", "").again(session.sides["b"].image)
    assert mirrored.probability == pytest.approx(expected.probability, rel=1e-3)
    data_b, _ = session.run("measure", {"name": "lens", "target": "hat", "side": "b"})
    assert data_b["note"].startswith("Read in the response of the first side")
    assert "the other side's image" in session.measurement("patching").note
    two = open_session(model, first, word="hat", other=nbt.target(zoo_model("llava"), second, "dog", response=RESPONSE))
    assert [side["label"] for side in two.meta()["sides"].values()] == ["toy", zoo_model("llava").name]
    assert two.measurement("lens", "dog", "", side="b").values.sizes["layer"] == 5
    with pytest.raises(MethodError, match="expected a target, an image"):
        open_session(model, first, other={"question": 5})


def test_another_question_is_asked():
    model, image = zoo_model("llava"), pictures()[0]
    session = open_session(model, image, other=pictures()[1])
    first = session.meta()["sides"]["a"]
    key = session.run("ask", {"question": "What is this ?"})["key"]
    sides = session.meta()["sides"]
    assert key in [word["key"] for word in sides["a"]["words"]] and session.key == key
    assert [side["question"] for side in sides.values()] == ["What is this ?"] * 2
    assert "question" in {role for _, role in sides["a"]["tokens"]}
    session.run("ask", {"question": "What \ud800 <b> ?"})
    session.run("ask", {"question": " "})  # the model's own again, from memory
    assert session.meta()["sides"]["a"]["response"] == first["response"]
    with pytest.raises(NbtoolkitError, match="expected at most 1000"):
        session.run("ask", {"question": "x" * 2000})


def test_what_costs_more_takes_longer():
    session = open_session(large_llava(), pictures()[0], word="bus", response="a bus")
    cost = {name: session.estimate(name) for name in INSTRUMENTS}
    assert cost["occlusion"] > cost["faithfulness"] > cost["gradients"] > cost["attention"] > 0


def test_passes_of_an_earlier_question_are_freed_and_come_back():
    session = open_session(zoo_model("llava"), pictures()[0], response=RESPONSE, word="dog")
    first, values = session.sides["a"], session.measurement("lens").values
    session.run("ask", {"question": "What is this ?"})
    assert not first._targets and "whole" not in first.__dict__
    session.run("ask", {"question": ""})
    assert session.sides["a"] is first and session.meta()["sides"]["a"]["words"]
    assert session.measurement("lens", "dog").values is values  # from memory


def test_memory_that_does_not_suffice_is_a_sentence(model, data, monkeypatch):
    session = open_session(model, data[4]["image"], word="hat")
    assert session.target().probability > 0

    def fails(*_, **__):
        raise MemoryError("8 GB")

    monkeypatch.setattr("nbtoolkit.models.adapter.Model.unembed", fails)
    with pytest.raises(ModelError, match=r"Logit lens does not fit into memory \(8 GB\)"):
        session.measurement("lens")
    monkeypatch.undo()
    assert session.measurement("lens").check.holds
