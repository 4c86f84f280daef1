"""Measurements of a word under edits: the logit lens and the attention of the edited pass."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import MethodError
from ..types.measurement import Measurement
from .inspector_edits import edited
from .inspector_instruments import INSTRUMENTS

if TYPE_CHECKING:
    from .inspector_case import Case

UNDER_EDITS = ("lens", "attention")


def measure_edited(name: str, case: Case) -> Measurement:
    """Measure a word under the edits of a case.

    Parameters
    ----------
    name
        ``"lens"`` or ``"attention"``.
    case
        The case.

    Raises
    ------
    MethodError
        Another instrument, whose parts of the pass an edit would change twice.
    """
    if name not in UNDER_EDITS:
        raise MethodError(
            f"{INSTRUMENTS[name].title} is not measured under edits; expected one of {', '.join(map(repr, UNDER_EDITS))}."
        )
    target = replace(case.target)  # whose pass is not recorded yet
    for fact in ("image_span", "tokens"):  # the same in every pass of this prompt
        target.__dict__[fact] = getattr(case.target, fact)
    _ = case.side.whole.recording  # before an edit is in force
    with edited(case, case.edits):
        m = INSTRUMENTS[name].measure(replace(case, target=target))
    note = " ".join(s for s in ("Under edits.", m.note) if s)
    return replace(m, provenance={**m.provenance, "edits": [dict(edit) for edit in case.edits]}, note=note)
