"""Grounding: planted words and exemplars, and filters as data."""

import numpy as np
import pytest

import nbtoolkit as nbt
from nbtoolkit.grounding import FILTERS, exemplars


def dictionary(concepts, activations, ids=None):
    ids = ids or [f"s{i}" for i in range(len(activations))]
    return nbt.ConceptDictionary(
        np.asarray(concepts, np.float32), np.asarray(activations, np.float32), ids, 5, "SemiNMF"
    )


def row(model, word):
    """A direction whose largest logit is this word: the head's own row, made longer than any other."""
    head = model.head.weight.detach().numpy()
    return 50 * head[model.tokenizer(" " + word, add_special_tokens=False).input_ids[0]]


def test_planted_words_come_first(model):
    names = ["grass", "night", "frisbee"]
    g = nbt.ground(dictionary([row(model, w) for w in names], np.eye(3)), model)
    assert [w[0] for w in g.words] == names
    assert all(len(t) == 15 for t in g.tokens) and [t[0].strip() for t in g.tokens] == names


def test_exemplars_are_the_largest_absolute_activations():
    cd = dictionary(np.eye(2), [[0.1, 0], [-3, 0], [2, 0], [0, 0]])
    assert exemplars(cd, 2) == [["s1", "s2"], []]


@pytest.mark.parametrize(("text", "begins", "ok"), [(" dog", True, True), ("dog", False, False), (" the", True, False), (" do", True, False),
                                                    (" d0g", True, False), (" ", True, False), (" Dog", True, True), (" été", True, True)])  # fmt: skip
def test_default_filter(text, begins, ok):
    assert FILTERS["default"].accepts(text, begins_word=begins) == ok


def test_vocabulary_keeps_whole_words_only(model):
    cd = dictionary([row(model, "grass")], [[1.0]])
    assert nbt.ground(cd, model, vocabulary={"Grass"}).words == [["grass"]]
    assert nbt.ground(cd, model, vocabulary=set()).words == [[]]


def test_unfiltered_and_unknown_filters(model):
    cd = dictionary([row(model, "grass")], [[1.0]])
    assert len(nbt.ground(cd, model, filter="none").words[0]) >= len(nbt.ground(cd, model).words[0])
    with pytest.raises(nbt.NbtoolkitError, match=r"No word filter named 'nltk'. Known: default, paper, xl-vlms, none"):
        nbt.ground(cd, model, filter="nltk")


def test_the_final_norm_is_applied_only_when_asked(model):
    """The order of the tokens by hand: an RMS norm rescales the concept, which changes no order, and weighs its dimensions."""
    head, weight = model.head.weight.detach().numpy(), model.norm.weight.detach().numpy()
    concept = np.random.default_rng(1).normal(size=model.d_model).astype(np.float32)
    plain, normed = (
        [model.tokenizer.decode([i]) for i in np.argsort(-head @ vector)[:15]] for vector in (concept, weight * concept)
    )
    cd = dictionary([concept], [[1.0]])
    assert plain != normed
    assert nbt.ground(cd, model).tokens[0] == plain and nbt.ground(cd, model, norm=True).tokens[0] == normed


def test_centred_concepts_lose_what_they_share(model):
    """Two concepts that share more than sets them apart: with their mean subtracted, the difference is all there is."""
    own, shared = [row(model, w) for w in ("grass", "night")], 3 * row(model, "dog")
    cd = dictionary([shared + own[0], shared + own[1]], np.eye(2))
    assert [w[0] for w in nbt.ground(cd, model).words] == ["dog", "dog"]
    assert [w[0] for w in nbt.ground(cd, model, centred=True).words] == ["grass", "night"]


def test_the_filter_of_xl_vlms_looks_at_fifty_tokens(model):
    g = nbt.ground(dictionary([row(model, "grass")], [[1.0]]), model, filter="xl-vlms", n_words=4)
    assert len(g.tokens[0]) == 50 and len(g.words[0]) == 4 and g.filter == "xl-vlms"


def test_a_dead_concept_has_no_words(model):
    g = nbt.ground(dictionary(np.zeros((1, 128)), [[0.0]]), model)
    assert g.words == [[]] and g.exemplars == [[]]


def test_no_word_may_pass_and_the_concept_still_has_pictures(model, reps, scorer):
    """Every door takes an empty word list: scores leave it out, figures and views say it."""
    cd = nbt.decompose(reps, nbt.SemiNMF(3, random_state=0))
    g = nbt.ground(cd, model, vocabulary=["zymurgy"])
    assert g.words == [[], [], []] and all(g.exemplars) and "no word passed the filter" in repr(g)
    scores = nbt.evaluate(cd, g, images=lambda ids: np.eye(4)[np.zeros(len(ids), int)], texts=scorer.texts)
    assert (
        np.isnan(scores.per_concept["clip_score"]).all()
        and "clip_score" not in scores.values
        and scores["overlap"] == 0
    )


def test_another_models_concepts_are_refused(model):
    with pytest.raises(nbt.NbtoolkitError, match="The concepts have width 7, the model 128"):
        nbt.ground(dictionary(np.ones((1, 7)), [[1.0]]), model)
