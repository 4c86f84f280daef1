"""Massive coordinates and outlier rows: planted concepts are recovered under them, and data without them are untouched."""

import numpy as np
import pytest

import nbtoolkit as nbt
from nbtoolkit.decomposition.massive import coordinate_scale
from nbtoolkit.storage.estimators import dump_encoder, load_encoder


def planted(d, k, n=600, seed=0):
    r = np.random.default_rng(seed)
    U = r.normal(size=(k, d))
    V = r.exponential(5, size=(n, k)) * (r.random((n, k)) < 0.3)
    X = V @ (U / np.linalg.norm(U, axis=1, keepdims=True)) + 0.02 * r.normal(size=(n, d))
    return X.astype(np.float32), V


def n_recovered(V, W):
    r = np.corrcoef(V.T, W.T)[: V.shape[1], V.shape[1] :]
    return int((np.nan_to_num(np.abs(r)).max(1) > 0.9).sum())


@pytest.mark.parametrize(("d", "k", "size", "jitter", "least"), [(1024, 10, 1000, 0.01, 8), (2048, 20, 3000, 0.02, 16)])
def test_concepts_are_recovered_under_massive_coordinates(d, k, size, jitter, least):
    X, V = planted(d, k)
    X[:, [3, 700]] = size * (1 + jitter * np.random.default_rng(1).normal(size=(len(X), 2)))
    s = nbt.SemiNMF(k, random_state=0)
    with pytest.warns(UserWarning, match=r"^Massive coordinates \(3, 700\) have 100.0% of the squared norm"):
        s.fit(X)
    assert n_recovered(V, s.transform(X)) >= least and s.n_dead_ == 0
    assert np.flatnonzero(s.scale_ < 1).tolist() == [3, 700]


def test_a_scaled_fit_maps_back_exactly():
    """The activations are those of the scaled problem, and V @ U is in the unit of X."""
    X, _ = planted(128, 5)
    X[:, 9] += 500
    with pytest.warns(UserWarning, match="^Massive coordinates"):
        s = nbt.SemiNMF(5, random_state=0).fit(X)
    plain = nbt.SemiNMF(5, alpha=s.alpha_, init=s.components_ * s.scale_, random_state=0)
    plain.components_, plain.alpha_, plain.n_features_in_ = s.components_ * s.scale_, s.alpha_, 128
    assert np.allclose(s.transform(X), plain.transform((X * s.scale_).astype(np.float32)), atol=1e-3)
    V = s.transform(X)
    assert np.allclose(s.inverse_transform(V) * s.scale_, V @ plain.components_, atol=1e-4)
    residual = (X - s.inverse_transform(V)) * s.scale_
    assert np.isclose(s.objective_, np.square(residual).sum() + s.alpha_ * V.sum(), rtol=1e-4)
    assert (np.linalg.norm(s.components_ * s.scale_, axis=1) <= 1 + 1e-5).all()


def test_an_opened_dictionary_keeps_the_scale():
    X, _ = planted(128, 5)
    X[:, 9] += 500
    with pytest.warns(UserWarning, match="^Massive"):
        s = nbt.SemiNMF(5, random_state=0).fit(X)
    assert np.array_equal(load_encoder(*dump_encoder(s)).transform(X), s.transform(X))


def test_an_outlier_row_takes_no_concept_from_the_others():
    X, V = planted(1024, 10)
    row = np.random.default_rng(2).normal(size=1024)
    X[5] = 1e4 * row / np.linalg.norm(row)
    s = nbt.SemiNMF(10, random_state=0)
    with pytest.warns(UserWarning, match=r"^Outlier rows \(5\) have 99.\d% of the squared norm"):
        s.fit(X)
    others = np.arange(len(X)) != 5
    assert n_recovered(V[others], s.transform(X)[others]) >= 9 and (s.n_outliers_, s.n_dead_) == (1, 0)


def test_a_number_as_alpha_is_the_problem_as_printed():
    X, _ = planted(128, 5)
    X[:, 9] += 500
    s = nbt.SemiNMF(5, alpha=2.0, random_state=0).fit(X)
    assert s.scale_ is None and s.n_outliers_ == 0


def test_data_without_them_are_untouched():
    X, _ = planted(256, 5)
    s = nbt.SemiNMF(5, random_state=0).fit(X)
    norms = np.linalg.norm(X.astype(np.float64), axis=1)
    assert s.scale_ is None and s.n_outliers_ == 0 and np.isclose(s.alpha_, 0.2 * norms.mean())
    many = X.copy()
    many[:, ::10] += 500  # a tenth of the coordinates is no exception
    assert coordinate_scale(many) is None and coordinate_scale(X[:, :50]) is None


def test_partial_fit_keeps_the_scale_of_the_first_block():
    X, V = planted(1024, 10)
    X[:, 3] = 1000 * (1 + 0.01 * np.random.default_rng(1).normal(size=len(X)))
    s = nbt.SemiNMF(10, random_state=0)
    with pytest.warns(UserWarning, match="^Massive coordinates"):
        s.partial_fit(X[:300])
    s.partial_fit(X[300:])
    assert n_recovered(V, s.transform(X)) >= 9
