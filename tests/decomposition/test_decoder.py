"""The declared decoder: ẑ = coefficients · D + b for every method, by hand; refusals where there is none."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.cluster import BisectingKMeans, FeatureAgglomeration, KMeans, MiniBatchKMeans
from sklearn.decomposition import (
    NMF,
    PCA,
    DictionaryLearning,
    FactorAnalysis,
    FastICA,
    IncrementalPCA,
    KernelPCA,
    LatentDirichletAllocation,
    MiniBatchDictionaryLearning,
    SparseCoder,
    SparsePCA,
    TruncatedSVD,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, Normalizer, StandardScaler
from sklearn.random_projection import GaussianRandomProjection

import nbtoolkit as nbt
from nbtoolkit.attribution import contributions, mentions, saliencies, saliency
from nbtoolkit.decomposition import reconstruct, relative_error
from nbtoolkit.interventions.vectors import concept_pair
from nbtoolkit.metrics import c_deletion

from .test_dictionaries import as_reps

D = 24
ATOMS = np.random.default_rng(5).normal(size=(7, D))
ATOMS /= np.linalg.norm(ATOMS, axis=1, keepdims=True)


def states(seed=0, n=120):
    """States with a mean, a massive coordinate and correlated others."""
    rng = np.random.default_rng(seed)
    Z = rng.laplace(size=(n, 8)) @ rng.normal(size=(8, D)) + 3 * rng.normal(size=D)
    Z[:, 5] += 200
    return Z.astype(np.float32)


class Own(TransformerMixin, BaseEstimator):
    """A method of a user: principal axes, by whatever the switch says."""

    def __init__(self, decoder="affine"):
        self.decoder = decoder

    def fit(self, X, y=None):
        self.axes_, self.centre_ = np.linalg.svd(X - X.mean(0), full_matrices=False)[2][:4], X.mean(0)
        if self.decoder in ("components", "useless"):
            self.components_, self.mean_ = self.axes_ * (1 if self.decoder == "components" else -3), self.centre_
        if self.decoder in ("affine", "not affine", "fails"):
            self.inverse_transform = self._inverse
        return self

    def transform(self, X):
        return (X - self.centre_) @ self.axes_.T

    def _inverse(self, V):
        if self.decoder == "fails":
            raise NotImplementedError("no way back")
        return (np.tanh(V) if self.decoder == "not affine" else V) @ self.axes_ + self.centre_


def nearest(e, Z, centres):
    return centres[((Z[:, None] - centres[None]) ** 2).sum(2).argmin(1)]


def inverse(e, Z):
    return e.inverse_transform(e.transform(Z))


def linear(e, Z):
    return e.transform(Z) @ e.components_


METHODS = {  # every kind of decoder, with its reconstruction in scikit-learn's own words
    "SemiNMF": (nbt.SemiNMF(5, random_state=0), linear),
    "PCA": (PCA(5), inverse),
    "PCA whitened": (PCA(5, whiten=True), inverse),
    "IncrementalPCA": (IncrementalPCA(5, whiten=True), inverse),
    "TruncatedSVD": (TruncatedSVD(5, random_state=0), inverse),
    "FastICA": (FastICA(5, random_state=0, max_iter=3000), inverse),
    "FactorAnalysis": (FactorAnalysis(5), lambda e, Z: linear(e, Z) + e.mean_),
    "SparsePCA": (SparsePCA(4, random_state=0, max_iter=50), inverse),
    "KMeans": (KMeans(5, random_state=0, n_init=1), lambda e, Z: e.cluster_centers_[e.predict(Z)]),
    "MiniBatchKMeans": (MiniBatchKMeans(5, random_state=0, n_init=1), lambda e, Z: e.cluster_centers_[e.predict(Z)]),
    "BisectingKMeans": (BisectingKMeans(5, random_state=0), lambda e, Z: nearest(e, Z, e.cluster_centers_)),
    "LargestNorm": (nbt.LargestNorm(5), lambda e, Z: nearest(e, Z, e.components_)),
    "RandomDirections": (
        nbt.RandomDirections(5, random_state=0),
        lambda e, Z: Z @ np.linalg.pinv(e.components_.astype(float)) @ e.components_,
    ),
    "DictionaryLearning": (DictionaryLearning(5, random_state=0, max_iter=30, transform_alpha=0.5), linear),
    "DictionaryLearning split_sign": (
        DictionaryLearning(5, random_state=0, max_iter=30, split_sign=True),
        lambda e, Z: (e.transform(Z)[:, :5] - e.transform(Z)[:, 5:]) @ e.components_,
    ),
    "MiniBatchDictionaryLearning": (MiniBatchDictionaryLearning(5, random_state=0, max_iter=30), linear),
    "SparseCoder": (
        SparseCoder(ATOMS, transform_algorithm="omp", transform_n_nonzero_coefs=3),
        lambda e, Z: e.transform(Z) @ ATOMS,
    ),
    "SparseCoder split_sign": (
        SparseCoder(ATOMS, transform_algorithm="omp", transform_n_nonzero_coefs=3, split_sign=True),
        lambda e, Z: (e.transform(Z)[:, :7] - e.transform(Z)[:, 7:]) @ ATOMS,
    ),
    "GaussianRandomProjection": (GaussianRandomProjection(5, random_state=0), inverse),
    "FeatureAgglomeration": (FeatureAgglomeration(5), inverse),
    "StandardScaler + PCA": (make_pipeline(StandardScaler(), PCA(5, whiten=True)), inverse),
    "StandardScaler + FactorAnalysis": (
        make_pipeline(StandardScaler(), FactorAnalysis(5)),
        lambda e, Z: e[0].inverse_transform(e.transform(Z) @ e[1].components_ + e[1].mean_),
    ),
    "StandardScaler + KMeans": (
        make_pipeline(StandardScaler(), KMeans(5, random_state=0, n_init=1)),
        lambda e, Z: e[0].inverse_transform(e[1].cluster_centers_[e.predict(Z)]),
    ),
    "StandardScaler + SemiNMF": (
        make_pipeline(StandardScaler(), nbt.SemiNMF(5, random_state=0)),
        lambda e, Z: e[0].inverse_transform(e.transform(Z) @ e[1].components_),
    ),
    "MinMaxScaler + NMF": (make_pipeline(MinMaxScaler(clip=True), NMF(5, max_iter=2000)), inverse),
    "own, affine inverse_transform": (Own(), inverse),
    "own, components_ and mean_": (Own("components"), lambda e, Z: linear(e, Z) + e.mean_),
}

quiet = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning", "ignore:FastICA did not converge")


@quiet
@pytest.mark.parametrize("name", METHODS)
def test_the_reconstruction_is_coefficients_times_decoder_plus_offset(name):
    method, by_estimator = METHODS[name]
    Z, new = states(), states(1, 30)
    cd = nbt.decompose(as_reps(Z), method, layer=0)
    V, D_, b = (np.asarray(a, np.float64) for a in (cd.coefficients, cd.decoder, cd.offset))
    assert V.shape == (len(Z), cd.n_concepts) and D_.shape == (cd.n_concepts, D) and b.shape == (D,)
    by_hand = V @ D_ + b
    np.testing.assert_allclose(cd.decode(cd.activations), by_hand, rtol=1e-6, atol=1e-6)
    assert cd.reconstruction_error == pytest.approx(
        np.square(Z - by_hand).sum() / np.square(Z.astype(float)).sum(), abs=1e-6
    )
    np.testing.assert_allclose(
        cd.unexplained, np.square(Z - by_hand).sum(1) / np.square(Z.astype(float)).sum(1), rtol=1e-5, atol=1e-6
    )
    for X in (Z, new):
        expected = np.asarray(by_estimator(cd.encoder, X), np.float64)
        np.testing.assert_allclose(cd.reconstruct(X), expected, atol=2e-5 * np.abs(expected).max())


@quiet
@pytest.mark.parametrize("name", ["KMeans", "MiniBatchKMeans", "LargestNorm", "StandardScaler + KMeans"])
def test_clusters_have_one_hot_coefficients_beside_their_activations(name):
    cd = nbt.decompose(as_reps(states()), METHODS[name][0], layer=0)
    assert (
        (cd.activations > 0).all() and (cd.coefficients.sum(1) == 1).all() and set(np.unique(cd.coefficients)) == {0, 1}
    )
    assert (cd.coefficients.argmax(1) == cd.activations.argmax(1)).all() and cd.coding == "one-hot"


def test_concepts_of_ica_are_the_planted_directions_not_the_filters(rng):
    U = rng.normal(size=(5, 40)) + 0.7 * rng.normal(size=40)
    Z = rng.laplace(size=(3000, 5)) @ U + 0.01 * rng.normal(size=(3000, 40))
    cd = nbt.decompose(as_reps(Z), FastICA(5, random_state=0), layer=0)
    for rows, lowest, highest in ((cd.concepts, 0.99, 1.0), (cd.encoder.components_, 0.0, 0.95)):
        cosines = np.abs(rows @ U.T) / np.linalg.norm(rows, axis=1)[:, None] / np.linalg.norm(U, axis=1)
        assert lowest < cosines.max(1).mean() <= highest + 1e-6
    assert cd.reconstruction_error < 0.01


def test_massive_coordinates_of_semi_nmf_map_back_exactly(rng):
    Z = np.abs(rng.normal(size=(200, 5))) @ rng.normal(size=(5, 128)) + 0.1 * rng.normal(size=(200, 128))
    Z[:, 17] = 900 + rng.normal(size=200)
    with pytest.warns(UserWarning, match="Massive coordinates"):
        cd = nbt.decompose(as_reps(Z), nbt.SemiNMF(6, random_state=0), layer=0)
    assert cd.encoder.scale_[17] < 0.1
    np.testing.assert_allclose(
        cd.decode(cd.activations), cd.activations.astype(float) @ cd.encoder.components_, rtol=1e-6
    )
    scaled, rest = Z * cd.encoder.scale_, (Z - cd.decode(cd.activations)) * cd.encoder.scale_
    assert np.square(rest).sum() / np.square(scaled).sum() < 0.25


def test_nmf_takes_states_that_are_not_negative(rng):
    Z = np.abs(rng.normal(size=(40, 3))) @ np.abs(rng.normal(size=(3, 10)))
    cd = nbt.decompose(as_reps(Z), NMF(3, max_iter=5000), layer=0)
    assert cd.reconstruction_error < 1e-3 and not cd.offset.any()


@pytest.mark.parametrize(
    ("method", "reason"),
    [
        (Own("useless"), "its components_ reconstruct worse than their offset alone"),
        (LatentDirichletAllocation(3, max_iter=2), "reconstruct worse than their offset alone"),
    ],
    ids=["own", "LDA"],
)
def test_without_a_decoder_everything_that_is_about_parts_is_refused(method, reason, model, data):
    n_samples = 40
    rng = np.random.default_rng(0)
    Z = np.abs(rng.normal(size=(n_samples, model.d_model)))
    reps = nbt.Representations(
        Z[:, None].astype(np.float32),
        [str(i) for i in range(n_samples)],
        [""] * n_samples,
        [0] * n_samples,
        layers=[3],
        n_layers=5,
    )
    cd = nbt.decompose(reps, method, layer=3)
    assert cd.decoder is None and cd.offset is None and cd.concepts.shape[1] == model.d_model
    assert cd.encode(Z[:2]).shape == (2, cd.n_concepts)  # activations need none
    targets = mentions(model, data["image"][22:23], "dog")
    refused = {
        "reconstruction_error": lambda: cd.reconstruction_error,
        "unexplained": lambda: cd.unexplained,
        "a coefficient": lambda: cd.coefficients,
        "a reconstruction": lambda: cd.reconstruct(Z),
        "the words of a concept": lambda: nbt.ground(cd, model),
        "a concept map": lambda: saliency(model, data[0]["image"], cd, 0),
        "an attribution to concepts": lambda: contributions(targets, cd),
        "a deletion or insertion curve": lambda: c_deletion(Z, cd, None, lambda z: z.sum(1)),
        "a steering vector between concepts": lambda: concept_pair(cd, 0, 1),
    }
    for purpose, use in refused.items():
        with pytest.raises(
            nbt.errors.MethodError,
            match=rf"at layer 3 has no decoder \(.*{reason}\); {purpose} needs one.*Decompose with",
        ):
            use()
    with pytest.raises(nbt.errors.MethodError, match="a concept map needs one"):
        saliencies(model, data[0]["image"], cd)
    with pytest.raises(nbt.errors.MethodError, match="reconstruction_error needs one"):
        nbt.evaluate(cd, nbt.Grounding([["a"]] * cd.n_concepts, [["0"]] * cd.n_concepts))


@pytest.mark.parametrize(
    ("method", "reason"),
    [
        (Own("not affine"), "its inverse_transform is not affine: on the data it differs from V D \\+ b by"),
        (Own("fails"), "its inverse_transform fails: no way back"),
        (Own("nothing"), "it has neither inverse_transform nor components_"),
        (KernelPCA(3, kernel="rbf", gamma=1e-4, fit_inverse_transform=True), "not affine"),
        (make_pipeline(Normalizer(), FactorAnalysis(3)), "a step before its last one has no inverse_transform"),
    ],
    ids=["not affine", "fails", "nothing", "kernel PCA", "pipeline"],
)
def test_a_method_without_directions_is_refused(method, reason):
    if "Normalizer" in repr(method):  # it has components_, but of another space; a decoder is refused
        cd = nbt.decompose(as_reps(states()), method, layer=0)
        with pytest.raises(nbt.errors.MethodError, match=reason):
            cd.reconstruct(states())
        return
    with pytest.raises(nbt.errors.MethodError, match=f"neither an affine inverse_transform nor components_.*{reason}"):
        nbt.decompose(as_reps(states()), method, layer=0)


def test_reconstruct_refuses_without_a_decoder():
    Z = states()
    own = Own("not affine").fit(Z)
    with pytest.raises(nbt.errors.MethodError, match="Own has no decoder"):
        reconstruct(own, own.transform(Z))
    pca = PCA(3).fit(Z)
    assert relative_error(Z, reconstruct(pca, pca.transform(Z))) == pytest.approx(
        relative_error(Z, inverse(pca, Z)), abs=1e-6
    )


@pytest.mark.filterwarnings("ignore:4 of 4 concepts are dead")
def test_a_dictionary_of_dead_concepts(reps, model):
    cd = nbt.decompose(reps, nbt.SemiNMF(4, alpha=1e9, random_state=0), layer=4)
    assert not cd.coefficients.any() and cd.reconstruction_error == 1 and not cd.decode(cd.activations).any()
    g = nbt.ground(cd, model)
    assert nbt.evaluate(cd, g)["n_dead"] == 4 and all(not e for e in g.exemplars)


@pytest.mark.parametrize(
    "method", [nbt.SemiNMF(1, random_state=0), nbt.LargestNorm(1), nbt.RandomDirections(1), KMeans(1, n_init=1)]
)
def test_one_sample(method):
    cd = nbt.decompose(as_reps(states(n=1)), method, layer=0)
    assert cd.activations.shape == (1, 1) and cd.reconstruction_error <= 1


def test_what_a_method_refuses_is_told_with_the_layer():
    with pytest.raises(nbt.errors.MethodError, match=r"PCA cannot decompose Z at layer 0, \(1, 24\): "):
        nbt.decompose(as_reps(states(n=1)), PCA(n_components=2.5), layer=0)
    with pytest.raises(nbt.errors.MethodError, match=r"SparseCoder cannot decompose Z at layer 0, \(120, 24\)"):
        nbt.decompose(as_reps(states()), SparseCoder(np.eye(3)), layer=0)
