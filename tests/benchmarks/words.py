"""Words of 20 concepts from a head of 152,064 × 4,096: ``python -m tests.benchmarks.words [float32 | bfloat16 | float16]``.

Against a full sort of the same logits, in the same run; and the memory beside the one copy of the head.
"""

from __future__ import annotations

import resource
import statistics
import sys
import time
from types import SimpleNamespace

import numpy as np
import torch

from nbtoolkit.grounding import N_LOOKED_AT, top_tokens
from nbtoolkit.models.adapter import Model

VOCABULARY, WIDTH, CONCEPTS, REPEATS = 152_064, 4096, 20, 5


def peak() -> float:
    """Largest resident memory of the process so far, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def headed(dtype: torch.dtype) -> SimpleNamespace:
    """What words need of a model: its final norm and its head."""
    with torch.device("meta"):
        head = torch.nn.Linear(WIDTH, VOCABULARY, bias=False, dtype=dtype)
    head.weight = torch.nn.Parameter(torch.empty(VOCABULARY, WIDTH, dtype=dtype), requires_grad=False)
    generator = torch.Generator().manual_seed(0)
    for rows in head.weight.split(4096):
        rows.copy_(torch.randn(rows.shape, generator=generator))
    norm = torch.nn.RMSNorm(WIDTH, dtype=dtype)
    model = SimpleNamespace(hf=torch.nn.Module(), head=head, norm=norm, scale=1.0, softcap=0.0)
    model.unembed = lambda states, norm: Model.unembed(model, states, norm=norm)
    return model


def full_sort(model: SimpleNamespace, concepts: np.ndarray) -> np.ndarray:
    """The peer: every logit is sorted."""
    return np.argsort(-model.unembed(concepts, norm=True), axis=1, kind="stable")[:, :N_LOOKED_AT]


def main() -> None:
    """Print seconds, their ratio and memory."""
    name = sys.argv[1] if len(sys.argv) > 1 else "float32"
    torch.set_num_threads(2)
    model = headed(getattr(torch, name))
    concepts = np.random.default_rng(0).normal(size=(CONCEPTS, WIDTH)).astype(np.float32)
    before, size = peak(), model.head.weight.nbytes / 1e9
    seconds: dict[str, list[float]] = {"partial": [], "full": []}
    for _ in range(REPEATS):
        begun = time.perf_counter()
        top = top_tokens(model, concepts, N_LOOKED_AT, norm=True)
        seconds["partial"].append(time.perf_counter() - begun)
    partial = peak()
    for _ in range(REPEATS):
        begun = time.perf_counter()
        order = full_sort(model, concepts)
        seconds["full"].append(time.perf_counter() - begun)
    logits = model.unembed(concepts, norm=True)  # in half precision many are equal
    assert np.array_equal(*(np.take_along_axis(logits, np.asarray(ids), 1) for ids in (top, order)))
    own, peer = (statistics.median(seconds[k]) for k in ("partial", "full"))
    print(
        f"{name}: {CONCEPTS} concepts, head {VOCABULARY:,} × {WIDTH:,} ({size:.2f} GB): {own:.2f} s, "
        f"{own / peer:.2f} of a full sort ({peer:.2f} s); {partial - before:.2f} GB beside the head"
    )


if __name__ == "__main__":
    main()
