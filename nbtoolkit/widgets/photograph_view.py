"""What the views of a study have for images outside it: the trait, ``explain``, requests of the page, and exported pages."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import traitlets

from ..data.images import read_image, thumbnail
from ..errors import DataError, NbtoolkitError, NothingFoundError
from ..storage.study import Sample
from ..strict_json import as_json
from .base import View, state_trait
from .photographs import MAX_PHOTOS, UNNAMED, as_sample, checked, photograph, small
from .thumbnails import LARGEST, aspect, encoded


def _for_page(photos: Sequence[Mapping[str, str]], _view: Any = None) -> Any:
    """What a page is sent of ``photos``: it requests the images one by one, for hosts drop long messages."""
    return as_json([{"id": p["id"], "name": p["name"], "given": bool(p["caption"])} for p in photos])


class PhotographView(View):
    """What every view of a study has for images outside the study: each is a sample with an id of its own."""

    _study: Any
    _session: Any
    sample: Any
    layer: Any

    photos = state_trait(
        traitlets.List(
            traitlets.Dict(),
            help=f"Images outside the study, at most {MAX_PHOTOS}: dicts with id, name, jpeg (as base64) and caption.",
        )
    ).tag(to_json=_for_page)

    @traitlets.validate("photos")
    def _valid_photos(self, proposal: traitlets.Bunch) -> list[dict[str, str]]:
        return self._checked_photos(proposal["value"])

    def _checked_photos(self, photos: Any) -> list[dict[str, str]]:
        try:
            return checked(photos, self._study.rows)
        except NbtoolkitError as error:
            raise traitlets.TraitError(str(error)) from None

    def _writable(self, name: str, value: Any) -> bool:
        return name != "photos" and super()._writable(name, value)  # a page adds one by a request

    @traitlets.observe("photos")
    def _sample_has_gone(self, _change: traitlets.Bunch) -> None:
        rows = self._study.rows
        if self.sample is not None and self.sample not in rows and not self.has_photo(self.sample):
            self.sample = next(iter(rows))

    def has_photo(self, id: str) -> bool:
        """Whether the view has an image outside the study of this id.

        Parameters
        ----------
        id
            The id.
        """
        return any(photo["id"] == id for photo in self.photos)

    def photograph(self, id: str) -> Sample | None:
        """Image outside the study, as a sample; None where the view has none of this id.

        Parameters
        ----------
        id
            Its id.
        """
        return next((as_sample(photo) for photo in self.photos if photo["id"] == id), None)

    def _page_state(self) -> dict[str, Any]:
        return super()._page_state() | {"photos": _for_page(self.photos)}

    def explain(self, image: Any, *, name: str | None = None, caption: str | None = None) -> dict[str, Any]:
        """Concepts of an image outside the study, at the selected layer; it is a sample of the view from now on.

        Parameters
        ----------
        image
            A path, a PIL image or encoded bytes; the view has it as a JPEG of at most 1,024 pixels a side.
        name
            What it is called; the file's name if None.
        caption
            A text with the token that the model reads as its response; the model responds if None.

        Returns
        -------
        dict
            ``pieces`` of the response (before the token, the token, after it), ``activations`` of the concepts, and
            ``unexplained``, the share of the state that no concept explains (0 to 1, no unit).

        Raises
        ------
        NbtoolkitError
            The view has no model, the image cannot be read, or the view has twelve others.
        NothingFoundError
            The token is not in the response, which the view shows with the image.
        """
        session = self._session
        if session is None:
            raise NbtoolkitError("explain needs a model; open the view with nbt.explore(study, model).")
        path = str(image) if isinstance(image, str | os.PathLike) else UNNAMED
        sample = self.add_photo(session.as_jpeg(image), path if name is None else name, caption or "")
        own: Any = self.photograph(sample)
        session.image = own.image
        session.lend(own)
        result = session.run("photograph", {"sample": sample, "at": self.layer})
        if result["position"] is None:
            raise NothingFoundError(
                f"{self._study.token!r} is in none of 1 responses: the one to the image is {result['caption']!r}. "
                "Choose an image whose response contains it, or give caption=…, a text that does."
            )
        activations = np.frombuffer(result["bytes"], "<f4").astype(float).tolist()
        return {"pieces": result["pieces"], "activations": activations, "unexplained": result["unexplained"]}

    def add_photo(self, jpeg: bytes, name: str, caption: str = "") -> str:
        """Add an image outside the study and select it; the same image twice is one.

        Parameters
        ----------
        jpeg
            The encoded image.
        name
            What it is called.
        caption
            A text that is read as the response; the model responds where it is empty.

        Returns
        -------
        str
            Its id.
        """
        photo = photograph(small(jpeg), name, caption, self._study.rows)
        others = [p for p in self.photos if p["id"] != photo["id"]]
        if len(others) >= MAX_PHOTOS:
            raise NbtoolkitError(f"The view has {MAX_PHOTOS} images outside the study. Remove one of them first.")
        self._set_photos(self.photos if len(others) < len(self.photos) else [*others, photo], photo["id"])
        return photo["id"]

    def remove_photo(self, id: str) -> None:
        """Remove an image outside the study; where it is selected, its neighbour is, or the study's first.

        Parameters
        ----------
        id
            Its id.
        """
        ids = [photo["id"] for photo in self.photos]
        if id not in ids:
            raise NbtoolkitError(f"There is no image {id[:80]!r} outside the study; expected one of {ids}.")
        others = [photo for photo in self.photos if photo["id"] != id]
        i = ids.index(id)
        neighbours = [*ids[i + 1 :], *ids[:i][::-1], *self._study.rows]
        self._set_photos(others, neighbours[0] if self.sample == id else self.sample)

    def give_caption(self, id: str, caption: str) -> str:
        """Have the model read a text as its response to an image outside the study.

        Parameters
        ----------
        id
            Id of the image.
        caption
            The text; the model responds where it is empty.

        Returns
        -------
        str
            The new id of the image.
        """
        old = self.photograph(id)
        if old is None:
            raise NbtoolkitError(f"There is no image {id[:80]!r} outside the study.")
        name = next(photo["name"] for photo in self.photos if photo["id"] == id)
        new = photograph(old.image, name, caption, self._study.rows)
        self._set_photos([new if photo["id"] == id else photo for photo in self.photos], new["id"])
        return new["id"]

    def _set_photos(self, photos: list[dict[str, str]], sample: str) -> None:
        with (
            self.hold_trait_notifications()
        ):  # both fit together; a page is sent the images first, for hosts differ in order
            self.photos = photos
            self.sample = sample


def requests(view: PhotographView, session: Any) -> dict[str, Any]:
    """Requests of a page about images outside the study; one is added only where there is a model.

    Parameters
    ----------
    view
        The view.
    session
        A model that answers the view's requests, or None.
    """

    def photo(sample: str) -> tuple[dict[str, Any], list[bytes]]:
        own = view.photograph(sample)
        if own is None:
            raise DataError(f"There is no image {sample[:80]!r} outside the study.")
        return {"aspect": aspect(own)}, [encoded(own)]

    def add_photo(image: bytes, name: str = UNNAMED) -> tuple[dict[str, Any], list[bytes]]:
        return {
            "id": view.add_photo(thumbnail(read_image({"bytes": image}), LARGEST), name)
        }, []  # no byte of the page's

    def remove_photo(sample: str) -> tuple[dict[str, Any], list[bytes]]:
        view.remove_photo(sample)
        return {}, []

    def caption_photo(sample: str, caption: str) -> tuple[dict[str, Any], list[bytes]]:
        return {"id": view.give_caption(sample, caption)}, []

    live = {} if session is None else {"add_photo": add_photo, "caption_photo": caption_photo}
    return {"photo": photo, "remove_photo": remove_photo, **live}


def exported(view: PhotographView, session: Any) -> dict[str, Any]:
    """Images outside the study for a page without a kernel, with their concepts at every layer of the study.

    Parameters
    ----------
    view
        The view.
    session
        A model that answers the view's requests; without one, the images are alone.

    Returns
    -------
    dict
        Per id the ``image`` as base64, its ``aspect``, and per layer in ``layers`` what the operation ``photograph`` gives.
    """
    out = {}
    for own in map(as_sample, view.photos):
        layers = {}
        if session is not None:
            session.lend(own)
            for layer in view._study.layers:
                result = session.run("photograph", {"sample": own.id, "at": layer})
                layers[str(layer)] = result | {"bytes": base64.b64encode(result.pop("bytes")).decode()}
        out[own.id] = {"image": base64.b64encode(encoded(own)).decode(), "aspect": aspect(own), "layers": layers}
    return out


def selected_photo(view: Any) -> tuple[Sample, np.ndarray, float | None] | None:
    """The selected image outside the study with its response, its activations, and the unexplained share; else None.

    Parameters
    ----------
    view
        The view.
    """
    own = None if view.sample is None else view.photograph(view.sample)
    if own is None:
        return None
    activations = np.zeros(view._study.dictionary(view.layer).n_concepts)
    if view._session is None:
        return own, activations, None
    view._session.lend(own)
    result = view._session.run("photograph", {"sample": own.id, "at": view.layer})
    if result["position"] is None:
        return replace(own, caption=result["caption"]), activations, None
    own = replace(own, caption=result["caption"], pieces=tuple(result["pieces"]), position=result["position"])
    return own, np.frombuffer(result["bytes"], "<f4"), result["unexplained"]
