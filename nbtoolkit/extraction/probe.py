"""What a model does, in a few numbers: its states for one fixed image, and what its processor makes of a large one.

Names, weights and settings do not tell that hooks, interventions, adapters or a processor have changed. The probe does.
It is compared within a tolerance, not hashed: the same model gives slightly other numbers on another machine.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from ..models.generation import greedy
from ..models.hooks import LastPosition

if TYPE_CHECKING:
    from ..models import Model

STEPS = 2  # the prompt, and one cached step of generation
VALUES = 64  # evenly spaced coordinates per layer
SMALL, LARGE = (96, 64), (1500, 1000)  # pixels
DIGITS = 5  # significant digits that are stored
TOLERANCE = {"torch.float32": 3e-3, "torch.float64": 3e-3}  # of the typical coordinate of a layer
HALF = 5e-2  # the same in half precision
ROUNDINGS = 4.0  # times what one rounding of every block's output does, where that is more
PIXELS = 1e-2  # of the standard deviation of pixel values

Probe = dict[str, Any]


def probe(model: Model) -> Probe:
    """Run a model on a fixed image under whatever is in force: interventions, hooks, adapters, processor, decoding.

    Parameters
    ----------
    model
        The model; the prompt is its default one.

    Returns
    -------
    dict
        ``states``: per step and layer, and last for the logits, 64 values with five significant digits; ``rounding``: how
        far one rounding of every block's output moves them, relative to the typical coordinate; ``tokens`` that were
        generated, and ``margins`` of their logits above the second; ``inputs``: shape, mean and standard deviation of
        what the processor makes of a large image.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> difference(probe(nbt.load_model("toy")), probe(nbt.load_model("toy")), "torch.float32")
    ''
    """
    inputs = model.inputs([_blocks(SMALL)])
    rows, tokens, margins = _run(model, inputs)
    with _rounded(model.hf):
        moved, others, _ = _run(model, inputs)
    gaps = [[_gap(*pair) for pair in zip(*step, strict=True)] for step in zip(rows, moved, strict=False)]
    n = 1 + int(tokens[0] == others[0])  # after another token the states differ by more than rounding
    return {
        "states": rows,
        "rounding": [_digits(step) for step in gaps[:n]],
        "tokens": tokens,
        "margins": margins,
        "inputs": _inputs(model),
    }


@contextlib.contextmanager
def _rounded(hf: Any) -> Iterator[None]:
    """Move the output of every block, of towers and encoders too, by one rounding of the model's number format."""

    def move(_module: Any, _args: Any, output: Any) -> Any:
        states = output[0] if isinstance(output, tuple) else output
        if not isinstance(states, torch.Tensor) or not states.is_floating_point():
            return None
        signs = torch.arange(states.shape[-1], device=states.device) % 2 * 2 - 1
        new = states + states * (torch.finfo(states.dtype).eps * signs).to(states.dtype)
        return (new, *output[1:]) if isinstance(output, tuple) else new

    lists = [module for module in hf.modules() if isinstance(module, nn.ModuleList)]
    blocks = {id(block): block for blocks in lists for block in blocks if any(True for _ in block.children())}
    handles = [block.register_forward_hook(move) for block in blocks.values()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _run(model: Model, inputs: dict[str, Any]) -> tuple[list[list[list[float]]], list[int], list[float]]:
    """Values of the states and logits per step and layer, the tokens, and the margins of their logits."""
    keep = LastPosition(range(model.n_layers + 1), STEPS)
    tokens = greedy(model, inputs, keep)[0][: keep.steps]
    states = keep.buffer[:, : keep.steps, 0]
    logits = np.asarray(model.unembed(states[-1].cpu().numpy()), np.float64)
    rows = [
        [*(_spread(layer) for layer in states[:, step].double().cpu().numpy()), _spread(logits[step])]
        for step in range(keep.steps)
    ]
    best = np.sort(logits, 1)[:, -2:]
    return rows, [int(i) for i in tokens], _digits(best[:, 1] - best[:, 0])


def difference(old: Mapping[str, Any], new: Mapping[str, Any], number_format: str) -> str:
    """Where two probes differ by more than rounding, in words; empty where they do not.

    Parameters
    ----------
    old, new
        Two results of :func:`probe`.
    number_format
        Number format of the model, such as ``"torch.float32"``. States may differ by 0.3 % of the typical coordinate of
        their layer, in half precision by 5 %, or by four times what one rounding of every block's output does, where that is more.
    """
    change = _changed_input(old["inputs"], new["inputs"])
    if change:
        return f"the processor gives other {change} for the same image"
    floor = TOLERANCE.get(number_format, HALF)
    for step, (before, after) in enumerate(zip(old["states"], new["states"], strict=False)):
        if len(before) != len(after):
            return f"{len(before) - 1} states there, {len(after) - 1} now"
        limits = [max(floor, ROUNDINGS * rounding) for rounding in _roundings(old, new, step, len(before))]
        for layer, (a, b, limit) in enumerate(zip(before, after, limits, strict=True)):
            gap = _gap(a, b)
            if gap > limit:
                place = "the logits" if layer == len(before) - 1 else f"the states at layer {layer}"
                return f"{place} of a probe image by {gap:.1%}; rounding gives at most {limit:.1%}"
        if old["tokens"][step] != new["tokens"][step]:
            if old["margins"][step] > limits[-1] * np.abs(before[-1]).max():
                return f"token {old['tokens'][step]} there, token {new['tokens'][step]} now, after a probe image"
            break  # two tokens of nearly equal logits: what follows them differs by right
    return ""


def _roundings(old: Mapping[str, Any], new: Mapping[str, Any], step: int, n: int) -> list[float]:
    """Effect of rounding on each layer at a step: the larger of both probes; that of the first step where a later one has none."""
    rows = [probe["rounding"][min(step, len(probe["rounding"]) - 1)] for probe in (old, new)]
    return [max(pair) for pair in zip(*rows, strict=True)][:n]


def _gap(before: Sequence[float], after: Sequence[float]) -> float:
    """Root mean square of the difference, relative to the typical coordinate, which massive ones do not rule."""
    a, b = np.asarray(before), np.asarray(after)
    scale = max(float(np.median(np.abs(a))), 1e-3 * float(np.abs(a).max()), 1e-12)
    return float(np.sqrt(np.mean((a - b) ** 2))) / scale


def _changed_input(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if before is None or after is None or before[0] != after[0]:
            return name
        mean, spread = before[1:]
        if max(abs(mean - after[1]), abs(spread - after[2])) > PIXELS * max(spread, 1e-6):
            return name
    return ""


def _inputs(model: Model) -> dict[str, Any]:
    tensors = {k: v for k, v in model.prepare([_blocks(LARGE)]).items() if hasattr(v, "shape")}
    rows = {name: value.double() for name, value in tensors.items()}
    return {
        name: [list(value.shape), *_digits([float(value.mean()), float(value.std(correction=0))])]
        for name, value in rows.items()
        if value.numel()
    }


def _blocks(size: tuple[int, int]) -> Image.Image:
    colours = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    return Image.fromarray(colours).resize(size, Image.Resampling.NEAREST)


def _spread(row: np.ndarray) -> list[float]:
    """Evenly spaced values of a row, and its largest."""
    places = np.linspace(0, len(row) - 1, min(VALUES, len(row))).astype(int)
    return _digits([*row[places], row.max()])


def _digits(values: Any) -> list[float]:
    return [float(f"{v:.{DIGITS}g}") for v in np.nan_to_num(np.asarray(values, np.float64), posinf=1e38, neginf=-1e38)]
