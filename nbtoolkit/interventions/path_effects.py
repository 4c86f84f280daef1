"""Total, direct and indirect effect of the image: with the question's positions, or without them, between image and word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray
from PIL import Image
from torch import Tensor

from ..errors import MethodError
from ..targets.axes import resolve_positions
from ..targets.target import Target
from ..types.arguments import checked
from ..types.measurement import Identity, Measurement
from ..types.nulls import EMPTY_IMAGE

BASELINES = ("blank", "grey", "noise")
EFFECTS = ("total", "direct", "indirect")
TOLERANCE = 1e-4


@checked
def path_effects(target: Target, *, baselines: Sequence[str] = BASELINES, through: Any = "question") -> Measurement:
    """Effect of the image on the word, in all and by its two ways: past the question's positions, and through them.

    Parameters
    ----------
    target
        The target.
    baselines
        Images that stand for none: ``"blank"`` (white), ``"grey"`` (the image's mean colour), ``"noise"`` (uniform noise).
    through
        Role, or positions, whose states are held at the baseline's for the direct effect.

    Returns
    -------
    Measurement
        ``baseline, effect`` -> change of the quantity, in its unit. total = m(image) - m(baseline); direct = the change when the
        states of ``through`` stay, at every layer, as with the baseline; indirect = total - direct.
        ``details["pure_indirect"]``: the change when only those states are as with the image; it differs from the
        indirect effect where the two ways interact.

    Raises
    ------
    MethodError
        An unknown baseline, or no position in between.

    References
    ----------
    Pearl, "Direct and indirect effects", UAI 2001; Niu et al., "Counterfactual VQA", CVPR 2021.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> t = nbt.target(nbt.load_model("toy"), nbt.load_data("toy", n=1)[0]["image"], "a", foil="the", question="")
    >>> path_effects(t, through=[t.positions[0] - 1]).values.sizes["effect"]
    3
    """
    unknown = [name for name in baselines if name not in BASELINES]
    if unknown or not baselines:
        raise MethodError(f"baselines is {[*baselines]}; expected names among {', '.join(map(repr, BASELINES))}.")
    held = list(resolve_positions(target, through, "through"))
    rows, pure, null = [], [], []
    for name in baselines:
        base, another = (
            target.again(baseline_image(target.image, name)),
            target.again(baseline_image(target.image, name, other=True)),
        )
        if base.n_positions != target.n_positions:
            raise MethodError(
                f"The baseline {name!r} has {base.n_positions} positions, the image {target.n_positions}; expected as many."
            )
        rows.append(_effects(target, base, held))
        null.append(_effects(another, base, held))
        pure.append(_with_held(base, target, held) - base.value)
    gap = abs(_with_held(target, target, held) - target.value)
    axes = {"baseline": [*baselines], "effect": [*EFFECTS]}
    return Measurement(
        xarray.DataArray(np.array(rows), axes, ("baseline", "effect"), "path_effects"),
        target.quantity.unit,
        Identity("states held at their own values change nothing", gap, TOLERANCE * max(1.0, abs(target.value))),
        xarray.DataArray(np.array(null), axes, ("baseline", "effect"), "null"),
        EMPTY_IMAGE,
        {"pure_indirect": xarray.DataArray(np.array(pure), {"baseline": [*baselines]}, "baseline")},
        target.provenance | {"through": str(through)},
        target.thumbnail,
        target=target,
    )


def baseline_image(image: Image.Image, name: str, *, other: bool = False) -> Image.Image:
    """An image of the same size that stands for none.

    Parameters
    ----------
    image
        The image.
    name
        ``"blank"``, ``"grey"`` or ``"noise"``.
    other
        Another image of its kind: black, mid-grey, other noise.
    """
    if name == "noise":
        pixels = np.random.default_rng(int(other)).integers(0, 256, (image.height, image.width, 3))
        return Image.fromarray(pixels.astype(np.uint8))
    if other:
        return Image.new("RGB", image.size, "black" if name == "blank" else (128, 128, 128))
    mean: Any = tuple(round(v) for v in np.asarray(image.convert("RGB")).reshape(-1, 3).mean(0))
    return Image.new("RGB", image.size, "white" if name == "blank" else mean)


def _effects(t: Target, base: Target, held: list[int]) -> list[float]:
    """Total, direct and indirect effect of one image against another."""
    total, direct = t.value - base.value, _with_held(t, base, held) - base.value
    return [total, direct, total - direct]


def _with_held(t: Target, other: Target, held: list[int]) -> float:
    """The quantity of a target's pass in which some positions have, at every layer, the states of another pass."""

    def hold(layer: int, states: Tensor) -> Tensor:
        new = states.clone()
        new[:, held] = other.recording.stream[layer][:, held]
        return new

    start = hold(0, t.recording.stream[0])
    return float(t.replay(0, start, visit=hold)[0])
