"""One thread for small models on a CPU: their matrix products are too short to share, and waiting threads burn CPU.

On a busy 2-core machine the embedded demo took 5 times the CPU with two threads as with one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

SMALL = 50_000_000  # parameters


@contextlib.contextmanager
def fitting_threads(hf: Any) -> Iterator[None]:
    """Run the block on one torch thread where ``hf`` is small and on the CPU; the caller's setting comes back after it."""
    import torch

    threads = torch.get_num_threads()
    parameters = list(hf.parameters())
    small = parameters[0].device.type == "cpu" and sum(p.numel() for p in parameters) < SMALL
    try:
        if small:
            torch.set_num_threads(1)
        yield
    finally:
        torch.set_num_threads(threads)
