"""The Inspector without a browser: traits, what Python asks of it, its page and its picture."""

import gc
import json
import re
import warnings
import weakref

import numpy as np
import pytest
import traitlets
from PIL import Image

import nbtoolkit as nbt
from nbtoolkit.live.inspector import open_session
from nbtoolkit.widgets import Inspector, inspector_page
from nbtoolkit.widgets.picture import SIZE, draw

from .test_views import ask

ABLATION = {"op": "ablate", "layers": [4], "part": "attention", "how": "zero", "heads": [1]}


@pytest.fixture(scope="module")
def sample(study):
    return next(s for s in study.samples if " dog " in s.caption)


@pytest.fixture(scope="module")
def image(sample, data):
    return next(row for row in data if row["id"] == sample.id)["image"]


@pytest.fixture
def view(model, image, study):
    opened = nbt.inspect(model, image, word="dog", study=study)
    yield opened
    opened.close()


def rewritten(view, op, **args):
    """Reply of a slow request, sent as the page does."""
    sent = []
    view.send = lambda content, buffers=None: sent.append((content, buffers))
    view._channel.receive(view, {"kind": "request", "id": 3, "op": op, "args": args}, [])
    view._channel._pool.shutdown(wait=True)
    replies = [(content, buffers) for content, buffers in sent if content["kind"] == "reply"]
    return replies[-1]


def test_it_opens_at_the_word_with_lens_and_attention(view, model, study):
    assert view.target == "dog" and view.foil == "" and view.layer == model.n_layers
    assert sorted(view.measurements) == ["attention", "lens"]
    assert view._meta["study"]["layers"] == list(study.layers)
    assert view.subject.word == "dog" and "dog" in repr(view)
    assert view._meta["defaults"]["edits"] == [] and "steps" not in view._meta["defaults"]


def test_its_state_opens_it_again(view, model, image, study):
    view.patches, view.head, view.layer, view.edits = [3, 1], 2, 4, [ABLATION]
    state = view.state()
    again = nbt.inspect(model, image, study=study, word="dog", **{k: v for k, v in state.items() if k != "steps"})
    assert again.state() == state and again.patches == [1, 3]


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("target", "cat", "target is 'cat'; expected a word of the response"),
        ("patches", [64], r"patches is 64; expected 0 … 63\."),
        ("layer", 6, r"layer is 6; expected None or 0 … 5\."),
        ("head", 4, r"head is 4; expected None or 0 … 3\."),
        ("concept", 99, "concept is 99; expected None or 0 … "),
        ("token", -1, "token is -1; expected None or 0 … "),
        ("ticked", ["L1"], "ticked is 'L1'; expected names of parts"),
        ("ticked", ["P1"] * 65, r"ticked is '65 entries'; expected at most 64\."),
        ("compared", "other", "compared is 'other'; expected '' or 'edited' without other="),
        ("edits", [{"op": "explode"}], r"edits\[0\] is"),
        ("metric", "saliency", "metric"),
        ("question", "What?", "expected '': the model takes no question"),
    ],
)
def test_what_the_model_lacks_is_no_value(view, name, value, sentence):
    before = getattr(view, name)
    with pytest.raises(traitlets.TraitError, match=sentence):
        setattr(view, name, value)
    assert getattr(view, name) == before


def test_a_layer_may_count_from_the_end(view, model):
    view.layer = -1
    assert view.layer == model.n_layers


def test_a_page_sets_traits_and_gets_wrong_ones_back(view):
    view.set_state({"patches": [5, 4], "head": 1})
    assert (view.patches, view.head) == ([4, 5], 1)
    view.set_state({"patches": [999]})
    view.set_state({"steps": [{"say": "no"}]})
    assert view.patches == [4, 5] and view.steps == []


def test_unknown_options_are_refused_with_a_suggestion(model, image):
    with pytest.raises(TypeError, match=r"Inspector has no option 'patch'\. Did you mean 'patches'\?"):
        nbt.inspect(model, image, patch=[1])
    with pytest.raises(nbt.NbtoolkitError, match=r"Inspector was given a Model; expected a session\."):
        Inspector(model)


def test_instruments_are_those_of_the_library(view, model):
    computed = view.compute("occlusion", "contribution", "faithfulness")
    target = nbt.target(model, view.subject.image, "dog")
    np.testing.assert_allclose(
        computed["occlusion"].values, nbt.attribution.occlusion(target, size=1, null="none").values, atol=2e-4
    )
    assert {"occlusion", "contribution", "faithfulness:attention"} <= set(view.measurements)
    assert set(view.faithfulness) == {"attention"} and view.faithfulness["attention"]["deletion"] < 2
    view.target = "a"
    assert "occlusion" not in view.measurements  # results are of a word


def test_what_an_instrument_is_of_comes_from_the_selection(view):
    with pytest.raises(nbt.NbtoolkitError, match=r"concept is None; expected the concept that 'writers' is of\."):
        view.compute("writers")
    view.layer, view.concept = 4, 2
    assert set(view.compute("writers", "concept", "concepts")) == {"writers:4:2", "concept:4:2", "concepts:4"}
    view.metric = ""
    with pytest.raises(nbt.NbtoolkitError, match="metric is ''"):
        view.compute("faithfulness")


def test_an_effect_is_that_of_the_interventions(view, model):
    view.edits = [ABLATION]
    effect, target = view.effect(), view.subject
    with nbt.interventions.ablate(model, 4, part="attention", heads=[1]):
        edited = target.again()
        assert effect["after"]["log_prob"] == pytest.approx(float(np.log(edited.probability)), abs=1e-4)
    assert effect["before"]["log_prob"] == pytest.approx(np.log(target.probability), abs=1e-4)
    assert len(view.control(draws=3)["draws"]) == 3
    assert view.effect([])["after"]["log_prob"] == pytest.approx(effect["before"]["log_prob"], abs=1e-5)


def test_replies_hold_the_measurement(view):
    content, buffers = rewritten(view, "measure", name="attention", target="dog")
    array = content["data"]["arrays"]["values"]
    values = np.frombuffer(buffers[array["buffer"]], array["dtype"]).reshape(array["shape"])
    np.testing.assert_allclose(values, view.measurements["attention"].values, atol=1e-3)
    assert sum(len(b) for b in buffers) < 2_000_000


@pytest.mark.parametrize(
    ("op", "args"),
    [
        ("measure", {"name": "attention", "target": "../../etc"}),
        ("measure", {"name": "__class__", "target": "dog"}),
        ("edit", {"edits": [{"op": "mask", "patches": [10**9]}], "target": "dog", "foil": ""}),
        ("ask", {"question": "Who?"}),
    ],
)
def test_a_page_cannot_ask_for_what_is_not_there(view, op, args):
    content, _ = rewritten(view, op, **args)
    assert any(part in content["error"] for part in ("expected", "no question", "There is no instrument"))


def test_scripts_that_come_later_are_its_own(view):
    content, _ = ask(view, "panes")
    assert "EditBar" in content["data"]["code"]


# --- another question -----------------------------------------------------------------------------------


class Asked:
    """A session whose model takes questions: a word of the first response is gone in the second one."""

    def __init__(self, session):
        self.session, self.asked = session, []

    def __getattr__(self, name):
        return getattr(self.session, name)

    def meta(self):
        meta = self.session.meta()
        side = meta["sides"]["a"] | {"questions": True, "question": self.asked[-1] if self.asked else ""}
        if self.asked:
            side["words"] = [word for word in side["words"] if word["key"] != "dog"]
            side["tokens"] = side["tokens"][:70]
            meta["token"] = side["words"][0]["key"]
        return meta | {"sides": {"a": side}}

    def run(self, name, question, **control):
        if name == "ask":
            self.asked.append(question["question"])
            return {"key": "a"}
        return self.session.run(name, question, **control)


def test_another_question_drops_what_no_longer_fits(model, image):
    view = Inspector(Asked(open_session(model, image, word="dog")), token=72, patches=[3], head=1)
    view.question = "What is it?"
    assert view._session.asked == ["What is it?"] and view.question == "What is it?"
    assert (view.target, view.token, view.patches, view.head) == (view._meta["token"], None, [3], 1)
    view.question = "What is it?"
    assert len(view._session.asked) == 1


# --- lessons, pages and pictures ------------------------------------------------------------------------


def test_guided_steps_wait_for_the_selection(model, image):
    steps = [{"say": "Choose head 2.", "set": {"layer": 3}, "check": {"head": 2}, "at": "head"}, {"say": "Done."}]
    view = nbt.inspect(model, image, word="dog", steps=steps)
    assert view.layer == 3 and view.progress == (0, 2)
    view.head = 2
    assert view.progress == (1, 2)


def test_a_page_has_what_was_measured_and_the_answers(view, tmp_path):
    view.compute("occlusion")
    view.edits = [ABLATION]
    answer = view.effect()
    text = view.to_html(tmp_path / "dog.html").read_text("utf-8")
    data = json.loads(re.search(r'id="data">(.*?)</script>', text)[1])
    assert set(data["data"]["results"]) == {f"a|dog||{name}|" for name in ("lens", "attention", "occlusion")}
    assert data["data"]["edits"] == {
        inspector_page.edit_key("dog", "", view.edits): answer | {"seconds": answer["seconds"]}
    }
    assert data["state"]["_meta"]["live"] is None and "“dog” in toy" in text
    assert data["data"]["rules"]["target"]["values"] == view._keys


def test_a_page_that_would_be_too_large_says_what_it_lacks(view):
    results = inspector_page.results(view._session)
    size = sum(len(b) for result in results.values() for b in result["buffers"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert inspector_page.fitting(results, size) is results
    with pytest.warns(UserWarning, match="it is written without nulls"):
        smaller = inspector_page.fitting(results, size - 1)
    assert "has not its null" in smaller["a|dog||lens|"]["note"]
    assert not any(name.startswith("null") for name in smaller["a|dog||lens|"]["arrays"])
    with pytest.warns(UserWarning, match="without (lens|attention)"):
        assert len(inspector_page.fitting(results, 12_000)) < len(results)


def test_edits_have_the_key_that_javascript_gives_them():
    edits = [{"op": "steer", "strength": 2.0, "word": "Ärger"}, {"strength": -0.5}]
    assert (
        inspector_page.edit_key("a", "b", edits) == 'a|b|[{"op":"steer","strength":2,"word":"Ärger"},{"strength":-0.5}]'
    )


def test_the_picture_has_the_map_and_the_effect(view):
    plain = np.asarray(draw(view._picture()))
    assert plain.shape == (SIZE[1], SIZE[0], 3)
    view.metric = ""
    without = np.asarray(draw(view._picture()))
    left, right = np.s_[90:500, 30:440], np.s_[90:500, 500:]
    assert (plain[left] != without[left]).mean() > 0.3 and (plain[right] == without[right]).all()
    view.edits = [ABLATION]
    view.effect()
    assert (np.asarray(draw(view._picture()))[right] != plain[right]).any()


@pytest.mark.parametrize("word", ["<script>alert(1)</script>", "ab" * 60, "\ud800"])
def test_hostile_words_stay_text(model, image, word, tmp_path):
    view = nbt.inspect(model, image, response=f"a dog {word} there", word="dog")
    assert "<script>alert" not in view._preview(4, 56, 60, "")
    assert view.to_html(tmp_path / "x.html").read_text("utf-8").count("<script>alert") == 0
    view.snapshot().html.encode("utf-8")


def test_an_image_of_one_pixel_has_a_view_and_a_picture(model):
    view = nbt.inspect(model, Image.new("RGB", (1, 1)), response="a dog", word="dog")
    assert draw(view._picture()).size == SIZE


def test_a_closed_view_holds_nothing(view):
    view.edits = [ABLATION]
    view.effect()
    view.close()
    assert view._meta == {} and not view._answers and "closed" in repr(view)
    with pytest.raises(nbt.NbtoolkitError, match="The view is closed"):
        _ = view.measurements
    with pytest.raises(nbt.NbtoolkitError, match="The view is closed"):
        view.compute("lens")


def test_a_closed_view_releases_its_session(model, data):
    view = nbt.inspect(model, data[4]["image"], word="hat")
    view.effect([ABLATION])
    session = weakref.ref(view._session)
    view.close()
    gc.collect()
    assert session() is None  # what shows the view, such as IPython's Out, holds the view itself
