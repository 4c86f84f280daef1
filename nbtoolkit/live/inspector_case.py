"""What an instrument of the Inspector is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import MethodError

if TYPE_CHECKING:
    from ..targets.target import Target
    from ..types import ConceptDictionary
    from .inspector_session import InspectorSession
    from .inspector_side import Side


@dataclass(frozen=True, eq=False)
class Case:
    """What an instrument is asked for.

    Attributes
    ----------
    session
        The session.
    which
        Name of the side: ``"a"``, ``"b"`` or ``"edited"``.
    side
        The side.
    key
        Key of the target's word.
    target
        The target.
    of
        Further subject: ``"layer:concept"``, a layer, or the name of a map; empty for the target itself.
    edits
        Edits in force.
    """

    session: InspectorSession
    which: str
    side: Side
    key: str
    target: Target
    of: str = ""
    edits: tuple[Mapping[str, Any], ...] = ()

    @property
    def dictionary(self) -> ConceptDictionary:
        """The dictionary of the layer that ``of`` names.

        Raises
        ------
        MethodError
            ``of`` is no layer of the study.
        """
        study, layer = self.session.study, self.of.partition(":")[0]
        if study is None:
            raise MethodError("Concepts need a study of this model; expected nbt.inspect(…, study=…).")
        if not layer.isdecimal() or int(layer) not in study.layers:
            raise MethodError(f"of is {self.of[:80]!r}; expected one of the study's layers {list(study.layers)}.")
        return study.dictionary(int(layer))

    @property
    def concept(self) -> tuple[ConceptDictionary, int]:
        """The dictionary and the row of the concept that ``of`` names, as ``"layer:concept"``.

        Raises
        ------
        MethodError
            There is none.
        """
        cd, (_, _, row) = self.dictionary, self.of.partition(":")
        if not row.isdecimal() or int(row) >= cd.n_concepts:
            raise MethodError(
                f"of is {self.of[:80]!r}; expected 'layer:concept', concepts of layer {cd.layer} from 0 to {cd.n_concepts - 1}."
            )
        cd.require_decoder("a direction that the model reads")
        return cd, int(row)
