"""Positions of an edit in the passes of a generation: the prompt first, then one cached step after the other."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..errors import MethodError
from ..types.rules import described


class Places:
    """Chosen positions of the residual stream, counted from the first position of the prompt.

    Parameters
    ----------
    positions
        The positions, or a slice from one position on; all of them where None.

    Raises
    ------
    MethodError
        Positions that are no whole numbers from 0, or a slice with a step or negative ends.

    Examples
    --------
    >>> place = Places(slice(2, None))
    >>> place.mask(torch.zeros(1, 4, 8))[0, :, 0].tolist(), place.mask(torch.zeros(1, 1, 8)).item()
    ([0.0, 0.0, 1.0, 1.0], 1.0)
    """

    def __init__(self, positions: Sequence[int] | slice | None) -> None:
        if positions is None:
            positions = slice(0, None)
        ends = (positions.start, positions.stop) if isinstance(positions, slice) else tuple(positions)
        step = isinstance(positions, slice) and positions.step not in (None, 1)
        if step or any(not _is_position(p) for p in ends if p is not None or not isinstance(positions, slice)):
            value = positions if isinstance(positions, slice) else described(positions)
            raise MethodError(
                f"positions is {value}; expected whole numbers from 0, or a slice of them without a step."
            )
        self._positions = positions if isinstance(positions, slice) else frozenset(int(p) for p in positions)
        self._end = 0  # of the last pass

    def __contains__(self, position: int) -> bool:
        if isinstance(self._positions, slice):
            start, stop = self._positions.start or 0, self._positions.stop
            return start <= position and (stop is None or position < stop)
        return position in self._positions

    def mask(self, hidden: Tensor) -> Tensor:
        """Whether each position of a pass is chosen, (1, positions, 1) of 0 and 1; a pass of one position continues the last.

        Parameters
        ----------
        hidden : (n, positions, d_model)
            States of the pass.
        """
        n = hidden.shape[1]
        begin = self._end if n == 1 else 0
        self._end = begin + n
        chosen = [float(p in self) for p in range(begin, self._end)]
        return torch.tensor(chosen, device=hidden.device, dtype=hidden.dtype)[None, :, None]


def _is_position(value: object) -> bool:
    return hasattr(value, "__index__") and not isinstance(value, bool) and int(value.__index__()) >= 0
