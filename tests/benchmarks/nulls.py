"""Print type-I rates of every test and null, and coverages of every interval: ``python -m tests.benchmarks.nulls``."""

from __future__ import annotations

import time

from tests import simulations as s


def main() -> None:
    """Print both tables; about two minutes of CPU."""
    print(f"type-I rate at p <= .05, {s.N_RUNS} runs without effect")
    for name, experiment in {**s.NULLS, **s.TESTS}.items():
        start = time.process_time()
        print(f"  {name:40s} {s.rate(experiment):.3f}   {time.process_time() - start:5.1f} s CPU", flush=True)
    print("coverage of 95 % intervals, 2000 runs")
    for shape in s.SHAPES:
        cells = [f"n = {n}: {s.coverage(s.covers, shape, n):.3f}" for n in (10, 20, 90)]
        print(f"  mean of {shape:32s} {'   '.join(cells)}", flush=True)
    cells = [f"n = {n}: {s.coverage(s.difference_covers, n, n_runs=1000):.3f}" for n in (10, 20, 90)]
    print(f"  {'paired difference, skewed':40s} {'   '.join(cells)}")
    print(f"  {'method, samples and dictionaries':40s} {s.coverage(s.method_covers):.3f}")


if __name__ == "__main__":
    main()
