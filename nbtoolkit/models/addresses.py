"""Where a model is: a folder, a hub id, ``id@revision``, or an address of the hub."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from ..errors import ModelError
from ..files import exists, user_path

_ADDRESS = re.compile(
    r"(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/(?P<id>[\w.-]+/[\w.-]+)"
    r"(?:/(?:tree|blob|resolve|commit)/(?P<revision>[^/?#]+))?(?:[/?#].*)?"
)
_ID = re.compile(r"(?P<id>[\w.-]+(?:/[\w.-]+)?)@(?P<revision>[\w./-]+)")
_OTHER = ("datasets", "spaces", "collections", "papers", "docs")  # first parts of addresses that are no model's


def hub_address(source: str, revision: str | None) -> tuple[str, str | None]:
    """Hub id and revision of what a person gives; a folder, an id and anything else are unchanged.

    Parameters
    ----------
    source
        A folder, ``"org/name"``, ``"org/name@revision"``, or ``"https://huggingface.co/org/name/tree/revision"``.
    revision
        The revision that is given by name, or None.

    Raises
    ------
    ModelError
        Two revisions, or the address of something else than a model.

    Examples
    --------
    >>> hub_address("https://huggingface.co/org/name/tree/v1", None)
    ('org/name', 'v1')
    """
    match = None if exists(source) else _ADDRESS.fullmatch(source) or _ID.fullmatch(source)
    if match is None:
        return source, revision
    name, own = match["id"], match["revision"]
    if name.partition("/")[0] in _OTHER:
        raise ModelError(f"{source!r} is no address of a model; expected https://huggingface.co/org/name, or a hub id.")
    own = unquote(own) if own else None
    if own and revision and own != revision:
        raise ModelError(f"{source!r} names the revision {own!r}, and revision is {revision!r}; expected one of them.")
    return name, own or revision


def at_home(source: Any) -> Any:
    """Path with ``~`` replaced by the home folder; hub ids, addresses and loaded models unchanged.

    Parameters
    ----------
    source
        A folder, a hub id, an address, or a loaded model.

    Raises
    ------
    ModelError
        The source is an empty text.
    """
    if isinstance(source, str | Path) and (not source or str(source).startswith("~")):
        return str(user_path(source, ModelError))
    return source
