"""What a dictionary costs, as ratios in one run: ``python tests/benchmarks/dictionaries.py [fit|peer|codes|growth|stream …]``.

CPU seconds, one thread, medians. Semi-NMF against scikit-learn's ``DictionaryLearning`` as the authors call it, to the same
objective, ``MiniBatchDictionaryLearning`` and, where it is installed, ``overcomplete``; ``transform`` against ``lasso_cd``; growth
with the number of concepts and of rows in a memory-mapped file. Not a test: machines are shared and noisy.
"""

from __future__ import annotations

import contextlib
import importlib.util
import statistics
import sys
import tempfile
import threading
import time
import types
import warnings
from collections.abc import Iterator
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


def hidden_like(m: int, b: int, k: int, seed: int = 0) -> np.ndarray:
    """The same, with what hidden states add: a mean that all share, a slow decay of the rest, two massive dimensions."""
    rng = np.random.default_rng(seed + 1)
    X = planted(m, b, k, seed=seed) + 12 * rng.normal(size=b).astype(np.float32) / np.sqrt(b)
    decay = rng.normal(size=(m, 64)) @ (rng.normal(size=(64, b)) / (1 + np.arange(64)[:, None]) / np.sqrt(b) * 20)
    X += decay.astype(np.float32)
    X[:, [7, 700]] += 60 + 3 * rng.normal(size=(m, 2)).astype(np.float32)
    return X.astype(np.float32)


def reached(X: np.ndarray, U: np.ndarray, alpha: float) -> float:
    """Objective of a dictionary with its exact codes, after its concepts are brought into the unit ball."""
    U = (U / np.maximum(1, np.linalg.norm(U, axis=1, keepdims=True))).astype(np.float32)
    return objective(X, exact_codes(X, U, alpha), U, alpha)


class _Enough(Exception):
    """The peer's time is over; carries its dictionary."""


def fit(name: str, X: np.ndarray, k: int, budget: float = 60) -> None:
    def watch(state: dict) -> None:
        if time.process_time() - begun > budget:
            raise _Enough(state["dictionary"].copy())

    ours, estimator = median(lambda: nbt.SemiNMF(k, alpha=1.0, convention="sklearn", random_state=0).fit(X))
    f = reached(X, estimator.components_, 2)
    print(f"{name} {X.shape}, K = {k}: SemiNMF {ours:.2f} s, objective {f:.0f}")
    batch, mini = median(lambda: MiniBatchDictionaryLearning(k, alpha=1.0, **PEER).fit(X), 3)
    fm = reached(X, mini.components_, 2)
    print(
        f"  MiniBatchDictionaryLearning {batch:.1f} s ({batch / ours:.1f} times), objective {fm:.0f} ({fm / f - 1:+.2%})"
    )
    begun = time.process_time()
    try:
        U = DictionaryLearning(k, alpha=1.0, max_iter=5000, callback=watch, **PEER).fit(X).components_
        end = "to its end"
    except _Enough as enough:
        (U,), end = enough.args, "stopped there"
    theirs = time.process_time() - begun
    fd = reached(X, U, 2)
    print(
        f"  DictionaryLearning {theirs:.1f} s, {end} ({theirs / ours:.0f} times), objective {fd:.0f} ({fd / f - 1:+.2%})"
    )


def peer(name: str, X: np.ndarray, k: int) -> None:
    """``overcomplete``'s Semi-NMF has no bound on the concepts, and with its default solver no penalty: alpha is 0 for both."""
    if "overcomplete" not in sys.modules:
        spec = importlib.util.find_spec("overcomplete")
        if spec is None:
            print("overcomplete is not installed (pip install --no-deps overcomplete): left out")
            return
        package = types.ModuleType("overcomplete")  # its own __init__ needs torchvision and an old matplotlib
        package.__path__ = list(spec.submodule_search_locations or ())
        sys.modules["overcomplete"] = package
    import torch
    from overcomplete.optimization.semi_nmf import SemiNMF

    torch.set_num_threads(1)
    torch.manual_seed(0)
    ours, estimator = median(lambda: nbt.SemiNMF(k, alpha=0.0, random_state=0).fit(X), 3)
    theirs, other = cpu(lambda: SemiNMF(k, tol=1e-5).fit(torch.from_numpy(X)))
    U = np.asarray(other[1] if isinstance(other, tuple) else other.get_dictionary())
    f, fo = (
        float(np.square(X - exact_codes(X, u, 0.0) @ u).sum())
        for u in (estimator.components_, U / np.linalg.norm(U, axis=1, keepdims=True))
    )
    print(f"{name} {X.shape}, K = {k}, no penalty: SemiNMF {ours:.2f} s (squared error {f:.0f}); overcomplete {theirs:.1f} s "
          f"({theirs / ours:.0f} times), squared error {fo:.0f} ({fo / f - 1:+.2%})")  # fmt: skip


def growth(X: np.ndarray) -> None:
    for k in (10, 20, 50, 100, 200):
        ours, estimator = median(lambda k=k: nbt.SemiNMF(k, alpha=2.0, random_state=0).fit(X), 3)
        once, _ = median(lambda e=estimator: X @ e.components_.T)
        batch, mini = cpu(lambda k=k: MiniBatchDictionaryLearning(k, alpha=1.0, **PEER).fit(X))
        gap = reached(X, mini.components_, 2) / reached(X, estimator.components_, 2) - 1
        print(
            f"{X.shape}, K = {k}: {ours:.2f} s, {ours / once:.0f} passes X Uᵀ of {once * 1e3:.0f} ms; MiniBatch {batch / ours:.1f} times, objective {gap:+.2%}"
        )


@contextlib.contextmanager
def anonymous_memory() -> Iterator[list[float]]:
    """Growth of the process's own memory (no mapped files) inside the block, in MB: one number once it ends."""

    def now() -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("RssAnon")).split()[1])

    before, peak, stop, out = now(), [now()], threading.Event(), []

    def watch() -> None:
        while not stop.wait(0.02):
            peak[0] = max(peak[0], now())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield out
    finally:
        stop.set()
        thread.join()
        out.append((peak[0] - before) / 1e3)


def codes(name: str, X: np.ndarray) -> None:
    """Codes for a dictionary learnt from the rows: its concepts are alike, as a common mean makes them."""
    peer = {"algorithm": "lasso_cd", "alpha": 1.0, "positive": True}
    for k in (20, 50, 200):
        encoder = nbt.SemiNMF(k, alpha=2.0, n_init=1, random_state=0).fit(X)
        U = encoder.components_
        ours, V = median(lambda e=encoder: e.transform(X), 3)
        theirs, _ = cpu(lambda u=U: sparse_encode(X, u, max_iter=1000, **peer))
        one = statistics.median(cpu(lambda e=encoder: e.transform(X[:1]))[0] for _ in range(50))
        other = statistics.median(cpu(lambda u=U: sparse_encode(X[:1], u, max_iter=1000, **peer))[0] for _ in range(20))
        gap = (
            np.abs(V[:50] - sparse_encode(X[:50].astype(float), U.astype(float), max_iter=100_000, **peer)).max()
            / V.max()
        )
        print(f"codes of {len(X)} rows, {name}, K = {k}: exact {ours:.2f} s, lasso_cd {theirs:.2f} s ({theirs / ours:.1f}x); one sample {one * 1e3:.2f} ms, "
              f"lasso_cd {other * 1e3:.2f} ({other / one:.1f} times); largest gap to it in float64 {gap:.1e} of the largest")  # fmt: skip


def stream(n: int, d: int = 1024, k: int = 20) -> None:
    with tempfile.TemporaryDirectory() as folder:
        mapped = np.memmap(Path(folder) / "x", np.float16, "w+", shape=(n, d))
        for start in range(0, n, 10_000):
            mapped[start : start + 10_000] = planted(min(10_000, n - start), d, k, seed=0 if start == 0 else start)
        read, _ = cpu(lambda: [float(np.asarray(mapped[i : i + 2048], np.float32)[0, 0]) for i in range(0, n, 2048)])
        with anonymous_memory() as grown:
            ours, _ = cpu(lambda: nbt.SemiNMF(k, alpha=2.0, random_state=0).fit(mapped))
        print(f"{n} rows of {d} float16 on disk ({mapped.nbytes / 1e9:.1f} GB): {ours:.1f} s, {ours / read:.1f} times reading and converting it once, "
              f"{grown[0]:.0f} MB of memory")  # fmt: skip


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    wanted = set(sys.argv[1:]) or {"fit", "peer", "codes", "growth", "stream"}
    with threadpool_limits(1):
        sets = {"planted": planted(3000, 4096, 20), "hidden-state-like": hidden_like(3000, 4096, 20)}
        for name, X in sets.items():
            if "fit" in wanted:
                fit(name, X, 20)
            if "peer" in wanted:
                peer(name, X, 20)
            if "growth" in wanted:
                growth(X)
            if "codes" in wanted:
                codes(name, X)
        for rows in (10_000, 100_000, 1_000_000) if "stream" in wanted else ():
            stream(rows)
