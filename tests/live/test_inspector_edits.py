"""Edits of an Inspector are the interventions; controls have their size; their Python lines give the same."""

import contextlib
import importlib
import io
import re

import numpy as np
import pytest

from nbtoolkit.errors import MethodError, NbtoolkitError
from nbtoolkit.interventions import ablate
from nbtoolkit.live.inspector import open_session
from nbtoolkit.live.inspector_controls import control_of
from nbtoolkit.live.inspector_edits import direction
from nbtoolkit.models.anatomy import neuron_matrix
from nbtoolkit.models.generation import respond
from nbtoolkit.targets import target
from nbtoolkit.widgets.inspector_edits import Facts, checked

BLANK = {"op": "patch", "layer": 3, "positions": "image", "from": "blank"}
OTHER = {"op": "patch", "layer": 3, "positions": {"patches": [9, 10, 11]}, "from": "other"}
EDITS = {
    "knock out": [{"op": "knock_out"}],
    "knock out a head": [
        {"op": "knock_out", "layers": [4], "heads": [1], "sources": {"patches": [1, 2]}, "targets": "word"}
    ],
    "knock out in the response": [{"op": "knock_out", "layers": [2, 3, 4, 5], "targets": "response"}],
    "knock out positions": [{"op": "knock_out", "sources": [64, 65], "targets": "last"}],
    "heads": [{"op": "ablate", "layers": [4], "part": "attention", "heads": [1, 2]}],
    "mean": [{"op": "ablate", "layers": [3], "part": "mlp", "how": "mean"}],
    "block": [{"op": "ablate", "layers": [2]}],
    "concept": [{"op": "ablate", "layer": 4, "concept": 2}],
    "neurons": [{"op": "ablate", "layer": 4, "neurons": [1, 2, 3]}],
    "mask": [{"op": "mask", "patches": [*range(20, 44)]}],
    "blank": [BLANK],
    "other": [OTHER],
    "last": [{"op": "patch", "layer": 3, "positions": "last", "from": "blank"}],
    "steer": [{"op": "steer", "layer": 4, "concept": 1, "strength": 2}],
    "steer after": [{"op": "steer", "layer": 4, "word": "snow", "strength": 2, "positions": "after"}],
    "steer image": [{"op": "steer", "layer": 0, "word": "zebra", "strength": 1.5, "positions": "image"}],
    "several": [
        {"op": "mask", "patches": [1, 2]},
        {"op": "ablate", "layers": [2], "part": "mlp"},
        BLANK,
        {"op": "steer", "layer": 4, "concept": 1, "strength": -2},
    ],
}


MORE = {  # states, positions and masks are read before what stands earlier in the list is in force
    "two patches": [BLANK, {"op": "patch", "layer": 2, "positions": {"patches": [1, 2]}, "from": "blank"}, BLANK],
    "ablated, then patched": [{"op": "ablate", "layers": [1]}, OTHER, {"op": "mask", "patches": [5]}],
    "steered, then cut": [
        {"op": "steer", "layer": 0, "word": "zebra", "strength": 1.5, "positions": "image"},
        {"op": "knock_out", "layers": [3, 4], "sources": "image", "targets": "response"},
        {"op": "mask", "patches": [7, 8]},
    ],
}


@pytest.fixture(scope="module")
def pair(data):
    return data[4]["image"], data[9]["image"]


@pytest.fixture(scope="module")
def session(model, pair, study):
    return open_session(model, pair[0], word="ginger", study=study, other=pair[1])


def run(session, name, edits, key="ginger", **more):
    return session.run(name, {"edits": edits, "target": key, **more})


def test_no_edit_changes_nothing(session):
    reply = run(session, "edit", [])
    before, after = reply["before"], reply["after"]
    assert before["response"] == after["response"] and reply["present"]
    assert before["log_prob"] == after["log_prob"] and before["logit"] == after["logit"]
    assert {tag for _, tag in reply["difference"]} == {"same"}
    assert before["probability"] == pytest.approx(session.target("ginger", "").probability, rel=1e-4)


@pytest.mark.parametrize("name", [*EDITS, *MORE])
def test_the_lines_of_python_give_the_same(session, model, pair, study, name):
    edits = {**EDITS, **MORE}[name]
    reply = run(session, "edit", edits)
    code = run(session, "edits_as_python", edits)["text"]
    for module, names in re.findall(r"^from (\S+) import (.+)$", code, re.MULTILINE):  # public ones alone
        assert {*names.split(", ")} <= {*importlib.import_module(module).__all__}, code
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(code, {"model": model, "image": pair[0], "other": pair[1], "study": study})
    response, log_prob = out.getvalue().splitlines()
    assert response == reply["after"]["response"], code
    assert float(log_prob) == pytest.approx(reply["after"]["log_prob"], abs=1e-4), code


@pytest.mark.parametrize("key", ["rain", "the#2"])
def test_lines_name_the_occurrence(session, model, pair, key):
    edits = EDITS["heads"]
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(run(session, "edits_as_python", edits, key)["text"], {"model": model, "image": pair[0]})
    assert float(out.getvalue().splitlines()[1]) == pytest.approx(
        run(session, "edit", edits, key)["after"]["log_prob"], abs=1e-4
    )


@pytest.mark.parametrize("key", ["dog", "Dog's", "a#3", "Cars", "cars#2"])
def test_lines_find_words_beside_other_forms(model, pair, key):
    session = open_session(model, pair[0], response="A dog and a Dog's hat, Cars on cars, a")
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(run(session, "edits_as_python", [], key)["text"], {"model": model, "image": pair[0]})
    log_prob = run(session, "edit", [], key)["before"]["log_prob"]
    assert float(out.getvalue().splitlines()[1]) == pytest.approx(log_prob, abs=1e-3)


def test_without_all_attention_it_is_the_intervention(session, model, pair):
    edits = [{"op": "ablate", "layers": [1, 2, 3, 4, 5], "part": "attention"}]
    reply = run(session, "edit", edits)
    with ablate(model, [1, 2, 3, 4, 5], part="attention"):
        (ids,) = respond(model, model.inputs([pair[0]]), 40)
        own = target(model, pair[0], "ginger", response=session.sides["a"].response, quantity="log_prob").value
    assert reply["after"]["response"] == model.decode(ids).strip() != reply["before"]["response"]
    assert reply["after"]["log_prob"] == pytest.approx(own, abs=1e-4)
    tags = {"same", "added", "removed"}
    assert {tag for _, tag in reply["difference"]} <= tags and len(reply["after"]["top"]) == 5


def test_a_patch_of_all_positions_of_the_other_image_is_its_pass(session):
    layer_0 = [{"op": "patch", "layer": 0, "positions": "image", "from": "other"}]
    own = session.target("ginger", "").again(session.sides["b"].image)
    assert run(session, "edit", layer_0)["after"]["probability"] == pytest.approx(own.probability, rel=1e-3)


def test_a_response_that_was_given_is_the_edited_models_own_where_it_chooses_it(session, model, pair):
    clean = session.sides["a"].response
    given = open_session(model, pair[1], word="ginger", response=clean, other=pair[0])
    reply = run(given, "edit", [{"op": "patch", "layer": 0, "positions": "image", "from": "other"}])
    assert reply["before"]["response"] == session.sides["b"].response != clean
    assert reply["after"]["response"] == clean and reply["present"]


@pytest.mark.parametrize("name", EDITS)
def test_controls_are_the_same_each_time_and_have_equal_size(session, name):
    case = session.case("ginger", "")
    rules = checked(EDITS[name], session.facts())
    first, second = (run(session, "control", EDITS[name], draws=3) for _ in range(2))
    assert first == second and len(first["draws"]) == 3 and first["what"].startswith("Random: ")
    others, _ = control_of(case, rules, 0)
    for own, other in zip(rules, others, strict=True):
        assert own["op"] == other["op"] and {**own} != {**other}
        for size in ("layers", "heads", "neurons", "patches"):
            if isinstance(own.get(size), list):
                assert len(own[size]) == len(other[size])
        if "vector" in other and own["op"] == "steer":
            assert np.linalg.norm(other["vector"]) == pytest.approx(np.linalg.norm(direction(case, own)))


def test_a_control_of_everything_is_refused(session):
    everything = [{"op": "ablate", "layers": [1, 2, 3, 4, 5]}]
    with pytest.raises(MethodError, match=r"all 5 layers.*control of equal size"):
        run(session, "control", everything)
    with pytest.raises(MethodError, match="edits is empty"):
        run(session, "control", [])


def test_a_target_may_vanish(session):
    gone = run(session, "edit", EDITS["knock out"])
    assert gone["present"] is False and "ginger" not in gone["after"]["response"]
    assert ["ginger cat", "removed"] in gone["difference"] or any(
        "ginger" in w for w, tag in gone["difference"] if tag == "removed"
    )


def test_edits_are_checked(session, model):
    n = int(neuron_matrix(model, 4).weight.shape[1])
    for edits, text in [
        ([{"op": "ablate", "layer": 4, "neurons": [n]}], f"from 0 to {n - 1}"),
        ([{"op": "mask", "patches": [64]}], "0 … 63"),
        ([{"op": "mask", "patches": []}], "one integer or more"),
        ([{"op": "knock_out", "sources": "<b>"}], "'image', 'question'"),
        ([{"op": "knock_out", "sources": "question"}], "no positions"),
        ([{"op": "ablate", "layer": 4, "concept": 99}], "0 … "),
        ([{"op": "ablate", "layer": 9, "concept": 0}], "a layer of the study"),
        ([{"op": "steer", "layer": 4, "word": "", "strength": 1}], "1 to 80 characters"),
        ([{"op": "steer", "layer": 4, "word": "a", "strength": float("nan")}], "finite number"),
        ([{"op": "boom"}], "expected one of"),
        ([{7: 8}], "expected one of"),
        ([{"op": "mask", "patches": [0]}] * 33, "at most 32"),
    ]:
        with pytest.raises(NbtoolkitError, match=text):
            run(session, "edit", edits)
    assert run(session, "edit", [])["present"]  # nothing of a refused edit stays


def test_a_side_that_is_not_there_is_no_source():
    with pytest.raises(NbtoolkitError, match="no other side"):
        checked([OTHER], Facts(5, 4, 64, 80))
    assert checked([{"op": "patch", "layer": 1}], Facts(5, 4, 64, 80))[0]["from"] == "blank"


def test_an_answer_is_quick(session):
    seconds = [run(session, "edit", EDITS[name])["seconds"] for name in EDITS]
    assert np.median(seconds) < 0.3


@pytest.mark.parametrize("name", EDITS)
def test_the_lens_under_edits_is_that_of_the_edited_pass(session, name):
    lens = session.measurement("lens", side="edited", edits=EDITS[name])
    after = run(session, "edit", EDITS[name])["after"]
    own = session.measurement("lens")
    assert float(lens.values[-1, -1, 0]) == pytest.approx(after["log_prob"], abs=1e-3)
    assert lens.values.shape == own.values.shape and lens.check.holds and lens.provenance["edits"]
    assert np.abs(lens.values - own.values).max() > 1e-4
    assert session.measurement("lens").values is own.values  # that without edits is another one


@pytest.mark.parametrize("name", EDITS)
def test_attention_under_edits(session, name):
    m = session.measurement("attention", side="edited", edits=EDITS[name])
    assert m.check.holds and m.values.shape == (5, 4, 64)


def test_a_head_that_is_cut_reads_nothing_there(session):
    edits = [{"op": "knock_out", "layers": [4], "heads": [1], "sources": "image"}]
    m, own = session.measurement("attention", side="edited", edits=edits), session.measurement("attention")
    assert float(m.values.sel(layer=4, head=1).sum()) == 0 < float(own.values.sel(layer=4, head=1).sum())
    np.testing.assert_allclose(m.values.sel(layer=[1, 2, 3]), own.values.sel(layer=[1, 2, 3]), atol=1e-6)
    np.testing.assert_allclose(
        m.values.sel(layer=4, head=[0, 2, 3]), own.values.sel(layer=4, head=[0, 2, 3]), atol=1e-6
    )
    assert np.abs(m.values - own.values).sel(layer=5).max() > 1e-5


def test_without_edits_the_edited_side_is_the_first(session):
    for name in ("lens", "attention"):
        m, own = session.measurement(name, side="edited"), session.measurement(name)
        assert np.array_equal(m.values, own.values) and np.array_equal(m.null, own.null)
        for part, values in own.details.items():
            np.testing.assert_array_equal(m.details[part].values, values.values)
    with pytest.raises(MethodError, match="not measured under edits"):
        session.measurement("occlusion", side="edited", edits=EDITS["mask"])
