"""A model behind the views: answers equal the core's, run on a thread, report progress, and can be cancelled."""

import dataclasses
import threading
import time

import numpy as np
import pytest

import nbtoolkit as nbt
from nbtoolkit.attribution import contributions, mentions
from nbtoolkit.interventions import ablate
from nbtoolkit.live import Live
from nbtoolkit.studies import extend
from nbtoolkit.widgets.channel import Channel


@pytest.fixture(scope="module")
def live(model, study, data):
    return Live(model, study, data)


@pytest.fixture
def sample(study):
    return study.samples[0].id


def test_answers_are_the_cores(live, model, study, data, sample):
    said = mentions(model, [data["image"][data["id"].index(sample)]], study.token)
    before, _ = said.read()
    with ablate(model, [1, 2], part="mlp"):
        after, _ = said.read()
    found = live.ablate(sample, layers=[1, 2], part="mlp", at=3)
    assert found["before"] == pytest.approx(float(before[0]), abs=1e-5) and found["after"] == pytest.approx(
        float(after[0]), abs=1e-5
    )
    assert found["layer"] == 3 and np.shape(found["activations"]) == (2, study.dictionary(3).n_concepts)
    nothing = live.ablate(sample)
    assert nothing["before"] == nothing["after"] and nothing["difference"] == [("same", said.captions[0])]


def test_heads_means_and_concepts(live, study, sample):
    heads = live.ablate(sample, layers=[1], part="attention", heads=[0])
    whole = live.ablate(sample, layers=[1], part="attention")
    mean = live.ablate(sample, layers=[1], part="attention", how="mean")
    assert len({heads["after"], whole["after"], mean["after"]}) == 3
    strongest = int(np.argmax(live.ablate(sample, at=4)["activations"][0]))
    assert strongest in live.ablate(sample, concept=strongest, at=4)["vanished"]


def test_answers_are_as_long_as_those_of_the_study(model, data, tmp_path):
    method = nbt.SemiNMF(3, random_state=0)
    study = nbt.study(model, data, "dog", method=method, layers=[4], max_new_tokens=4, progress=False)
    study = nbt.open_study(study.save(tmp_path / "dog.study"))
    live, longest = Live(model, study, data), max(study.samples, key=lambda s: len(s.caption))
    found = live.ablate(longest.id, at=4)
    assert study.source.max_new_tokens == 4
    assert found["caption"] == longest.caption and found["difference"] == [("same", longest.caption)]
    assert len(live.words(longest.id, at=4)["pieces"]) == 4


def test_every_word_of_the_answer_is_taken_apart(live, study, sample):
    found = live.words(sample, at=4)
    cd = study.dictionary(4)
    row = list(cd.sample_ids).index(sample)
    assert "".join(found["pieces"]).strip() == study.samples[row].caption
    assert found["pieces"][found["position"]].strip() == study.token
    np.testing.assert_allclose(found["activations"][found["position"]], cd.activations[row], atol=1e-4)
    assert found["unexplained"][found["position"]] == pytest.approx(float(cd.unexplained[row]), abs=1e-4)
    assert np.ptp([np.sum(a) for a in found["activations"]]) > 0 and len(found["unexplained"]) == len(found["pieces"])


def test_maps_are_the_saliencies(live, model, study, data, sample):
    about, pixels = live.maps(sample, at=4)
    k, height, width = about["shape"]
    grids = np.frombuffer(pixels, np.uint8).reshape(k, height, width) / 255
    low, high = np.array(about["low"]), np.array(about["high"])
    picture = data["image"][data["id"].index(sample)]
    for concept in (0, 5):
        expected = nbt.saliency(model, picture, study.dictionary(4), concept)[-1]
        found = low[concept] + (high[concept] - low[concept]) * grids[concept]
        np.testing.assert_allclose(found, expected, atol=(high[concept] - low[concept]) / 250)
        assert (low[concept], high[concept]) == pytest.approx((expected.min(), expected.max()), abs=1e-4)


def test_what_the_word_owes_is_the_cores(live, model, study, data, sample):
    found = live.owed(sample, at=4)
    expected = contributions(mentions(model, [data["image"][data["id"].index(sample)]], "dog"), study.dictionary(4))
    np.testing.assert_allclose(found["ablation"], expected.ablation[0], atol=1e-5)
    np.testing.assert_allclose(found["gradient"], expected.gradient[0], atol=1e-5)
    assert found["agreement"] is None or -1 <= found["agreement"] <= 1


def test_a_picture_of_ones_own(live, model, study):
    test = nbt.load_data("toy", split="test", n=40)
    cd, g = study.dictionary(4), study.grounding(4)
    expected = next(one for one in nbt.interpret(model, test["image"], cd, g, token="dog", r=8, ids=test["id"]) if one)
    picture = test["image"][test["id"].index(expected.sample_id)]
    found = live.explain(picture, at=4)
    assert "".join(found["pieces"]) == expected.caption and found["pieces"][1] == "dog"
    assert found["unexplained"] == pytest.approx(expected.unexplained, abs=1e-4)
    for part in expected.parts:
        assert found["activations"][part.concept] == pytest.approx(part.activation, rel=1e-3)
    with pytest.raises(nbt.errors.NothingFoundError, match=r"'dog' is in none of 1 responses. The last is '.+'. Choose"):
        live.explain(next(p for p, c in zip(test["image"], test["captions"], strict=True) if "bus" in c[0]), at=4)


def test_a_sweep_reports_and_stops(live, study):
    ids = [s.id for s in study.samples[:3]]
    done = []
    found = live.sweep(ids, progress=lambda d, n: done.append((d, n)))
    assert (
        found["samples"] == ids
        and np.shape(found["change"]) == np.shape(found["null"]) == (3, 5)
        and done[-1] == (3, 3)
    )
    stop = threading.Event()
    stop.set()
    with pytest.raises(nbt.errors.Cancelled, match="Stopped after 0 of 3 pictures"):
        live.sweep(ids, cancel=stop)


def test_thumbnails_stand_in_for_the_data(model, study, sample):
    assert Live(model, study).ablate(sample)["difference"][0][0] == "same"


def test_another_model_or_prompt_is_refused(model, study):
    from .models.test_zoo import load

    with pytest.raises(
        nbt.NbtoolkitError,
        match="5 layers of width 128, .* has 4 of width 32; expected the model that the study was made with",
    ):
        nbt.explore(study, load("llava"))
    with pytest.raises(nbt.NbtoolkitError, match="the model would be asked .* Give the same prompt"):
        nbt.explore(dataclasses.replace(study, source=dataclasses.replace(study.source, prompt="What is this?")), model)


def wait(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing came"
        time.sleep(0.01)


def test_the_view_answers_from_a_thread(model, study, data, sample):
    view = nbt.explore(study, model, data=data)
    sent = []
    view.send = lambda content, buffers=None: sent.append(content)
    view._channel.receive(
        view, {"kind": "request", "id": 1, "op": "ablate", "args": {"sample": sample, "layers": [1]}}, []
    )
    view._channel.receive(
        view, {"kind": "request", "id": 2, "op": "ablate", "args": {"sample": sample, "layers": [9]}}, []
    )
    wait(lambda: len(sent) == 2)
    assert sent[0]["data"]["after"] < sent[0]["data"]["before"] and "LayerError: layers is [9]" in sent[1]["error"]
    assert view._meta["live"] == {"n_layers": 5, "n_heads": model.n_heads, "name": "toy"}
    view.close()


def test_without_a_model_nothing_is_computed(study):
    view = nbt.explore(study)
    sent = []
    view.send = lambda content, buffers=None: sent.append(content)
    view._channel.receive(view, {"kind": "request", "id": 1, "op": "ablate", "args": {}}, [])
    assert "KeyError" in sent[0]["error"] and view._meta["live"] is None


def test_missing_layers_are_computed(model, study, data):
    """As they would have been from the start; the view gains them, and what is done is kept on cancel."""
    names = ("dictionaries", "groundings", "scores")
    few = dataclasses.replace(study, **{n: {k: v for k, v in getattr(study, n).items() if k in (2, 5)} for n in names})
    view = nbt.explore(few, model, data=data, layer=5)
    assert view._meta["layers"] == [2, 5] and view._meta["slots"] == [1, 2, 3, 4, 5]
    assert [v is None for v in view._meta["metrics"][0]["values"]] == [False, False]
    sent = []
    view.send = lambda content, buffers=None: sent.append(content)
    view._channel.receive(view, {"kind": "request", "id": 1, "op": "compute", "args": {"layers": [1, 3]}}, [])
    wait(lambda: sent and sent[-1]["kind"] == "reply")
    assert sent[-1]["data"] == {"layers": [1, 2, 3, 5]} and view._meta["layers"] == [1, 2, 3, 5]
    np.testing.assert_allclose(view.study.dictionary(3).concepts, study.dictionary(3).concepts, atol=1e-5)
    assert [v is None for v in view._meta["metrics"][0]["values"]] == [
        True,
        False,
        True,
        False,
    ]  # CLIPScore needs a judge
    view.layer = 3
    stop = threading.Event()
    done = []

    def report(n, _total):
        done.append(n)
        stop.set()

    partly = extend(few, model, [1, 3, 4], progress=report, cancel=stop)
    assert partly.layers == (1, 2, 5) and done == [1]


def test_work_is_cancelled_and_reported_at_most_ten_times_a_second():
    sent = []

    def work(job):
        for i in range(1000):
            if job.cancel.is_set():
                raise nbt.errors.Cancelled(f"after {i}")
            job.progress(i + 1, 1000)
            time.sleep(0.002)
        return {}, []

    channel = Channel(lambda content, buffers=None: sent.append(content), {}, {"work": work})
    channel.receive(None, {"kind": "request", "id": 5, "op": "work"}, [])
    time.sleep(0.35)
    channel.receive(None, {"kind": "cancel", "id": 5}, [])
    wait(lambda: sent and sent[-1]["kind"] == "reply")
    assert sent[-1]["error"].startswith("Cancelled: after") and 1 <= len(sent) - 1 <= 6
    channel.receive(None, {"kind": "cancel", "id": 5}, [])  # it has ended: nothing happens
    channel.close()
