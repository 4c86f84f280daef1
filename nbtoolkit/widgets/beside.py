"""The Inspector beside an Explorer: one selection of layer and concept, shown below it in the same output."""

from __future__ import annotations

from typing import Any

import traitlets
from ipywidgets import Widget
from ipywidgets.widgets.widget import widget_serialization

from ..errors import Cancelled, NbtoolkitError
from .channel import Job, Operations, Reply
from .lesson import Lesson
from .study_view import StudyView


class InspectorBeside(Lesson, StudyView):
    """A view of a study that opens the Inspector of its selected image."""

    inspector = traitlets.Instance(
        Widget, allow_none=True, help="The Inspector that is shown below the view; None closes it."
    ).tag(sync=True, **widget_serialization)
    cleared = ("inspector",)

    def inspect(self, sample: str | None = None, **state: Any) -> Any:
        """Open the Inspector of an image and its response, with the concepts of the study.

        Its layer and concept follow those of the view, and the other way round where the study has the layer.

        Parameters
        ----------
        sample
            Id of the sample; the selected one if None.
        **state
            As for :func:`nbtoolkit.inspect`: ``foil``, ``other``, ``compute``, and the traits of the Inspector.

        Returns
        -------
        Inspector

        Raises
        ------
        NbtoolkitError
            The view has no model, or no sample of this id.
        """
        if self._session is None:
            raise NbtoolkitError("inspect needs a model; open the view with nbt.explore(study, model).")
        chosen = self.sample if sample is None else sample
        if chosen is None:
            raise NbtoolkitError("sample is None; expected the id of the image to inspect.")
        own = self.photograph(chosen)
        if own is None:
            chosen = self._study.sample(chosen).id
        else:
            self._session.lend(own)
        start = {"layer": self.layer, "concept": self.concept}
        view = self._session.inspector(chosen, **(start | state))
        join(self, view)
        return view

    def _slow_requests(self) -> Operations:
        return super()._slow_requests() | ({} if self._session is None else {"inspect": self._inspect})

    def _inspect(self, job: Job, sample: str) -> Reply:
        """Open the Inspector below the view, at the wish of the page."""
        if job.cancel.is_set():
            raise Cancelled("Cancelled before it started.")
        self.inspector = self.inspect(self._requests._id(sample))
        return {}, []

    @traitlets.observe("inspector")
    def _replaced(self, change: traitlets.Bunch) -> None:
        if isinstance(change["old"], Widget):
            change["old"].close()

    def _release(self) -> None:
        super()._release()
        self.inspector = None


def join(explorer: StudyView, inspector: Any) -> None:
    """Have two views share layer and concept, as far as both have them, until one is closed.

    Parameters
    ----------
    explorer
        A view of a study.
    inspector
        An Inspector with the same study.
    """
    names = ["layer", "concept"]

    def to_inspector(change: traitlets.Bunch) -> None:
        if inspector.comm is None or explorer.comm is None:
            explorer.unobserve(to_inspector, names)
        else:
            setattr(inspector, change["name"], change["new"])

    def to_explorer(change: traitlets.Bunch) -> None:
        if inspector.comm is None or explorer.comm is None:
            inspector.unobserve(to_explorer, names)
        elif inspector.layer in explorer.study.dictionaries:
            with explorer.hold_trait_notifications():
                explorer.layer, explorer.concept = inspector.layer, inspector.concept

    explorer.observe(to_inspector, names)
    inspector.observe(to_explorer, names)
