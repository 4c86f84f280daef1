"""What is drawn of a measurement on a page: parts of at most two axes, each with a caption."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray

from ..types.measurement import Measurement


@dataclass(frozen=True, eq=False)
class Drawing:
    """A part of a measurement that has a figure.

    Attributes
    ----------
    caption
        What it shows, as a sentence.
    part
        The part, as a measurement of at most two axes.
    """

    caption: str
    part: Measurement


def drawings(m: Measurement) -> list[Drawing]:
    """Drawings of a measurement of an instrument.

    Parameters
    ----------
    m
        The measurement.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> t = nbt.target(nbt.load_model("toy"), nbt.load_data("toy", n=1)[0]["image"], "a", foil="the")
    >>> [d.caption for d in drawings(nbt.attribution.attention_to_image(t))]
    ['Mean over all heads of all layers, per image position.', 'Share of attention that each head gives to the image.']
    """
    return _DRAWINGS.get(m.name, _whole)(m)


def as_map(m: Measurement) -> Measurement:
    """A map of the image: the mean over all axes but that of the patches.

    Parameters
    ----------
    m
        The measurement.
    """
    others = [str(axis) for axis in m.values.dims if axis != "patch"]
    return replace(m.mean(*others), details={}, note="") if others else m


def word_position(m: Measurement) -> Any:
    """Coordinate of the position that predicts the first sub-token of the word of a logit lens.

    Parameters
    ----------
    m
        A measurement of :func:`nbtoolkit.lens.logit_lens` with all positions.
    """
    n_pieces = int(m.details["n_pieces"].values[0])
    return m.values.position.values[-n_pieces]


def _part(m: Measurement, function: Callable[[xarray.DataArray], xarray.DataArray]) -> Measurement:
    """The measurement with a function of its values and null, which keeps the check of the whole; without note and details."""
    null = None if m.null is None else function(m.null)
    return replace(m, values=function(m.values).rename(m.name), null=null, details={}, note="")


def _whole(m: Measurement) -> list[Drawing]:
    return [Drawing("", replace(m, note=""))]


def _map_and_text(m: Measurement) -> list[Drawing]:
    if "text" not in m.details:
        return _whole(m)
    parts = [Drawing("The image positions.", replace(m, note=""))]
    if m.details["text"].size:
        text = replace(m, values=m.details["text"].rename(m.name), null=None, details={}, note="")
        parts.append(Drawing("The text tokens, the largest first.", text))
    return parts


def _attention(m: Measurement) -> list[Drawing]:
    share = m.details["share"].sel(group="image", drop=True).rename(m.name)
    return [
        Drawing("Mean over all heads of all layers, per image position.", as_map(m)),
        Drawing(
            "Share of attention that each head gives to the image.",
            replace(m, values=share, null=None, details={}, note=""),
        ),
    ]


def _lens(m: Measurement) -> list[Drawing]:
    place = word_position(m)
    word = str(m.values.word.values[0])
    here = _part(m, lambda values: values.sel(position=place, drop=True))
    parts = [Drawing(f"Where “{word}” is predicted, by layer.", here)]
    own = _part(m, lambda values: values.isel(word=0, drop=True))
    is_image = m.values.role.values == "image"
    if (~is_image).sum() > 1:
        text = _part(own, lambda values: values.isel(position=~is_image))
        parts.append(Drawing(f"“{word}” at the text positions, by layer.", text))
    if np.isfinite(m.values.x0.values[is_image]).any():
        image = _part(own, lambda values: values.isel(position=is_image).rename(position="patch"))
        gain = image.values - (0 if image.null is None else image.null)
        layer = gain.layer.values[int(np.argmax(gain.mean("patch").values))]
        best = _part(image, lambda values: values.sel(layer=layer, drop=True))
        parts.append(Drawing(f"“{word}” at the image positions of layer {layer}, the farthest above its null.", best))
    return parts


_DRAWINGS: dict[str, Callable[[Measurement], list[Drawing]]] = {
    "attention_to_image": _attention,
    "gradient_x_input": _map_and_text,
    "integrated_gradients": _map_and_text,
    "logit_lens": _lens,
}
