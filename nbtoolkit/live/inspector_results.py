"""Results of an Inspector that were paid for, what others cost, and which are refused."""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import torch

from ..errors import Cancelled, MethodError, ModelError, NbtoolkitError, first_line
from ..storage.study import Study
from ..types.measurement import Measurement
from ..types.rules import suggestion
from .inspector_case import Case
from .inspector_edited import measure_edited
from .inspector_instruments import INSTRUMENTS
from .inspector_passes import following
from .inspector_side import Side

N_RESULTS = 256  # measurements in memory


@dataclass(frozen=True, eq=False)
class Result:
    """A measurement that was paid for.

    Attributes
    ----------
    measurement
        The measurement; its target is that of the case.
    seconds
        How long it took.
    """

    measurement: Measurement
    seconds: float


class Results:
    """Measurements by what was asked for; the last 256 stay, and so does why others were refused."""

    def __init__(self) -> None:
        self._results: OrderedDict[tuple[Any, ...], Result] = OrderedDict()
        self._refusals: OrderedDict[tuple[Any, ...], tuple[type[NbtoolkitError], str]] = OrderedDict()
        self._rates: dict[str, float] = {}

    def measure(self, name: str, case: Case, progress: Any = None, cancel: Any = None) -> Result:
        """A result, from memory where it was measured before.

        Parameters
        ----------
        name
            The instrument.
        case
            What it is asked for.
        progress, cancel
            Called with (done, total), in passes; and the event that stops the measurement.

        Raises
        ------
        NbtoolkitError
            There is no such instrument, or it refuses the model or the target.
        """
        if name not in INSTRUMENTS:
            raise MethodError(
                f"There is no instrument {name!r}.{suggestion(name, INSTRUMENTS)} Known: {', '.join(INSTRUMENTS)}."
            )
        place = _place(name, case)
        if place in self._refusals:
            kind, text = self._refusals[place]
            raise kind(text)
        if place not in self._results:
            self._results[place] = self._measured(name, case, place, progress, cancel)
            while len(self._results) > N_RESULTS:
                self._results.popitem(last=False)
        self._results.move_to_end(place)
        result = self._results[place]
        return replace(result, measurement=replace(result.measurement, target=case.target))

    def measurements(self, sides: Collection[int]) -> dict[str, Measurement]:
        """Measurements of some sides by ``"side|target|foil|name|of"``; those under edits are left out.

        Parameters
        ----------
        sides
            Identities of the sides.
        """
        return {
            "|".join(place[1:6]): result.measurement
            for place, result in self._results.items()
            if place[0] in sides and place[1] != "edited"
        }

    def estimate(self, name: str, side: Side) -> float:
        """Seconds that an instrument will take: its passes, at the speed of its last measurement or of one pass of the model.

        Parameters
        ----------
        name
            The instrument.
        side
            The side.
        """
        return INSTRUMENTS[name].passes(side) * self._rates.get(name, side.seconds)

    def _measured(self, name: str, case: Case, place: tuple[Any, ...], progress: Any, cancel: Any) -> Result:
        instrument = INSTRUMENTS[name]
        passes, start = instrument.passes(case.side), time.perf_counter()
        try:
            if reason := refusal(name, case.side, case.session.study):
                raise MethodError(reason)
            with following(case.side.model, passes, case.side.whole.n_positions, progress, cancel):
                m = measure_edited(name, case) if case.which == "edited" else instrument.measure(case)
        except Cancelled:
            raise
        except NbtoolkitError as error:
            self._refusals[place] = type(error), str(error)  # it would be the same again
            while len(self._refusals) > N_RESULTS:
                self._refusals.popitem(last=False)
            raise
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise ModelError(
                f"{instrument.title} does not fit into memory ({first_line(error)}); expected less. Take a smaller image, or another dtype."
            ) from None
        seconds = time.perf_counter() - start
        self._rates[name] = seconds / passes
        return Result(replace(m, target=None), seconds)  # a target keeps the states of its pass in memory


def _place(name: str, case: Case) -> tuple[Any, ...]:
    edits = json.dumps(list(case.edits), sort_keys=True)
    return (id(case.side), case.which, case.side.word(case.key).key, case.target.foil, name, case.of, edits)


def refusal(name: str, side: Side, study: Study | None) -> str:
    """Why an instrument cannot measure any word of a side; empty where it can.

    Parameters
    ----------
    name
        The instrument.
    side
        The side.
    study
        The study of the session.
    """
    instrument = INSTRUMENTS[name]
    if instrument.image and side.whole.image_span is None:
        return (
            f"{instrument.title} needs image positions, and {side.model.name} has none in its decoder (the image enters through "
            "cross-attention or an encoder)."
        )
    if instrument.of in ("layer:concept", "layer") and study is None:
        return f"{instrument.title}: there is no study; expected one of this model. Open the Inspector with study=…"
    return ""
