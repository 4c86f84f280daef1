"""Inspector: one image, one response, one word, and one selection over patches, positions, layers, heads and concepts."""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import traitlets

from ..errors import Cancelled, NbtoolkitError
from ..strict_json import as_json
from .base import asset
from .channel import Job, Operations, Reply
from .inspector_export import Exported
from .inspector_traits import fitting

PLACES = ("patches", "token", "layer", "head", "concept", "ticked", "edits")  # what another response may lack
OF_LAYER = ("concepts",)
OF_CONCEPT = ("concept", "writers")
CERTAIN = 0.99


class Inspector(Exported):
    """Why does the model say this word about this image? From :func:`nbtoolkit.inspect`.

    Parameters
    ----------
    session
        The model behind the view, with what was measured: :class:`nbtoolkit.live.inspector_session.InspectorSession`.
    steps
        A lesson: dicts with ``say``, and optionally ``set``, ``check``, ``at`` and ``hint``, as of the Explorer.
    **state
        Where to start: values of the traits. :meth:`state` gives them back.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> view = nbt.inspect(nbt.load_model("toy"), nbt.load_data("toy", n=1)[0]["image"], word="a")
    >>> view.patches = [9, 8]
    >>> view.target, view.patches
    ('a', [8, 9])
    """

    _esm = asset("inspector.js")
    kind = "inspector"
    reading = (
        "Select a word, patches, a layer or a head: all maps, grids and bars show one selection; "
        "an edit, the response before and after."
    )
    _computed = traitlets.List(traitlets.Unicode(), help="Keys of what Python computed.").tag(sync=True)
    later, page_script = "inspector_tools.js", "inspector_page.js"
    python_only = ("steps",)

    def __init__(self, session: Any, *, steps: Sequence[Mapping[str, Any]] = (), **state: Any) -> None:
        if not hasattr(session, "operations"):
            raise NbtoolkitError(
                f"Inspector was given a {type(session).__name__}; expected a session. Open it with nbt.inspect(model, image)."
            )
        self._refuse_unknown(state)
        self._session = session
        self._answers = OrderedDict()
        meta = session.meta()
        start = {"target": meta["token"], "foil": meta["foil"], "question": meta["sides"]["a"]["question"]}
        start |= {"layer": meta["n_layers"]} | ({} if meta["sides"]["a"]["geometry"] else {"metric": ""})
        start["unit"] = _unit(meta)
        super().__init__(self._opening(meta), {}, self._slow(), steps=steps, **(start | state))
        self.observe(self._asked, "question")

    def _slow(self) -> Operations:
        return {name: self._live(name) for name in self._session.operations}

    def _live(self, name: str) -> Callable[..., Reply]:
        @functools.wraps(self._session.operations[name])  # its signature declares what a page may send
        def run(job: Job, **question: Any) -> Reply:
            if job.cancel.is_set():  # while it waited for its turn
                raise Cancelled("Cancelled before it started.")
            result = self._session.run(name, question, progress=job.progress, cancel=job.cancel)
            if name == "ask":
                self._adopt()
            if name == "edit":
                self._remember(question, result)
            return result if isinstance(result, tuple) else (result, [])

        return run

    def _adopt(self) -> None:
        """Show what the session has: the response to another question."""
        meta = self._session.meta()
        with self.hold_trait_notifications():
            self._meta = as_json(self._opening(meta))
        with self.hold_sync():
            self.set_trait("question", meta["sides"]["a"]["question"])
            self.target = meta["token"]
            for name, value in fitting(self, PLACES).items():
                setattr(self, name, value)

    def _asked(self, change: traitlets.Bunch) -> None:
        if change["new"] != self._sides["a"]["question"]:
            self._session.run("ask", {"question": change["new"]})
            self._adopt()

    @traitlets.validate("question")
    def _valid_question(self, proposal: traitlets.Bunch) -> str:
        value, side = str(proposal["value"]), self._sides["a"]
        self._expect(
            value == side["question"] or side["questions"], "question", value[:100], "'': the model takes no question"
        )
        self._expect(len(value) <= 4000, "question", f"{len(value)} characters", "at most 4,000 characters")
        return value

    # --- Python ---------------------------------------------------------------------------------------------

    @property
    def subject(self) -> Any:
        """The :class:`nbtoolkit.Target` that the view shows: its word, and its foil."""
        return self._session.target(self.target, self.foil)

    @property
    def measurements(self) -> dict[str, Any]:
        """What was measured of the word, by the name of the instrument: a :class:`nbtoolkit.Measurement` each.

        An instrument that is of something has it in its name, such as ``"concept:4:7"`` or ``"faithfulness:attention"``.
        """
        out = {}
        for place, measurement in self._session.measurements.items():
            side, target, foil, name, of = place.split("|", 4)
            if (side, target, foil) == ("a", self.target, self.foil):
                out[f"{name}:{of}" if of else name] = measurement
        return out

    @property
    def faithfulness(self) -> dict[str, dict[str, float]]:
        """Areas under the curves of deletion and insertion of every map that was tested, 0 to 1, no unit."""
        maps = [name.partition(":")[2] for name in self.measurements if name.startswith("faithfulness:")]
        return {of: dict(self._measure("faithfulness", of)["facts"]) for of in maps}

    def compute(self, *names: str) -> dict[str, Any]:
        """Measure the word with instruments, and show what they give.

        Parameters
        ----------
        *names
            Names of instruments, such as ``"occlusion"``; ``"concept"`` and ``"writers"`` are of the selected concept,
            ``"concepts"`` of the layer, ``"faithfulness"`` of the selected map. ``"faithfulness:occlusion"`` says of what.

        Returns
        -------
        dict
            Name to its :class:`nbtoolkit.Measurement`.

        Raises
        ------
        NbtoolkitError
            An unknown name, or an instrument that refuses the model.
        """
        out = {}
        for full in names:
            name, colon, of = full.partition(":")
            of = of if colon else self._of(name)
            key = f"{name}:{of}" if of else name
            out[key] = self._session.measurement(name, self.target, self.foil, of=of)
            self.send({"kind": "computed", "name": name, "of": of})
        self._computed = list(self._session.measurements)  # for a page that opens later
        return out

    def effect(self, edits: Sequence[Mapping[str, Any]] | None = None) -> dict[str, Any]:
        """Response and word before and after edits.

        Parameters
        ----------
        edits
            The edits; those of the view where None.

        Returns
        -------
        dict
            ``before`` and ``after`` with ``response``, ``probability`` (0 to 1), ``log_prob`` (nats) and ``logit``;
            ``difference`` word by word; ``present``, whether the new response has the word.
        """
        return self._edited("edit", edits)

    def control(self, edits: Sequence[Mapping[str, Any]] | None = None, draws: int = 5) -> dict[str, Any]:
        """The word under random edits of equal size.

        Parameters
        ----------
        edits
            The edits; those of the view where None.
        draws
            Number of random edits.

        Returns
        -------
        dict
            ``draws``, each with ``probability``, ``log_prob`` and ``logit``; ``what``, what is random and what is equal.
        """
        return self._edited("control", edits, draws=draws)

    def _edited(self, name: str, edits: Sequence[Mapping[str, Any]] | None, **more: Any) -> dict[str, Any]:
        own = [dict(edit) for edit in (self.edits if edits is None else edits)]
        question = {"edits": own, "target": self.target, "foil": self.foil, **more}
        result = self._session.run(name, question)
        if name == "edit":
            self._remember(question, result)
        return dict(result)

    def _measure(self, name: str, of: str = "") -> dict[str, Any]:
        """The message that the page has of a measurement."""
        result = self._session.run("measure", {"name": name, "target": self.target, "foil": self.foil, "of": of})
        return dict(result[0])

    def _of(self, name: str) -> str:
        """What an instrument is of, from the selection."""
        layer = self._meta["n_layers"] if self.layer is None else self.layer
        if name in OF_CONCEPT:
            if self.concept is None:
                raise NbtoolkitError(f"concept is None; expected the concept that {name!r} is of. Set view.concept.")
            return f"{layer}:{self.concept}"
        if name in OF_LAYER:
            return str(layer)
        if name != "faithfulness":
            return ""
        if not self.metric:
            raise NbtoolkitError("metric is ''; expected the map that faithfulness is of. Set view.metric.")
        if self.metric == "concept":
            return f"concept:{self._of('concept')}"
        return {"lens": f"lens:{layer}", "head": f"head:{layer}.{self.head or 0}"}.get(self.metric, self.metric)

    def __repr__(self) -> str:
        foil = f" against {self.foil!r}" if self.foil else ""
        return (
            f"Inspector of {self.target!r}{foil} in {self._meta.get('model', 'a closed view')}: layer {self.layer}, "
            f"head {self.head}, {len(self.patches)} patches, {len(self.edits)} edits"
        )


def _unit(meta: Mapping[str, Any]) -> str:
    """Unit of effects to begin with: of a word with a foil, or one that is all but certain, log p says little."""
    certain = any(
        word["key"] == meta["token"] and word["probability"] > CERTAIN for word in meta["sides"]["a"]["words"]
    )
    return "logit" if meta["foil"] or certain else "log_prob"
