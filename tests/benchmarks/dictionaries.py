"""What a dictionary costs, as ratios in one run: ``python tests/benchmarks/dictionaries.py [fit|peer|codes|growth|five|large|stream …]``.

CPU seconds, one thread, medians. Semi-NMF against scikit-learn's ``DictionaryLearning`` as the authors call it, to the same
objective, ``MiniBatchDictionaryLearning`` and, where it is installed, ``overcomplete``; ``transform`` against ``lasso_cd``; growth
with the number of concepts and of rows, in memory and in a memory-mapped file. Not a test: machines are shared and noisy.
"""

from __future__ import annotations

import bisect
import contextlib
import importlib.util
import statistics
import sys
import tempfile
import threading
import time
import types
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.decomposition import DictionaryLearning, MiniBatchDictionaryLearning, SparseCoder, sparse_encode
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).parents[2]))

import nbtoolkit as nbt
from nbtoolkit.decomposition.activations import exact_activations
from nbtoolkit.decomposition.updates import objective

PEER = {"positive_code": True, "fit_algorithm": "cd", "transform_algorithm": "lasso_cd", "random_state": 0}
OURS = {"alpha": 1.0, "convention": "sklearn"}


def _mixtures(rng: np.random.Generator, m: int, b: int, k: int, coherence: float) -> np.ndarray:
    """Sparse non-negative mixtures of unit directions with a cosine of ``coherence`` to each other."""
    U = np.sqrt(1 - coherence) * rng.normal(size=(k, b)) + np.sqrt(coherence) * rng.normal(size=b)
    U /= np.linalg.norm(U, axis=1, keepdims=True)
    return (rng.exponential(size=(m, k)) * (rng.random((m, k)) < 0.15)) @ U


def _share(X: np.ndarray, energy: float) -> np.ndarray:
    return X * np.sqrt(energy / np.square(X).sum(1).mean())


def _of_norm(X: np.ndarray, norm: float = 60) -> np.ndarray:
    return (X * (norm / np.linalg.norm(X, axis=1).mean())).astype(np.float32)


def planted(m: int, b: int = 4096, k: int = 20, seed: int = 0) -> np.ndarray:
    """Mixtures of k directions, and white noise of a fifth of their norm: (m, b) float32, mean norm 60."""
    rng = np.random.default_rng(seed)
    return _of_norm(_share(_mixtures(rng, m, b, k, 0.3), 1) + _share(rng.standard_normal((m, b), np.float32), 0.04))


def hidden_like(m: int, b: int = 4096, k: int = 20, seed: int = 0) -> np.ndarray:
    """What hidden states have: a mean with 85 % of the energy, massive dimensions, a heavy-tailed rest as strong as the concepts."""
    rng = np.random.default_rng(seed)
    scales = rng.lognormal(0, 0.5, b)
    massive = rng.choice(b, 4, replace=False)
    mean = rng.normal(size=b) * np.where(np.isin(np.arange(b), massive), 30, 1) * scales
    concepts = _mixtures(rng, m, b, k, 0.0)
    rest = (rng.standard_t(5, size=(m, 1024)) / np.sqrt(1 + np.arange(1024))) @ rng.normal(size=(1024, b))
    X = _share(mean[None], 0.85) + _share((concepts - concepts.mean(0)) * scales, 0.075) + _share(rest * scales, 0.075)
    return _of_norm(X)


def cpu(run) -> tuple[float, object]:
    start = time.process_time()
    out = run()
    return time.process_time() - start, out


def median(run, n: int = 5) -> tuple[float, object]:
    times, out = zip(*(cpu(run) for _ in range(n)), strict=True)
    return statistics.median(times), out[-1]


def reached(X: np.ndarray, U: np.ndarray, alpha: float) -> float:
    """Objective of a dictionary with its exact codes, after its concepts are brought into the unit ball."""
    U = (U / np.maximum(1, np.linalg.norm(U, axis=1, keepdims=True))).astype(np.float32)
    return objective(X, exact_activations(X, U, alpha), U, alpha)


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


class _Enough(Exception):
    """The peer's time is over."""


def fit(name: str, X: np.ndarray, k: int, budget: float = 100) -> None:
    with anonymous_memory() as grown:
        one, first = median(lambda: nbt.SemiNMF(k, **OURS, n_init=1, random_state=0).fit(X))
    f = reached(X, first.components_, 2)
    ours, best = median(lambda: nbt.SemiNMF(k, **OURS, random_state=0).fit(X))
    fb = reached(X, best.components_, 2)
    print(
        f"{name} {X.shape}, K = {k}: SemiNMF {ours:.2f} s, objective {fb:.0f}; from one start {one:.2f} s, objective {f:.0f}, {grown[0]:.0f} MB over X"
    )
    batch, mini = median(lambda: MiniBatchDictionaryLearning(k, alpha=1.0, **PEER).fit(X), 3)
    fm = reached(X, mini.components_, 2)
    print(
        f"  MiniBatchDictionaryLearning {batch:.1f} s: {batch / ours:.1f} times, objective {fm / fb - 1:+.2%}; "
        f"one start {batch / one:.1f} times, {fm / f - 1:+.2%}"
    )
    seen: list[tuple[float, np.ndarray]] = []

    def watch(state: dict) -> None:
        seen.append((time.process_time() - begun, state["dictionary"].copy()))
        if seen[-1][0] > budget:
            raise _Enough

    begun, end = time.process_time(), "to its end"
    try:
        seen.append((0.0, DictionaryLearning(k, alpha=1.0, max_iter=5000, callback=watch, **PEER).fit(X).components_))
        seen[-1] = (time.process_time() - begun, seen[-1][1])
    except _Enough:
        end = "stopped there"
    theirs, fd = seen[-1][0], reached(X, seen[-1][1], 2)
    print(
        f"  DictionaryLearning {theirs:.1f} s, {end}: {theirs / ours:.0f} times, objective {fd / fb - 1:+.4%}; one start {fd / f - 1:+.4%}"
    )
    at = bisect.bisect_left(seen, True, key=lambda one: reached(X, one[1], 2) <= f * (1 + 1e-5))
    if at < len(seen):
        print(f"  it passes the objective from one start after {seen[at][0]:.1f} s: {seen[at][0] / one:.0f} times")


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
        float(np.square(X - exact_activations(X, u, 0.0) @ u).sum())
        for u in (estimator.components_, U / np.linalg.norm(U, axis=1, keepdims=True))
    )
    print(f"{name} {X.shape}, K = {k}, no penalty: SemiNMF {ours:.2f} s (squared error {f:.0f}); overcomplete {theirs:.1f} s "
          f"({theirs / ours:.0f} times), squared error {fo:.0f} ({fo / f - 1:+.2%})")  # fmt: skip


def growth(name: str, X: np.ndarray) -> None:
    for k in (10, 20, 50, 100, 200):
        ours, estimator = median(lambda k=k: nbt.SemiNMF(k, **OURS, n_init=1, random_state=0).fit(X), 3)
        fast, short = median(
            lambda k=k: nbt.SemiNMF(k, **OURS, n_init=1, tol=5e-4, max_iter=60, random_state=0).fit(X), 3
        )
        once, _ = median(lambda e=estimator: X @ e.components_.T)
        batch, mini = cpu(lambda k=k: MiniBatchDictionaryLearning(k, alpha=1.0, **PEER).fit(X))
        f, fs, fm = (reached(X, e.components_, 2) for e in (estimator, short, mini))
        print(f"{name} {X.shape}, K = {k}: {ours:.2f} s, {ours / once:.0f} passes X Uᵀ of {once * 1e3:.0f} ms; "
              f"MiniBatch {batch / ours:.1f} times, objective {fm / f - 1:+.2%}; "
              f"60 iterations at most: {fast:.2f} s, MiniBatch {batch / fast:.1f} times, {fm / fs - 1:+.2%}")  # fmt: skip


def five(name: str, make: Callable[..., np.ndarray], k: int) -> None:
    """Medians over five data sets and random states: how much better or worse ends the peer, which stops when it is unlucky?"""
    brief = {} if k == 20 else {"n_init": 1, "tol": 5e-4, "max_iter": 60}
    found = []
    for seed in range(5):
        X = make(3000, seed=seed)
        ours, estimator = cpu(lambda X=X, seed=seed: nbt.SemiNMF(k, **OURS, **brief, random_state=seed).fit(X))
        peer = MiniBatchDictionaryLearning(k, alpha=1.0, **PEER | {"random_state": seed})
        batch, mini = cpu(lambda X=X, peer=peer: peer.fit(X))
        f, fm = (reached(X, e.components_, 2) for e in (estimator, mini))
        found.append((batch / ours, fm / f - 1))
    (low, ratio, high), (least, gap, most) = (sorted(column)[::2] for column in zip(*found, strict=True))
    print(
        f"{name}, five times (3000, 4096), K = {k}: MiniBatch {ratio:.1f} times ({low:.1f} to {high:.1f}), objective {gap:+.2%} ({least:+.2%} to {most:+.2%})"
    )


def large(name: str, X: np.ndarray, k: int = 20) -> None:
    with anonymous_memory() as grown:
        ours, estimator = median(lambda: nbt.SemiNMF(k, **OURS, random_state=0).fit(X), 3)
    once, _ = median(lambda: X @ estimator.components_.T)
    f = estimator.objective_
    batch, mini = cpu(lambda: MiniBatchDictionaryLearning(k, alpha=1.0, **PEER).fit(X))
    gap = reached(X, mini.components_, 2) / f - 1
    print(
        f"{name} {X.shape}, K = {k}: {ours:.2f} s, {ours / once:.1f} passes X Uᵀ, {grown[0]:.0f} MB over X; "
        f"MiniBatch {batch / ours:.1f} times, objective {gap:+.2%}"
    )
    seen: list[np.ndarray] = []

    def watch(state: dict) -> None:
        seen.append(state["dictionary"].copy())
        if time.process_time() - begun > 200 * ours:
            raise _Enough

    begun = time.process_time()
    with contextlib.suppress(_Enough):
        DictionaryLearning(k, alpha=1.0, max_iter=5000, callback=watch, **PEER).fit(X)
    theirs = time.process_time() - begun
    print(
        f"  DictionaryLearning after {theirs:.0f} s ({theirs / ours:.0f} times): objective {reached(X, seen[-1], 2) / f - 1:+.2%}"
    )


def codes(name: str, X: np.ndarray) -> None:
    """Codes for a dictionary learnt from the rows: its concepts are alike, as a common mean makes them."""
    peer = {"algorithm": "lasso_cd", "alpha": 1.0, "positive": True}
    for k in (20, 50, 200):
        encoder = nbt.SemiNMF(k, **OURS, n_init=1, tol=5e-4, max_iter=60, random_state=0).fit(X)
        U = encoder.components_
        coder = SparseCoder(U, transform_algorithm="lasso_cd", transform_alpha=1.0, positive_code=True)
        ours, V = median(lambda e=encoder: e.transform(X), 3)
        theirs, _ = cpu(lambda c=coder: c.transform(X))
        one = statistics.median(cpu(lambda e=encoder, i=i: e.transform(X[i : i + 1]))[0] for i in range(100))
        other = statistics.median(cpu(lambda c=coder, i=i: c.transform(X[i : i + 1]))[0] for i in range(20))
        gap = (
            np.abs(V[:50] - sparse_encode(X[:50].astype(float), U.astype(float), max_iter=100_000, **peer)).max()
            / V.max()
        )
        print(f"codes of {len(X)} rows, {name}, K = {k}: exact {ours:.2f} s, lasso_cd {theirs:.2f} s ({theirs / ours:.1f}x); one sample {one * 1e3:.2f} ms, "
              f"lasso_cd {other * 1e3:.2f} ({other / one:.1f} times); largest gap to it in float64 {gap:.1e} of the largest")  # fmt: skip


def stream(n: int, d: int = 4096, k: int = 20) -> None:
    with tempfile.TemporaryDirectory() as folder:
        mapped = np.memmap(Path(folder) / "x", np.float16, "w+", shape=(n, d))
        base, rng = (
            hidden_like(2 * d, d, k),
            np.random.default_rng(0),
        )  # its rows again and again, each with noise of its own
        for start in range(0, n, 10_000):
            part = mapped[start : start + 10_000]
            noise = rng.standard_normal(part.shape, np.float32) * np.float32(3 / np.sqrt(d))
            part[:] = base[rng.integers(len(base), size=len(part))] + noise
        buffer = np.empty((512, d), np.float32)
        read, _ = cpu(
            lambda: [np.copyto(buffer[: len(mapped[i : i + 512])], mapped[i : i + 512]) for i in range(0, n, 512)]
        )
        with anonymous_memory() as grown:
            ours, estimator = cpu(lambda: nbt.SemiNMF(k, **OURS, random_state=0).fit(mapped))
        print(f"{n} rows of {d} float16 on disk ({mapped.nbytes / 1e9:.1f} GB): {ours:.1f} s, {ours / read:.1f} times reading and converting it once, "
              f"{grown[0]:.0f} MB of memory")  # fmt: skip
        some = np.asarray(mapped[: min(n, 20_480)], np.float32)
        mini = MiniBatchDictionaryLearning(k, alpha=1.0, batch_size=1024, **PEER)
        part, _ = cpu(lambda: [mini.partial_fit(some[i : i + 1024]) for i in range(0, len(some), 1024)])
        gap = reached(some, mini.components_, 2) / reached(some, estimator.components_, 2) - 1
        print(
            f"  an epoch of MiniBatch's partial_fit, from {len(some)} rows: {part * n / len(some):.0f} s, "
            f"{part * n / len(some) / ours:.1f} times, objective on them {gap:+.2%}"
        )


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    wanted = set(sys.argv[1:]) or {"fit", "peer", "codes", "growth", "five", "large", "stream"}
    with threadpool_limits(1):
        sets = {"planted": planted(3000), "hidden-state-like": hidden_like(3000)}
        for name, X in sets.items():
            if "fit" in wanted:
                fit(name, X, 20)
            if "peer" in wanted:
                peer(name, X, 20)
            if "growth" in wanted:
                growth(name, X)
            if "codes" in wanted:
                codes(name, X)
        for k in (20, 50, 100, 200) if "five" in wanted else ():
            five("planted", partial(planted, k=k), k)
            five("hidden-state-like", hidden_like, k)
        if "large" in wanted:
            large("planted", planted(30_000))
            large("hidden-state-like", hidden_like(30_000))
        for rows in (10_000, 100_000, 1_000_000) if "stream" in wanted else ():
            stream(rows)
