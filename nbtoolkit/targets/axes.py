"""Axes that measurements of a target share: positions with their text and role, and patches with their boxes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import numpy as np
import xarray

from ..errors import MethodError, ModelError
from ..models.inference import fitting_threads
from ..types.geometry import Geometry
from ..types.rules import described
from .roles import ROLES, other_image
from .target import Target

Array = np.ndarray
F = TypeVar("F", bound=Callable[..., Any])


def on_fitting_threads(instrument: F) -> F:
    """Run an instrument on a fitting number of threads: also the copies and sums between the passes of a small model.

    Parameters
    ----------
    instrument
        Function whose first argument is a target.
    """

    @functools.wraps(instrument)
    def run(target: Target, *args: Any, **kwargs: Any) -> Any:
        with fitting_threads(target.model.hf):
            return instrument(target, *args, **kwargs)

    return cast("F", run)


def require_image(target: Target, what: str) -> tuple[int, ...]:
    """Positions of the image: patches, and the marks between them.

    Parameters
    ----------
    target
        The target.
    what
        What needs them, as the start of a sentence.

    Raises
    ------
    ModelError
        The image has no positions in the decoder's residual stream.
    """
    positions = target.at("image")
    if not positions:
        raise ModelError(
            f"{what} needs image positions, and {target.model.name} has none in its decoder's residual stream (the image enters through "
            "cross-attention or an encoder). Choose a model that puts image tokens among the text tokens."
        )
    return positions


def text_positions(target: Target) -> tuple[int, ...]:
    """Positions that are not the image's.

    Parameters
    ----------
    target
        The target.
    """
    return tuple(token.position for token in target.tokens if token.role != "image")


def resolve_positions(target: Target, positions: Any, name: str = "positions") -> tuple[int, ...]:
    """Positions of a role, those given, or all, in ascending order.

    Parameters
    ----------
    target
        The target.
    positions
        None, a role of :meth:`nbtoolkit.targets.target.Target.at`, or whole numbers; negative ones count from the end.
    name
        Name of the argument, for messages.

    Raises
    ------
    ModelError
        The image has no position in the decoder.
    MethodError
        There is none, or one that the pass does not have.
    """
    n = target.n_positions
    if positions is None:
        return tuple(range(n))
    if isinstance(positions, str):
        if positions == "image":
            target.require_image()
        result = target.at(positions)
    else:
        items = list(positions) if np.iterable(positions) else [positions]
        if any(isinstance(p, bool) or not isinstance(p, int | np.integer) or not -n <= p < n for p in items):
            raise MethodError(
                f"{name} is {described(positions)}; expected a role or whole numbers from {-n} to {n - 1}, the positions of "
                "target.tokens."
            )
        result = tuple(sorted({int(p) % n for p in items}))
    if not result:
        roles = ", ".join(repr(role) for role in ROLES if target.at(role))
        raise MethodError(
            f"{name} is {described(positions)}, which no position is; expected one of the roles that this prompt has, {roles}, or positions."
        )
    return result


def boxes_of(target: Target) -> tuple[dict[int, int], Geometry | None]:
    """Position to its index in the geometry of the image, and the geometry; empty and None where positions are no patches.

    Parameters
    ----------
    target
        The target.
    """
    try:
        positions, geometry = target.patches
    except ModelError:
        return {}, None
    return ({p: i for i, p in enumerate(positions)}, geometry) if len(positions) == geometry.n_positions else ({}, None)


def patch_positions(target: Target) -> list[int]:
    """Positions that hold patches, without the marks between them; all of the image's where they are no grid.

    Parameters
    ----------
    target
        The target.
    """
    places, geometry = boxes_of(target)
    inside = [] if geometry is None else [p for p, i in places.items() if geometry.boxes[i, 0] == geometry.boxes[i, 0]]
    return inside or list(target.at("image"))


def patch_coordinates(target: Target, positions: Sequence[int]) -> dict[str, tuple[str, Array]]:
    """Coordinates of an axis ``patch``: position, box in pixels of the image, tile, row and column.

    Parameters
    ----------
    target
        The target.
    positions
        Positions of the image; one that is no patch has a box of NaN, and tile, row and column -1.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> from nbtoolkit.targets import target
    >>> t = target(nbt.load_model("toy"), nbt.load_data("toy", n=1)[0]["image"], "a", response="a dog")
    >>> {name: values[1][0].item() for name, values in patch_coordinates(t, t.at("image")).items() if name[0] in "xy"}
    {'x0': 0.0, 'y0': 0.0, 'x1': 16.0, 'y1': 16.0}
    """
    places, geometry = boxes_of(target)
    n = len(positions)
    boxes, cells, tiles = np.full((n, 4), np.nan), np.full((n, 2), -1), np.full(n, -1)
    for i, position in enumerate(positions):
        if geometry is not None and position in places:
            j = places[position]
            boxes[i], cells[i], tiles[i] = geometry.boxes[j], geometry.cells[j], geometry.tiles[j]
    columns = dict(zip(("x0", "y0", "x1", "y1"), boxes.T, strict=True)) | {
        "tile": tiles,
        "row": cells[:, 0],
        "column": cells[:, 1],
    }
    return {"position": ("patch", np.array(positions, int))} | {
        name: ("patch", values) for name, values in columns.items()
    }


def position_coordinates(target: Target, positions: Sequence[int]) -> dict[str, Any]:
    """Coordinates of an axis ``position``: index, text and role.

    Parameters
    ----------
    target
        The target.
    positions
        The positions.
    """
    tokens = [target.tokens[p] for p in positions]
    return {
        "position": list(positions),
        "text": ("position", np.array([t.text for t in tokens], object)),
        "role": ("position", np.array([t.role for t in tokens], object)),
    }


def by_position(target: Target, scores: Any, name: str) -> tuple[xarray.DataArray, dict[str, xarray.DataArray]]:
    """Scores of all positions as the values of a measurement over the image's, and those of the text as a detail.

    Parameters
    ----------
    target
        The target.
    scores : (n_positions,)
        A score per position.
    name
        Name of the measurement.

    Returns
    -------
    DataArray, dict
        Over the axis ``patch``, and ``{"text": …}`` over the axis ``position``. Where the image has no positions, the values
        are those of the text.
    """
    scores, image, text = np.asarray(scores), target.at("image"), text_positions(target)
    words = xarray.DataArray(scores[list(text)], dims="position", coords=position_coordinates(target, text), name=name)
    if not image:
        return words, {}
    patches = xarray.DataArray(scores[list(image)], dims="patch", coords=patch_coordinates(target, image), name=name)
    return patches, {"text": words}


def placebo(target: Target) -> Target:
    """The same target with an image of the same size without its content: the negative, mixed with noise.

    Parameters
    ----------
    target
        The target.
    """
    return target.again(other_image(target.image))


def rounding(target: Target) -> float:
    """What two ways to one number may differ by, relative to it: 1e-4 in float32, more in formats of fewer digits.

    Parameters
    ----------
    target
        The target.
    """
    dtype = str(target.recording.stream[0].dtype)
    return 1e-4 if dtype in ("torch.float32", "torch.float64") else 5e-2
