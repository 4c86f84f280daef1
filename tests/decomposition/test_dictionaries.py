"""Dictionaries: planted truth, equality with scikit-learn, laws over everything registered, refusals."""

import os
import subprocess
import sys

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.decomposition import NMF, PCA, DictionaryLearning, FastICA, MiniBatchDictionaryLearning, sparse_encode
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import nbtoolkit as nbt
from nbtoolkit.decomposition.activations import ExactEncoder, block_active_set, exact_activations
from nbtoolkit.decomposition.updates import coordinate_descent, objective, update_concepts

METHODS = [nbt.SemiNMF(6, random_state=0), nbt.LargestNorm(6), nbt.RandomDirections(6, random_state=0), PCA(6), KMeans(6, random_state=0, n_init=1),
           FastICA(6, random_state=0, max_iter=2000, tol=1e-3),
           MiniBatchDictionaryLearning(6, random_state=0, transform_algorithm="lasso_cd", transform_alpha=0.1),
           nbt.TopKSAE(6, k=3, n_epochs=100, random_state=0)]  # fmt: skip


def planted(n=600, d=64, k=12, noise=0.0, seed=0):
    rng = np.random.default_rng(seed)
    U = rng.normal(size=(k, d)) + 0.5 * rng.normal(size=d)
    U /= np.linalg.norm(U, axis=1, keepdims=True)
    V = rng.exponential(30, (n, k)) * (rng.random((n, k)) < 0.2)
    return V @ U + noise * rng.normal(size=(n, d)), U


def matched_cosine(A, B):
    cosines = (A / np.linalg.norm(A, axis=1, keepdims=True)) @ (B / np.linalg.norm(B, axis=1, keepdims=True)).T
    rows, columns = linear_sum_assignment(-cosines)
    return cosines[rows, columns].mean()


def as_reps(Z, token="dog"):
    n = len(Z)
    return nbt.Representations(
        Z[:, None].astype(np.float32),
        [f"s{i}" for i in range(n)],
        ["a dog"] * n,
        [1] * n,
        source=nbt.Source(token=token),
    )


WITH_OTHER_ARRAYS = """
import nbtoolkit as nbt
from sklearn.utils.estimator_checks import estimator_checks_generator
(check,) = [c for _, c in estimator_checks_generator(nbt.{0!r}) if c.func.__name__ == "check_array_api_input"]
check(nbt.{0!r})
"""


@pytest.mark.filterwarnings("ignore:. of . concepts are dead")
@parametrize_with_checks(
    [nbt.SemiNMF(2), nbt.LargestNorm(2), nbt.RandomDirections(2), nbt.TopKSAE(2, n_epochs=2, random_state=0)]
)
def test_estimators_pass_the_checks_of_scikit_learn(estimator, check):
    if check.func.__name__ == "check_array_api_input":  # needs a setting that SciPy reads when it is imported
        code = WITH_OTHER_ARRAYS.format(estimator)
        subprocess.run([sys.executable, "-c", code], env=os.environ | {"SCIPY_ARRAY_API": "1"}, check=True)
    else:
        check(estimator)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("d", "seed"), [(64, 0), (64, 1), (400, 2)])
def test_a_planted_dictionary_is_recovered(d, seed):
    X, U = planted(d=d, seed=seed)
    assert matched_cosine(nbt.SemiNMF(12, alpha=0.5, random_state=seed).fit(X).components_, U) >= 0.98


def test_a_planted_dictionary_is_recovered_from_noise():
    X, U = planted(noise=1.0)
    assert matched_cosine(nbt.SemiNMF(12, alpha=5, random_state=0).fit(X).components_, U) >= 0.95


def test_constraints_and_attributes():
    X, _ = planted()
    s = nbt.SemiNMF(12, alpha=2.0, random_state=0)
    V = s.fit_transform(X)
    assert V.min() >= 0 and np.linalg.norm(s.components_, axis=1).max() <= 1 + 1e-9
    assert s.objective_ == pytest.approx(objective(X, V, s.components_, 2.0), rel=1e-8)
    assert s.reconstruction_err_ == pytest.approx(np.linalg.norm(X - s.inverse_transform(V)), rel=1e-6)
    assert s.n_dead_ == 0 and s.n_iter_ >= 10 and s.alpha_ == 2.0
    energy = V.sum(0) * np.linalg.norm(s.components_, axis=1)
    assert (np.diff(energy) <= 1e-9).all()


def test_activations_equal_scikit_learns_lasso():
    X, U = planted(noise=2.0)
    ours = exact_activations(X, U, 3.0)
    theirs = sparse_encode(
        X, U, algorithm="lasso_cd", alpha=1.5, positive=True, max_iter=100_000
    )  # their loss is halved
    assert np.abs(ours - theirs).max() <= 1e-4 * theirs.max()


def test_activations_satisfy_the_optimality_conditions(rng):
    X, U = rng.normal(size=(40, 10)), rng.normal(size=(7, 10))
    V = exact_activations(X, U, 0.8)
    gradient = 2 * (V @ U - X) @ U.T + 0.8
    assert (gradient >= -1e-8).all() and np.abs(gradient * V).max() < 1e-8


def test_repeated_concepts_are_solved(rng):
    X, U = rng.normal(size=(20, 6)), rng.normal(size=(3, 6))
    twice = np.concatenate([U, U])
    assert objective(X, exact_activations(X, twice, 0.5), twice, 0.5) == pytest.approx(
        objective(X, exact_activations(X, U, 0.5), U, 0.5), rel=1e-6
    )


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_objective_is_no_higher_than_scikit_learns():
    X, _ = planted(n=300, noise=3.0)
    theirs = DictionaryLearning(
        12,
        alpha=2.0,
        positive_code=True,
        fit_algorithm="cd",
        transform_algorithm="lasso_cd",
        random_state=0,
        max_iter=300,
    ).fit(X)
    reached = objective(X, exact_activations(X, theirs.components_, 4.0), theirs.components_, 4.0)
    assert min(nbt.SemiNMF(12, alpha=4.0, random_state=s).fit(X).objective_ for s in range(3)) <= reached * (1 + 1e-3)


def test_block_updates_never_raise_the_objective(rng):
    X, U = rng.normal(size=(50, 12)), rng.normal(size=(5, 12))
    U /= np.linalg.norm(U, axis=1, keepdims=True)
    W = np.zeros((5, 50))
    value = objective(X, W.T, U, 0.7)
    for _ in range(30):
        coordinate_descent(U @ X.T - 0.35, U @ U.T, W, 1)
        after_activations = objective(X, W.T, U, 0.7)
        update_concepts(W @ W.T, W @ X, U)
        after_concepts = objective(X, W.T, U, 0.7)
        assert after_concepts <= after_activations * (1 + 1e-12) <= value * (1 + 2e-12)
        value = after_concepts


def test_coordinate_descent_in_blocks_equals_single_coordinates(rng):
    X, U = rng.normal(size=(60, 30)), rng.normal(size=(90, 30))
    C, G = U @ X.T - 0.5, U @ U.T
    blocked = coordinate_descent(C, G, np.zeros((90, 60)), 3)
    W = np.zeros((90, 60))
    for _ in range(3):
        for k in range(90):
            W[k] = np.maximum(0, W[k] + (C[k] - G[k] @ W) / G[k, k])
    np.testing.assert_allclose(blocked, W, atol=1e-10)


@pytest.mark.parametrize("k", [1, 5, 20, 50, 130])
def test_pivoting_equals_solving_row_by_row(rng, k):
    X, U = rng.normal(size=(300, 80)).cumsum(1), rng.normal(size=(k, 80)) + rng.normal(size=80)
    U /= np.linalg.norm(U, axis=1, keepdims=True)
    many = exact_activations(X, U, 0.6)
    few = np.concatenate([exact_activations(X[i : i + 10], U, 0.6) for i in range(0, 300, 10)])
    assert np.abs(many - few).max() <= 1e-7 * few.max()
    gradient = many @ ExactEncoder(U).gram - (X @ U.T - 0.3)
    scale = np.abs(X @ U.T).max()
    assert gradient.min() >= -1e-9 * scale and np.abs(gradient * many).max() <= 1e-8 * scale * many.max()


def test_the_block_active_set_equals_the_active_set(rng):
    U = rng.normal(size=(150, 400)) + rng.normal(size=400)
    U /= np.linalg.norm(U, axis=1, keepdims=True)
    H = (
        rng.gamma(1, size=(40, 150)) * (rng.random((40, 150)) < 0.2) @ U + 0.1 * rng.normal(size=(40, 400))
    ) @ U.T - 0.2
    encoder = ExactEncoder(U)
    for h in H:
        blockwise = block_active_set(h, encoder.gram)
        assert blockwise is not None
        assert np.abs(blockwise - encoder._active_set(h)).max() <= 1e-9 * blockwise.max()


@pytest.mark.parametrize("alpha", [1.0, "auto"])
def test_a_nan_in_a_large_file_is_refused_with_its_position(rng, tmp_path, alpha):
    mapped = np.memmap(tmp_path / "x", np.float32, "w+", shape=(20_000, 250))
    mapped[:] = rng.normal(size=mapped.shape)
    semi_nmf = nbt.SemiNMF(4, alpha=alpha, max_iter=20, random_state=0)
    mapped[19_999, 11] = np.nan
    with pytest.raises(ValueError, match="NaN at row 19999, column 11"):
        semi_nmf.fit(mapped)
    with pytest.raises(ValueError, match="NaN at row 99, column 11"):
        nbt.SemiNMF(4, random_state=0).partial_fit(mapped[:100]).partial_fit(mapped[-100:])


def test_the_path_never_rises_and_float32_gives_the_same_concepts():
    X, _ = planted(n=900, d=300, noise=2.0)
    a = nbt.SemiNMF(12, alpha=3.0, random_state=0).fit(X)
    b = nbt.SemiNMF(12, alpha=3.0, random_state=0).fit(X.astype(np.float32))
    for path in (a.objective_path_, b.objective_path_):
        assert (np.diff(path) <= 0).all()
    assert b.components_.dtype == np.float32 and matched_cosine(a.components_, b.components_) > 0.999
    assert b.objective_ == pytest.approx(a.objective_, rel=1e-3)


def test_both_conventions_of_alpha():
    X, _ = planted(n=200, noise=1.0)
    paper = nbt.SemiNMF(5, alpha=4.0, random_state=0).fit(X)
    halved = nbt.SemiNMF(5, alpha=2.0, convention="sklearn", random_state=0).fit(X)
    assert halved.alpha_ == paper.alpha_ == 4.0
    np.testing.assert_array_equal(paper.components_, halved.components_)
    with pytest.raises(ValueError, match=r"convention is 'half'; expected 'paper' \(alpha is λ\) or 'sklearn'"):
        nbt.SemiNMF(5, convention="half").fit(X)


def test_alpha_is_a_fifth_of_the_mean_row_norm_by_default():
    """Rows of lengths 1 and 3: their mean is 2, so λ is 0.4, also in the convention of scikit-learn."""
    X = np.array([[1.0, 0.0], [0.0, 3.0]]).repeat(10, 0)
    for convention in ("paper", "sklearn"):
        assert nbt.SemiNMF(2, convention=convention, random_state=0).fit(X).alpha_ == pytest.approx(0.4)


def test_starting_points_are_compared():
    X, _ = planted(n=300, noise=4.0)
    tries = [nbt.SemiNMF(12, alpha=4.0, random_state=s).fit(X).objective_ for s in range(4)]
    best = nbt.SemiNMF(12, alpha=4.0, n_init=6, random_state=0).fit(X)
    assert (
        best.objective_ <= np.median(tries) * (1 + 1e-3)
        and (np.diff(best.objective_path_) <= 1e-6 * best.objective_).all()
    )


def test_a_file_larger_than_a_block_is_streamed(tmp_path, monkeypatch):
    """Float16 on disk, read in blocks, on a sample of the rows first: as good as all of it in memory."""
    monkeypatch.setattr("nbtoolkit.decomposition.semi_nmf._SMALL_SIZE", 100_000)
    monkeypatch.setattr("nbtoolkit.decomposition.blocks.BLOCK_ROWS", 500)
    X, U = planted(n=9000, d=100, noise=1.0)
    mapped = np.memmap(tmp_path / "x", np.float16, "w+", shape=X.shape)
    mapped[:] = X
    streamed = nbt.SemiNMF(12, alpha=3.0, random_state=0).fit(mapped)
    whole = nbt.SemiNMF(12, alpha=3.0, random_state=0).fit(mapped.astype(np.float32))
    monkeypatch.setattr("nbtoolkit.decomposition.semi_nmf._MAX_ROWS_IN_MEMORY", 6000)
    flat = nbt.SemiNMF(12, alpha=3.0, random_state=0).fit(mapped)  # activations of at most 6,000 rows are in memory
    assert matched_cosine(flat.components_, U) > 0.98 and flat.objective_ <= whole.objective_ * 1.005
    assert streamed.components_.dtype == np.float32 and streamed.n_samples_seen_ == 9000
    assert matched_cosine(streamed.components_, U) > 0.98
    assert streamed.objective_ <= whole.objective_ * 1.005
    V = streamed.transform(mapped)
    assert V.shape == (9000, 12) and objective(
        mapped.astype(np.float32), V, streamed.components_, 3.0
    ) == pytest.approx(streamed.objective_, rel=1e-4)
    mapped[17, 3] = np.inf
    with pytest.raises(ValueError, match="contains infinity at row 17, column 3; expected finite numbers"):
        nbt.SemiNMF(12, random_state=0).fit(mapped)


def test_partial_fit_comes_close_to_fit():
    X, U = planted(n=3000, noise=1.0)
    X = np.random.default_rng(1).permutation(X)
    whole = nbt.SemiNMF(12, alpha=3.0, random_state=0).fit(X)
    online = nbt.SemiNMF(12, alpha=3.0, random_state=0)
    for _ in range(2):
        for start in range(0, 3000, 250):
            online.partial_fit(X[start : start + 250])
    assert online.n_samples_seen_ == 6000 and matched_cosine(online.components_, U) > 0.97
    reached = objective(X, online.transform(X), online.components_, 3.0)
    assert reached <= whole.objective_ * 1.01
    with pytest.raises(ValueError, match="The first block has n_samples=3; expected at least n_components=12"):
        nbt.SemiNMF(12).partial_fit(X[:3])
    with pytest.raises(ValueError, match="features"):
        online.partial_fit(X[:, :5])


def test_torch_tensors_are_accepted():
    torch = pytest.importorskip("torch")
    X, _ = planted(n=200)
    a = nbt.SemiNMF(5, alpha=3.0, random_state=0).fit(X)
    b = nbt.SemiNMF(5, alpha=3.0, random_state=0).fit(torch.tensor(X))
    np.testing.assert_array_equal(a.components_, b.components_)
    half = nbt.SemiNMF(5, alpha=3.0, random_state=0).fit(torch.tensor(X).to(torch.bfloat16))
    assert half.components_.dtype == np.float32 and half.transform(torch.tensor(X[:2])).shape == (2, 5)


def test_a_dead_concept_is_replaced():
    X, U = planted(n=400)
    start = np.concatenate([U[:11], -X[:1] / np.linalg.norm(X[0])])  # the last one points away from every sample
    s = nbt.SemiNMF(12, alpha=0.5, init=start, random_state=0).fit(X)
    assert s.n_dead_ == 0 and matched_cosine(s.components_, U) > 0.98


def test_same_seed_same_result_and_the_global_state_is_unchanged():
    X, _ = planted(n=100)
    state = np.random.get_state()[1].copy()
    a, b = (nbt.SemiNMF(5, random_state=3).fit(X).components_ for _ in range(2))
    assert np.array_equal(a, b) and np.array_equal(np.random.get_state()[1], state)


@pytest.mark.parametrize("init", ["random", "kmeans++"])
def test_initialisations(init):
    X, U = planted(n=200)
    assert nbt.SemiNMF(12, alpha=0.5, init=init, random_state=0).fit(X).reconstruction_err_ < 0.2 * np.linalg.norm(X)
    assert matched_cosine(nbt.SemiNMF(12, alpha=0.5, init=U).fit(X).components_, U) > 0.999


@pytest.mark.parametrize(("options", "message"), [({"alpha": -1}, "alpha is -1"), ({"alpha": "big"}, "alpha is 'big'"), ({"init": "svd"}, "init is 'svd'"),
                                                  ({"n_components": 0}, "n_components is 0"), ({"init": np.ones((2, 2))}, "init has shape")])  # fmt: skip
def test_bad_settings(options, message):
    with pytest.raises(ValueError, match=message):
        nbt.SemiNMF(**{"n_components": 3, **options}).fit(np.ones((5, 4)) + np.eye(5, 4))


def test_a_huge_alpha_gives_zero_activations():
    X, _ = planted(n=50)
    s = nbt.SemiNMF(4, alpha=1e9, random_state=0)
    with pytest.warns(
        UserWarning, match="^4 of 4 concepts are dead: no sample uses them. Use fewer concepts, or a smaller"
    ):
        assert not s.fit_transform(X).any() and s.n_dead_ == 4


# --- decompose ------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("method", METHODS, ids=lambda m: type(m).__name__)
def test_laws_of_every_method(reps, method):
    cd = nbt.decompose(reps, method, layer=4)
    assert cd.layer == 4 and cd.method == type(method).__name__ and cd.n_concepts == 6
    assert cd.concepts.shape == (6, 128) and cd.activations.shape == (len(reps), 6)
    np.testing.assert_allclose(cd.encode(reps.layer(4)), cd.activations, atol=2e-5)
    np.testing.assert_allclose(
        cd.encode(reps.layer(4)[3]), cd.activations[3:4], atol=2e-3
    )  # scikit-learn stops its lasso by tolerance
    assert 0 <= cd.reconstruction_error <= 1.0001 and np.isfinite(cd.unexplained).all()
    weights = np.square(reps.layer(4).astype(float)).sum(1)
    assert (cd.unexplained * weights).sum() / weights.sum() == pytest.approx(cd.reconstruction_error, abs=1e-5)
    assert not hasattr(method, "components_")  # the caller's object was cloned, not fitted
    again = nbt.decompose(reps, method, layer=4)
    if type(method).__name__ != "PCA":
        np.testing.assert_allclose(again.concepts, cd.concepts, atol=1e-5)
    with pytest.raises(ValueError, match="read-only"):
        cd.concepts[0] = 0


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", ["SemiNMF", "PCA", "KMeans"])
def test_more_concepts_never_reconstruct_worse(reps, name):
    make = {
        "SemiNMF": lambda k: nbt.SemiNMF(k, random_state=0),
        "PCA": PCA,
        "KMeans": lambda k: KMeans(k, random_state=0, n_init=4),
    }[name]
    errors = [nbt.decompose(reps, make(k), layer=5).reconstruction_error for k in (2, 5, 12)]
    assert errors == sorted(errors, reverse=True)


def test_clustering_activations_are_larger_when_closer(reps):
    cd = nbt.decompose(reps, KMeans(4, random_state=0, n_init=1), layer=5)
    gaps = np.linalg.norm(reps.layer(5)[:, None] - cd.concepts[None], axis=2)
    np.testing.assert_allclose(cd.activations, 1 / (1 + gaps), atol=1e-4)


def test_every_listed_method_obeys_the_laws():
    tested = {type(method) for method in METHODS} | {DictionaryLearning}  # MiniBatchDictionaryLearning, but slower
    assert tested == set(nbt.list_decompositions().values())


def test_random_directions_rebuild_by_least_squares(rng):
    """Their activations are inner products, so the best that they can rebuild is the projection on their span."""
    Z = rng.normal(size=(40, 8)).astype(np.float32)
    cd = nbt.decompose(as_reps(Z), nbt.RandomDirections(5, random_state=0), layer=0)
    basis = np.linalg.qr(cd.concepts.T)[0]
    residual = np.square(Z - Z @ basis @ basis.T).sum(1) / np.square(Z).sum(1)
    np.testing.assert_allclose(cd.unexplained, residual, atol=1e-5)


def test_methods_by_name(reps):
    assert nbt.decompose(reps, "LargestNorm").method == "LargestNorm"
    assert nbt.decompose(reps).parameters["n_components"] == 20
    with pytest.raises(
        nbt.NbtoolkitError, match=r"No decomposition named 'Kmeans'. Did you mean 'KMeans'\? Known: SemiNMF"
    ):
        nbt.decompose(reps, "Kmeans")
    for wrong in (nbt.SemiNMF, 3):
        with pytest.raises(nbt.NbtoolkitError, match="method is .*; expected a scikit-learn transformer"):
            nbt.decompose(reps, wrong)


def test_refusals(reps, rng):
    few = as_reps(rng.normal(size=(5, 8)))
    with pytest.raises(
        nbt.NbtoolkitError,
        match="The number of concepts of SemiNMF is 20, but token 'dog' has 5 samples; expected at most 5",
    ):
        nbt.decompose(few, nbt.SemiNMF(20))
    Z = rng.normal(size=(30, 8))
    Z[3, 2] = np.nan
    with pytest.raises(
        nbt.NbtoolkitError, match=r"NaN or infinity in 1 of 30 samples \(first: 's3', row 3, column 2\)"
    ):
        nbt.decompose(as_reps(Z), nbt.SemiNMF(3))
    with pytest.raises(nbt.NbtoolkitError, match="is constant over its 30 samples.*Use a deeper layer"):
        nbt.decompose(as_reps(np.ones((30, 8))), nbt.SemiNMF(3))
    with pytest.raises(
        nbt.NbtoolkitError,
        match=r"NMF needs non-negative data, and Z at layer 5 has \d+% negative entries. Use SemiNMF",
    ):
        nbt.decompose(reps, NMF(3))
    with pytest.raises(nbt.NbtoolkitError, match="StandardScaler has neither components_ nor cluster_centers_"):
        nbt.decompose(reps, StandardScaler())
    with pytest.raises(
        nbt.NbtoolkitError, match=r"states has shape \(2, 3\); expected \(n, d_model\) with d_model = 128"
    ):
        nbt.decompose(reps, nbt.LargestNorm(2)).encode(np.ones((2, 3)))


@pytest.mark.filterwarnings("ignore:FastICA did not converge")
@pytest.mark.parametrize(
    "method", ["SemiNMF", "LargestNorm", "RandomDirections", "PCA", "KMeans", "FastICA", "MiniBatchDictionaryLearning"]
)
def test_constant_and_zero_columns(method, rng):
    """Hidden states have dimensions that never move, and massive ones that hardly do."""
    Z = rng.normal(size=(60, 12)).astype(np.float32)
    Z[:, 3], Z[:, 7] = 0, 500
    cd = nbt.decompose(as_reps(Z), method if method != "SemiNMF" else nbt.SemiNMF(4, random_state=0))
    assert np.isfinite(cd.concepts).all() and np.isfinite(cd.activations).all() and 0 <= cd.reconstruction_error <= 1
    assert np.isfinite(cd.encode(Z[:2])).all()


@pytest.mark.parametrize(
    "method", [nbt.SemiNMF(1, random_state=0), PCA(1), KMeans(1, n_init=1, random_state=0), nbt.LargestNorm(1)]
)
def test_a_single_concept(method, reps, model):
    """Words, exemplars and scores, too."""
    cd = nbt.decompose(reps, method, layer=-1)
    g = nbt.ground(cd, model)
    s = nbt.evaluate(cd, g)
    assert (
        cd.concepts.shape == (1, 128)
        and len(g.words) == 1
        and s["overlap"] == 0
        and np.isfinite(s["reconstruction_error"])
    )
