"""Frozen maps: a norm, a gate or a factor at one position as the linear map that it is once its scale is held fixed.

RMS norms divide by the root mean square of a state and layer norms by its deviation. With this number held at its value in
the pass, both are linear, so that what is added up before them is added up after them too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ModelError


@dataclass(frozen=True, eq=False)
class Frozen:
    """The map y = scale · (x - mean of x where centred) + offset.

    Attributes
    ----------
    scale, offset : (d,)
        float64, on the CPU.
    centred
        Whether the mean over the entries is subtracted first, as in layer norms.
    missed
        Largest difference of the map and what the model computed, relative to the largest entry.
    """

    scale: Tensor
    offset: Tensor
    centred: bool
    missed: float

    def pull(self, directions: Tensor) -> Tensor:
        """Directions before the map whose products are those of the given ones after it, without the offset.

        Parameters
        ----------
        directions : (…, d)
            Directions after the map.
        """
        scaled = directions * self.scale
        return scaled - scaled.mean(-1, keepdim=True) if self.centred else scaled

    def constant(self, directions: Tensor) -> Tensor:
        """Product of the offset and directions, (…).

        Parameters
        ----------
        directions : (…, d)
            Directions after the map.
        """
        return directions @ self.offset


def freeze(x: Tensor, y: Tensor, norms: Sequence[nn.Module], tolerance: float, where: str) -> Frozen:
    """The frozen map between two states of one position: the first that fits of the identity, a factor, and norms.

    Parameters
    ----------
    x, y : (d,)
        What enters and what leaves.
    norms
        Modules whose weights it may have.
    tolerance
        Largest difference, relative to the largest entry of y.
    where
        Where it is, for the message.

    Raises
    ------
    ModelError
        None fits: what stands there is not linear.

    Examples
    --------
    >>> x = torch.tensor([1.0, -2.0, 3.0, 0.5])
    >>> norm = nn.LayerNorm(4)
    >>> frozen = freeze(x, norm(x).detach(), [norm], 1e-5, "here")
    >>> frozen.centred, frozen.missed < 1e-6
    (True, True)
    """
    x, y = x.detach().double().cpu(), y.detach().double().cpu()
    largest = y.abs().max().clamp_min(1e-30)
    best = float("inf")
    for weight, offset, centred, scaled in _candidates(x, norms):
        rest = y - offset
        shape = weight * (x - x.mean() if centred else x)
        factor = (shape @ rest) / (shape @ shape).clamp_min(1e-60) if scaled else torch.ones(())
        missed = float((shape * factor - rest).abs().max() / largest)
        if missed <= tolerance:
            return Frozen(weight * factor, offset, centred, missed)
        best = min(best, missed)
    raise ModelError(
        f"What stands {where} is neither a norm nor a factor (relative difference {best:.2g}); expected one of the two, so that parts can "
        "be added up behind it. Use unit='layer'."
    )


def _candidates(x: Tensor, norms: Sequence[nn.Module]) -> Iterator[tuple[Tensor, Tensor, bool, bool]]:
    """Weight, offset, whether centred, and whether a factor is free."""
    ones, zeros = torch.ones_like(x), torch.zeros_like(x)
    yield ones, zeros, False, False
    yield ones, zeros, False, True
    for norm in norms:
        weight, bias = _vector(norm, "weight", x), _vector(norm, "bias", x)
        for scale in (ones,) if weight is None else (weight, 1 + weight):
            for centred in (False, True):
                yield scale, zeros if bias is None else bias, centred, True


def _vector(module: Any, name: str, x: Tensor) -> Tensor | None:
    value = getattr(module, name, None)
    return value.detach().double().cpu() if isinstance(value, Tensor) and value.shape == x.shape else None


def norms_in(module: nn.Module, width: int) -> list[nn.Module]:
    """Parts of a module whose weight is one vector of a width: its norms.

    Parameters
    ----------
    module
        A block.
    width
        Length of the vector.
    """
    weights = ((m, getattr(m, "weight", None)) for m in module.modules())
    return [m for m, w in weights if isinstance(w, Tensor) and w.shape == (width,)]
