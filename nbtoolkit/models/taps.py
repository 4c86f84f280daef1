"""Taps: attention probabilities of chosen positions, read or cut while the model computes its attention as it always does.

A tap returns what the attention function returns; the probabilities of the positions are computed beside it, and only the
rows that are cut are replaced.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ..errors import ModelError
from .adapter import Model
from .attention_calls import Call, in_front

Positions = tuple[int, ...] | slice
_OPEN: list[_Reading] = []  # taps that cut, in the order in which they were opened
_ROWS = 512  # rows whose scores are computed at once


@dataclass(frozen=True)
class Cut:
    """Attention that is knocked out: no target position reads from a source position.

    Attributes
    ----------
    layer
        The block, counted from 1 as the layer that it writes.
    targets, sources
        Positions of the residual stream, counted from the first position of the prompt, or a slice of them: one from a position
        on holds for the cached steps of a generation too. Targets of None are all positions that are no source.
    heads
        The heads, counted from 0; all where None.
    """

    layer: int
    targets: Positions | None
    sources: Positions
    heads: tuple[int, ...] | None = None


@dataclass
class Attention:
    """What a tap has read.

    Attributes
    ----------
    rows
        Layer to probabilities (n, n_heads, n_rows, n_positions), float32, on the model's device: what is left of them where
        this tap, or one around it, cuts.
    values
        Layer to the values (n, n_heads, n_positions, d_head), where they were asked for.
    residual
        Layer to the largest difference of rows · values and the heads' outputs, relative to the largest entry of these.
    cut
        Layers whose attention was cut.
    """

    rows: dict[int, Tensor] = field(default_factory=dict)
    values: dict[int, Tensor] = field(default_factory=dict)
    residual: dict[int, float] = field(default_factory=dict)
    cut: set[int] = field(default_factory=set)


@contextlib.contextmanager
def tap(
    model: Model,
    rows: Sequence[int] | None = (),
    *,
    layers: Sequence[int] | None = None,
    values: bool = False,
    cuts: Sequence[Cut] = (),
) -> Iterator[Attention]:
    """Read the attention of positions, and cut attention, in every forward pass within the block.

    Parameters
    ----------
    model
        The model; its logits are bit-identical where nothing is cut.
    rows
        Positions whose probabilities are read, negative ones from the end; all of them where None.
    layers
        Layers whose attention is read, 1 … n_layers; all where None.
    values
        Keep the values too.
    cuts
        Attention to knock out.

    Raises
    ------
    ModelError
        From inside the pass: probabilities that do not rebuild the heads' outputs.
    """
    reading, result = _Reading(model, rows, layers, values, cuts), Attention()
    with in_front(model, lambda call: reading.visit(result, call, call.run())):
        if cuts:
            _OPEN.append(reading)
        try:
            yield result
        finally:
            _OPEN[:] = [one for one in _OPEN if one is not reading]


def require_layers(attention: Attention, model: Model, layers: Sequence[int] = ()) -> None:
    """Refuse a model whose attention the tap did not hear.

    Parameters
    ----------
    attention
        Of :func:`tap`, after a pass.
    model
        The model.
    layers
        Layers that are needed; any where empty.

    Raises
    ------
    ModelError
        It has no attention of its positions there, or computes it in another way.
    """
    heard = attention.rows.keys() | attention.cut
    missing = [layer for layer in layers if layer not in heard]
    if not heard or missing:
        where = f"at layers {missing}" if missing and heard else "at any layer"
        raise ModelError(
            f"{model.name} has no attention between positions of its residual stream {where} (linear or cross-attention, or a function "
            "of its own); expected self-attention. Load it with attn_implementation='eager' or 'sdpa', or choose other layers."
        )


class _Reading:
    def __init__(
        self, model: Model, rows: Sequence[int] | None, layers: Sequence[int] | None, values: bool, cuts: Sequence[Cut]
    ) -> None:
        self.hf, self.rows, self.layers, self.values = model.hf, rows, layers, values
        self.around = [one for one in _OPEN if one.hf is model.hf]  # what these cut is cut already
        self.ends: dict[int, int] = {}  # of a layer's last pass
        self.last: tuple[Any, list[tuple[Tensor, Tensor, Tensor]]] = (None, [])  # blocks of the last call
        self.cuts: dict[int, list[Cut]] = {}
        for cut in cuts:
            self.cuts.setdefault(cut.layer, []).append(cut)

    def visit(self, result: Attention, call: Call, output: Any) -> Any:
        """Read one call of an attention function, and give its output back, cut where it is to be."""
        layer = call.layer
        value, scores = _repeated(call.value, call.query.shape[1]), _Scores(call)
        if layer in self.cuts:
            result.cut.add(layer)
            output = (self._cut(call, scores, value, output[0]), *output[1:])
        if (self.layers is None or layer in self.layers) and (self.rows is None or len(self.rows)):
            self._read(result, call, scores, value, output[0])
        self.ends[layer] = self._first(call) + call.query.shape[2]
        return output

    def _read(self, result: Attention, call: Call, scores: _Scores, value: Tensor, heads: Tensor) -> None:
        n = call.query.shape[2]
        rows = torch.arange(n) if self.rows is None else torch.tensor([r % n for r in self.rows])
        cuts = [cut for reading in (*self.around, self) for cut in reading.cuts.get(call.layer, ())]
        probabilities = scores.shares(rows, _blocked(cuts, call, self._first(call), rows) if cuts else None)
        result.rows[call.layer] = probabilities.detach()
        if self.values:
            result.values[call.layer] = value.detach()
        own = heads[:, rows.to(heads.device)].transpose(1, 2).float()
        gap = (probabilities @ value.float() - own).abs().max() / own.abs().max().clamp_min(1e-30)
        result.residual[call.layer] = float(gap)

    def _cut(self, call: Call, scores: _Scores, value: Tensor, heads: Tensor) -> Tensor:
        """Outputs of the heads, (n, queries, n_heads, d_head), without what is cut."""
        blocks = self._blocks(call)
        heads = heads.clone() if blocks else heads
        for rows, blocked, touched in blocks:
            new = (scores.shares(rows, blocked).to(value.dtype) @ value).transpose(1, 2)
            heads[:, rows] = torch.where(touched, new, heads[:, rows])
        return heads

    def _blocks(self, call: Call) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Rows with cuts, their keys that no head may read, and which heads that is of; computed once for layers with equal cuts."""
        cuts, first, n = self.cuts[call.layer], self._first(call), call.query.shape[2]
        equal = [(id(cut.targets), id(cut.sources), id(cut.heads)) for cut in cuts]
        key = (first, call.query.shape[1:3], call.key.shape[2], call.query.device, equal)
        if self.last[0] == key:
            return self.last[1]
        every = sorted({t - first for cut in cuts for t in _targets(cut, first, first + n)})
        blocks = []
        for start in range(0, len(every), _ROWS):
            rows = torch.tensor(every[start : start + _ROWS])
            blocked = _blocked(cuts, call, first, rows)
            if bool(blocked.any()):
                touched = blocked.any(-1)[0].transpose(0, 1)[None, :, :, None]  # (1, rows, heads, 1)
                blocks.append((rows.to(call.query.device), blocked, touched))
        self.last = (key, blocks)
        return blocks

    def _first(self, call: Call) -> int:
        """Position of the first query: behind what a cache has, of which a sliding window keeps the last part only."""
        n, n_keys = call.query.shape[2], call.key.shape[2]
        slides = n < n_keys == call.kwargs.get("sliding_window")
        return max(self.ends.get(call.layer, 0), n_keys - n) if slides else n_keys - n


def _targets(cut: Cut, first: int, end: int) -> Sequence[int]:
    """Targets of a cut among the positions of a pass."""
    if cut.targets is None:
        return range(first, end)
    if isinstance(cut.targets, slice):
        start, stop, _ = cut.targets.indices(end)
        return range(max(first, start), stop)
    return [t for t in cut.targets if first <= t < end]


def _blocked(cuts: Sequence[Cut], call: Call, first: int, rows: Tensor) -> Tensor:
    """Which keys no head may read in some rows of a pass: (1, n_heads, n_rows, n_keys)."""
    n_heads, n_keys = call.query.shape[1], call.key.shape[2]
    end = first + call.query.shape[2]
    oldest = end - n_keys  # position of the first key
    result = torch.zeros(1, n_heads, len(rows), n_keys, dtype=torch.bool)
    place = {int(row) + first: i for i, row in enumerate(rows)}
    for cut in cuts:
        own = range(*cut.sources.indices(end)) if isinstance(cut.sources, slice) else cut.sources
        sources = [s - oldest for s in own if oldest <= s < end]
        excluded = {*own} if cut.targets is None else ()
        targets = [place[t] for t in _targets(cut, first, end) if t in place and t not in excluded]
        heads = list(range(n_heads)) if cut.heads is None else list(cut.heads)
        if targets and sources and heads:
            result[:, torch.tensor(heads)[:, None, None], torch.tensor(targets)[:, None], torch.tensor(sources)] = True
    return result.to(call.query.device)


class _Scores:
    """Attention scores of one call, of some rows at a time."""

    def __init__(self, call: Call) -> None:
        self.query, self.mask, self.causal = call.query, call.mask, call.causal
        self.key = _repeated(call.key, call.query.shape[1])
        self.bias, self.softcap = call.kwargs.get("position_bias"), call.kwargs.get("softcap")
        scaling = call.kwargs.get("scaling")
        self.scaling = call.query.shape[-1] ** -0.5 if scaling is None else scaling

    def shares(self, rows: Tensor, blocked: Tensor | None = None) -> Tensor:
        """Probabilities (n, n_heads, n_rows, n_keys) of some queries, float32; zeros where all that a head may read is blocked."""
        if blocked is None:
            return self.at(rows).softmax(-1, dtype=torch.float32)
        left = self.at(rows).masked_fill(blocked, float("-inf")).softmax(-1, dtype=torch.float32)
        return left.masked_fill(blocked.any(-1, keepdim=True) & left.isnan(), 0)

    def at(self, rows: Tensor) -> Tensor:
        """Scores (n, n_heads, n_rows, n_keys) of some queries, masked."""
        rows = rows.to(self.query.device)
        n_queries, n_keys = self.query.shape[2], self.key.shape[2]
        scores = self.query[:, :, rows] @ self.key.transpose(2, 3) * self.scaling
        if self.bias is not None:
            scores = scores + self.bias[:, :, rows]
        if self.softcap:
            scores = self.softcap * torch.tanh(scores / self.softcap)
        if self.mask is None:
            if self.causal and n_queries > 1:
                later = torch.arange(n_keys, device=rows.device) > (rows + n_keys - n_queries)[:, None]
                scores = scores.masked_fill(later, float("-inf"))
            return scores
        mask = self.mask[..., :n_keys]
        mask = mask[:, :, rows] if mask.shape[2] > 1 else mask
        return scores.masked_fill(~mask, float("-inf")) if mask.dtype == torch.bool else scores + mask


def _repeated(states: Tensor, n_heads: int) -> Tensor:
    """Keys or values of every head, where several heads share one."""
    return states if states.shape[1] == n_heads else states.repeat_interleave(n_heads // states.shape[1], 1)
