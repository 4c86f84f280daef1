"""Positions, and passes of other images, that the edits of an Inspector name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import MethodError
from ..targets.passes import Pass
from ..types.rules import described

if TYPE_CHECKING:
    from .inspector_case import Case


def places(case: Case, what: Any) -> tuple[int, ...]:
    """Positions that an edit names.

    Parameters
    ----------
    case
        The case.
    what
        ``"image"``, ``"question"``, ``"last"``, a list of positions, or ``{"patches": […]}``.

    Raises
    ------
    MethodError
        There is none.
    """
    side = case.side
    if what == "last":
        return case.target.positions
    if isinstance(what, str):
        positions = side.whole.at(what)
    elif isinstance(what, Mapping):
        every = side.patches[0]
        positions = tuple(every[i] for i in what["patches"] if i < len(every))
    else:
        positions = tuple(int(p) for p in what)
    if not positions:
        raise MethodError(
            f"The edit is of {described(what)}, which has no positions in {side.model.name}; expected some."
        )
    return positions


def readers(case: Case, what: str) -> tuple[int, ...] | slice:
    """Positions that no longer read, of a knockout.

    Parameters
    ----------
    case
        The case.
    what
        ``"last"`` (the position that predicts the word's last piece), ``"word"`` (those that predict any) or ``"response"``.
    """
    if what == "response":
        return slice(case.side.n_prompt - 1, None)
    return case.target.positions if what == "word" else case.target.positions[-1:]


def source_of(case: Case, name: str) -> Pass:
    """The pass whose states a patch takes.

    Parameters
    ----------
    case
        The case.
    name
        ``"other"``, the other side's image or question with the response of this side; or ``"blank"``.

    Raises
    ------
    MethodError
        There is no other side of the same model, or its pass has another length.
    """
    own, source = case.side, case.side.blank
    if name == "other":
        other = case.session.sides.opposite(case.which)
        if other is None:
            raise MethodError(
                "The patch is from the other side, and there is none of the same model; expected nbt.inspect(…, other=…) or "
                "'from': 'blank'."
            )
        source = own.read(other.image, other.question)
    if source.n_positions != own.whole.n_positions:
        raise MethodError(
            f"The other side takes {source.n_positions} positions, this one {own.whole.n_positions}; expected as many. Take an image of "
            "the same size, or a question of as many sub-tokens."
        )
    return source
