"""Directions that the unembedding reads for a word, before the final norm, whose scale is held fixed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..models.devices import device_of
from ..models.inference import inference
from ..targets.axes import rounding
from ..targets.target import Target
from .frozen import freeze

CENTRED = "log p is no sum of parts; attributed is the logit minus the mean logit of all sub-tokens."


@dataclass(frozen=True, eq=False)
class Directions:
    """Directions of the word and of random sub-tokens at the positions that predict the word.

    Attributes
    ----------
    rows
        The positions.
    pulled : (n_words, n_rows, d_model)
        Directions in the residual stream, float64; the word's first, then the random ones.
    constants : (n_words,)
        What biases of the final norm and the unembedding add.
    before, after
        The quantity that the parts sum to, from the model's own head, before and after the soft cap.
    note
        Sentences for the measurement.
    """

    rows: list[int]
    pulled: Tensor
    constants: Tensor
    before: float
    after: float
    note: str


def read_directions(target: Target, n_draws: int, random_state: int) -> Directions:
    """Directions of a target's word, and of random sub-tokens.

    Parameters
    ----------
    target
        The target.
    n_draws
        Number of random words.
    random_state
        Seed.
    """
    model, kind = target.model, target.quantity.kind
    pieces = [target.quantity.parting[0][0]] if kind == "logit_difference" else list(range(len(target.positions)))
    rows = [target.positions[i] for i in pieces]
    head: Any = model.head
    size = head.weight.shape[0]
    draws = np.random.default_rng(random_state).integers(0, size, (2, n_draws, len(rows)))
    words = np.concatenate([[[target.piece_ids[i] for i in pieces]], draws[0]])  # (n_words, n_rows)
    foils = None
    if kind == "logit_difference":
        foils = np.concatenate([[[target.quantity.parting[0][1]]], draws[1]])
    unembedded, biases = _unembedding(head, kind, words, foils)
    states = target.recording.stream[-1][0, rows]
    with inference(model.hf):
        normed = model.norm(states.to(device_of(model.norm, states.device), head.weight.dtype))
        logits = head(normed.to(device_of(head))).float() * model.scale
    capped = model.softcap * torch.tanh(logits / model.softcap) if model.softcap else logits
    pulled, constants = torch.empty_like(unembedded), biases.sum(1) * model.scale
    for i in range(len(rows)):
        frozen = freeze(states[i], normed[i], [model.norm], rounding(target), "before the unembedding")
        pulled[:, i] = frozen.pull(unembedded[:, i]) * model.scale
        constants = constants + frozen.constant(unembedded[:, i]) * model.scale
    before, after = (_quantity(x, kind, words[0], None if foils is None else foils[0]) for x in (logits, capped))
    cap = f"The soft cap turns {before:.4g} into {after:.4g}; the parts sum to the first." if model.softcap else ""
    sentences = (CENTRED if kind == "log_prob" else target.quantity.note, cap)
    return Directions(rows, pulled, constants, before, after, " ".join(s for s in sentences if s))


def _unembedding(head: Any, kind: str, words: np.ndarray, foils: np.ndarray | None) -> tuple[Tensor, Tensor]:
    """Rows of the unembedding, (n_words, n_rows, d_model), and biases (n_words, n_rows)."""
    weight, bias = head.weight.detach(), getattr(head, "bias", None)
    bias = torch.zeros(weight.shape[0]) if bias is None else bias.detach().cpu()
    rows, biases = weight[torch.tensor(words)].double().cpu(), bias[torch.tensor(words)].double()
    if foils is not None:
        rows = rows - weight[torch.tensor(foils)].double().cpu()
        biases = biases - bias[torch.tensor(foils)].double()
    elif kind == "log_prob":
        rows = rows - weight.mean(0, dtype=torch.float32).double().cpu()
        biases = biases - bias.double().mean()
    return rows, biases


def _quantity(logits: Tensor, kind: str, words: np.ndarray, foils: np.ndarray | None) -> float:
    """The word's logits, or differences, of all rows summed."""
    logits, rows = logits.double().cpu(), range(len(words))
    values = logits[rows, words.tolist()]
    if foils is not None:
        values = values - logits[rows, foils.tolist()]
    elif kind == "log_prob":
        values = values - logits.mean(-1)
    return float(values.sum())
