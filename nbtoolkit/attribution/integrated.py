"""Integrated gradients: gradients averaged along the path from a baseline to the states, until they are complete."""

from __future__ import annotations

import math
from typing import Annotated, NamedTuple

import numpy as np
import torch
import xarray

from ..errors import MeasurementError
from ..targets.axes import by_position, on_fitting_threads, placebo, position_coordinates, require_image, text_positions
from ..targets.target import REPLAYED, Target
from ..types import resolve_layer
from ..types.arguments import checked
from ..types.measurement import Identity, Measurement
from ..types.nulls import OTHER_IMAGE
from ..types.rules import Rule
from .baselines import check_null, check_path, moves, notes
from .gradients import gradients_at

Array = np.ndarray
MOST_NODES = 256
PATHS = ("both", "image", "text")
CHECK = "scores sum to the change from the baseline, relative to the sum of their sizes"


class _Path(NamedTuple):
    scores: Array  # (n_positions,)
    gap: float  # of their sum and the change of the quantity, in its unit
    n_nodes: int

    @property
    def missed(self) -> float:
        return abs(self.gap) / (float(np.abs(self.scores).sum()) or 1.0)


@checked
@on_fitting_threads
def integrated_gradients(
    target: Target,
    *,
    layer: int = 0,
    baseline: str = "mean",
    null: str = "image",
    along: str = "both",
    n_nodes: Annotated[int, Rule(least=1, most=MOST_NODES)] = 16,
    tolerance: Annotated[float, Rule(least=0, most=1)] = 0.01,
) -> Measurement:
    """Integrated gradients of the word's log p, or logit difference, for every patch and every text token.

    One path leads from the image's baseline to the image with the text as it is, and one from the text's baseline to the
    text with the image as it is. The nodes of each are those of Gauss and Legendre, and doubled, up to 256, until the
    scores are complete.

    Parameters
    ----------
    target
        The target.
    layer
        The layer of the states; 0 is the input of the first block. The vision tower is not part of the path.
    baseline
        ``"mean"`` or ``"blur"``, as for :func:`nbtoolkit.attribution.occlusion`. A state of zeros is no baseline of a model
        with RMS norms: no path of states leads there.
    null
        ``"image"``: the same in an image of the same size without its content. ``"none"``: no null.
    along
        ``"both"`` paths, or only that of the ``"image"`` (of three paths with the null, two are left) or of the ``"text"``, which
        needs no image positions. The values are those of the patches, of the text's positions for ``"text"``.
    n_nodes
        Number of nodes at first.
    tolerance
        Largest gap between the sum of the scores and the change of the quantity, relative to the sum of the scores' sizes.

    Returns
    -------
    Measurement
        Over the axis ``patch``, in the unit of the target's quantity; ``details["text"]`` has the text tokens where both paths are taken. Where the image
        has no positions in the decoder, the values are those of the text. A state of length zero, which norms cannot be
        differentiated at, keeps its place and has 0. The check is the completeness gap; the provenance
        has it per path in the unit of the quantity, and the number of nodes.

    Raises
    ------
    MethodError
        Another path.
    ModelError
        ``along`` is ``"image"``, and the image has no positions in the decoder.
    MeasurementError
        The gap exceeds the tolerance with 256 nodes.

    References
    ----------
    Sundararajan et al. 2017 (arXiv 1703.01365), section 3 and proposition 1 (completeness).

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> from nbtoolkit.targets import target
    >>> t = target(nbt.load_model("toy"), nbt.load_data("toy", n=1)[0]["image"], "cars", response="two cars")
    >>> integrated_gradients(t).check.residual < 0.01
    True
    """
    layer = resolve_layer(layer, target.model.n_layers)
    check_path(baseline, null)
    check_null(along, PATHS, "along")
    if along == "image":
        require_image(target, "The path of the image")
    paths = _paths(target, layer, baseline, n_nodes, tolerance, only="" if along == "both" else along)
    missed = max(path.missed for path in paths.values())
    if not missed <= tolerance:
        worst = max(paths.values(), key=lambda path: path.missed)
        raise MeasurementError(
            f"integrated_gradients is not given: with {worst.n_nodes} nodes, the scores' sum misses the change from the baseline by "
            f"{worst.gap:.3g} {target.quantity.unit}, {worst.missed:.2g} of the sum of their sizes; expected at most {tolerance:g}. Choose a "
            "later layer or baseline='blur', or a larger tolerance."
        )
    values, details = _by_position(target, paths)
    other = None
    if null == "image":
        drawn = next(iter(paths))  # the path of the values: the image's where it has positions
        floor = _paths(placebo(target), layer, baseline, paths[drawn].n_nodes, math.inf, only=drawn)
        other, _ = _by_position(target, floor)
    settings = {
        "layer": layer,
        "baseline": baseline,
        "null": null,
        "along": along,
        "n_nodes": {name: path.n_nodes for name, path in paths.items()},
    }
    gaps = {name: path.gap for name, path in paths.items()}
    printed = ", ".join(f"{path.gap:.2g} ({name}, {path.n_nodes} nodes)" for name, path in paths.items())
    return Measurement(
        values,
        target.quantity.unit,
        Identity(CHECK, missed, tolerance),
        null=other,
        null_kind=None if other is None else OTHER_IMAGE,
        details=details,
        provenance=target.provenance | {"settings": settings, "gap": gaps, "value": target.value},
        image=target.thumbnail,
        target=target,
        note=notes(target, layer, f"Completeness gap in {target.quantity.unit}: {printed}."),
    )


def _paths(
    target: Target, layer: int, baseline: str, n_nodes: int, tolerance: float, only: str = ""
) -> dict[str, _Path]:
    """The path of the image and the path of the text, each with as many nodes as it needs."""
    own = target.recording.stream[layer][0]
    result = {}
    for name, base in moves(target, layer, baseline).items():
        if only not in ("", name):
            continue
        change = target.value - float(target.replay(layer, base[None])[0])
        n = n_nodes
        path = _integrated(target, layer, own, base, change, n)
        while path.missed > tolerance and n < MOST_NODES:
            n = min(2 * n, MOST_NODES)
            path = _integrated(target, layer, own, base, change, n)
        result[name] = path
    return result


def _integrated(
    target: Target, layer: int, own: torch.Tensor, base: torch.Tensor, change: float, n_nodes: int
) -> _Path:
    """Scores with a number of nodes: (state - baseline) · mean gradient, a batch of nodes at a time."""
    nodes, weights = np.polynomial.legendre.leggauss(n_nodes)
    nodes, weights = (nodes + 1) / 2, weights / 2
    mean = torch.zeros(own.shape, device=own.device)
    for start in range(0, n_nodes, REPLAYED):
        here = torch.tensor(nodes[start : start + REPLAYED], dtype=torch.float32, device=own.device)
        share = torch.tensor(weights[start : start + REPLAYED], dtype=torch.float32, device=own.device)
        states = (base.float() + here[:, None, None] * (own - base).float()).to(own.dtype)
        mean += (share[:, None, None] * gradients_at(target, layer, states)[1]).sum(0)
    scores = ((own - base).float() * mean).sum(-1).cpu().numpy().astype(float)
    return _Path(scores, float(scores.sum()) - change, n_nodes)


def _by_position(target: Target, paths: dict[str, _Path]) -> tuple[xarray.DataArray, dict[str, xarray.DataArray]]:
    """Values and details: scores of all positions, of which each path has its own; one path alone has values only."""
    scores, name = np.asarray(sum(path.scores for path in paths.values())), "integrated_gradients"
    if [*paths] == ["text"]:
        at = text_positions(target)
        return xarray.DataArray(scores[list(at)], position_coordinates(target, at), "position", name), {}
    values, details = by_position(target, scores, name)
    return values, details if "text" in paths else {}
