"""What the page may ask: bulk data of the study by id, and questions to a live model."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import Cancelled, NbtoolkitError, NothingFoundError
from ..progress import bar
from . import encode
from .channel import Answer, Job, Operations

Progress = bool | Callable[[int, int], None]
MESSAGE = 2_000_000  # bytes of activations in one message, at most
OF_A_WORD = ("words", "owed")  # questions about the token in an answer
PLAIN = ("ablate", *OF_A_WORD)  # questions that a live model answers with plain data


class Answers:
    """Answers about the study of one view, and of its live model where it has one."""

    def __init__(self, view: Any, live: Any) -> None:
        self._view, self._live = view, live
        self.own: dict[int, dict[str, Any]] = {}  # what the picture that Python gave means, by layer

    def quick(self) -> Operations:
        """What is answered at once."""
        return {
            "thumbs": self._thumbs,
            "sample": self._sample,
            "activations": self._activations,
            "layer": self._layer,
            "ids": self._ids,
        }

    def slow(self) -> Operations:
        """What a model has to run for, on a thread."""
        if self._live is None:
            return {}
        return {name: self._plain(name) for name in PLAIN} | {
            "explain": self._explain,
            "maps": self._maps,
            "sweep": self._sweep,
            "compute": self._compute,
        }

    def _thumbs(self, rows: list[int]) -> Answer:
        return encode.thumbs(self._view._study.samples, rows)

    def _sample(self, row: int) -> Answer:
        sample = self._view._study.samples[row]
        return encode.sample_facts(sample), [sample.image]

    def _activations(self, layer: int, start: int = 0) -> Answer:
        cd = self._view._study.dictionary(layer)
        return encode.activations(cd, start, max(1, MESSAGE // (4 * cd.n_concepts)))

    def _layer(self, layer: int) -> Answer:
        return encode.one_layer(self._view._study, layer), []

    def _ids(self) -> Answer:
        return {"ids": list(self._view._study.rows)}, []

    def _plain(self, name: str) -> Any:
        return lambda job, **question: (getattr(self._live, name)(**question), [])

    def _explain(self, job: Job, at: int, picture: bytes | None = None) -> Answer:
        if picture is not None:
            return self._live.explain(picture, at=at), []
        if at not in self.own:
            self.own[at] = self._live.explain(self._view._own, at=at)
        return self.own[at], []

    def _maps(self, job: Job, row: int, at: int) -> Answer:
        if job.cancel.is_set():  # while it waited for its turn
            raise Cancelled("Nobody looks at this picture any more.")
        about, pixels = self._live.maps(self._view._study.samples[row].id, at=at)
        return about, [pixels]

    def of_exemplars(self, layers: Sequence[int], progress: Progress) -> dict[str, dict[str, Any]]:
        """What the model tells of the exemplars of layers, for a page without a kernel.

        Returns
        -------
        dict
            ``maps``, ``words`` and ``owed``, each by ``layer:row``; without the pictures on which it fails to say the token.
        """
        if self._live is None:
            raise NbtoolkitError("maps needs a model; open the view with nbt.explore(study, model).")
        study = self._view._study
        out: dict[str, dict[str, Any]] = {name: {} for name in ("maps", *OF_A_WORD)}
        shown = [(layer, row) for layer in layers for row in encode.exemplar_rows(study, layer)]
        with bar(progress, len(shown), "exemplars") as tell:
            for done, (layer, row) in enumerate(shown):
                key, sample = f"{layer}:{row}", study.samples[row].id
                about, pixels = self._live.maps(sample, at=layer)
                out["maps"][key] = about | {"bytes": base64.b64encode(pixels).decode()}
                with contextlib.suppress(NothingFoundError):
                    for name in OF_A_WORD:
                        out[name][key] = getattr(self._live, name)(sample, at=layer)
                tell(done + 1)
        return out

    def _sweep(self, job: Job, samples: list[str], **question: Any) -> Answer:
        return self._live.sweep(samples, progress=job.progress, cancel=job.cancel, **question), []

    def _compute(self, job: Job, layers: list[int]) -> Answer:
        view = self._view
        view._study = self._live.compute(layers, progress=job.progress, cancel=job.cancel)
        view._meta = view._described()
        return {"layers": list(view._study.layers)}, []
