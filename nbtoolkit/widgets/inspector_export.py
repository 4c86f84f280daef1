"""An Inspector outside a live notebook: its page, its picture, and the effects of edits that both show."""

from __future__ import annotations

import html
import os
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import NbtoolkitError
from ..strict_json import dump_json, visible
from . import inspector_page
from .base import STATIC
from .inspector_edits import checked
from .inspector_picture import InspectorPicture, inspector_picture
from .inspector_traits import Selection
from .lesson import Lesson
from .page import frame_size

N_ANSWERS = 32  # edits whose effects stay in memory


class Released:
    """What a closed view has in place of its session, whose states and results are large."""

    def __getattr__(self, name: str) -> Any:
        raise NbtoolkitError(
            "The view is closed and has released what was measured; expected an open one. Open it again with nbt.inspect."
        )


class Exported(Lesson, Selection):
    """What an Inspector writes, of its ``_session`` and its ``_answers``."""

    _session: Any
    _answers: OrderedDict[str, dict[str, Any]]

    def _opening(self, meta: Mapping[str, Any]) -> dict[str, Any]:
        """The facts of the session, with the defaults of the traits."""
        return {**meta, "defaults": self._trait_defaults()}

    def _remember(self, question: Mapping[str, Any], result: Any) -> None:
        """Store the effect of edits, which an exported page and the picture show."""
        edits = checked(question["edits"], self._facts)
        self._answers[inspector_page.edit_key(question["target"], question.get("foil", ""), edits)] = dict(result)
        while len(self._answers) > N_ANSWERS:
            self._answers.popitem(last=False)

    def _answer(self) -> dict[str, Any] | None:
        """The effect of the view's edits, where it was measured."""
        return self._answers.get(inspector_page.edit_key(self.target, self.foil, self.edits)) if self.edits else None

    def to_html(self, path: str | os.PathLike[str]) -> Path:
        """Write one self-contained page of what was measured: interactive, without a kernel, without a network.

        Parameters
        ----------
        path
            File to write; it is replaced only once the new one is whole. Its results have at most 8 MB: beyond that it has no
            nulls, then not the largest results, and a warning says so.

        Returns
        -------
        pathlib.Path
            The file.
        """
        session = self._session
        meta = self._opening(session.meta()) | {"live": None}
        answers = dict(self._answers)
        room = (
            inspector_page.MAX_BYTES - frame_size(STATIC, self.page_script) - len(dump_json([meta, answers]).encode())
        )
        measured = inspector_page.fitting(inspector_page.results(session), room)
        meta["computed"] = [place for place in meta["computed"] if place in measured]
        title = f"“{self.target}” in {meta['model']}"
        return self._write_page(path, title, meta, {"results": measured, "edits": answers})

    def _rules(self, meta: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """Rules of what depends on the response and the model; a word that was not measured is no start of a page."""
        n, keys = len(meta["sides"]["a"]["tokens"]), self._keys
        concepts = (meta["study"] or {"n_concepts": {}})["n_concepts"].values()
        return {
            "target": {"kind": "choice", "values": keys},
            "question": {"kind": "choice", "values": [meta["sides"]["a"]["question"]]},
            "foil": {"kind": "choice", "values": list(dict.fromkeys(["", self.foil]))},
            "token": {"kind": "int", "min": 0, "max": n - 1},
            "layer": {"kind": "int", "min": 0, "max": meta["n_layers"]},
            "head": {"kind": "int", "min": 0, "max": meta["n_heads"] - 1},
            "concept": {"kind": "int", "min": 0, "max": max(concepts, default=1) - 1},
            "compared": {"kind": "choice", "values": ["", *(["other"] if "b" in meta["sides"] else []), "edited"]},
        }

    def _preview(self, n_concepts: int, size: int, quality: int, note: str) -> str:
        side = self._sides["a"]
        words = [
            f"<b>{html.escape(visible(word['text']))}</b>"
            if word["key"] == self.target
            else html.escape(visible(word["text"]))
            for word in side["words"]
        ]
        head = html.escape(visible(f"“{self.target}” in the response of {self._meta['model']}. {note}"))
        return f'<div><p>{head}</p><img alt="" width="{4 * size}" src="{side["image"]}"><p>{" ".join(words)}</p></div>'

    def _picture(self) -> InspectorPicture:
        return inspector_picture(self)

    def _release(self) -> None:
        super()._release()
        self._answers.clear()
        self._session = Released()
