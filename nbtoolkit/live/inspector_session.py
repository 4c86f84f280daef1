"""The session of an Inspector: sides, a lock, and the results that were paid for. Its operations return plain data."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ..storage.study import Study
from ..strict_json import encodable
from ..targets.target import Target
from ..types.measurement import Measurement
from ..widgets.inspector_edits import Facts, checked
from .inspector_case import Case
from .inspector_opening import opening
from .inspector_operations import OPERATIONS, Operation, Reply
from .inspector_reading import Reading, read
from .inspector_results import Result, Results
from .inspector_side import Side
from .inspector_sides import Sides
from .registry import run


class InspectorSession:
    """Model, image, question, response and word behind an Inspector, and what was measured of them.

    Parameters
    ----------
    side
        The side that is inspected.
    key
        Key of the target word.
    foil
        Word that it is compared with; empty for none.
    other
        The second side, or None.
    follows
        Whether the second side is asked what the first is asked.
    study
        A study of the model, for concepts.
    compute
        Instruments that are measured at once for every target.

    Attributes
    ----------
    sides
        ``"a"``, and ``"b"`` where there is a second one; a mapping.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> session = InspectorSession(Side(nbt.load_model("toy"), nbt.load_data("toy", n=1)[0]["image"]), "a")
    >>> session.measurement("attention").values.dims
    ('layer', 'head', 'patch')
    """

    operations: Mapping[str, Operation] = OPERATIONS

    def __init__(
        self,
        side: Side,
        key: str,
        foil: str = "",
        *,
        other: Side | None = None,
        follows: bool = False,
        study: Study | None = None,
        compute: Sequence[str] = (),
    ) -> None:
        self.sides = Sides(side, other, follows=follows)
        self.key, self.foil, self.study, self.compute = side.word(key).key, encodable(foil), study, tuple(compute)
        self._lock = threading.RLock()
        self._results = Results()

    def meta(self) -> dict[str, Any]:
        """The facts that a view opens with; see :func:`nbtoolkit.live.inspector_opening.opening`."""
        with self.exclusive():
            return opening(self)

    def run(
        self,
        name: str,
        question: Mapping[str, Any],
        *,
        progress: Callable[[int, int], None] | None = None,
        cancel: threading.Event | None = None,
    ) -> Reply:
        """Run an operation.

        Parameters
        ----------
        name
            Its name; see ``operations``.
        question
            Its arguments, as JSON.
        progress, cancel
            Called with (done, total) by operations that report; and the event that stops those that can be stopped.

        Returns
        -------
        dict, or dict and list of bytes

        Raises
        ------
        NbtoolkitError
            There is no such operation, or it refuses the arguments.
        """
        result: Reply = run(self, name, question, progress=progress, cancel=cancel)
        return result

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Context in which this thread has the models to itself."""
        with self._lock:
            yield

    def facts(self) -> Facts:
        """What edits of side a are checked against."""
        side, study = self.sides["a"], self.study
        concepts = {} if study is None else {layer: study.dictionary(layer).n_concepts for layer in study.layers}
        n = (side.model.n_layers, side.model.n_heads, len(side.patches[0]), side.whole.n_positions)
        return Facts(*n, concepts, self.sides.opposite("a") is not None)

    def reading(self, case: Case) -> Reading:
        """The word without edits, read once.

        Parameters
        ----------
        case
            The case.
        """
        memory, key = case.side.readings, case.side.word(case.key).key
        if key not in memory:
            memory[key] = read(case, ())
        own: Reading = memory[key]
        return own

    def target(self, key: str = "", foil: str | None = None, *, side: str = "a") -> Target:
        """A word as a target.

        Parameters
        ----------
        key
            Its key; the session's where empty.
        foil
            Word that it is compared with; the session's where None.
        side
            ``"a"``, ``"b"``, or ``"edited"``, which is a. On side b, a word that the response there lacks is that of a in the response of a.

        Raises
        ------
        NothingFoundError
            The response lacks the word.
        """
        with self.exclusive():
            return self.case(key or self.key, self.foil if foil is None else foil, side=side).target

    def measurement(
        self,
        name: str,
        key: str = "",
        foil: str | None = None,
        *,
        side: str = "a",
        of: str = "",
        edits: Sequence[Mapping[str, Any]] = (),
        **control: Any,
    ) -> Measurement:
        """A measurement, from memory where it was made before.

        Parameters
        ----------
        name
            The instrument.
        key, foil, side
            As for :meth:`target`.
        of, edits
            As for :func:`nbtoolkit.live.inspector_operations.measure`.
        **control
            ``progress`` and ``cancel``.

        Raises
        ------
        NbtoolkitError
            The instrument refuses the model or the target.
        """
        with self.exclusive():
            case = self.case(key or self.key, self.foil if foil is None else foil, side=side, of=of, edits=edits)
            return self.result(name, case, **control).measurement

    def case(
        self, key: str, foil: str, *, side: str = "a", of: str = "", edits: Sequence[Mapping[str, Any]] = ()
    ) -> Case:
        """What an instrument is asked for.

        Parameters
        ----------
        key, foil, side, of, edits
            As for :func:`nbtoolkit.live.inspector_operations.measure`.
        """
        own = self.sides.of(side, key)
        rules = tuple(checked(edits, self.facts())) if side == "edited" else ()
        return Case(self, side, own, own.word(key).key, own.target(key, foil), of, rules)

    def result(self, name: str, case: Case, progress: Any = None, cancel: Any = None) -> Result:
        """A measurement with how long it took; from memory where it was made before.

        Parameters
        ----------
        name
            The instrument.
        case
            Of :meth:`case`.
        progress, cancel
            As for :meth:`run`.
        """
        with self.exclusive():
            return self._results.measure(name, case, progress, cancel)

    @property
    def measurements(self) -> dict[str, Measurement]:
        """What was measured of the responses that are shown: ``"side|target|foil|name|of"`` to the measurement."""
        with self.exclusive():
            return self._results.measurements({id(side) for side in self.sides.values()})

    def estimate(self, name: str) -> float:
        """Seconds that an instrument will take; see :meth:`nbtoolkit.live.inspector_results.Results.estimate`.

        Parameters
        ----------
        name
            The instrument.
        """
        return self._results.estimate(name, self.sides["a"])

    def ask(self, question: str) -> str:
        """Ask another question; see :meth:`nbtoolkit.live.inspector_sides.Sides.ask`.

        Parameters
        ----------
        question
            The question; empty for the model's own.

        Returns
        -------
        str
            Key of the target: the same word where the new response has it.
        """
        with self.exclusive():
            self.key = self.sides.ask(question, self.key)
            return self.key
