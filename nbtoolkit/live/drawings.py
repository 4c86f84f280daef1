"""What is drawn of a measurement on a page: parts of at most two axes, each with a caption."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

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

    def mean(values: xarray.DataArray) -> xarray.DataArray:
        return values.mean([d for d in values.dims if d not in ("patch", "draw")])

    return m if m.values.dims == ("patch",) else _part(m, mean)


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
    parts = [
        Drawing(
            f"Where “{word}” is predicted, by layer.",
            _part(
                m, lambda values: values.sel(position=place).drop_vars(["position", "text", "role"], errors="ignore")
            ),
        )
    ]
    text = m.values.role.values != "image"
    if text.sum() > 1:
        parts.append(
            Drawing(
                f"“{word}” at the text positions, by layer.",
                _part(m, lambda values: values.isel(position=text, word=0, drop=True)),
            )
        )
    return parts


_DRAWINGS: dict[str, Callable[[Measurement], list[Drawing]]] = {
    "attention_to_image": _attention,
    "gradient_x_input": _map_and_text,
    "integrated_gradients": _map_and_text,
    "logit_lens": _lens,
}
