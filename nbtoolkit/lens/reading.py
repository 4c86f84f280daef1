"""Reading states by the unembedding, in chunks that fit a budget of memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import MeasurementError
from ..models.adapter import Model
from ..models.inference import inference
from .words import Watched

BUDGET = 160_000_000  # bytes of logits and of what is computed from them, at a time
COPIES = 4  # arrays of the size of a chunk's logits that are in memory together, measured


def n_vocabulary(model: Model) -> int:
    """Number of sub-tokens of the unembedding.

    Parameters
    ----------
    model
        The model.
    """
    weight: Any = model.head.weight
    return int(weight.shape[0])


def chunk_size(n_vocabulary: int, budget: int = BUDGET) -> int:
    """Number of states whose logits, and what is computed from them, fit a budget.

    Parameters
    ----------
    n_vocabulary
        Number of sub-tokens.
    budget
        In bytes.

    Examples
    --------
    >>> chunk_size(32_000), chunk_size(10**9)
    (312, 1)
    """
    return max(1, budget // (COPIES * 4 * n_vocabulary))


@dataclass(frozen=True)
class Reading:
    """What states of layers read as, a chunk of them at a time.

    Attributes
    ----------
    model
        The model.
    watched
        Words that are watched.
    top
        Number of most probable sub-tokens.
    tuned
        A tuned lens, or None.
    """

    model: Model
    watched: Watched
    top: int
    tuned: Any

    @property
    def size(self) -> int:
        """Number of states that are read at once."""
        return chunk_size(n_vocabulary(self.model))

    def translated(self, states: Mapping[int, Tensor]) -> Tensor:
        """States of layers, one after the other, as the last layer's: (n_layers · n, d_model).

        Parameters
        ----------
        states
            Layer to its states, (n, d_model).
        """
        return torch.cat([s if self.tuned is None else self.tuned.translate(layer, s) for layer, s in states.items()])

    def of(self, states: Mapping[int, Tensor], only: str = "") -> dict[str, np.ndarray]:
        """What states read as: name to an array, (n_layers, n, …).

        Parameters
        ----------
        states
            Layer to its states, (n, d_model).
        only
            The one name that is needed, if any.

        Raises
        ------
        MeasurementError
            A layer's states overflow the number format.
        """
        n = len(next(iter(states.values())))
        if n * len(states) > self.size:
            by_layer = [self._of({layer: own}, only) for layer, own in states.items()]
            result = {name: np.concatenate([part[name] for part in by_layer]) for name in by_layer[0]}
        else:  # the unembedding, the largest matrix, is read once
            result = self._of(states, only)
        return {name: array.reshape(len(states), n, *array.shape[1:]) for name, array in result.items()}

    def _of(self, states: Mapping[int, Tensor], only: str) -> dict[str, np.ndarray]:
        parts: list[dict[str, np.ndarray]] = []
        with inference(self.model.hf):
            for part in self.translated(states).split(self.size):
                logits = self.model.unembed(part)
                finite = torch.isfinite(logits.sum(-1))
                if not bool(finite.all()):
                    row = sum(len(p["log_p"]) for p in parts) + int((~finite).nonzero()[0, 0])
                    layer = [*states][row // len(next(iter(states.values())))]
                    raise MeasurementError(
                        f"The lens at layer {layer} has logits that are no finite numbers: the states overflow {self.model.hf.dtype}. "
                        "Load the model in float32 or bfloat16."
                    )
                parts.append({k: v.cpu().numpy() for k, v in self._read(logits, only).items()})
                del logits  # before the next chunk's
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _read(self, logits: Tensor, only: str) -> dict[str, Tensor]:
        log_z = logits.logsumexp(-1, keepdim=True)
        own = logits[:, list(self.watched.ids)]
        result = {"log_p": own - log_z}
        if only:
            return result
        others = logits[:, [i if i >= 0 else 0 for i in self.watched.other_ids]] - log_z
        missing = torch.tensor([i < 0 for i in self.watched.other_ids], device=others.device)
        best = logits.topk(self.top, -1)
        share = (logits - log_z).exp_()
        entropy = log_z[:, 0] - share.mul_(logits).sum(-1)
        del share
        rank = torch.stack([torch.count_nonzero(logits > own[:, [j]], -1) + 1 for j in range(own.shape[1])], -1)
        return result | {
            "other": others.masked_fill(missing, torch.nan),
            "rank": rank,
            "top": best.indices,
            "top_p": (best.values - log_z).exp(),
            "entropy": entropy,
            "mean": logits.mean(-1) - log_z[:, 0],
        }
