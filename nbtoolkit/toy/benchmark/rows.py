"""States of a token, each with the scene that it is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...types import Representations

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Rows:
    """States of a token, and the scene of each.

    Attributes
    ----------
    reps
        Representations, all layers.
    scenes
        The scene of each row: ``image``, ``factors``, and in the second world ``numbers`` and ``seed``.
    """

    reps: Representations
    scenes: tuple[Mapping[str, Any], ...]

    def __len__(self) -> int:
        return len(self.scenes)

    @property
    def factors(self) -> list[Mapping[str, str]]:
        """Factor to value, per row."""
        return [scene["factors"] for scene in self.scenes]

    def numbers(self, name: str) -> Array | None:
        """Values of a number such as ``size``, (n_rows,); None in the first world.

        Parameters
        ----------
        name
            ``size``, ``darkness``, ``shade`` or ``position``.
        """
        if any("numbers" not in scene for scene in self.scenes):
            return None
        return np.array([scene["numbers"][name] for scene in self.scenes])

    def first(self, n: int) -> Rows:
        """The first n rows.

        Parameters
        ----------
        n
            Number of rows, at least 1.
        """
        return self.take(range(min(n, len(self))))

    def take(self, rows: Sequence[int]) -> Rows:
        """Some of the rows.

        Parameters
        ----------
        rows
            Their numbers.
        """
        return Rows(subset(self.reps, rows), tuple(self.scenes[i] for i in rows))


def subset(reps: Representations, rows: Sequence[int], states: Array | None = None) -> Representations:
    """Some rows of representations, with other states where given.

    Parameters
    ----------
    reps
        Representations.
    rows
        Numbers of the rows.
    states : (len(rows), n_layers, d_model)
        Their states, in place of their own.
    """
    pick = list(rows)

    def choose_methods(values: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(values[i] for i in pick)

    return Representations(
        reps.states[pick] if states is None else states,
        choose_methods(reps.sample_ids),
        choose_methods(reps.captions),
        choose_methods(reps.positions),
        choose_methods(reps.references),
        reps.layers,
        reps.n_layers,
        source=reps.source,
    )
