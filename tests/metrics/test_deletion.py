"""Concept deletion and insertion curves."""

import numpy as np
import pytest
import torch

import nbtoolkit as nbt
from nbtoolkit.metrics import (
    c_deletion,
    c_insertion,
)


def test_deletion_and_insertion_meet_the_log_probability_of_the_model(model, reps):
    """On the embedded model: curves start and end where they must, and fall faster than in random order."""
    ids = [v[-1] for v in reps.source.token_ids]
    cd = nbt.decompose(reps, nbt.SemiNMF(8, random_state=0), layer=-1)
    Z, V, U = reps.layer(-1).astype(float), cd.activations, cd.concepts

    def log_probability(states):
        logits = torch.tensor(model.unembed(states.astype(np.float32))).double()
        return torch.logsumexp(torch.log_softmax(logits, -1)[:, ids], -1).numpy()

    own = log_probability(Z)
    out, back = c_deletion(Z, V, U, log_probability), c_insertion(Z, V, U, log_probability)
    np.testing.assert_allclose(out.values[:, 0], own, atol=1e-5)
    np.testing.assert_allclose(back.values[:, -1], own, atol=1e-4)
    np.testing.assert_allclose(out.values[:, -1], back.values[:, 0], atol=1e-4)
    order = np.random.default_rng(0).permuted(np.tile(np.arange(8), (len(Z), 1)), axis=1)
    assert out.area.mean < c_deletion(Z, V, U, log_probability, order).area.mean
    with pytest.raises(nbt.NbtoolkitError, match="do not fit; expected"):
        c_deletion(Z, V[:, :3], U, log_probability)


def test_concepts_are_deleted_by_the_length_of_their_part_and_the_area_is_the_mean_over_steps():
    """Parts 1 · (10, 0) and 2 · (0, 1): the first is longer, although its activation is smaller."""
    V, U = np.array([[1.0, 2.0]]), np.array([[10.0, 0.0], [0.0, 1.0]])
    deletion, insertion = (f(V @ U, V, U, lambda z: z.sum(1)) for f in (c_deletion, c_insertion))
    assert deletion.values.tolist() == [[12, 2, 0]] and insertion.values.tolist() == [[0, 10, 12]]
    assert deletion.null is None and np.isnan(deletion.p)
    assert deletion.area.values.tolist() == [(7 + 1) / 2] and insertion.area.values.tolist() == [(5 + 11) / 2]


def row_sums(z):
    return z.sum(1)


def test_the_null_orders_the_concepts_that_a_sample_uses():
    """Three of thirty concepts are used: any order of them beats a random order of all, and only the strongest first the null."""
    rng = np.random.default_rng(0)
    V = np.zeros((40, 30))
    for v in V:
        v[rng.choice(30, 3, replace=False)] = [4.0, 2.0, 1.0]
    weakest = np.argsort(np.where(V == 0, 9, V), axis=1, kind="stable")
    for f, sign in ((c_deletion, -1), (c_insertion, 1)):
        curve = f(V, V, np.eye(30), row_sums, n_null=19)
        assert curve.p == 0.05 and len(curve.null.values) == 19 and "each sample uses" in curve.null.preserves
        assert f(V, V, np.eye(30), row_sums, weakest, n_null=19).p == 1
        everywhere = rng.permuted(np.tile(np.arange(30), (40, 1)), axis=1)
        gap = sign * (curve.area.mean - f(V, V, np.eye(30), row_sums, everywhere).area.mean)
        assert gap > 5 * sign * (curve.area.mean - curve.null.mean) > 0
    with pytest.raises(nbt.NbtoolkitError, match="n_null is -1; expected a number of random orders"):
        c_deletion(V, V, np.eye(30), row_sums, n_null=-1)
