"""Named directions of the residual stream, which a view can steer by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import NbtoolkitError
from ..types.arguments import checked_array
from ..types.rules import Rule, described
from ..widgets.edits import MAX_NAME

Array = np.ndarray
MAX_DIRECTIONS = 64


def checked_directions(directions: Any, d_model: int) -> dict[str, Array]:
    """Validate the named directions of a session.

    Parameters
    ----------
    directions
        Name to vector (d_model,), or None.
    d_model
        Width of the residual stream.

    Raises
    ------
    NbtoolkitError
        No such mapping, or a vector of another shape, not finite, or without a length.
    """
    if directions is None:
        return {}
    if not isinstance(directions, Mapping) or len(directions) > MAX_DIRECTIONS:
        raise NbtoolkitError(
            f"directions is {described(directions)}; expected at most {MAX_DIRECTIONS} names and vectors ({d_model},)."
        )
    vectors = {}
    for name, vector in directions.items():
        if not isinstance(name, str) or not 0 < len(name.strip()) <= MAX_NAME:
            raise NbtoolkitError(
                f"A name of directions is {described(name)}; expected a text of 1 to {MAX_NAME} characters."
            )
        if name.strip() in vectors:
            raise NbtoolkitError(f"directions has {name.strip()!r} twice; expected names that differ.")
        array = checked_array(f"directions[{name!r}]", vector, Rule()).astype(np.float64)
        if array.shape != (d_model,) or not array.any():
            raise NbtoolkitError(
                f"directions[{name!r}] has shape {array.shape}; expected ({d_model},), not all zeros: one number per dimension of "
                "the residual stream."
            )
        vectors[name.strip()] = array
    return vectors
