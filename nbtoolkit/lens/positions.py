"""Positions that a lens reads, with their texts, roles and patches; and the placebo image at the same positions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from ..data.images import read_image
from ..errors import MethodError
from ..models.hooks import watching
from ..targets.axes import patch_coordinates, position_coordinates
from ..targets.roles import other_image
from ..targets.target import Target


def coordinates(t: Target, positions: tuple[int, ...]) -> dict[str, Any]:
    """Coordinates of the axis ``position``: text, role, and per patch its box in pixels, tile, row and column.

    Parameters
    ----------
    t
        The target.
    positions
        The positions.
    """
    places = patch_coordinates(t, positions)
    patches = {name: ("position", values) for name, (_, values) in places.items() if name != "position"}
    return position_coordinates(t, positions) | patches


def placebo_target(t: Target, placebo: Any) -> Target:
    """The same pass with an unrelated image of the same size.

    Parameters
    ----------
    t
        The target.
    placebo
        An image, which is resized to the target's; None stands for the negative of the target's, mixed with noise.

    Raises
    ------
    MethodError
        It takes another number of positions.
    """
    image = other_image(t.image) if placebo is None else read_image(placebo).resize(t.image.size)
    return t.again(image)


def visit_layers(t: Target, visit: Callable[[int, Tensor], None], n_positions: int) -> None:
    """Call a function at every layer of one pass of a target, without a copy of its residual stream.

    Parameters
    ----------
    t
        The target.
    visit
        Function of a layer and its states (positions, d_model).
    n_positions
        Number of positions that the pass must have.

    Raises
    ------
    MethodError
        It has another number.
    """

    def reading(layer: int, states: Tensor) -> None:
        if states.shape[1] != n_positions:
            raise MethodError(
                f"The placebo takes {states.shape[1]} positions, the image {n_positions}; expected as many. Choose another image."
            )
        visit(layer, states[0])

    with watching(t.model.blocks, reading):
        t.model.forward(t.inputs)
