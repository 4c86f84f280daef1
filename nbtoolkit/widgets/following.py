"""The selection of a view of a study follows a thread: another layer selects the concept of the same thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import traitlets

from . import threads
from .base import View, state_trait

if TYPE_CHECKING:
    from ..storage.study import Study

SELECTION = ("layer", "concept", "thread")


class Following(View):
    """Base of the views of a study whose selection follows a thread."""

    thread = state_trait(
        traitlets.Int(
            None,
            allow_none=True,
            help="Thread of the selected concept, which other layers select too; it stays where a layer has no concept of it. "
            "None until it is needed.",
        )
    )

    layer: Any
    concept: Any
    _study: Study
    _selection: tuple[Any, ...] | None = None  # the last one that fits together; None while the view opens

    def notify_change(self, change: Any) -> None:
        """Notify observers, linked views first; then select what follows.

        Parameters
        ----------
        change
            The change, as traitlets describes it.
        """
        super().notify_change(change)
        if change["name"] in SELECTION and self._selection not in (None, self._selected()):
            self._follow()

    def _selected(self) -> tuple[Any, ...]:
        return self.layer, self.concept, self.thread

    def _follow(self) -> None:
        """Select the concept of the thread, or the thread of the concept, whichever was not set."""
        (layer, concept, thread), self._selection = self._selection or (), self._selected()
        chosen, at = self.concept != concept, self.thread != thread
        if chosen and not at and self.layer == layer and not threads.is_ready(self._study):
            self._select(self.concept, None)  # nobody waits for threads that nothing needs yet
            return
        result = threads.threads_of(self._study)
        if result is None:
            return
        if chosen and self.concept is not None:
            self._select(self.concept, result.thread(self.layer, self.concept))
        elif at and self.thread is not None:
            self._select(result.member(self.thread, self.layer), self.thread)
        elif chosen or self.layer != layer:
            if (target := self.thread) is None and concept is not None:
                target = result.thread(layer, concept)
            member = None if target is None else result.member(target, self.layer)
            if chosen:  # None: where the thread has a concept here, this ends the selection
                member, target = None, target if member is None else None
            self._select(member, target)

    def _select(self, concept: int | None, thread: int | None) -> None:
        self._selection = (self.layer, concept, thread)
        with self.hold_trait_notifications():
            self.concept, self.thread = concept, thread

    @traitlets.validate("thread")
    def _valid_thread(self, proposal: traitlets.Bunch) -> int | None:
        value = proposal["value"]
        if value is None:
            return None
        result = threads.threads_of(self._study)
        if result is None:
            raise traitlets.TraitError(f"thread is {value}; expected None. {threads.payload(self._study)['reason']}")
        if not 0 <= value < result.n_threads:
            raise traitlets.TraitError(f"thread is {value}; expected None or 0 … {result.n_threads - 1}.")
        return int(value)
