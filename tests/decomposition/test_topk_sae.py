"""TopKSAE: planted directions are recovered, the same for one seed, with more concepts than samples, and refusals."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone

import nbtoolkit as nbt
from nbtoolkit.decomposition import topk_sae
from nbtoolkit.decomposition.sparse_autoencoder import keep_largest

from .test_dictionaries import as_reps


def sparse_states(n=600, d=48, k=24, seed=0):
    """States of a mean and few of k directions each."""
    rng = np.random.default_rng(seed)
    U = rng.normal(size=(k, d))
    U /= np.linalg.norm(U, axis=1, keepdims=True)
    V = (1 + rng.exponential(2, (n, k))) * (rng.random((n, k)) < 0.1)
    return V @ U + 5 * rng.normal(size=d) + 0.01 * rng.normal(size=(n, d)), U


def best_cosines(U, components):
    return (U @ components.T / np.linalg.norm(components, axis=1)).max(1)


@pytest.mark.filterwarnings("ignore:.* concepts are dead")  # of 96, most have nothing to learn
@pytest.mark.parametrize("n_components", [24, 96])
def test_planted_directions_are_recovered(n_components):
    X, U = sparse_states()
    sae = nbt.TopKSAE(n_components, k=5, random_state=0).fit(X)
    cosines = best_cosines(U, sae.components_)
    assert np.median(cosines) > 0.97 and cosines.mean() > 0.9
    V = sae.transform(X)
    assert V.min() >= 0 and (V > 0).sum(1).max() <= 5
    np.testing.assert_allclose(np.linalg.norm(sae.components_, axis=1), 1, rtol=1e-5)
    rest = np.square(X - sae.inverse_transform(V)).sum() / np.square(X - X.mean(0)).sum()
    assert rest < 0.1 and sae.loss_[-10:].mean() < 0.1 * sae.loss_[0]
    assert (np.diff(V.sum(0)) <= 1e-6).all()  # strongest first


def test_one_seed_gives_one_result_and_leaves_the_global_state_alone():
    torch = pytest.importorskip("torch")
    X, _ = sparse_states(n=100)
    state, other = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    a, b = (nbt.TopKSAE(30, k=4, n_epochs=30, random_state=3).fit(X) for _ in range(2))
    for name in ("components_", "encoder_", "encoder_bias_", "intercept_"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    c = nbt.TopKSAE(30, k=4, n_epochs=30, random_state=4).fit(X)
    assert not np.array_equal(a.components_, c.components_)
    assert torch.equal(state, torch.random.get_rng_state()) and np.array_equal(other, np.random.get_state()[1])


def test_more_concepts_than_samples(reps):
    """A dictionary of the embedded model: training rows are encoded to their activations; most concepts are used."""
    cd = nbt.decompose(reps, nbt.TopKSAE(400, k=8, n_epochs=300, random_state=0), layer=4)
    assert cd.n_concepts == 400 > len(reps) and cd.method == "TopKSAE" and cd.coding == "activations"
    np.testing.assert_allclose(cd.encode(reps.layer(4)), cd.activations, atol=2e-5)
    by_hand = cd.activations.astype(float) @ cd.decoder + cd.offset
    np.testing.assert_allclose(cd.reconstruct(reps.layer(4)), by_hand, rtol=1e-5, atol=1e-5)
    assert cd.reconstruction_error < 0.05 and ((cd.activations > 0).sum(1) <= 8).all()
    again = pickle.loads(pickle.dumps(cd.encoder))
    np.testing.assert_array_equal(again.transform(reps.layer(4)[:3]), cd.encoder.transform(reps.layer(4)[:3]))
    assert not hasattr(clone(cd.encoder), "components_")


def test_dead_concepts_are_revived(monkeypatch):
    """Half of the concepts begin with a bias that no sample reaches."""
    X, _ = sparse_states(n=400)
    start = topk_sae._Training.__init__

    def half_dead(training, *arguments):
        start(training, *arguments)
        training.weights[1].data[::2] = -100

    monkeypatch.setattr(topk_sae._Training, "__init__", half_dead)
    assert nbt.TopKSAE(24, k=5, n_epochs=400, random_state=0).fit(X).n_dead_ == 0
    monkeypatch.setattr(topk_sae, "_REVIVAL", 0.0)
    with pytest.warns(
        UserWarning, match="12 of 24 concepts are dead: no sample uses them. Use fewer concepts, or more epochs"
    ):
        assert nbt.TopKSAE(24, k=5, n_epochs=400, random_state=0).fit(X).n_dead_ == 12


def test_largest_values_remain():
    values = np.array([[3.0, 1.0, 2.0, 0.0]])
    assert keep_largest(values, 2).tolist() == [[3, 0, 2, 0]] and keep_largest(values, 9) is values


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_components": 0}, "n_components is 0; expected a whole number of at least 1"),
        ({"k": 1.5}, "k is 1.5; expected a whole number of at least 1"),
        ({"n_epochs": "many"}, "n_epochs is 'many'; expected a whole number of at least 1, or 'auto'"),
        ({"learning_rate": -1}, "learning_rate is -1; expected a number above 0"),
    ],
)
def test_bad_settings(options, message):
    with pytest.raises(ValueError, match=message):
        nbt.TopKSAE(**options).fit(np.eye(4))
    refused = (
        "The number of concepts of TopKSAE is 0"
        if "n_components" in options
        else f"cannot decompose Z at layer 0, .*{message}"
    )
    with pytest.raises(nbt.errors.MethodError, match=refused):
        nbt.decompose(as_reps(np.eye(4)), nbt.TopKSAE(**options), layer=0)


def test_the_callers_threads_are_restored(monkeypatch):
    """Small steps run on one thread, and on the caller's number again after it, also after an error."""
    seen, before = [], torch.get_num_threads()
    real = topk_sae._Training._step
    monkeypatch.setattr(
        topk_sae._Training, "_step", lambda self, x: seen.append(torch.get_num_threads()) or real(self, x)
    )
    try:
        torch.set_num_threads(2)
        nbt.TopKSAE(5, k=2, n_epochs=2, random_state=0).fit(np.random.default_rng(0).normal(size=(20, 8)))
        assert set(seen) == {1} and torch.get_num_threads() == 2
        monkeypatch.setattr(topk_sae._Training, "_step", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            nbt.TopKSAE(5, k=2, n_epochs=2, random_state=0).fit(np.random.default_rng(0).normal(size=(20, 8)))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
