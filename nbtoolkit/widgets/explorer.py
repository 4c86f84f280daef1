"""Explorer: every view of a study in one widget with one state, and the layer ablation of a live model."""

from __future__ import annotations

from typing import Any

import traitlets

from ..errors import NbtoolkitError
from . import edits
from .base import state_trait
from .beside import InspectorBeside
from .concept_gallery import ConceptGallery
from .concept_map import ConceptMap
from .layer_slider import LayerSlider
from .sample_attribution import SampleAttribution

TABS = ("concepts", "river", "map", "compare", "intervene", "image")
FORMER_TABS = {"ablation": "intervene"}  # names of earlier releases


def _present(value: Any) -> Any:
    """Name of a pane, or a list of names, as they are today."""
    if isinstance(value, list | tuple):
        return [_present(item) for item in value]
    return FORMER_TABS.get(value, value) if isinstance(value, str) else value


class Explorer(InspectorBeside, LayerSlider, ConceptGallery, ConceptMap, SampleAttribution):
    """Panes of concepts, layers and interventions beside one image, in one widget with one state.

    Parameters
    ----------
    study
        The study.
    steps
        A lesson: dicts with ``say`` (the instruction), and optionally ``set`` (traits that are set as the step begins)
        and ``check`` (the values, or lists of values, that the reader has to reach; without it there is a button), ``at``
        (the control that is outlined: a trait, ``"search"``, ``"image"``, or a tab such as ``"tab:river"``) and ``hint`` (what
        a wrong choice is answered with: a text, or a text per value, with ``"else"`` for all others).
    **options
        ``session`` and the state; see :class:`nbtoolkit.widgets.study_view.StudyView`.

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
    reading = (
        "A card is a concept: the images that activate it most and the words it is read as; "
        "select an image to see its concepts."
    )
    python_only = ("factors", "steps")

    steer_by = state_trait(
        traitlets.Unicode(
            help='What the slider steers: "" for the selected concept, "word:snow" for a word, "direction:name" for a direction of '
            "explore(…, directions=…).",
        )
    )
    steer_at = state_trait(
        traitlets.Enum(
            edits.POSITIONS, "all", help='Positions that it steers: "all", "image", or "after": from the word on.'
        )
    )
    edits = state_trait(
        traitlets.List(
            traitlets.Dict(),
            help="Edits of the model's forward pass whose effect is shown: ablations of layers, "
            f"{edits.LAYERS_EDIT}, and of concepts, {edits.CONCEPT_EDIT}; steering, {edits.STEER_EDIT}.",
        )
    )
    tab = state_trait(
        traitlets.Enum(
            (*TABS, *FORMER_TABS),
            TABS[0],
            help=f"Pane beside the image: one of {', '.join(TABS)}; 'image' only in a narrow view.",
        )
    )
    page = state_trait(traitlets.Bool(help="Whether the page of the selected concept is in the place of the pane."))
    other_layer = state_trait(
        traitlets.Int(
            None,
            allow_none=True,
            help="Layer that is compared with the selected one; the next one if None.",
        )
    )
    set_last = ("concept", "thread")  # a layer selects one of its own

    def _present(self, steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for step in steps:
            step["check"] |= {name: _present(value) for name, value in step["check"].items() if name == "tab"}
        return steps

    def _opening(self) -> dict[str, Any]:
        return super()._opening() | {"defaults": self._trait_defaults()}

    @traitlets.validate("edits")
    def _valid_edits(self, proposal: traitlets.Bunch) -> list[dict[str, Any]]:
        try:
            facts = {} if self._session is None else self._session.facts
            return edits.checked(proposal["value"], self._study, facts.get("n_heads"), facts.get("directions"))
        except NbtoolkitError as error:
            raise traitlets.TraitError(str(error)) from None

    @traitlets.validate("tab")
    def _valid_tab(self, proposal: traitlets.Bunch) -> str:
        return str(_present(proposal["value"]))

    @traitlets.validate("steer_by")
    def _valid_steer_by(self, proposal: traitlets.Bunch) -> str:
        value: str = proposal["value"]
        kind, colon, name = value.partition(":")
        if value and (kind not in edits.WHAT[1:] or not colon or len(name) > edits.MAX_NAME):
            raise traitlets.TraitError(
                f"steer_by is {value[:100]!r}; expected '', 'word:…' or 'direction:…', at most {edits.MAX_NAME} characters."
            )
        return value

    @traitlets.validate("other_layer")
    def _valid_other_layer(self, proposal: traitlets.Bunch) -> int | None:
        value = proposal["value"]
        if value is not None and value not in self._study.dictionaries:
            raise traitlets.TraitError(
                f"other_layer is {value}; expected None or one of the layers {list(self._study.layers)}."
            )
        return None if value is None else int(value)
