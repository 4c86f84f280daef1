"""The selection follows a thread through the layers, in one view and in linked ones; names of concepts do as well."""

from dataclasses import replace

import numpy as np
import pytest
import traitlets

import nbtoolkit as nbt
from nbtoolkit.widgets import ConceptGallery, Explorer, threads


@pytest.fixture
def result(study):
    return threads.threads_of(study)


@pytest.fixture
def thread(study, result):
    """A thread of the first three layers with other numbers in each, that has no concept in the last layer."""
    alive = [t for t in range(result.n_threads) if result.births[t] < result.deaths[t] < study.layers[-1]]
    return max(alive, key=lambda t: len(set(result.members(t).values())))


def test_another_layer_selects_the_concept_of_the_thread(study, result, thread):
    members = result.members(thread)
    first, last = min(members), max(members)
    view = Explorer(study, layer=first, concept=members[first])
    for layer in (*range(first + 1, last + 1), *range(last, first - 1, -1)):
        view.layer = layer
        assert (view.concept, view.thread) == (members[layer], thread)
    view.layer = study.layers[-1]  # no counterpart: the thread is remembered, also by what is opened with the state
    assert (view.concept, view.thread) == (None, thread)
    again = Explorer(study, **view.state())
    assert again.state() == view.state()
    for v in (view, again):
        v.layer = last
        assert (v.concept, v.thread) == (members[last], thread)


def test_what_is_set_stays(study, result, thread):
    (first, k), *_ = result.members(thread).items()
    view = Explorer(study, layer=first, concept=k)
    other = next(j for j in range(8) if result.thread(5, j) not in (None, thread))
    with view.hold_trait_notifications():
        view.layer, view.concept = 5, other
    assert (view.layer, view.concept, view.thread) == (5, other, result.thread(5, other))
    view.thread = thread
    assert (view.concept, view.thread) == (None, thread)
    view.layer = first
    assert view.concept == k
    view.concept = None  # no selection at all
    assert view.thread is None
    view.layer = first + 1
    assert (view.concept, view.thread) == (None, None)
    with pytest.raises(traitlets.TraitError, match=f"thread is 999; expected None or 0 … {result.n_threads - 1}"):
        view.thread = 999


def test_a_page_sends_what_changed(study, result, thread):
    """A page leaves out a trait that keeps its value: the concept, where it has the same number in the other layer."""
    view = Explorer(study, layer=1, concept=2)
    view.layer, view.concept = 4, 2
    view.set_state({"layer": 3, "thread": result.thread(3, 2)})
    assert (view.layer, view.concept, view.thread) == (3, 2, result.thread(3, 2))
    (first, k), *_ = result.members(thread).items()
    view.set_state({"layer": first, "concept": k, "thread": thread})
    view.set_state({"layer": 5, "concept": None})
    assert (view.layer, view.concept, view.thread) == (5, None, thread)


@pytest.mark.parametrize(
    "names", [["layer", "concept"], ["concept", "layer"], ["layer"], ["thread", "layer", "concept"]]
)
def test_linked_views_agree(study, result, thread, names):
    (first, k), *_ = result.members(thread).items()
    a, b = Explorer(study, layer=first, concept=k), ConceptGallery(study, layer=first, concept=k)
    for name in names:
        traitlets.link((a, name), (b, name))
    changes = []
    a.observe(changes.append, ["layer", "concept"])
    for layer in (*study.layers, *reversed(study.layers), first):
        for view in (a, b):
            view.layer = layer
            assert (a.layer, b.layer) == (layer, layer) and a.concept == b.concept == result.member(thread, layer)
    assert len(changes) <= 4 * (2 * len(study.layers) + 1)
    assert a.concept == k


def test_a_name_is_given_to_the_thread(study, result, thread):
    (first, k), (second, other), *_ = result.members(thread).items()
    view = Explorer(study, layer=first, concept=k)
    view.set_label(k, "my dog")
    assert threads.given_name(view.study, second, other) == "my dog"
    view.layer = second
    assert "my dog" in view.snapshot(8).html
    view.set_label(other, "another")
    assert threads.given_name(view.study, second, other) == "another"
    assert threads.given_name(view.study, first, k) == "my dog"


def test_threads_are_computed_once_and_not_by_opening(study, monkeypatch):
    fresh = replace(study, dictionaries={i: replace(cd) for i, cd in study.dictionaries.items()})
    calls = []
    compute = nbt.metrics.threads
    monkeypatch.setattr("nbtoolkit.metrics.threads", lambda s: calls.append(s) or compute(s))
    view = Explorer(fresh, layer=4, concept=1)
    view.concept = 2
    assert not calls and view.thread is None
    view.layer = 3
    Explorer(replace(fresh, labels={"4:1": "x"})).layer = 2
    assert len(calls) == 1


def test_a_page_has_threads_and_matches(study, result, thread):
    payload = threads.payload(study)
    assert payload["reason"] is None and payload["of"]["3"] == result.of(3).tolist()
    assert payload["nulls"]["1"] is None and 0 < payload["nulls"]["2"] < 1
    both = threads.all_matches(study)
    assert len(both) == 20 and both["1:2"] == threads.matches(study, 1, 2)
    for k, partner in enumerate(both["4:5"]["partners"]):
        linked = both["4:5"]["similarity"][k] > both["4:5"]["null"]
        assert linked == (result.thread(4, k) is not None and result.thread(4, k) == result.thread(5, partner))


def test_a_large_dictionary_says_why_it_has_no_threads(study):
    V = np.zeros((len(study.samples), 1001), np.float32)
    cd = nbt.ConceptDictionary(np.zeros((1001, 4), np.float32), V, list(study.rows), 1, "TopKSAE")
    large = replace(study, dictionaries={1: cd}, groundings={1: nbt.Grounding([["a"]] * 1001, [[]] * 1001)}, scores={})
    assert threads.payload(large)["reason"].startswith("Layer 1 has 1,001 concepts; expected at most 1,000")
    assert threads.threads_of(large) is None and threads.all_matches(large) == {}
