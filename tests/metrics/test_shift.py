"""Concept shift between a model and its fine-tuned version."""

import numpy as np
import pytest

import nbtoolkit as nbt
from nbtoolkit.metrics.shift import concept_shift


def two_models(rng, move, n=60, d=12, k=3):
    """States around k centres; the fine-tuned model moves the samples of each centre by its own vector."""
    centres = 5 * rng.normal(size=(k, d))
    owner = rng.integers(0, k, n)
    noise = rng.normal(size=(n, d))
    ids = [f"s{i}" for i in range(n)]

    def make(Z, i):
        return nbt.Representations(Z[:, None].astype(np.float32), i, ["a"] * len(i), [0] * len(i))

    before, after = make(centres[owner] + noise, ids), make((centres + move)[owner] + noise, ids)
    activations = np.eye(k)[owner]
    a = nbt.ConceptDictionary(centres, activations, ids, 0, "KMeans")
    order = rng.permutation(k)
    b = nbt.ConceptDictionary((centres + move)[order], activations[:, order], ids, 0, "KMeans")
    return before, after, a, b, owner, order


def test_a_planted_shift_is_found(rng):
    move = rng.normal(size=(3, 12))
    before, after, a, b, owner, order = two_models(rng, move)
    found = concept_shift(before, after, a, b)
    np.testing.assert_allclose(found.vectors, move, atol=1e-5)
    assert found.counts.tolist() == np.bincount(owner, minlength=3).tolist()
    assert [order[p] for p in found.partners] == [0, 1, 2]
    np.testing.assert_allclose(found.recovery, 1, atol=1e-5)
    np.testing.assert_allclose(found.distance_gain, 1, atol=1e-5)
    np.testing.assert_allclose(found.consistency, 1, atol=1e-5)
    np.testing.assert_allclose(found.magnitude, np.linalg.norm(move, axis=1), atol=1e-5)
    half = concept_shift(before, after, a, b, alpha=0.5)
    np.testing.assert_allclose(half.distance_gain, 0.5, atol=1e-5)
    nowhere = concept_shift(before, before, a, b)
    np.testing.assert_allclose(nowhere.recovery, 0, atol=1e-5)


def test_a_concept_without_samples_and_samples_without_a_partner(rng):
    """The authors' code stops at an empty cluster."""
    before, after, a, b, _, _ = two_models(rng, rng.normal(size=(3, 12)))
    activations = a.activations.copy()
    activations[:, 0] = 0
    lonely = nbt.ConceptDictionary(a.concepts, activations + np.eye(3)[1] * 1e-9, a.sample_ids, 0, "KMeans")
    found = concept_shift(before, after, lonely, b)
    assert (
        found.counts[0] == 0
        and not found.vectors[0].any()
        and np.isnan(found.recovery[0])
        and np.isfinite(found.recovery[2])
    )
    fewer = nbt.ConceptDictionary(b.concepts[:2], b.activations[:, :2], b.sample_ids, 0, "KMeans")
    assert (concept_shift(before, after, a, fewer).partners == -1).sum() == 1
    some = nbt.Representations(after.states[:10], after.sample_ids[:10], after.captions[:10], after.positions[:10])
    assert concept_shift(before, some, a, b).counts.sum() == 10


def test_what_cannot_be_compared(rng):
    before, after, a, b, _, _ = two_models(rng, np.zeros((3, 12)))
    strangers = nbt.Representations(after.states, [f"x{i}" for i in range(60)], after.captions, after.positions)
    with pytest.raises(nbt.NbtoolkitError, match="no sample in common"):
        concept_shift(before, strangers, a, b)
    wide = nbt.ConceptDictionary(np.ones((3, 16)), b.activations, b.sample_ids, 0, "KMeans")
    with pytest.raises(
        nbt.NbtoolkitError, match="widths 12 and 16; expected the same layer of two versions of one model"
    ):
        concept_shift(before, after, a, wide)
    other = nbt.ConceptDictionary(b.concepts, b.activations, b.sample_ids, 3, "KMeans")
    with pytest.raises(nbt.NbtoolkitError, match="of layers 0 and 3 and widths 12 and 12; expected the same layer"):
        concept_shift(before, after, a, other)
