"""Memory: how much is available for a model's batches, and how much a pass takes."""

from __future__ import annotations

import os
import weakref
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

SHARE = 0.7  # of the available memory that a batch may take
MEMINFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")
CGROUPS = (  # version 2, then 1: limit, usage, statistics
    ("memory.max", "memory.current", "memory.stat"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat"),
)


class PeakMemory(TorchDispatchMode):
    """Largest number of bytes of the tensors that are made within the block and alive at once, on any device.

    Unlike the resident memory of the process it is the same in every run. Scratch space inside of a kernel is not seen.

    Attributes
    ----------
    peak
        The number of bytes.

    Examples
    --------
    >>> with PeakMemory() as memory:
    ...     _ = torch.zeros(1000).add(1).sum()
    >>> memory.peak >= 8000
    True
    """

    def __init__(self) -> None:
        super().__init__()
        self.peak = self._live = 0
        self._sizes: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        before = {id(t.untyped_storage()) for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)}
        for tensor in tree_leaves(out):
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                if id(storage) not in before and id(storage) not in self._sizes:
                    self._add(storage)
        return out

    def _add(self, storage: Any) -> None:
        key, size = id(storage), storage.nbytes()
        self._sizes[key] = size
        self._live += size
        self.peak = max(self.peak, self._live)
        weakref.finalize(storage, self._drop, key)

    def _drop(self, key: int) -> None:
        self._live -= self._sizes.pop(key, 0)


def available_memory(device: Any) -> int | None:
    """Bytes that are available on a device now; None where the system does not tell.

    On a CPU this is the smaller of the system's available memory and what the control group of a container leaves; on CUDA
    the free memory and what torch has reserved without using it.

    Parameters
    ----------
    device
        A torch device.

    Examples
    --------
    >>> available_memory("cpu") is None or available_memory("cpu") > 0
    True
    """
    device = torch.device(device)
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device))
    if device.type != "cpu":
        return None
    limits = [limit for limit in (_system(), *map(_container, CGROUPS)) if limit is not None]
    return min(limits) if limits else None


def weight_bytes(hf: Any) -> int:
    """Bytes of a model's parameters and buffers.

    Parameters
    ----------
    hf
        A torch module.
    """
    return sum(t.numel() * t.element_size() for t in (*hf.parameters(), *hf.buffers()))


def tensor_bytes(inputs: Any) -> int:
    """Bytes of the tensors in a model's inputs.

    Parameters
    ----------
    inputs
        From :meth:`nbtoolkit.models.Model.inputs`.
    """
    return sum(t.numel() * t.element_size() for t in tree_leaves(inputs) if isinstance(t, torch.Tensor))


def rough_bytes(model: Any, inputs: dict[str, Any], max_new_tokens: int) -> int:
    """Bytes that a pass takes beside the weights, by the sizes of the model: an upper bound that needs no pass.

    Parameters
    ----------
    model
        The adapter.
    inputs
        From :meth:`nbtoolkit.models.Model.prepare`.
    max_new_tokens
        Length limit of a response, in tokens.
    """
    text: Any = model.hf.config.get_text_config(decoder=True)
    n, length = inputs["input_ids"].shape
    width = torch.finfo(model.hf.dtype).bits // 8
    cached = 2 * model.n_layers * model.d_model * (length + max_new_tokens)
    wide = int(getattr(text, "intermediate_size", 0) or 4 * model.d_model)
    busy = length * (8 * model.d_model + 4 * wide)
    scores = 3 * model.n_heads * length**2 if getattr(model.hf.config, "_attn_implementation", "") == "eager" else 0
    return int(n * width * (cached + busy + scores) + 40 * tensor_bytes(inputs))


def _system() -> int | None:
    try:
        rows = dict(line.split(":", 1) for line in MEMINFO.read_text("utf-8").splitlines() if ":" in line)
        return int(rows["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        try:
            return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (AttributeError, OSError, ValueError):
            return None


def _container(files: tuple[str, str, str]) -> int | None:
    """What a control group leaves; its file cache counts as free, because the kernel drops it before it refuses memory."""
    try:
        limit, usage = (int((CGROUP / name).read_text("utf-8")) for name in files[:2])
        rows = dict(line.split() for line in (CGROUP / files[2]).read_text("utf-8").splitlines())
        return max(0, limit - usage + int(rows.get("inactive_file", 0)))
    except (OSError, ValueError):  # no such group, or no limit ("max")
        return None
