"""Attention to the image: how much each head, where it predicts the word, reads from each image position.

What a head reads is no proof that the word depends on it: see :func:`nbtoolkit.attribution.occlusion` for that.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import xarray

from ..models.replay import record, replay
from ..models.taps import Attention, require_layers, tap
from ..targets.axes import on_fitting_threads, patch_coordinates, placebo, require_image, rounding
from ..targets.roles import ROLES
from ..targets.target import Target
from ..types.arguments import checked
from ..types.measurement import Identity, Measurement
from ..types.nulls import OTHER_IMAGE, UNIFORM_ATTENTION
from .baselines import check_null

Array = np.ndarray
NULLS = ("image", "uniform")


@checked
@on_fitting_threads
def attention_to_image(target: Target, *, null: str = "image") -> Measurement:
    """Attention of every head to every image position, where the word is predicted: layer × head × patch.

    Only the rows of the positions that predict the word are computed; a word of several pieces has the mean of its rows.

    Parameters
    ----------
    target
        The target.
    null
        ``"image"``: the same heads' attention for an image of the same size without its content, one pass more.
        ``"uniform"``: equal attention to every position that the head can read.

    Returns
    -------
    Measurement
        Attention probabilities (layer, head, patch), 0 to 1, no unit. Layers without attention between positions (linear
        or cross-attention) are absent. Within :func:`nbtoolkit.interventions.knock_out` it is what is left of the attention.
        ``details["share"]`` has each head's attention to the system's, the image's, the
        question's and the response's positions (layer, head, group), which sum to 1.

    Raises
    ------
    ModelError
        The model has no image positions, or its attention cannot be heard.

    References
    ----------
    Ben Melech Stan et al. 2024 (LVLM-Interpret, arXiv 2404.03118). Jain and Wallace 2019 (Attention is not Explanation)
    and Serrano and Smith 2019 on what such maps do not show.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> from nbtoolkit.targets import target
    >>> t = target(nbt.load_model("toy"), nbt.load_data("toy", n=1)[0]["image"], "cars", response="two cars")
    >>> dict(attention_to_image(t).values.sizes)
    {'layer': 5, 'head': 4, 'patch': 64}
    """
    check_null(null, NULLS)
    positions = require_image(target, "Attention to the image")
    attention = _listen(target)
    layers = sorted(attention.rows)
    rows = _rows(attention, layers)  # (layers, heads, positions)
    coords = {"layer": layers, "head": range(rows.shape[1])} | patch_coordinates(target, positions)
    if null == "image":
        with tap(target.model, target.positions) as heard:
            record(target.model, placebo(target).inputs)
        other, kind = _rows(heard, layers), OTHER_IMAGE
    else:
        other, kind = _uniform(attention, layers), UNIFORM_ATTENTION
    arrays = [
        xarray.DataArray(
            values[..., list(positions)], dims=("layer", "head", "patch"), coords=coords, name="attention_to_image"
        )
        for values in (rows, other)
    ]
    missed = max(*attention.residual.values(), *(_unread(attention.rows[layer]) for layer in layers))
    return Measurement(
        arrays[0],
        "no unit",
        Identity(
            "rows sum to 1 (0 where a head may read nothing), and rows · values equal the heads' outputs",
            missed,
            rounding(target),
        ),
        null=arrays[1],
        null_kind=kind,
        details={"share": _shares(target, rows, layers)},
        provenance=target.provenance | {"settings": {"null": null}},
        image=target.thumbnail,
        target=target,
        note="Attention shows what a head reads, and is no proof that the word depends on it. Compare with occlusion.",
    )


def _listen(target: Target) -> Attention:
    """Rows of the positions that predict the word, read while the blocks are called again: no pass of the vision tower."""
    recording, model = target.recording, target.model
    with tap(model, target.positions) as attention:
        replay(model, recording, 0, recording.stream[0])
    require_layers(attention, model)
    return attention


def _rows(attention: Attention, layers: list[int]) -> Array:
    """Mean over the pieces of the word, (n_layers, n_heads, n_positions)."""
    return np.asarray(torch.stack([attention.rows[layer][0].mean(1) for layer in layers]).cpu().numpy())


def _unread(rows: torch.Tensor) -> float:
    """By how much rows miss a sum of 1; of 0 where a head reads nothing, as all that it may read is knocked out."""
    sums = rows.sum(-1)
    return float(torch.minimum((sums - 1).abs(), sums.abs()).max())


def _uniform(attention: Attention, layers: list[int]) -> Array:
    """Equal attention to every position that each row can read, mean over the pieces."""
    readable = [(attention.rows[layer][0] > 0).float() for layer in layers]
    return np.asarray(torch.stack([(r / r.sum(-1, keepdim=True).clamp_min(1)).mean(1) for r in readable]).cpu().numpy())


def _shares(target: Target, rows: Array, layers: list[int]) -> xarray.DataArray:
    groups = [rows[..., list(target.at(role))].sum(-1) for role in ROLES]
    coords: dict[str, Any] = {"layer": layers, "head": range(rows.shape[1]), "group": list(ROLES)}
    return xarray.DataArray(np.stack(groups, -1), dims=("layer", "head", "group"), coords=coords, name="share")
