"""What a dictionary costs, as ratios in one run: ``python tests/benchmarks/dictionaries.py``. CPU seconds, one thread, medians.

Semi-NMF against scikit-learn's ``DictionaryLearning`` as the authors call it, to the same objective, and ``MiniBatchDictionaryLearning``;
``transform`` against ``lasso_cd``; a memory-mapped file of many rows. Not a test: machines are shared and noisy.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.decomposition import DictionaryLearning, MiniBatchDictionaryLearning, sparse_encode
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).parents[2]))

import nbtoolkit as nbt
from nbtoolkit.decomposition.solvers import exact_codes, objective

PEER = {"positive_code": True, "fit_algorithm": "cd", "transform_algorithm": "lasso_cd", "random_state": 0}


def planted(m: int, b: int, k: int, noise: float = 0.3, seed: int = 0) -> np.ndarray:
    """Sparse non-negative mixtures of unit directions, and noise: (m, b) float32."""
    rng = np.random.default_rng(seed)
    U = rng.normal(size=(k, b))
    U /= np.linalg.norm(U, axis=1, keepdims=True)
    V = rng.gamma(2, 5, size=(m, k)) * (rng.random((m, k)) < 0.2)
    return (V @ U + noise * rng.normal(size=(m, b)) / np.sqrt(b) * 10).astype(np.float32)


def cpu(run) -> tuple[float, object]:
    start = time.process_time()
    out = run()
    return time.process_time() - start, out


def median(run, n: int = 5) -> tuple[float, object]:
    times, out = zip(*(cpu(run) for _ in range(n)), strict=True)
    return statistics.median(times), out[-1]


def fit(X: np.ndarray, k: int) -> None:
    def reached(U: np.ndarray) -> float:
        return objective(X, exact_codes(X, U, 2.0), U, 2.0)

    ours, estimator = median(lambda: nbt.SemiNMF(k, alpha=1.0, convention="sklearn", random_state=0).fit(X))
    batch, mini = median(lambda: MiniBatchDictionaryLearning(k, alpha=1.0, **PEER).fit(X), 3)
    theirs, full = cpu(lambda: DictionaryLearning(k, alpha=1.0, max_iter=5000, **PEER).fit(X))
    f, fm, fd = (reached(e.components_) for e in (estimator, mini, full))
    print(f"{X.shape}, K = {k}: SemiNMF {ours:.2f} s (objective {f:.0f}); DictionaryLearning {theirs:.1f} s ({fd:.0f}): {theirs / ours:.0f} times slower, "
          f"ours {1 - f / fd:+.2%} lower; MiniBatch {batch:.1f} s ({fm:.0f}): {batch / ours:.1f} times slower, ours {1 - f / fm:+.2%} lower")  # fmt: skip


def codes(X: np.ndarray) -> None:
    for k in (20, 50, 200):
        U = np.random.default_rng(1).normal(size=(k, X.shape[1]))
        U = (U / np.linalg.norm(U, axis=1, keepdims=True)).astype(np.float32)
        encoder = nbt.SemiNMF(k, alpha=2.0, init=U, max_iter=1, random_state=0)
        encoder.fit(X[: max(k, 300)])
        encoder._set_components(U)
        encoder.alpha_ = 2.0
        ours, V = median(lambda e=encoder: e.transform(X), 3)
        theirs, _ = cpu(lambda u=U: sparse_encode(X, u, algorithm="lasso_cd", alpha=1.0, positive=True, max_iter=1000))
        one = statistics.median(cpu(lambda e=encoder: e.transform(X[:1]))[0] for _ in range(50))
        gap = (
            np.abs(
                V[:50]
                - sparse_encode(
                    X[:50].astype(float),
                    U.astype(float),
                    algorithm="lasso_cd",
                    alpha=1.0,
                    positive=True,
                    max_iter=100_000,
                )
            ).max()
            / V.max()
        )
        print(f"codes of {len(X)} rows, K = {k}: exact {ours:.2f} s, scikit-learn's lasso_cd {theirs:.2f} s: {theirs / ours:.1f} times slower; "
              f"largest difference from it in float64 {gap:.1e} of the largest code; one sample {one * 1e3:.2f} ms")  # fmt: skip


def stream(n: int, d: int = 1024, k: int = 20) -> None:
    with tempfile.TemporaryDirectory() as folder:
        mapped = np.memmap(Path(folder) / "x", np.float16, "w+", shape=(n, d))
        for start in range(0, n, 10_000):
            mapped[start : start + 10_000] = planted(min(10_000, n - start), d, k, seed=0 if start == 0 else start)
        read, _ = cpu(lambda: [float(np.asarray(mapped[i : i + 2048], np.float32)[0, 0]) for i in range(0, n, 2048)])
        ours, _ = cpu(lambda: nbt.SemiNMF(k, alpha=2.0, random_state=0).fit(mapped))
        print(
            f"{n} rows of {d} float16 on disk ({mapped.nbytes / 1e9:.1f} GB): {ours:.1f} s, {ours / read:.1f} times reading it once"
        )


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    with threadpool_limits(1):
        X = planted(3000, 4096, 20)
        fit(X, 20)
        codes(X)
        for rows in (10_000, 100_000):
            stream(rows)
