"""Texts of figures of measurements: what the values are, and the entries of their axes."""

from __future__ import annotations

import textwrap

import numpy as np
import xarray

from ..types.measurement import Measurement
from .style import short

N_TICKS = 24
NULL = "#777777"  # colour of a null
VALUES = {  # what the values of an instrument are; {} is the quantity of the target
    "activation_patching": "recovery",
    "attention_knockout": "Δ {}",
    "attention_to_image": "attention probability",
    "direct_logit_attribution": "contribution to {}",
    "faithfulness": "{}",
    "gradient_x_input": "attribution to {}",
    "integrated_gradients": "attribution to {}",
    "logit_lens": "log p",
    "occlusion": "contribution to {}",
    "path_effects": "Δ {}",
}


def value_label(m: Measurement) -> str:
    """What the values are, with their unit.

    Parameters
    ----------
    m
        The measurement.
    """
    quantity = str(m.provenance.get("quantity", "")).partition(" to ")[0] or "the word"
    what = VALUES.get(m.name, "").format(quantity)
    unit = "" if m.unit == "no unit" else m.unit
    return short(f"{what} ({unit})" if what and unit else what or m.unit)


def entry_names(values: xarray.DataArray, axis: str) -> list[str]:
    """Entries of an axis as texts: the sub-token at a position.

    Parameters
    ----------
    values
        The values.
    axis
        Name of the axis.
    """
    texts = values.coords["text"].values if axis == "position" and "text" in values.coords else None
    names = values[axis].values if axis in values.coords else np.arange(values.sizes[axis])
    return [str(name) if texts is None else str(texts[i]).strip() or f"position {name}" for i, name in enumerate(names)]


def wrapped(text: str, inches: float) -> str:
    """A label in lines that are no longer than an axis.

    Parameters
    ----------
    text
        The label.
    inches
        Length of the axis.

    Examples
    --------
    >>> wrapped("contribution to log p (nats)", 1.0)
    'contribution to\\nlog p (nats)'
    """
    return "\n".join(textwrap.wrap(text, max(15, int(16 * inches)), break_long_words=False))
