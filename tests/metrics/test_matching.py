"""Two dictionaries: planted matches are recovered, against their null, and the view shows both sides."""

import numpy as np
import pytest

import nbtoolkit as nbt
from nbtoolkit.metrics import compare_dictionaries


@pytest.fixture
def planted(rng):
    """A dictionary, and the same one reordered, with one concept exchanged for another."""
    U, V = rng.normal(size=(6, 300)), rng.gamma(1, size=(80, 6)) * (rng.random((80, 6)) < 0.4)
    order = rng.permutation(6)
    W, X = U[order].copy(), V[:, order].copy()
    stranger = int(np.flatnonzero(order == 0)[0])
    W[stranger], X[:, stranger] = rng.normal(size=300), rng.permutation(V[:, 0])
    ids = [f"s{i}" for i in range(80)]
    return (
        nbt.ConceptDictionary(U, V, ids, 3, "SemiNMF"),
        nbt.ConceptDictionary(W, X, ids, 3, "SemiNMF"),
        order,
        stranger,
    )


@pytest.mark.parametrize("measure", ["cosine", "activation"])
def test_planted_matches_are_recovered(planted, measure):
    a, b, order, _ = planted
    agreement = compare_dictionaries(a, b, measure=measure)
    assert [order[j] for j in agreement.partners] == list(range(6))
    assert (agreement.values[1:] > 0.99).all() and agreement.values[0] < 0.5
    # the null keeps the span of the concepts, which both share, so it is higher than that of shuffled entries (.35)
    assert agreement.null.mean < 0.65 < agreement.score.mean and agreement.similarity.shape == (6, 6)
    assert agreement.p == agreement.centred_p == 0.01 and agreement.centred_score.mean > 0.65
    np.testing.assert_allclose(agreement.similarity[np.arange(6), agreement.partners], agreement.values, atol=1e-12)


def test_activation_similarity_equals_numpys_correlation(planted):
    a, b, _, _ = planted
    expected = np.corrcoef(a.activations.T, b.activations.T)[:6, 6:]
    np.testing.assert_allclose(compare_dictionaries(a, b, measure="activation").similarity, expected, atol=1e-5)


@pytest.mark.parametrize("measure", ["cosine", "activation"])
def test_the_null_keeps_a_common_mean(rng, measure):
    """Unrelated concepts with a common mean are similar; the null and the centred similarity do not take it for a match."""
    row, column = rng.normal(size=50), rng.normal(size=(40, 1))
    a, b = (
        nbt.ConceptDictionary(
            3 * row + rng.normal(size=(5, 50)),
            3 * column + rng.normal(size=(40, 5)),
            [f"s{i}" for i in range(40)],
            3,
            "PCA",
        )
        for _ in range(2)
    )
    agreement = compare_dictionaries(a, b, measure=measure)
    assert agreement.score.mean > 0.85 and abs(agreement.null.mean - agreement.score.mean) < 0.03
    assert agreement.centred_score.mean < 0.5 and agreement.null.preserves and len(agreement.null.values) == 99


def test_random_rows_of_the_states_are_the_floor(rng, planted):
    a, b, _, _ = planted
    states = b.activations @ b.concepts
    for measure in ("cosine", "activation"):
        floor = compare_dictionaries(a, b, measure=measure, states=states).floor
        assert 0.1 < floor.mean < 0.95 and "nothing is learnt" in floor.preserves
    assert compare_dictionaries(a, b).floor is None
    with pytest.raises(
        nbt.NbtoolkitError, match=r"states has shape \(3, 300\); expected \(80, 300\), a row per sample of b"
    ):
        compare_dictionaries(a, b, states=states[:3])


def test_the_measure_suits_the_dictionaries(planted):
    a, b, _, _ = planted
    deeper = nbt.ConceptDictionary(b.concepts, b.activations, b.sample_ids, 4, "SemiNMF")
    assert compare_dictionaries(a, b).measure == "cosine" and compare_dictionaries(a, deeper).measure == "activation"
    dead = nbt.ConceptDictionary(0 * a.concepts, 0 * a.activations, a.sample_ids, 3, "SemiNMF")
    assert (compare_dictionaries(a, dead).values == 0).all()


def test_refusals(planted):
    a, b, _, _ = planted
    narrow = nbt.ConceptDictionary(b.concepts[:, :7], b.activations, b.sample_ids, 3, "SemiNMF")
    with pytest.raises(nbt.NbtoolkitError, match="widths 300 and 7; expected one width. Use measure='activation'"):
        compare_dictionaries(a, narrow, measure="cosine")
    strangers = nbt.ConceptDictionary(b.concepts, b.activations, [f"x{i}" for i in range(80)], 4, "SemiNMF")
    with pytest.raises(nbt.NbtoolkitError, match="0 samples in common; expected at least 3"):
        compare_dictionaries(a, strangers)
    with pytest.raises(nbt.NbtoolkitError, match="measure is 'angle'; expected 'auto', 'cosine' or 'activation'"):
        compare_dictionaries(a, b, measure="angle")
