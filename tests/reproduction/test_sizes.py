"""The choice of K: every training row is rebuilt by a dictionary without it; the rules by hand."""

import numpy as np
import pytest

import nbtoolkit as nbt
from nbtoolkit.reproduction.sizes import N_FOLDS, HeldOut, held_out


class Context:
    layer, random_state, n_concepts = 0, 0, 2

    def estimator(self, method, seed, k):
        return nbt.SemiNMF(k, alpha=0.01, random_state=seed)


def planted(n=90, d=12, k=4, seed=0):
    """Rows of few of k directions, so that k concepts rebuild what fewer do not."""
    rng = np.random.default_rng(seed)
    U = np.linalg.qr(rng.normal(size=(d, k)))[0].T
    V = (1 + rng.exponential(1, (n, k))) * (rng.random((n, k)) < 0.5)
    return (V @ U + 0.01 * rng.normal(size=(n, d))).astype(np.float32)


def reps_of(Z, ids=None):
    n = len(Z)
    return nbt.Representations(Z[:, None], ids or [str(i) for i in range(n)], ["a dog"] * n, [1] * n)


def test_the_planted_number_of_concepts_is_chosen():
    result = held_out(Context(), reps_of(planted()), [1, 2, 3, 4, 5, 6])
    assert result.chosen == 4 and result.elbow == 4
    assert result.means[1] > 10 * result.means[4]
    assert all(len(result.score(k).defined) == 90 for k in result.errors)


def test_rows_are_rebuilt_by_dictionaries_of_other_samples(monkeypatch):
    """Each row once, by rows of other samples: all rows of a sample are held out together."""
    Z, ids = planted(60), [f"s{i // 2}" for i in range(60)]
    learnt = []
    real = nbt.decompose
    monkeypatch.setattr(
        "nbtoolkit.reproduction.sizes.decompose", lambda reps, *a, **k: learnt.append(reps) or real(reps, *a, **k)
    )
    result = held_out(Context(), reps_of(Z, ids), [3])
    assert len(learnt) == N_FOLDS and sum(60 - len(reps) for reps in learnt) == 60
    for reps in learnt:
        assert all(reps.sample_ids.count(i) == 2 for i in set(reps.sample_ids))
    rest = [i for i in range(60) if ids[i] not in learnt[0].sample_ids]
    cd = real(learnt[0], Context().estimator("SemiNMF", 0, 3), layer=0)
    squares = np.square(Z[rest] - cd.reconstruct(Z[rest])).sum(1)
    about = [
        np.square(Z[[i for i in range(60) if ids[i] not in reps.sample_ids]] - reps.layer(0).mean(0)).sum()
        for reps in learnt
    ]
    np.testing.assert_allclose(result.errors[3][rest], squares / (sum(about) / 60), rtol=1e-4)


def test_more_concepts_than_rows_are_undefined():
    result = held_out(Context(), reps_of(planted(12)), [2, 10])
    assert (
        np.isnan(result.errors[10]).all() and list(result.means) == [2] and result.chosen == 2 and result.elbow is None
    )


def test_the_rules_by_hand():
    """One standard error above the lowest; the paper's rule is about zero, so it has the share of the variance in it."""
    spread = np.tile([-0.1, 0.1], 50)
    errors = {10: 0.6 + spread, 20: 0.209 + spread, 30: 0.2 + spread, 50: 0.205 + spread}
    own = HeldOut(errors, 0.9)
    assert own.chosen == 20 and own.elbow == 20 and own.paper == 20
    assert HeldOut(errors, 0.5).paper == 10 and HeldOut(errors, 9.0).paper is None
    assert HeldOut({10: np.full(3, np.nan)}, 1.0).chosen is None
    assert own.score(20).mean == pytest.approx(0.209)
