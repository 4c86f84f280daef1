"""Instruments of the Inspector: name -> how a target is measured, what a message has of it, and what it costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray

from ..attribution.attention import attention_to_image
from ..lens.logits import logit_lens
from ..types.measurement import Measurement
from .inspector_payload import Arrays, null_arrays

if TYPE_CHECKING:
    from ..targets.target import Target
    from .inspector_session import InspectorSession
    from .inspector_side import Side

TOP = 5  # words per state of the lens


@dataclass(frozen=True, eq=False)
class Case:
    """What an instrument is asked for.

    Attributes
    ----------
    session
        The session.
    side
        The side that is measured.
    target
        The target.
    of
        Further subject: ``"layer:concept"``, a layer, or the name of a map; empty for the target itself.
    key
        Key of the target's word.
    """

    session: InspectorSession
    side: Side
    target: Target
    of: str = ""
    key: str = ""


@dataclass(frozen=True, eq=False)
class Instrument:
    """One instrument of the Inspector.

    Attributes
    ----------
    name, title, summary
        Its name; as a heading; and what it measures, as a sentence.
    measure
        From a case to its measurement.
    arrays
        From a case and the measurement to what a message has.
    passes
        From a side to the cost, in passes of the model.
    of
        What is measured: ``"target"``, ``"layer:concept"``, ``"layer"`` or ``"map"``.
    image
        Whether it needs positions of the image.
    facts
        From the measurement to single values.
    """

    name: str
    title: str
    summary: str
    measure: Callable[[Case], Measurement]
    arrays: Callable[[Case, Measurement], Arrays]
    passes: Callable[[Side], float]
    of: str = "target"
    image: bool = True
    facts: Callable[[Measurement], Mapping[str, Any]] = field(default=lambda _: {})


def _lens(case: Case) -> Measurement:
    return logit_lens(case.target, top=TOP)


def _lens_arrays(_case: Case, m: Measurement) -> Arrays:
    word = {"word": m.values["word"].values[0]}
    top = {"rank": "top"}
    return {
        "values": m.values.sel(word, drop=True),
        "words": m.details["top_words"].rename(top),
        "log_probs": np.log(m.details["top_probability"].clip(1e-30)).rename(top),
        **null_arrays(m, **word),
    }


def _attention(case: Case) -> Measurement:
    return attention_to_image(case.target)


def _plain(_case: Case, m: Measurement) -> Arrays:
    """Values and null as they are, patches numbered."""
    arrays = {"values": m.values, **null_arrays(m)}
    return {name: numbered(array) for name, array in arrays.items()}


def numbered(array: xarray.DataArray) -> xarray.DataArray:
    """An array whose patches have their index as coordinate.

    Parameters
    ----------
    array
        The array.
    """
    return array.assign_coords(patch=np.arange(array.sizes["patch"])) if "patch" in array.dims else array


def _reading(side: Side) -> float:
    """Cost of the lens: the target's pass, the placebo's, and the unembedding of all of their states."""
    model, weight = side.model, side.model.head.weight
    blocks = sum(parameter.numel() for parameter in model.blocks.parameters())
    return 2 + 2 * (model.n_layers + 1) * weight.numel() / max(1, blocks)


INSTRUMENTS: Mapping[str, Instrument] = {
    one.name: one
    for one in (
        Instrument(
            "lens",
            "Logit lens",
            "What the states of every layer and position read as: log-probability of the word, and the most probable ones.",
            _lens,
            _lens_arrays,
            _reading,
            image=False,
        ),
        Instrument(
            "attention",
            "Attention to the image",
            "How much every head, where it predicts the word, reads from each patch.",
            _attention,
            _plain,
            lambda _: 4,
        ),
    )
}
