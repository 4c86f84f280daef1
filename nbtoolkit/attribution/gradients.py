"""Gradient × input: the first-order change of the word's quantity, from the baseline to each state."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..errors import ModelError
from ..targets.axes import by_position, on_fitting_threads, placebo, rounding
from ..targets.target import REPLAYED, Target
from ..types import resolve_layer
from ..types.arguments import checked
from ..types.measurement import Identity, Measurement
from ..types.nulls import OTHER_IMAGE
from .baselines import check_path, moves, notes

Array = np.ndarray
STEPS = (0.32, 0.16, 0.08, 0.04, 0.02, 0.01, 0.005)  # of the path, for the difference quotients that check the gradient
CHECK = "sums over image and text equal the derivative towards the baseline, relative to the sum of the scores' sizes"
TOLERANCE = 0.05  # of the sum of the scores' sizes: what difference quotients in float32 can tell
ENOUGH = 0.1  # of the tolerance: a gradient that is as close is checked no further
COARSE = 5  # in formats of fewer digits, this many times what two ways to one number may differ by


@checked
@on_fitting_threads
def gradient_x_input(target: Target, *, layer: int = 0, baseline: str = "mean", null: str = "image") -> Measurement:
    """Gradient × input: (state − baseline) · gradient at every patch, and at every text token.

    One gradient at the states of the pass, so it is fast, and blind where the quantity is flat there:
    :func:`nbtoolkit.attribution.integrated_gradients` averages gradients along the path from the baseline.

    Parameters
    ----------
    target
        The target.
    layer
        The layer of the states; 0 is the input of the first block.
    baseline
        ``"mean"`` or ``"blur"``, as for :func:`nbtoolkit.attribution.occlusion`.
    null
        ``"image"``: the same in an image of the same size without its content. ``"none"``: no null.

    Returns
    -------
    Measurement
        Over the axis ``patch``, in the unit of the target's quantity; ``details["text"]`` has the text tokens. Where the image
        has no positions in the decoder, the values are those of the text. A state of length zero, which norms cannot be
        differentiated at, keeps its place and has 0. The check compares the sum with a difference
        quotient along the same direction, relative to the sum of the sizes of all scores.

    References
    ----------
    Shrikumar et al. 2017 (DeepLIFT, arXiv 1704.02685), section 3.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> from nbtoolkit.targets import target
    >>> t = target(nbt.load_model("toy"), nbt.load_data("toy", n=1)[0]["image"], "cars", response="two cars")
    >>> gradient_x_input(t).values.sizes["patch"]
    64
    """
    layer = resolve_layer(layer, target.model.n_layers)
    check_path(baseline, null)
    scores, missed = _scores(target, layer, baseline)
    values, details = by_position(target, scores, "gradient_x_input")
    other = None
    if null == "image":
        other, _ = by_position(target, _scores(placebo(target), layer, baseline, check=False)[0], "gradient_x_input")
    return Measurement(
        values,
        target.quantity.unit,
        Identity(CHECK, missed, max(TOLERANCE, COARSE * rounding(target))),
        null=other,
        null_kind=None if other is None else OTHER_IMAGE,
        details=details,
        provenance=target.provenance
        | {"settings": {"layer": layer, "baseline": baseline, "null": null}, "value": target.value},
        image=target.thumbnail,
        target=target,
        note=notes(target, layer),
    )


def gradients_at(target: Target, layer: int, states: Tensor) -> tuple[Array, Tensor]:
    """Quantities at edited states, and the gradients with respect to them.

    Parameters
    ----------
    target
        The target.
    layer
        The layer of the states.
    states : (n, n_positions, d_model)
        Edited copies of the layer's states.

    Returns
    -------
    (n,), (n, n_positions, d_model) Tensor
        float32 gradients.

    Raises
    ------
    ModelError
        A gradient is not finite.
    """
    values, gradients = [], []
    with torch.inference_mode(False), torch.enable_grad():
        for part in states.split(REPLAYED):
            leaf = part.detach().clone().requires_grad_()
            value = target.replay(layer, leaf, gradient=True)
            gradients.append(torch.autograd.grad(value.sum(), leaf)[0].float())
            values.append(value.detach().float().cpu().numpy())
    result = torch.cat(gradients)
    if not bool(result.isfinite().all()):
        raise ModelError(
            f"The gradient of {target.model.name} after layer {layer} has infinite or NaN entries ({result.dtype} states); expected "
            "finite ones. Load the model in float32, or choose a later layer."
        )
    return np.concatenate(values), result


def _scores(target: Target, layer: int, baseline: str, check: bool = True) -> tuple[Array, float]:
    """Scores (n_positions,), and by how much their sums over the image and over the text miss difference quotients."""
    own = target.recording.stream[layer][0]
    gradient = gradients_at(target, layer, own[None])[1][0]
    total, missed = np.zeros(len(own)), 0.0
    for base in moves(target, layer, baseline).values():
        scores = ((own - base).float() * gradient).sum(-1).cpu().numpy().astype(float)
        total += scores
        if check:
            missed = max(missed, _missed(target, layer, base, float(scores.sum()), float(np.abs(scores).sum()) or 1.0))
    return total, missed


def _missed(target: Target, layer: int, base: Tensor, slope: float, scale: float) -> float:
    """Least difference of a slope and central difference quotients of several steps, each also improved by twice its step,
    relative to a scale."""
    own, missed = target.recording.stream[layer][0], np.inf
    for steps in (STEPS[3:5], STEPS):  # two steps are enough for most functions
        states = torch.stack([own + s * (own - base) for step in steps for s in (step, -step)])
        values = np.asarray(target.replay(layer, states), float)
        quotients = (values[::2] - values[1::2]) / (2 * np.array(steps))
        improved = (4 * quotients[1:] - quotients[:-1]) / 3
        missed = float(np.abs(np.concatenate([quotients, improved]) - slope).min() / scale)
        if missed <= ENOUGH * TOLERANCE:
            break
    return missed
