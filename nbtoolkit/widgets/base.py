"""What every view has: script and style, state in traits, a request channel, refusal of unknown options, export and preview."""

from __future__ import annotations

import copy
import difflib
import functools
import json
import os
import time
import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import anywidget
import traitlets
from IPython import get_ipython
from ipywidgets.widgets.widget import JUPYTER_WIDGETS_ECHO

from .._names import lazy_names
from ..errors import NbtoolkitError
from ..options import options
from ..storage.files import write_text
from ..strict_json import as_json, encodable
from . import reopening
from .channel import MAX_ERROR, Channel, Operations
from .page import page, panes, texts
from .page_state import rules
from .picture import Picture
from .refusals import Later, validate
from .snapshot import Snapshot

STATIC = Path(__file__).parent / "static"
MAX_QUERY = 200  # characters of a search
MAX_STATE = 1_000_000  # characters of the traits that one message sets
RESTORED_EVERY = 1.0  # seconds between two restorations of a trait in the page: the script has 90 kB

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


def _strict(value: Any, _view: Any) -> Any:
    """A trait's value as it leaves for the page: NaN and infinity are null."""
    return as_json(value)


def state_trait(trait: Any) -> Any:
    """Mark a trait as state: synced with the page, an option of the constructor, part of :meth:`View.state` and of exported pages.

    Parameters
    ----------
    trait
        A trait with ``help``.
    """
    return trait.tag(sync=True, state=True, to_json=_strict)


@functools.cache
def _state_names(cls: Any) -> tuple[str, ...]:
    """Names of the state traits of a class, collected once: a flood of messages asks for them 10,000 times."""
    return tuple(sorted(cls.class_trait_names(state=True)))


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
    _view = traitlets.Unicode().tag(sync=True)  # by which a notebook's file knows whether the view is in the page
    _meta = traitlets.Dict().tag(sync=True, to_json=_strict)
    kind = ""
    reading = ""  # one sentence on how to read the view
    later, page_script = "panes.js", "standalone.js"  # what comes after the first paint, and what exported pages have
    python_only: Collection[str] = ()  # state traits that no page writes
    cleared: Collection[str] = ()  # further traits, which a page may set to None

    def __init__(self, meta: Mapping[str, Any], quick: Operations, slow: Operations, **state: Any) -> None:
        quick |= {"texts": lambda: (texts(STATIC), []), "panes": lambda: (panes(STATIC, self.later), [])}
        self._channel = Channel(lambda *message: self.send(*message), quick, slow)
        self._raised: Exception | None = None  # by an observer
        self._restored: dict[str, float] = {}
        self._overdue: set[str] = set()  # traits of which the page has another value
        self._later = Later(RESTORED_EVERY, self._restore_overdue)
        super().__init__(_kind=self.kind, _view=uuid.uuid4().hex[:12], _meta=as_json(dict(meta)), **state)
        self.on_msg(self._channel.receive)

    @classmethod
    def state_names(cls) -> list[str]:
        """Names of the state traits, which are the constructor's options too."""
        klass: Any = cls  # the metaclass of traitlets is typed as not hashable
        return list(_state_names(klass))

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
            self._raised = error
            self._tell(error)
            raise

    def _tell(self, error: Exception) -> None:
        """Show an error in the page."""
        self.send({"kind": "failure", "text": as_json(f"{type(error).__name__}: {error}"[:MAX_ERROR])})

    def _handle_msg(self, msg: Any) -> None:
        """Handle a message of the page; a malformed one is dropped without a traceback."""
        data = msg["content"].get("data")
        method = data.get("method") if isinstance(data, dict) else None
        if method == "update":
            if isinstance(data.get("state"), dict):
                self.set_state(data["state"])  # buffers fill no trait that a page may write
        elif method in ("custom", "request_state"):
            super()._handle_msg(msg)

    def set_state(self, sync_data: Mapping[str, Any]) -> None:
        """Set traits that a page has written; what it may not write, or what does not fit, is restored there.

        Parameters
        ----------
        sync_data
            Names and values of traits.
        """
        own = [name for name in sync_data if name in self.keys]
        refused = [name for name in own if not self._writable(name, sync_data[name])]
        if refused:
            self._restore(refused, NbtoolkitError(f"{', '.join(refused)} cannot be set by a page."))
        state = {name: sync_data[name] for name in own if name not in refused}
        if not state:
            return
        try:
            self._check_state(state)
            super().set_state(encodable(state))
        except (traitlets.TraitError, RecursionError) as error:
            if error is self._raised:
                raise  # a flaw of an observer
            self._restore([*state], error)

    def _writable(self, name: str, value: Any) -> bool:
        return (name in self.state_names() and name not in self.python_only) or (name in self.cleared and value is None)

    def _check_state(self, state: Mapping[str, Any]) -> None:
        """Refuse what no trait takes, before ipywidgets sends it to other pages; and what traitlets would accept.

        That is true and false as numbers, NaN, and values of any size.
        """
        traits = self.traits()
        for name, value in state.items():
            if isinstance(value, bool) and not isinstance(traits[name], traitlets.Bool):
                raise traitlets.TraitError(f"{name} is {value}; expected another type.")
        try:
            size = len(json.dumps(state, allow_nan=False))
        except (ValueError, TypeError):  # TypeError: bytes, as some hosts put them into messages
            raise traitlets.TraitError(f"{', '.join(state)} has what is no JSON, such as NaN or bytes.") from None
        if size > MAX_STATE:
            raise traitlets.TraitError(f"{', '.join(state)} has {size:,} characters; expected at most {MAX_STATE:,}.")
        for name, value in encodable(state).items():
            validate(traits[name], self, value)

    def _restore(self, names: Sequence[str], error: Exception) -> None:
        """Send the page the values of traits again, and the reason: now, or a second after they were sent last."""
        now = time.monotonic()
        due = [name for name in names if now - self._restored.get(name, -RESTORED_EVERY) >= RESTORED_EVERY]
        self._restored |= dict.fromkeys(due, now)
        if len(due) < len(names):
            self._overdue |= {*names} - {*due}
            self._later.start()
        if due:
            self._tell(error)
            self._echo(due)
            self.send_state(due)

    def _echo(self, names: Sequence[str]) -> None:
        """Send the echo that a page expects of what it writes, with the true values: until it comes, the page ignores others."""
        state = {name: value for name, value in self.get_state(names).items() if name in self.state_names()}
        if JUPYTER_WIDGETS_ECHO and state:
            self._send({"method": "echo_update", "state": state, "buffer_paths": []})

    def _restore_overdue(self) -> None:
        """Send the values of the traits that could not be restored at once."""
        names, self._overdue = self._overdue, set()
        self.send_state(sorted(names))

    def close(self) -> None:
        """Close the view, stop its running requests and release its data."""
        if hasattr(self, "_channel"):  # a refused view has none
            self._channel.close()
            self._later.close()
            self._release()
        super().close()

    def _release(self) -> None:
        """Release what is large: hosts and IPython's Out keep closed widgets."""
        self._meta = {}

    def _page_state(self) -> dict[str, Any]:
        """State of the view as an exported page begins with it."""
        return self.state()

    def _write_page(self, path: str | os.PathLike[str], title: str, meta: dict[str, Any], data: dict[str, Any]) -> Path:
        """Write the self-contained page, which begins with the state of the view."""
        state = {"_kind": self.kind, "_meta": meta, **self._page_state()}
        data |= {"texts": texts(STATIC), "rules": rules(self, self._rules(meta)), "date": date.today().isoformat()}
        script, lang = STATIC / self.page_script, options.locale or "en"
        return write_text(path, page(title, state, data, script, lang, self.reading))

    def _rules(self, meta: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """Rules of traits in a page's address whose values depend on the data."""
        return {}

    def _preview(self, n_concepts: int, size: int, quality: int, note: str) -> str:
        """Static HTML of the view; every kind of view defines it."""
        raise NotImplementedError(f"{type(self).__name__} defines no _preview")

    def _picture(self) -> Picture:
        """What the picture of the view shows; every kind of view defines it."""
        raise NotImplementedError(f"{type(self).__name__} defines no _picture")

    def _ipython_display_(self, **_: Any) -> None:
        """Display the view, and its picture for the notebook's file; IPython does the usual where this is refused."""
        if not options.preview or getattr(get_ipython(), "kernel", None) is None:
            raise NotImplementedError
        reopening.show(self, *self._own_output())

    def _own_output(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The widget as an output, with its data and metadata."""
        bundle = super()._repr_mimebundle_(**kwargs)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        return (data or {}) | {"text/plain": repr(self)}, metadata

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        data, metadata = self._own_output(**kwargs)
        if options.preview:
            data["text/html"] = self._preview(4, 56, 60, "Run the cell for the interactive view.")
        return data, metadata

    def snapshot(self, n_concepts: int = 12) -> Snapshot:
        """Picture of the view as it is, 1200 × 630 pixels, and its concepts as HTML: what can be sent and outlives the kernel.

        Parameters
        ----------
        n_concepts
            Number of concepts (of pairs, in a comparison) of the HTML, the strongest first.

        Returns
        -------
        Snapshot
            Displayed by notebooks as HTML without scripts; ``snapshot.save("dog.png")`` writes the picture.
        """
        if not isinstance(n_concepts, int) or n_concepts < 1:
            raise NbtoolkitError(f"n_concepts is {n_concepts!r}; expected an integer of at least 1.")
        return Snapshot(self._preview(n_concepts, 64, 82, reopening.HINT), self._picture())
