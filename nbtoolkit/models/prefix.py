"""Prefixes: keys and values of the positions before an edit, so that a causal model computes only those from the edit on.

In a causal model, states before the first edited position are those of the recorded pass. Their keys and values are read once,
and stand in front of those of the other positions, as in a cached generation. Where a mask lets earlier positions read later
ones (a block of image positions), a prefix ends before these.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from .adapter import Model
from .attention_calls import Call, attention_function, in_front
from .replay import TOLERANCE, Recording, replay

BY_POSITION = ("position_embeddings", "position_embeddings_global", "position_embeddings_local", "position_ids",
               "cache_position")  # arguments of blocks with an axis of positions; masks are cut where attention is computed  # fmt: skip
FUNCTIONS = ("sdpa", "eager")  # whose masks are tensors, or None
_EQUAL: weakref.WeakKeyDictionary[Any, dict[Any, bool]] = weakref.WeakKeyDictionary()


class _UnsupportedError(Exception):
    """Something in a pass has positions that cannot be cut off."""


@dataclass(frozen=True, eq=False)
class Prefix:
    """Keys and values of a recorded pass.

    Attributes
    ----------
    recording
        The pass, of one row.
    pairs
        Layer, counted from 1, to keys and values, (1, n_heads, n_positions, d_head).
    ends
        Positions that no earlier one reads, nor any after them: where the computed part may begin.
    masks
        Layer, counted from 1, to the mask of its attention; None where it is causal.
    """

    recording: Recording
    pairs: Mapping[int, tuple[Tensor, Tensor]]
    ends: tuple[int, ...]
    masks: Mapping[int, Any]

    def start(self, position: int) -> int:
        """First position to compute, so that everything from a position on is computed.

        Parameters
        ----------
        position
            The first position that is edited.
        """
        return max((end for end in self.ends if end <= position), default=0)

    def replay(
        self, model: Model, recording: Recording, layer: int, states: Tensor, *, gradient: bool = False
    ) -> Tensor:
        """States of the last layer, of the last positions only.

        Parameters
        ----------
        model
            The model.
        recording
            The recording, or one that differs from it in ``between``, at the positions of the states.
        layer
            The layer.
        states : (n, n_rest, d_model)
            Edited states of the last positions; they begin at one of ``ends``.
        gradient
            Record gradients.

        Returns
        -------
        (n, n_rest, d_model) Tensor
        """
        start = self.recording.n_positions - states.shape[1]
        with in_front(model, lambda call: call.run(*_joined(call, *self.pairs[call.layer], start))):
            return replay(model, cut(recording, start), layer, states, gradient=gradient)


def read_prefix(model: Model, recording: Recording) -> Prefix | None:
    """Keys and values of a recorded pass; None where a model cannot be continued behind them.

    Parameters
    ----------
    model
        The model.
    recording
        A pass of one row.

    Returns
    -------
    Prefix or None
        None also where the continued pass differs from the whole one, which is measured once per model, or where an intervention
        is in force that was not when the pass was recorded.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> t = nbt.target(nbt.load_model("toy"), nbt.load_data("toy", n=1)[0]["image"], "a", response="a dog")
    >>> read_prefix(t.model, t.recording).start(10)
    10
    """
    if model.encoder_decoder or attention_function(model) not in FUNCTIONS:
        return None
    calls: list[Call] = []

    def visit(call: Call) -> Any:
        calls.append(call)
        return call.run()

    try:
        cut(recording, 1)
        with in_front(model, visit):
            last = replay(model, recording, 0, recording.stream[0])
        if [call.layer for call in calls] != list(range(1, model.n_layers + 1)) or not is_close(
            last, recording.stream[-1]
        ):
            return None
        ends = _ends(calls, recording.n_positions)
    except _UnsupportedError:
        return None
    pairs = {call.layer: (call.key, call.value) for call in calls}
    prefix = Prefix(recording, pairs, ends, {call.layer: call.mask for call in calls})
    return prefix if ends and _equals(model, prefix) else None


def _equals(model: Model, prefix: Prefix) -> bool:
    """Whether a continued pass equals a whole one, measured with an edit from the middle on."""
    recording = prefix.recording
    measured = _EQUAL.setdefault(model.hf, {})
    way = (recording.conditions, tuple(recording.between))
    if way not in measured:
        own, start = recording.stream[0], prefix.start(recording.n_positions // 2) or prefix.ends[0]
        noise = torch.randn(own[:, start:].shape, generator=torch.Generator().manual_seed(0))
        edited = own.clone()
        edited[:, start:] += noise.to(own.device, own.dtype) * own.float().std().to(own.dtype)
        whole = replay(model, recording, 0, edited)[:, start:]
        measured[way] = is_close(prefix.replay(model, recording, 0, edited[:, start:]), whole)
    return measured[way]


def is_close(a: Tensor, b: Tensor) -> bool:
    """Whether two ways to the same states agree up to 64 roundings.

    Parameters
    ----------
    a, b
        The states, in any shape.
    """
    gap = (a.float() - b.float()).abs().max() / b.float().abs().max().clamp_min(1e-30)
    return bool(gap <= TOLERANCE * torch.finfo(b.dtype).eps)


def _joined(call: Call, keys: Tensor, values: Tensor, start: int) -> tuple[Tensor, Tensor, Tensor]:
    """Keys, values and mask of a call with the prefix in front."""
    n, n_positions = len(call.key), keys.shape[2]
    both = [
        torch.cat([before[:, :, :start].expand(n, -1, -1, -1), own], 2)
        for before, own in ((keys, call.key), (values, call.value))
    ]
    mask = call.mask
    if mask is None:
        mask = torch.ones(n_positions - start, n_positions, dtype=torch.bool, device=keys.device).tril(start)[
            None, None
        ]
    return both[0], both[1], mask[:, :, start:] if mask.shape[2] == n_positions else mask


def _ends(calls: list[Call], n_positions: int) -> tuple[int, ...]:
    """Positions such that none before reads them, or any after them, in any layer."""
    results: dict[int, Tensor] = {}
    for call in calls:
        if call.kwargs.get("position_bias") is not None:
            raise _UnsupportedError
        if call.mask is None:
            if not call.causal:
                raise _UnsupportedError
            results[0] = torch.ones(n_positions, dtype=torch.bool)
        elif id(call.mask) not in results:
            if call.mask.ndim != 4 or call.mask.shape[2:] != (n_positions, n_positions):
                raise _UnsupportedError
            low = torch.finfo(call.mask.dtype).min / 2 if call.mask.is_floating_point() else 0
            reads = (call.mask > low).flatten(0, 1).any(0).cpu()
            furthest = torch.where(reads, torch.arange(n_positions), -1).amax(-1).cummax(0).values
            results[id(call.mask)] = torch.cat([torch.tensor([True]), furthest[:-1] < torch.arange(1, n_positions)])
    free = torch.stack(list(results.values())).all(0)
    return tuple(i for i in free.nonzero()[:, 0].tolist() if i)


def cut(recording: Recording, start: int, stop: int | None = None) -> Recording:
    """What the blocks were called with at some positions of a recording.

    Parameters
    ----------
    recording
        The recording.
    start, stop
        The first of the positions, and the one behind the last; all from the first on where None.
    """
    length = (recording.n_positions if stop is None else stop) - start

    def part(name: str, value: Any) -> Any:
        if isinstance(value, Tensor):
            axes = [axis for axis, size in enumerate(value.shape) if size == recording.n_positions]
            if not axes or name == "attention_mask":
                return value
            if len(axes) > 1 or name not in BY_POSITION:
                raise _UnsupportedError
            return value.narrow(axes[0], start, length)
        if isinstance(value, tuple | list) and not hasattr(value, "_fields"):
            return type(value)(part(name, entry) for entry in value)
        return value

    calls = tuple(
        (tuple(part("", arg) for arg in args), {name: part(name, value) for name, value in kwargs.items()})
        for args, kwargs in recording.calls
    )
    between = {layer: added[:, start : start + length] for layer, added in recording.between.items()}
    return replace(recording, calls=calls, between=between)
