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


@dataclass(frozen=True)
class Cut:
    """Attention that is knocked out: no target position reads from a source position.

    Attributes
    ----------
    layer
        The block, counted from 1 as the layer that it writes.
    targets, sources
        Positions of the residual stream.
    heads
        The heads, counted from 0; all where None.
    """

    layer: int
    targets: tuple[int, ...]
    sources: tuple[int, ...]
    heads: tuple[int, ...] | None = None


@dataclass
class Attention:
    """What a tap has read.

    Attributes
    ----------
    rows
        Layer to probabilities (n, n_heads, n_rows, n_positions), float32, on the model's device.
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
    reading, result = _Reading(rows, layers, values, cuts), Attention()
    with in_front(model, lambda call: reading.visit(result, call, call.run())):
        yield result


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
        self, rows: Sequence[int] | None, layers: Sequence[int] | None, values: bool, cuts: Sequence[Cut]
    ) -> None:
        self.rows, self.layers, self.values = rows, layers, values
        self.cuts: dict[int, list[Cut]] = {}
        for cut in cuts:
            self.cuts.setdefault(cut.layer, []).append(cut)

    def visit(self, result: Attention, call: Call, output: Any) -> Any:
        """Read one call of an attention function, and give its output back, cut where it is to be."""
        layer, query, key = call.layer, call.query, call.key
        n_heads, n_queries = query.shape[1:3]
        value = _repeated(call.value, n_heads)
        scores = _Scores(call, _repeated(key, n_heads))
        heads: Tensor = output[0]  # (n, queries, n_heads, d_head)
        if (self.layers is None or layer in self.layers) and (self.rows is None or len(self.rows)):
            rows = torch.arange(n_queries) if self.rows is None else torch.tensor([r % n_queries for r in self.rows])
            probabilities = scores.at(rows).softmax(-1, dtype=torch.float32)
            result.rows[layer] = probabilities.detach()
            if self.values:
                result.values[layer] = value.detach()
            own = heads[:, rows.to(heads.device)].transpose(1, 2).float()
            gap = (probabilities @ value.float() - own).abs().max() / own.abs().max().clamp_min(1e-30)
            result.residual[layer] = float(gap)
        if layer not in self.cuts:
            return output
        result.cut.add(layer)
        heads = heads.clone()
        for rows, blocked in self._blocked(layer, n_heads, n_queries, key.shape[2], query.device):
            remaining = scores.at(rows).masked_fill(blocked, float("-inf")).softmax(-1, dtype=torch.float32)
            new = (remaining.nan_to_num(0).to(value.dtype) @ value).transpose(1, 2)
            touched = blocked.any(-1)[0].transpose(0, 1)[None, :, :, None]  # (1, rows, heads, 1)
            heads[:, rows] = torch.where(touched, new, heads[:, rows])
        return (heads, *output[1:])

    def _blocked(
        self, layer: int, n_heads: int, n_queries: int, n_keys: int, device: Any
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Rows with cuts, and which of their keys no head may read: (1, n_heads, n_rows, n_keys)."""
        first = n_keys - n_queries  # positions that a cache has
        blocked = torch.zeros(1, n_heads, n_queries, n_keys, dtype=torch.bool, device=device)
        for cut in self.cuts[layer]:
            targets = [t - first for t in cut.targets if first <= t < n_keys]
            sources = [s for s in cut.sources if s < n_keys]
            heads = list(range(n_heads)) if cut.heads is None else list(cut.heads)
            if targets and sources:
                blocked[
                    :, torch.tensor(heads)[:, None, None], torch.tensor(targets)[:, None], torch.tensor(sources)
                ] = True
        rows = blocked.any(-1).any(1)[0].nonzero()[:, 0]
        if len(rows):
            yield rows, blocked[:, :, rows]


class _Scores:
    """Attention scores of one call, of some rows at a time."""

    def __init__(self, call: Call, key: Tensor) -> None:
        self.query, self.key, self.mask, self.causal = call.query, key, call.mask, call.causal
        self.bias, self.softcap = call.kwargs.get("position_bias"), call.kwargs.get("softcap")
        scaling = call.kwargs.get("scaling")
        self.scaling = call.query.shape[-1] ** -0.5 if scaling is None else scaling

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
