"""What every view shares: one study, the traits ``layer``, ``concept`` and ``sample``, a request channel, and export."""

from __future__ import annotations

import difflib
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from ..atomic import write_text
from ..errors import NbtoolkitError
from ..settings import options
from ..storage.study import Study
from . import encode
from .answers import Answers, Progress
from .channel import Channel
from .export import page
from .preview import Snapshot, preview

STATIC = Path(__file__).parent / "static"
STATE = ("layer", "concept", "sample", "metric", "labels", "pinned")


def asset(name: str) -> str | Path:
    """Text in production; a watched path while developing with ``ANYWIDGET_HMR=1`` (a path keeps closed widgets alive)."""
    path = STATIC / name
    return path if os.getenv("ANYWIDGET_HMR") == "1" else path.read_text("utf-8")


class StudyView(anywidget.AnyWidget):
    """A view of one study. All views have the same three traits, so ``traitlets.link`` and ``jslink`` join any two.

    Parameters
    ----------
    study
        What to show.
    layer, concept, sample, metric, labels, pinned
        Where to start; see the traits. :meth:`state` gives them back. Labels are the study's where not given.
    live
        A model to ask (:class:`nbtoolkit.live.Live`), or None.
    """

    _esm = asset("nbtoolkit.js")
    _css = asset("nbtoolkit.css")

    layer = traitlets.Int(help="Layer whose dictionary is shown.").tag(sync=True)
    concept = traitlets.Int(
        None, allow_none=True, help="Selected concept: its row in the dictionary of the layer."
    ).tag(sync=True)
    sample = traitlets.Unicode(None, allow_none=True, help="Id of the selected picture.").tag(sync=True)

    metric = traitlets.Unicode(help='Score that is drawn by layer; "" for the first two, "all" for all.').tag(sync=True)
    labels = traitlets.Dict(
        key_trait=traitlets.Unicode(),
        value_trait=traitlets.Unicode(),
        help='Names of concepts: "layer:concept" to the name.',
    ).tag(sync=True)
    pinned = traitlets.List(traitlets.Unicode(), help='Concepts that stay on top: "layer:concept".').tag(sync=True)

    _own: Any = traitlets.Bytes(None, allow_none=True, help="A picture of the reader's, as JPEG.").tag(sync=True)
    _kind = traitlets.Unicode().tag(sync=True)
    _meta = traitlets.Dict().tag(sync=True)
    kind = "explorer"

    def __init__(
        self,
        study: Study,
        *,
        layer: int | None = None,
        concept: int | None = 0,
        sample: str | None = None,
        metric: str = "",
        labels: Mapping[str, str] | None = None,
        pinned: Sequence[str] = (),
        live: Any = None,
        **unknown: Any,
    ) -> None:
        if not isinstance(study, Study):
            raise NbtoolkitError(
                f"{type(self).__name__} was given a {type(study).__name__}; expected a Study, from nbt.study(…) or nbt.open_study(path)."
            )
        if unknown:
            name = next(iter(unknown))
            near = difflib.get_close_matches(name, STATE, 1)
            raise TypeError(
                f"{type(self).__name__} has no option {name!r}."
                + (f" Did you mean {near[0]!r}?" if near else f" Known: {', '.join(STATE)}.")
            )
        self._study = study
        start = best_layer(study) if layer is None else study.dictionary(layer).layer
        if sample is None:
            exemplars = study.grounding(start).exemplars
            row = concept if concept is not None and 0 <= concept < len(exemplars) else 0
            sample = (exemplars[row] or [study.samples[0].id])[0]
        self._live = live
        self._answers = Answers(self, live)
        self._channel = Channel(lambda *message: self.send(*message), self._answers.quick(), self._answers.slow())
        super().__init__(
            _kind=self.kind,
            _meta=self._described(),
            layer=start,
            concept=concept,
            sample=sample,
            metric=metric,
            labels=dict(study.labels if labels is None else labels),
            pinned=list(pinned),
        )
        self.on_msg(self._channel.receive)

    def _described(self) -> dict[str, Any]:
        return encode.outline(self._study) | {
            "live": None if self._live is None else self._live.facts,
            "locale": options.locale,
        }

    @property
    def study(self) -> Study:
        """The study behind the view, with the labels that were given in it: ``view.study.save(path)`` keeps them."""
        return self._study if self.labels == self._study.labels else replace(self._study, labels=self.labels)

    def state(self) -> dict[str, Any]:
        """Give what it takes to open the view as it is: ``type(view)(study, **view.state())``."""
        return {name: getattr(self, name) for name in STATE}

    def _shown(self) -> dict[str, Any]:
        """Traits that an exported page begins with."""
        return self.state()

    def set_label(self, concept: int, label: str, *, layer: int | None = None) -> None:
        """Name a concept of a layer (the one shown, where not given); an empty label takes the name away."""
        key = f"{self._study.dictionary(self.layer if layer is None else layer).layer}:{concept}"
        self._study.dictionary(int(key.partition(":")[0])).concept(concept)
        self.labels = {k: v for k, v in {**self.labels, key: label.strip()}.items() if v}

    @traitlets.validate("layer")
    def _valid_layer(self, proposal: Any) -> int:
        if proposal["value"] not in self._study.dictionaries:
            raise traitlets.TraitError(
                f"layer is {proposal['value']}; this study has the layers {list(self._study.layers)}."
            )
        return int(proposal["value"])

    @traitlets.validate("concept")
    def _valid_concept(self, proposal: Any) -> int | None:
        value, n = proposal["value"], max(d.n_concepts for d in self._study.dictionaries.values())
        if value is not None and not 0 <= value < n:
            raise traitlets.TraitError(f"concept is {value}; expected None or 0 … {n - 1}.")
        return value

    @traitlets.validate("sample")
    def _valid_sample(self, proposal: Any) -> str | None:
        try:
            return None if proposal["value"] is None else self._study.sample(proposal["value"]).id
        except NbtoolkitError as error:
            raise traitlets.TraitError(str(error)) from None

    @traitlets.validate("metric")
    def _valid_metric(self, proposal: Any) -> str:
        known = ["", "all", *(curve["name"] for curve in self._meta.get("metrics", []))]
        if proposal["value"] not in known:
            raise traitlets.TraitError(f"metric is {proposal['value']!r}; expected one of {known}.")
        return str(proposal["value"])

    def notify_change(self, change: Any) -> None:
        """Tell observers; what one of them raises is shown in the view too, where a change began there."""
        try:
            super().notify_change(change)
        except Exception as error:
            self.send({"kind": "failure", "text": f"{type(error).__name__}: {error}"})
            raise

    def close(self) -> None:
        """Close the view, and stop what it computes."""
        if hasattr(self, "_channel"):  # refused before it was made
            self._channel.close()
            self._meta, self._own = {}, None  # hosts and IPython's Out keep closed widgets
        super().close()

    def explain(self, picture: Any) -> dict[str, Any]:
        """Take a picture apart that the study does not have, at the layer that is shown, and show it in the view.

        Parameters
        ----------
        picture
            A path, a PIL image or encoded bytes; sent to the page as a JPEG of at most 1,024 pixels.

        Returns
        -------
        dict
            As of :meth:`nbtoolkit.live.Live.explain`: ``pieces``, ``activations``, ``unexplained``.

        Raises
        ------
        NbtoolkitError
            The view has no model, the picture cannot be read, or the model does not say the token about it.
        """
        if self._live is None:
            raise NbtoolkitError("explain needs a model; open the view with nbt.explore(study, model).")
        jpeg = self._live.own(picture)
        found: dict[str, Any] = self._live.explain(jpeg, at=self.layer)
        self._answers.own = {self.layer: found}
        self._own = jpeg
        return found

    # --- outside a live notebook ------------------------------------------------------------------------

    def to_html(
        self,
        path: str | os.PathLike[str],
        *,
        max_mb: float = 20.0,
        maps: bool | Sequence[int] = False,
        progress: Progress = True,
    ) -> Path:
        """Write one self-contained page: interactive, without a kernel, without a network, openable from ``file://``.

        Parameters
        ----------
        path
            File to write; it is replaced only once the new one is whole.
        max_mb
            Budget for pictures, in MB; exemplars are always in, the other pictures as far as they fit. A warning says how
            many are not, and whether the exemplars alone are over the budget.
        maps
            With a live model: whether the page shows where the concepts of the layer that is shown (or of these layers) lie
            in their exemplars, what every word of the answers means, and what the token owes to each concept. The model
            answers once for each of these pictures, and goes on from the layer once for each concept.
        progress
            ``True`` for a bar while the model runs, ``False`` for none, or a function of (done, total).

        Returns
        -------
        pathlib.Path
            The file.
        """
        meta = self._described() | encode.content(self._study) | {"live": None}
        state = {"_kind": self.kind, "_meta": meta, **self._shown()}
        title = f"“{self._study.token}” in {self._study.source.model} · nbtoolkit"
        data = encode.embedded(self._study, max_mb)
        if maps:
            layers = [self.layer] if maps is True else [self._study.dictionary(layer).layer for layer in maps]
            data["told"] = self._answers.of_exemplars(layers, progress)
        size = sum(map(len, data["images"].values())) / 1e6
        if data["left_out"] or size > max_mb:
            warnings.warn(
                f"The pictures of the page take {size:.1f} MB of max_mb={max_mb:g}; {data['left_out']} of {len(self._study.samples)} are left out.",
                stacklevel=2,
            )
        return write_text(path, page(title, state, data, STATIC))

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        still = {"text/html": preview(self)} if options.preview else {}
        return data | {"text/plain": repr(self), **still}, metadata

    def snapshot(self, n_concepts: int = 12) -> Snapshot:
        """Give the layer that is shown as a picture without scripts: as a cell's output it survives a kernel restart.

        Parameters
        ----------
        n_concepts
            How many concepts, the strongest first.
        """
        return Snapshot(preview(self, n_concepts, 64, 82, "The interactive view needs its cell to be run again."))

    def __repr__(self) -> str:
        return f"{type(self).__name__} of {self._study.token!r}: layer {self.layer}, concept {self.concept}, sample {self.sample!r}"


def best_layer(study: Study) -> int:
    """Layer of highest CLIPScore, or the last one where there is no judge."""
    scored = {layer: s.values["clip_score"] for layer, s in study.scores.items() if "clip_score" in s.values}
    return max(scored, key=scored.__getitem__) if scored else study.layers[-1]
