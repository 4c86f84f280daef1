"""A view that is kept: its picture, and its concepts as HTML without scripts."""

from __future__ import annotations

import base64
import functools
import html
import os
from pathlib import Path

from ..errors import NbtoolkitError
from ..files import user_path
from ..storage.files import write_bytes
from ..strict_json import visible
from .picture import Picture, as_jpeg, draw, encoded

WIDTH = 900  # pixels on screen; the picture has 1,200


class Snapshot:
    """The picture of a view, 1200 × 630 pixels, and its concepts as HTML; a notebook keeps both as output.

    Parameters
    ----------
    text
        HTML of the concepts.
    picture
        What the picture shows.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> study = nbt.study(nbt.load_model("toy"), nbt.load_data("toy", n=200), "train", method=nbt.SemiNMF(4, random_state=0), progress=False)
    >>> nbt.explore(study).snapshot()._repr_png_()[1:4]
    b'PNG'
    """

    def __init__(self, text: str, picture: Picture) -> None:
        self._text, self._picture = text, picture

    @functools.cached_property
    def _drawn(self) -> bytes:
        return encoded(draw(self._picture))

    @functools.cached_property
    def html(self) -> str:
        """The picture, and below it the concepts, which a screen reader can read."""
        jpeg = base64.b64encode(as_jpeg(self._picture)).decode()
        about = html.escape(visible(f"{self._picture.title}, {self._picture.about}"), quote=True)
        image = f'<img alt="{about}" width="{WIDTH}" src="data:image/jpeg;base64,{jpeg}">'
        return f"<div>{image}<details><summary>Concepts</summary>{self._text}</details></div>"

    def _repr_html_(self) -> str:
        return self.html

    def _repr_png_(self) -> bytes:
        return self._drawn

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture, or the HTML where the name ends in ``.html``.

        Parameters
        ----------
        path
            The file; its name ends in ``.png``, ``.jpg``, ``.jpeg`` or ``.html``. One without an ending is a PNG.

        Returns
        -------
        pathlib.Path
            The file.

        Raises
        ------
        NbtoolkitError
            The name ends otherwise.
        """
        ending = user_path(path).suffix.lower()
        if ending not in ("", ".png", ".jpg", ".jpeg", ".html"):
            raise NbtoolkitError(
                f"path is {os.fspath(path)!r}; expected a name that ends in .png, .jpg, .jpeg or .html."
            )
        if ending == ".html":
            return write_bytes(path, self.html.encode())
        return write_bytes(path, self._drawn if ending in ("", ".png") else as_jpeg(self._picture))
