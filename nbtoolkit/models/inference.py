"""Evaluation mode, inference mode and a fitting number of threads: every forward pass of this package runs in them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import torch

SMALL = 50_000_000  # parameters; smaller models run on one thread
_BLOCK = threading.local()  # the model of the block that a thread is in


@contextlib.contextmanager
def fitting_threads(hf: Any) -> Iterator[None]:
    """Run the block on one torch thread if a model is small and on the CPU; restore the caller's setting after it.

    The matrix products of small models are too short to share, and threads that wait burn CPU: on a busy 2-core
    machine, the embedded models take 5 times the CPU time with two threads as with one.

    Parameters
    ----------
    hf
        A torch module.
    """
    first = next(hf.parameters(), None)
    on_cpu = first is not None and first.device.type == "cpu"
    if not on_cpu or sum(p.numel() for p in hf.parameters()) >= SMALL:
        yield
        return
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        yield
    finally:
        torch.set_num_threads(threads)


@contextlib.contextmanager
def evaluating(hf: Any) -> Iterator[None]:
    """Put every part of a model into evaluation mode within the block; the caller's modes are restored after it.

    Parameters
    ----------
    hf
        A torch module.
    """
    training = [module for module in hf.modules() if module.training]
    try:
        for module in training:
            module.training = False
        yield
    finally:
        for module in training:
            module.training = True


@contextlib.contextmanager
def inference(hf: Any, *, gradient: bool = False) -> Iterator[None]:
    """Run the block as one pass of a model: in evaluation and inference mode, on a fitting number of threads.

    Parameters
    ----------
    hf
        A torch module.
    gradient
        Record gradients instead of entering inference mode, whatever mode the caller is in.
    """
    outer = getattr(_BLOCK, "hf", None)
    if outer is hf and not gradient and torch.is_inference_mode_enabled():
        yield  # inside a block of the same model: the steps of a generation do not look at every module again
        return
    with evaluating(hf), fitting_threads(hf), torch.inference_mode(not gradient), torch.set_grad_enabled(gradient):
        _BLOCK.hf = None if gradient else hf
        try:
            yield
        finally:
            _BLOCK.hf = outer
