"""The views: each pane alone, and the Explorer that joins them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import traitlets

from ..storage.study import Study
from .base import STATE, StudyView
from .guide import checked, holds


class LayerSlider(StudyView):
    """Where meaning appears: one slot a layer, with the curves of CLIPScore and reconstruction error."""

    kind = "layers"


class ConceptGallery(StudyView):
    """The concepts of one layer: exemplars and words on one card, with search, sort and activation histogram.

    Examples
    --------
    >>> import nbtoolkit as nbt, traitlets
    >>> model, data = nbt.load_model("toy"), nbt.load_data("toy", n=200)
    >>> study = nbt.study(model, data, "train", method=nbt.SemiNMF(4, random_state=0), progress=False)
    >>> slider, gallery = LayerSlider(study), ConceptGallery(study)
    >>> link = traitlets.link((slider, "layer"), (gallery, "layer"))
    >>> slider.layer = 2
    >>> gallery.layer
    2
    """

    kind = "gallery"


class SampleAttribution(StudyView):
    """One picture: what the model said with the token marked, and its strongest concepts as bars."""

    kind = "sample"


class Explorer(StudyView):
    """All panes in one widget with one shared state: layers above, gallery and picture side by side.

    Parameters
    ----------
    study, **options
        See :class:`StudyView`.
    steps
        A lesson: dicts with ``say`` (what the reader is told), and where wanted ``set`` (traits that are set as the step
        begins) and ``check`` (the values, or lists of values, that the reader has to reach; without it there is a button).

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> study = nbt.study(nbt.load_model("toy"), nbt.load_data("toy", n=200), "train", method=nbt.SemiNMF(4, random_state=0), progress=False)
    >>> Explorer(study, layer=5, concept=2).concept
    2
    >>> lesson = [{"say": "Go to the last layer.", "set": {"layer": 1}, "check": {"layer": 5}}, {"say": "Well done."}]
    >>> view = Explorer(study, steps=lesson)
    >>> view.layer = 5
    >>> view.progress
    (1, 2)
    """

    kind = "explorer"

    steps = traitlets.List(traitlets.Dict(), help="Guided steps.").tag(sync=True)
    step = traitlets.Int(0, help="How many of the steps are done.").tag(sync=True)

    def __init__(self, study: Study, *, steps: Sequence[Mapping[str, Any]] = (), **options: Any) -> None:
        lesson = checked(steps, STATE)
        super().__init__(study, **options)
        if lesson:
            self.steps = lesson
            self._begin()
            self.observe(self._look, [*STATE, "step"])

    @property
    def progress(self) -> tuple[int, int]:
        """Steps that are done, and all."""
        return self.step, len(self.steps)

    def _shown(self) -> dict[str, Any]:
        return {**self.state(), "steps": self.steps, "step": self.step}

    def _begin(self) -> None:
        for name, value in self.steps[self.step]["set"].items():
            setattr(self, name, value)

    def _look(self, change: Any) -> None:
        if change["name"] == "step":
            if self.step < len(self.steps):
                self._begin()
        elif self.step < len(self.steps) and holds(self.steps[self.step]["check"], self.state()):
            self.step += 1
