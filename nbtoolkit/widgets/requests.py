"""Requests of a study's page: bulk data by id, answered at once; and the operations of a live model, run on a thread."""

from __future__ import annotations

import base64
import contextlib
import functools
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import Cancelled, NbtoolkitError, NothingFoundError
from ..progress import bar
from ..storage.study import Study
from ..strict_json import MARK, encodable
from . import arguments, concept_lists, concept_page, maps_2d, payloads, photograph_view, threads
from .channel import Job, Operations, Reply
from .thumbnails import encoded

AHEAD = 16  # exemplars whose responses are generated together
MAX_BYTES = 2_000_000  # of activations in one message
# operations whose results a page can have
PER_EXEMPLAR = ("concept_maps", "concepts_per_token", "attribution", "interventions_of")


class StudyRequests:
    """Replies of one view of a study.

    Parameters
    ----------
    view
        The :class:`nbtoolkit.widgets.study_view.StudyView`.
    session
        The :class:`nbtoolkit.live.Session` behind it, or None.
    """

    def __init__(self, view: Any, session: Any) -> None:
        self._view, self._session = view, session

    def quick(self) -> Operations:
        """Requests that are answered at once."""
        return {
            "thumbs": self._thumbs,
            "sample": self._sample,
            "activations": self._activations,
            "layer": self._layer,
            "concepts": self._concepts,
            "search": self._search,
            "ids": self._ids,
            "map": self._map,
            "lacking": self._lacking,
            "concept_page": self._concept_page,
            "threads": self._threads,
            "matches": self._matches,
            **photograph_view.requests(self._view, self._session),
        }

    def slow(self) -> Operations:
        """The live operations: whatever the session has registered."""
        return {} if self._session is None else {name: self._live(name) for name in self._session.operations}

    def _thumbs(self, rows: list[int]) -> Reply:
        samples = self._view._study.samples
        return payloads.thumbs(samples, arguments.rows("row", rows, len(samples)))

    def _sample(self, row: int) -> Reply:
        samples = self._view._study.samples
        (row,) = arguments.rows("row", [row], len(samples))
        sample = samples[row]
        return payloads.sample_facts(sample), [encoded(sample)]

    def _activations(self, layer: int, start: int = 0) -> Reply:
        cd = self._view._study.dictionary(layer)
        (start,) = arguments.rows("start", [start], len(cd.activations))
        return payloads.activations(cd, start, MAX_BYTES)

    def _layer(self, layer: int) -> Reply:
        return payloads.one_layer(self._view._study, layer), []

    def _concepts(self, layer: int, numbers: list[int]) -> Reply:
        study = self._view._study
        rows = arguments.rows("number", numbers, study.dictionary(layer).n_concepts)
        return payloads.some_concepts(study, layer, rows), []

    def _search(self, layer: int, query: str) -> Reply:
        study = self._view._study
        numbers = concept_lists.search(study, layer, query, self._view.labels)
        return payloads.some_concepts(study, layer, numbers), []

    def _ids(self) -> Reply:
        return {"ids": list(self._view._study.rows)}, []

    def _map(self, layer: int) -> Reply:
        return maps_2d.reply(self._view._study, layer)

    def _lacking(self) -> Reply:
        return maps_2d.lacking_reply(self._view._study)

    def _concept_page(self, layer: int, concept: int) -> Reply:
        return concept_page.reply(self._view._study, layer, concept), []

    def _threads(self) -> Reply:
        return threads.payload(self._view._study), []

    def _matches(self, layer: int, other: int) -> Reply:
        return threads.matches(self._view._study, layer, other), []

    def _live(self, name: str) -> Callable[..., Reply]:
        @functools.wraps(self._session.operations[name])  # its signature declares what a page may send
        def run(job: Job, **question: Any) -> Reply:
            if job.cancel.is_set():  # while it waited for its turn
                raise Cancelled("Cancelled before it started.")
            if "sample" in question:
                question["sample"] = self._id(question["sample"])
            if "samples" in question:
                question["samples"] = [self._id(sample) for sample in question["samples"]]
            result = self._session.run(name, question, progress=job.progress, cancel=job.cancel)
            if self._session.study is not self._view._study:
                self._view.adopt(self._session.study)
            data = {key: value for key, value in result.items() if not isinstance(value, bytes)}
            return data, [value for value in result.values() if isinstance(value, bytes)]

        return run

    def _id(self, text: str) -> str:
        """Id of the sample that a page means; the session is lent an image outside the study."""
        own = self._view.photograph(text)
        if own is None:
            return id_of(self._view._study, text)
        self._session.lend(own)
        return text

    def exemplar_results(
        self, layers: Sequence[int], progress: bool | Callable[[int, int], None]
    ) -> dict[str, dict[str, Any]]:
        """Results of the live operations for the exemplars of layers, for a page without a kernel.

        Parameters
        ----------
        layers
            Layers of the study.
        progress
            As for :meth:`nbtoolkit.widgets.study_view.StudyView.to_html`.

        Returns
        -------
        dict
            Per operation, ``"layer:row"`` to the result, ``"layer:id"`` of images outside the study; those whose response
            lacks the token have maps only.
        """
        if self._session is None:
            raise NbtoolkitError("maps needs a model; open the view with nbt.explore(study, model).")
        study = self._view._study
        out: dict[str, dict[str, Any]] = {name: {} for name in PER_EXEMPLAR if name in self._session.operations}
        targets = [
            (f"{layer}:{row}", layer, study.samples[row].id)
            for layer in layers
            for row in payloads.exemplar_rows(study, layer)
        ]
        targets += [(f"{layer}:{photo['id']}", layer, photo["id"]) for layer in layers for photo in self._view.photos]
        with bar(progress, len(targets), "exemplars") as report:
            for done, (key, layer, sample) in enumerate(targets):
                if done % AHEAD == 0:
                    ahead = [self._id(one) for _, _, one in targets[done : done + AHEAD]]
                    self._session.generate(ahead)
                with contextlib.suppress(NothingFoundError):
                    for name in out:
                        more = {"ahead": ahead} if name == "interventions_of" else {}
                        result = self._session.run(name, {"sample": self._id(sample), "at": layer, **more})
                        out[name][key] = _as_text(result)
                report(done + 1)
        return out


def id_of(study: Study, text: str) -> str:
    """Id of the sample that a page means: it has replacement characters for the lone surrogates of an id.

    Parameters
    ----------
    study
        The study.
    text
        An id as the page has it.
    """
    return ids_of(study, [text])[0]


def ids_of(study: Study, texts: Sequence[str]) -> list[str]:
    """Ids of the samples that a page means, as :func:`id_of` gives them.

    Parameters
    ----------
    study
        The study.
    texts
        Ids as the page has them.
    """
    replaced: dict[str, str] = {}
    if any(MARK in text and text not in study.rows for text in texts):
        replaced = {encodable(s.id): s.id for s in reversed(study.samples)}  # of equal ones the first
    return [text if text in study.rows else replaced.get(text, text) for text in texts]


def _as_text(result: dict[str, Any]) -> dict[str, Any]:
    return {k: base64.b64encode(v).decode() if isinstance(v, bytes) else v for k, v in result.items()}
