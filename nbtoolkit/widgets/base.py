"""What every view has: script and style, state in traits, a request channel, refusal of unknown options, export and preview."""

from __future__ import annotations

import copy
import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from .._names import lazy_names
from ..errors import NbtoolkitError
from ..options import options
from ..storage.files import write_text
from .channel import Channel, Operations
from .page import Snapshot, page

STATIC = Path(__file__).parent / "static"
MAX_QUERY = 200  # characters of a search

__getattr__ = lazy_names(__name__, {".study_view": ["StudyView"]})[1]  # its place in release 0.1


def asset(name: str) -> str | Path:
    """Text in production; a watched path while developing with ``ANYWIDGET_HMR=1`` (a path keeps closed widgets alive).

    Parameters
    ----------
    name
        A file of ``static/``.
    """
    path = STATIC / name
    return path if os.getenv("ANYWIDGET_HMR") == "1" else path.read_text("utf-8")


def state_trait(trait: Any) -> Any:
    """Mark a trait as state: synced with the page, an option of the constructor, part of :meth:`View.state` and of exported pages.

    Parameters
    ----------
    trait
        A trait with ``help``.
    """
    return trait.tag(sync=True, state=True)


class View(anywidget.AnyWidget):
    """Base class of the views.

    A subclass sets ``kind``, the name of its JavaScript view, declares what a person can set with :func:`state_trait`,
    and gives :meth:`_preview`, the script-free HTML for places without widgets.

    Parameters
    ----------
    meta
        The data that the view opens with, as JSON; the page asks for the rest.
    quick, slow
        Requests that the page may send; see :class:`nbtoolkit.widgets.channel.Channel`.
    **state
        Values of the state traits.
    """

    _esm = asset("nbtoolkit.js")
    _css = asset("nbtoolkit.css")

    _kind = traitlets.Unicode().tag(sync=True)
    _meta = traitlets.Dict().tag(sync=True)
    kind = ""

    def __init__(self, meta: Mapping[str, Any], quick: Operations, slow: Operations, **state: Any) -> None:
        self._channel = Channel(lambda *message: self.send(*message), quick, slow)
        super().__init__(_kind=self.kind, _meta=dict(meta), **state)
        self.on_msg(self._channel.receive)

    @classmethod
    def state_names(cls) -> list[str]:
        """Names of the state traits, which are the constructor's options too."""
        return sorted(cls.class_trait_names(state=True))

    @classmethod
    def _refuse_unknown(cls, given: Mapping[str, Any], *others: str) -> None:
        """Raise TypeError for an option that the view does not have; ipywidgets would drop it without a word."""
        names = [*cls.state_names(), *others]
        for name in given:
            if name not in names:
                near = difflib.get_close_matches(name, names, 1)
                hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(names)}."
                raise TypeError(f"{cls.__name__} has no option {name!r}. {hint}")

    def state(self) -> dict[str, Any]:
        """State of the view, as plain data: ``type(view)(study, **view.state())`` opens the same view."""
        return {name: copy.deepcopy(getattr(self, name)) for name in self.state_names()}

    def notify_change(self, change: Any) -> None:
        """Notify observers; an exception of one of them is shown in the page too.

        Parameters
        ----------
        change
            The change, as traitlets describes it.
        """
        try:
            super().notify_change(change)
        except Exception as error:
            self.send({"kind": "failure", "text": f"{type(error).__name__}: {error}"})
            raise

    def close(self) -> None:
        """Close the view, stop its running requests and release its data."""
        if hasattr(self, "_channel"):  # a refused view has none
            self._channel.close()
            self._release()
        super().close()

    def _release(self) -> None:
        """Release what is large: hosts and IPython's Out keep closed widgets."""
        self._meta = {}

    def _write_page(self, path: str | os.PathLike[str], title: str, meta: dict[str, Any], data: dict[str, Any]) -> Path:
        """Write the self-contained page, which begins with the state of the view."""
        state = {"_kind": self.kind, "_meta": meta, **self.state()}
        return write_text(path, page(title, state, data, STATIC, options.locale or "en"))

    def _preview(self, n_concepts: int, size: int, quality: int, note: str) -> str:
        """Static HTML of the view; every kind of view defines it."""
        raise NotImplementedError(f"{type(self).__name__} defines no _preview")

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        still = {}
        if options.preview:
            still = {"text/html": self._preview(4, 56, 60, "Run the cell for the interactive view.")}
        return data | {"text/plain": repr(self), **still}, metadata

    def snapshot(self, n_concepts: int = 12) -> Snapshot:
        """Static HTML of the view: as a cell's output it survives a kernel restart.

        Parameters
        ----------
        n_concepts
            Number of concepts (of pairs, in a comparison), the strongest first.

        Returns
        -------
        Snapshot
            Displayed by notebooks as HTML without scripts.
        """
        if not isinstance(n_concepts, int) or n_concepts < 1:
            raise NbtoolkitError(f"n_concepts is {n_concepts!r}; expected an integer of at least 1.")
        return Snapshot(self._preview(n_concepts, 64, 82, "Run the cell again for the interactive view."))
