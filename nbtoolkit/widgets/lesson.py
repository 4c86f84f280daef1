"""A lesson in a view: guided steps that set traits, and wait until the reader has reached theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import traitlets

from . import guide
from .base import View, state_trait

TRAITS = ("steps", "step")


class Lesson(View):
    """A view with guided steps.

    Parameters
    ----------
    *subject
        What the view is of.
    steps
        Dicts of :func:`nbtoolkit.widgets.guide.checked`.
    **options
        Those of the view.
    """

    steps = state_trait(traitlets.List(traitlets.Dict(), help="Guided steps."))
    step = state_trait(traitlets.Int(0, help="Number of steps that are done."))
    set_last: tuple[str, ...] = ()  # traits that a step sets after the others, which change them

    def __init__(self, *subject: Any, steps: Sequence[Mapping[str, Any]] = (), **options: Any) -> None:
        lesson = self._present(guide.checked(steps, self._lesson_traits()))
        super().__init__(*subject, steps=lesson, **options)
        if lesson:
            if "step" not in options:
                self._begin_step()
            self.observe(self._check_step, [*self._lesson_traits(), "step"])

    def _present(self, steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The steps with names of traits' values as they are today."""
        return steps

    @classmethod
    def _lesson_traits(cls) -> list[str]:
        return [name for name in cls.state_names() if name not in TRAITS]

    def _trait_defaults(self) -> dict[str, Any]:
        """Defaults of the state traits that are no lesson, for the page."""
        traits = {name: trait for name, trait in self.traits(state=True).items() if name not in TRAITS}
        return {name: trait.default(self) for name, trait in traits.items()}

    @property
    def progress(self) -> tuple[int, int]:
        """Number of steps that are done, and of all steps."""
        return self.step, len(self.steps)

    @traitlets.validate("step")
    def _valid_step(self, proposal: traitlets.Bunch) -> int:
        n = len(self.steps)
        if not 0 <= proposal["value"] <= n:
            raise traitlets.TraitError(f"step is {proposal['value']}; expected 0 … {n}.")
        return int(proposal["value"])

    def _begin_step(self) -> None:
        traits = self.steps[self.step]["set"]
        for name in sorted(traits, key=lambda name: name in self.set_last):
            setattr(self, name, traits[name])

    def _check_step(self, change: traitlets.Bunch) -> None:
        if change["name"] == "step":
            if self.step < len(self.steps):
                self._begin_step()
        elif self.step < len(self.steps) and guide.holds(self.steps[self.step]["check"], self.state()):
            self.step += 1
