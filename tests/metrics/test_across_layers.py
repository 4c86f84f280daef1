"""Threads: planted concepts are followed, unrelated ones are not, and the order of a dictionary plays no part."""

from dataclasses import replace

import numpy as np
import pytest

import nbtoolkit as nbt
from nbtoolkit.metrics import match_layers, threads
from nbtoolkit.metrics.thread_colours import thread_colours
from nbtoolkit.storage.example import noise_study
from nbtoolkit.widgets.threads import name_of


def _dictionary(V, layer=1, ids=None, **options):
    ids = [f"s{i}" for i in range(len(V))] if ids is None else ids
    return nbt.ConceptDictionary(np.eye(V.shape[1]), V, ids, layer, "SemiNMF", **options)


def _sparse(rng, n=80, k=12):
    return rng.gamma(1, size=(n, k)) * (rng.random((n, k)) < 0.4)


def _study(*layers):
    """A study whose layers have these activations."""
    words = {i: nbt.Grounding([["sun"]] * V.shape[1], [[]] * V.shape[1]) for i, V in enumerate(layers)}
    return replace(noise_study(), dictionaries={i: _dictionary(V, i) for i, V in enumerate(layers)}, groundings=words)


@pytest.mark.parametrize(("n", "k"), [(50, 3), (50, 8), (120, 20)])
def test_the_null_holds_its_level(n, k):
    """Of the concepts of unrelated layers at most 5 % are linked; the bound has the error of 1,000 pairs or more."""
    rates = []
    for i in range(max(60, 1000 // k)):
        rng = np.random.default_rng([k, i])
        match = match_layers(_dictionary(_sparse(rng, n, k)), _dictionary(_sparse(rng, n, k)), random_state=i)
        rates.append(match.linked.mean())
    assert 0.005 < np.mean(rates) < 0.05 + 2 * np.std(rates) / np.sqrt(len(rates))


def test_a_noisy_copy_in_another_order_is_matched_one_to_one(rng):
    V, order = _sparse(rng), rng.permutation(12)
    W = V[:, order] * rng.lognormal(0, 0.5, (80, 12))
    match = match_layers(_dictionary(V), _dictionary(W, 2))
    assert [order[j] for j in match.partners] == [*range(12)] and match.linked.all() and match.layers == (1, 2)
    expected = [np.corrcoef(V[:, k], W[:, j])[0, 1] for k, j in enumerate(match.partners)]
    np.testing.assert_allclose(match.similarity, expected, atol=1e-9)
    assert 0 < match.null < match.similarity.min() and match.n_samples == 80


def test_threads_of_a_planted_study(rng):
    """Concept 0 dies after the first layer, another is born in the second, and all others go on in another order."""
    V, order = _sparse(rng), rng.permutation(12)
    W = V[:, order].copy()
    stranger = int(np.flatnonzero(order == 0)[0])
    W[:, stranger] = rng.permutation(V[:, 0])
    t = threads(_study(V, W, W[:, ::-1]))
    dead, born = t.of(0)[0], t.of(1)[stranger]
    assert t.n_threads == 13 and born == 12 and t.births[12] == 1 and t.deaths[dead] == 0 and t.deaths[born] == 2
    assert t.members(dead) == {0: 0} and t.member(dead, 1) is None and t.member(-1, 0) is None
    np.testing.assert_array_equal(t.of(2), t.of(1)[::-1])
    assert [t.of(1)[j] for j in range(12) if j != stranger] == [t.of(0)[order[j]] for j in range(12) if j != stranger]
    table = t.to_frame()
    assert (
        len(table) == 36 and table["similarity"].isna().sum() == 13 and list(table["thread"]) == sorted(table["thread"])
    )
    assert repr(t) == "Threads: 13 in 3 layers, 23 links above the null"
    with pytest.raises(nbt.NbtoolkitError, match=r"layer is 7; expected one of \[0, 1, 2\]"):
        t.of(7)


def test_the_order_of_a_dictionary_plays_no_part(rng):
    V = [_sparse(rng) for _ in range(3)]
    V[1] = V[0][:, ::-1] + 0.3 * V[1]
    order = rng.permutation(12)
    before, after = threads(_study(*V)), threads(_study(V[0], V[1][:, order], V[2]))
    np.testing.assert_array_equal(after.of(1), before.of(1)[order])
    for layer in (0, 2):
        np.testing.assert_array_equal(after.of(layer), before.of(layer))


def test_unused_and_broken_concepts_have_no_thread(rng):
    V = _sparse(rng)
    W = V.copy()
    W[:, 0], W[3, 1] = 0, np.nan
    t = threads(_study(V, W))
    assert list(t.of(1)[:2]) == [-1, -1] and (t.of(0) >= 0).all() and (t.of(1)[2:] == t.of(0)[2:]).all()
    assert threads(_study(np.zeros((20, 3)), np.zeros((20, 3)))).n_threads == 0
    constant = match_layers(_dictionary(np.full((20, 2), 0.1)), _dictionary(np.full((20, 2), 0.1)))
    assert not constant.linked.any()
    assert threads(_study(V[:, :1])).n_threads == 1 and len(threads(_study(V[:, :1], V[:, :1])).matches) == 1


def test_signed_concepts_are_matched_whatever_their_sign(rng):
    V = rng.normal(size=(60, 6))
    match = match_layers(_dictionary(V), _dictionary(-V[:, ::-1]))
    assert list(match.partners) == [5, 4, 3, 2, 1, 0] and match.linked.all()
    np.testing.assert_allclose(match.similarity, -1, atol=1e-9)


def test_rows_are_paired_by_sample_and_occurrence(rng):
    V = _sparse(rng, 60)
    ids, occurrences = [f"s{i // 2}" for i in range(60)], [i % 2 for i in range(60)]
    order = rng.permutation(60)[:50]
    other = _dictionary(V[order], 2, [ids[i] for i in order], occurrences=[occurrences[i] for i in order])
    match = match_layers(_dictionary(V, 1, ids, occurrences=occurrences), other)
    assert match.n_samples == 50 and list(match.partners) == [*range(12)]
    np.testing.assert_allclose(match.similarity, 1, atol=1e-9)
    apart = match_layers(_dictionary(V), _dictionary(V, ids=[f"t{i}" for i in range(60)]))
    assert apart.n_samples == 0 and np.isnan(apart.null) and not apart.linked.any() and (apart.partners == -1).all()


def test_a_large_dictionary_is_refused_with_the_reason():
    large = _dictionary(np.zeros((2, 1001)))
    with pytest.raises(nbt.NbtoolkitError, match=r"Layer 1 has 1,001 concepts; expected at most 1,000 to match"):
        match_layers(large, large)


def test_a_name_follows_the_thread(rng):
    V = _sparse(rng)
    t = threads(_study(V, V, V))
    assert name_of({"0:3": "bowl"}, t, 2, 3) == name_of({"0:3": "bowl"}, t, 0, 3) == "bowl"
    assert name_of({"0:3": "bowl", "2:3": "dish"}, t, 2, 3) == "dish"
    assert name_of({"0:3": "bowl", "2:3": "dish"}, t, 1, 3) == "bowl"
    assert name_of({"0:3": "bowl"}, t, 1, 4) == name_of({}, t, 1, 3) == name_of({"0:3": "bowl"}, None, 1, 3) == ""


def test_threads_that_are_shown_together_differ_in_colour(rng):
    """16 concepts of which two and two are strong in the same samples: with 8 colours no pair, and no neighbours, share one."""
    V = np.zeros((160, 16))
    for i, row in enumerate(V):
        row[[i % 8, i % 8 + 8]] = 1 + rng.random(2)  # thread modulo 8 would give both one colour
    study = _study(V, V[:, ::-1])
    result = threads(study)
    colours = np.array(thread_colours(study, result, 8))
    first, second = (colours[result.of(layer)] for layer in (0, 1))
    assert (first[:8] != first[8:]).all() and (first == second[::-1]).all() and set(colours) == set(range(8))
    order = np.argsort(-V.sum(0))
    assert (first[order][1:] != first[order][:-1]).all()
    assert max(thread_colours(study, result, 3)) == 2
