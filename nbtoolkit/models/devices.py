"""Where a module computes: offloaded modules have their weights elsewhere between calls."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch

from ..errors import ModelError, first_line


def device_of(module: Any, default: Any = None) -> Any:
    """Device on which a module computes; for weights that ``accelerate`` offloads, the device that they are copied to.

    Parameters
    ----------
    module
        A torch module.
    default
        Result for a module without weights.
    """
    weight = next(module.parameters(), None)
    if weight is None:
        return default
    if weight.device.type != "meta":
        return weight.device
    for part in module.modules():
        for hook in _hooks(part):
            device = getattr(hook, "execution_device", None)
            if device is not None:
                return torch.device(device)
    return weight.device


def without_weights(hf: Any) -> str:
    """Name of the first weight that no hook of ``accelerate`` brings to a device; empty where there is none.

    Parameters
    ----------
    hf
        A torch module.
    """
    for name, module in hf.named_modules():
        if any(p.device.type == "meta" for p in module.parameters(recurse=False)) and not hasattr(module, "_hf_hook"):
            weight = next(n for n, p in module.named_parameters(recurse=False) if p.device.type == "meta")
            return f"{name}.{weight}"
    return ""


def offload_advice(hf: Any) -> str:
    """What to do where a model with offloaded weights cannot be run; empty for a model whose weights are all in place.

    Parameters
    ----------
    hf
        A torch module.
    """
    if not any(getattr(hook, "offload", False) for part in hf.modules() for hook in _hooks(part)):
        return ""
    return (
        "Its weights are offloaded by accelerate, and this family reads some outside of the calls that bring them back. Load it "
        "without offloading: in half precision (dtype='bfloat16'), quantised, or spread over several GPUs (device_map='balanced')"
    )


@contextlib.contextmanager
def offload_faults(hf: Any, name: str) -> Iterator[None]:
    """Name the reason where a pass within the block needs weights that are not there.

    Parameters
    ----------
    hf
        A torch module.
    name
        Name of the model, for the message.

    Raises
    ------
    ModelError
        A pass reads weights that accelerate has offloaded.
    """
    try:
        yield
    except (
        NotImplementedError,
        KeyError,
    ) as error:  # of a kernel on the meta device; of a weight that is not in the map
        advice = offload_advice(hf)
        if not advice:
            raise
        raise ModelError(f"{name} cannot be run ({first_line(error)}). {advice}.") from error


def _hooks(module: Any) -> tuple[Any, ...]:
    """Hooks of accelerate on a module."""
    hook = getattr(module, "_hf_hook", None)
    return tuple(getattr(hook, "hooks", (hook,)))
