"""What every view of a study shares: the study, the traits that follow a selection, live requests, and the exported page."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import traitlets

from ..errors import NbtoolkitError
from ..options import options
from ..storage.study import Study
from ..strict_json import as_json, dump_json
from . import bulk, payloads, threads
from .base import STATIC, state_trait
from .channel import Operations
from .following import Following
from .page import frame_size, still
from .page_images import add_images
from .photograph_view import PhotographView, exported
from .picture import Picture
from .requests import StudyRequests, id_of
from .snapshot import Snapshot
from .study_picture import study_picture


class StudyView(Following, PhotographView):
    """A view of one study. All have the traits below, so ``traitlets.link`` and ``ipywidgets.jslink`` join any two.

    Parameters
    ----------
    study
        The study.
    session
        A model that answers the view's requests (:class:`nbtoolkit.live.Session`), or None.
    **state
        Where to start: values of the traits. Without ``layer`` the layer of highest CLIPScore, without ``sample`` the
        concept's strongest, without ``labels`` those of the study. :meth:`state` gives them back.
    """

    layer = state_trait(traitlets.Int(help="Layer whose dictionary is shown."))
    concept = state_trait(
        traitlets.Int(None, allow_none=True, help="Selected concept: its row in the dictionary of the layer.")
    )
    sample = state_trait(traitlets.Unicode(None, allow_none=True, help="Id of the selected image's sample."))
    metric = state_trait(
        traitlets.Unicode(help='Score that is drawn per layer; "" for the first two, "all" for all of them.')
    )
    labels = state_trait(
        traitlets.Dict(
            key_trait=traitlets.Unicode(),
            value_trait=traitlets.Unicode(),
            help='Names of concepts: "layer:concept" to the name.',
        )
    )
    pinned = state_trait(traitlets.List(traitlets.Unicode(), help='Concepts at the top of the list: "layer:concept".'))

    def __init__(self, study: Study, *, session: Any = None, **state: Any) -> None:
        if not isinstance(study, Study):
            raise NbtoolkitError(
                f"{type(self).__name__} was given a {type(study).__name__}; expected a Study, from nbt.study(…) or nbt.open_study(path)."
            )
        self._refuse_unknown(state)
        self._study, self._session = study, session
        start = {name: value for name, value in state.items() if value is not None or name == "concept"}
        layer = study.dictionary(start["layer"]).layer if "layer" in start else best_layer(study)
        concept, labels = start.get("concept", 0), dict(start.get("labels", study.labels))
        sample = start["sample"] if "sample" in start else _strongest(study, layer, concept)
        self._requests = StudyRequests(self, session)
        start["photos"] = self._checked_photos(start.get("photos", []))  # now, for sample may be one of them
        start |= {"layer": layer, "concept": concept, "labels": labels, "sample": sample}
        super().__init__(self._opening(), self._requests.quick(), self._slow_requests(), **start)
        self._selection = self._selected()

    def _slow_requests(self) -> Operations:
        """Requests of the page that take long."""
        return self._requests.slow()

    def _opening(self) -> dict[str, Any]:
        """The data that the view opens with."""
        return payloads.outline(self._study) | {
            "live": None if self._session is None else self._session.facts,
            "locale": options.locale,
        }

    @property
    def study(self) -> Study:
        """The study of the view, with the labels that were given in it: ``view.study.save(path)`` stores them."""
        return self._study if self.labels == self._study.labels else replace(self._study, labels=self.labels)

    def adopt(self, study: Study) -> None:
        """Show the same study with more layers.

        Parameters
        ----------
        study
            From :func:`nbtoolkit.studies.extend`.
        """
        self._study, self._selection = study, (self.layer, self.concept, None)
        self.thread = None  # others have numbers of their own
        self._meta = as_json(self._opening())

    def set_label(self, concept: int, label: str, *, layer: int | None = None) -> None:
        """Name a concept.

        Parameters
        ----------
        concept
            Row in the dictionary.
        label
            The name; an empty one removes it.
        layer
            Layer of the dictionary; the selected one if None.
        """
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
        value = proposal["value"]
        if value is None or self.has_photo(value):
            return value
        try:
            return self._study.sample(id_of(self._study, value)).id
        except NbtoolkitError as error:
            raise traitlets.TraitError(str(error)) from None

    @traitlets.validate("metric")
    def _valid_metric(self, proposal: Any) -> str:
        names = ["", "all", *(curve["name"] for curve in self._meta.get("metrics", []))]
        if proposal["value"] not in names:
            raise traitlets.TraitError(f"metric is {proposal['value']!r}; expected one of {names}.")
        return str(proposal["value"])

    # --- outside a live notebook ------------------------------------------------------------------------

    def to_html(
        self,
        path: str | os.PathLike[str],
        *,
        max_mb: float | None = None,
        maps: bool | Sequence[int] = False,
        progress: bool | Callable[[int, int], None] = True,
    ) -> Path:
        """Write one self-contained page: interactive, without a kernel, without a network, openable from ``file://``.

        Parameters
        ----------
        path
            File to write; it is replaced only once the new one is whole.
        max_mb
            Budget for images, in MB; where None, what other data leaves of 8 MB, at least 2 MB. Exemplars are always
            included, smaller ones where they would not fit; other images as far as they fit. A warning says how many are
            left out, how small the exemplars are, and whether they alone exceed the budget.
        maps
            With a live model: whether the page includes, for the exemplars of the selected layer (or of these layers), the
            heat maps of the concepts, the concepts of every token of the response, the attribution, the ablation of each
            layer, and the strongest concepts steered both ways. This takes one response per image, passes from the layer
            onward for each active concept, and 20 with gradients.
        progress
            ``True`` for a bar while the model runs, ``False`` for none, or a function of (done, total).

        Returns
        -------
        pathlib.Path
            The file.
        """
        meta = self._opening() | payloads.content(self._study) | {"live": None, "threads": threads.payload(self._study)}
        title = f"“{self._study.token}” in {payloads.short(self._study.source.model)}"
        data = payloads.embedded(self._study)
        data |= {"matches": threads.all_matches(self._study), "bulk": bulk.embedded(self._study)}
        data["photos"] = exported(self, self._session)
        if maps:
            layers = [self.layer] if maps is True else [self._study.dictionary(layer).layer for layer in maps]
            data["results"] = self._requests.exemplar_results(layers, progress)
        add_images(self._study, data, max_mb, len(dump_json([meta, data]).encode()) + frame_size(STATIC))
        return self._write_page(path, title, meta, data)

    def _preview(self, n_concepts: int, size: int, quality: int, note: str) -> str:
        study, layer = self.study, self.layer
        g, names, rows = study.grounding(layer), threads.names(study, layer), []
        order = np.argsort(-payloads.energy(study.dictionary(layer)), kind="stable")
        for k in [int(k) for k in order if g.exemplars[k]][:n_concepts]:
            words = " · ".join(g.words[k][:5]) or "no word passed the filter"
            rows.append((names[k], words, [study.sample(i) for i in g.exemplars[k] if i in study.rows][:6]))
        return still(f"“{study.token}” at layer {layer}: the strongest concepts. {note}", rows, size, quality)

    def _rules(self, meta: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        n = max(d.n_concepts for d in self._study.dictionaries.values())
        metrics = ["", "all", *(curve["name"] for curve in meta["metrics"])]
        return {
            "layer": {"kind": "choice", "values": list(self._study.layers)},
            "concept": {"kind": "int", "min": 0, "max": n - 1},
            "sample": {"kind": "id"},
            "metric": {"kind": "choice", "values": metrics},
        }

    def _picture(self) -> Picture:
        return study_picture(self)

    def snapshot(self, n_concepts: int = 12) -> Snapshot:
        """Picture of the view as it is, 1200 × 630 pixels, and its concepts as HTML: what can be sent and outlives the kernel.

        Parameters
        ----------
        n_concepts
            Number of concepts of the HTML, the strongest first.

        Returns
        -------
        Snapshot
            Displayed by notebooks as HTML without scripts; ``snapshot.save("dog.png")`` writes the picture.
        """
        threads.threads_of(
            self._study
        )  # whose colours the page has; the picture beside a widget does not wait for them
        return super().snapshot(n_concepts)

    def __repr__(self) -> str:
        return f"{type(self).__name__} of {self._study.token!r}: layer {self.layer}, concept {self.concept}, sample {self.sample!r}"


def best_layer(study: Study) -> int:
    """Layer of highest CLIPScore, or the last one of a study without a scorer.

    Parameters
    ----------
    study
        The study.
    """
    scored = {layer: s.values["clip_score"] for layer, s in study.scores.items() if "clip_score" in s.values}
    return max(scored, key=scored.__getitem__) if scored else study.layers[-1]


def _strongest(study: Study, layer: int, concept: int | None) -> str:
    """Id of the concept's first exemplar; of the first sample where it has none."""
    exemplars = study.grounding(layer).exemplars
    row = concept if concept is not None and 0 <= concept < len(exemplars) else 0
    return next((i for i in exemplars[row] if i in study.rows), study.samples[0].id)
