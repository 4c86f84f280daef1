"""Baselines of occlusion and of gradients along a path: states that stand for an absent patch or token."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from PIL import ImageFilter
from torch import Tensor

from ..data.images import read_image
from ..errors import DataError, MethodError
from ..models.adapter import Model
from ..models.replay import Recording, record
from ..targets.axes import patch_positions, text_positions
from ..targets.target import Target

NULLS = ("image", "none")  # of maps: the same in an image without content, or none
BASELINES = ("mean", "blur", "dataset")
EMPTY = 1e-3  # of the median length: the state of a token whose embedding is zero
BLUR = 8  # the radius of the blur is this part of the image's longer side


def baseline_states(target: Target, layer: int, baseline: str = "mean", data: Sequence[Any] | None = None) -> Tensor:
    """States of a layer in which every image position and every text position has its baseline, (n_positions, d_model).

    Parameters
    ----------
    target
        The target.
    layer
        The layer.
    baseline
        Of the image's positions. ``"mean"``: the mean state of its patches. ``"blur"``: the states of the blurred image.
        ``"dataset"``: the mean state of the patches of all images of ``data``. Text positions have the mean of the text's.
    data
        Images, or a data set with a column ``image``; for ``"dataset"``.

    Raises
    ------
    MethodError
        An unknown baseline, or one that lacks its data.
    """
    return _replaced(target, lambda recording: recording.stream[layer][0], baseline, data)


def baseline_between(
    target: Target, layer: int, baseline: str = "mean", data: Sequence[Any] | None = None
) -> dict[int, Tensor]:
    """What a model adds between its blocks, with the baseline in place of the image: layer to (n_positions, d_model).

    Parameters
    ----------
    target, layer, baseline, data
        As for :func:`baseline_states`; of the layers from this one on.
    """

    def at(later: int) -> Callable[[Recording], Tensor]:
        return lambda recording: recording.between[later][0]

    return {i: _replaced(target, at(i), baseline, data) for i in target.recording.between if i >= layer}


def _replaced(target: Target, states_of: Callable[[Recording], Tensor], baseline: str, data: Any) -> Tensor:
    """States of a recording with the baselines in place of its image and its text."""
    check_baseline(baseline, data)
    own = states_of(target.recording)
    states, image, text = own.clone(), list(target.at("image")), list(text_positions(target))
    states[text] = own[text].float().mean(0).to(own.dtype)
    if not image:
        return states
    if baseline == "blur":
        radius = max(target.image.size) / BLUR
        blurred = target.again(target.image.filter(ImageFilter.GaussianBlur(radius)))
        states[image] = states_of(blurred.recording)[image]
    elif baseline == "dataset":
        states[image] = _dataset_mean(target, states_of, data).to(own.device, own.dtype)
    else:
        states[image] = own[patch_positions(target)].float().mean(0).to(own.dtype)
    return states


def moves(target: Target, layer: int, baseline: str = "mean") -> dict[str, Tensor]:
    """States with the baseline in place of the image, and in place of the text: ``{"image": …, "text": …}``.

    A state of length zero keeps its place: a norm has no gradient there that says anything.

    Parameters
    ----------
    target, layer, baseline
        As for :func:`baseline_states`.

    Returns
    -------
    dict
        Of (n_positions, d_model); without ``"image"`` where the image has no positions.
    """
    own, base = target.recording.stream[layer][0], baseline_states(target, layer, baseline)
    lengths = own.float().norm(dim=-1)
    base = torch.where((lengths > EMPTY * lengths.median())[:, None], base, own)
    result = {}
    for name, positions in (("image", target.at("image")), ("text", text_positions(target))):
        if positions:
            result[name] = own.clone()
            result[name][list(positions)] = base[list(positions)]
    return result


def notes(target: Target, layer: int, *sentences: str) -> str:
    """Sentences that belong beside numbers from edited states: given ones, the quantity's, and where the image enters again.

    Parameters
    ----------
    target
        The target.
    layer
        The layer whose states are edited.
    *sentences
        Further sentences, which come first; empty ones are left out.
    """
    later = [i for i in target.recording.between if i >= layer]
    again = (
        f"{target.model.name} adds the image again after layers {', '.join(map(str, later))}, where it is as before; with "
        f"layer={max(later) + 1} states are edited after that."
        if later
        else ""
    )
    return " ".join(s for s in (*sentences, target.quantity.note, again) if s)


def check_baseline(baseline: str, data: Any) -> None:
    """Refuse an unknown baseline, and one without its data.

    Parameters
    ----------
    baseline, data
        As for :func:`baseline_states`.

    Raises
    ------
    MethodError
        The value and what was expected.
    """
    if baseline not in BASELINES:
        raise MethodError(f"baseline is {baseline!r}; expected {', '.join(map(repr, BASELINES))}.")
    if (baseline == "dataset") != (data is not None):
        given = "no data" if data is None else "data"
        raise MethodError(
            f"baseline is {baseline!r} with {given}; expected baseline='dataset' with data=…, or neither."
        )


def check_path(baseline: str, null: str) -> None:
    """Refuse a baseline, or a null, that gradients do not take.

    Parameters
    ----------
    baseline
        ``"mean"`` or ``"blur"``.
    null
        ``"image"`` or ``"none"``.

    Raises
    ------
    MethodError
        Another one.
    """
    check_null(null)
    if baseline not in ("mean", "blur"):
        raise MethodError(f"baseline is {baseline!r}; expected 'mean' or 'blur'.")


def check_null(null: str, expected: Sequence[str] = NULLS, name: str = "null") -> None:
    """Refuse an unknown null, or another choice.

    Parameters
    ----------
    null
        The null.
    expected
        Names of those that an instrument has.
    name
        Name of the argument, for the message.

    Raises
    ------
    MethodError
        Another one.
    """
    if null not in expected:
        raise MethodError(f"{name} is {null!r}; expected {' or '.join(map(repr, expected))}.")


def _dataset_mean(target: Target, states_of: Callable[[Recording], Tensor], data: Any) -> Tensor:
    """Mean state of the patches of all images, each with the question of the target, (d_model,)."""
    images = data["image"] if hasattr(data, "column_names") else data
    if not len(images):
        raise DataError("data has no images; expected at least one for the mean over a data set.")
    sums = [_patch_mean(target.model, target.question, states_of, image) for image in images]
    return torch.stack(sums).mean(0)


def _patch_mean(model: Model, question: str, states_of: Callable[[Recording], Tensor], image: Any) -> Tensor:
    prompt = model.inputs([read_image(image)], question or None)
    mask = model.image_mask(prompt)[0]
    return states_of(record(model, model.extend(prompt, [[]])))[: len(mask)][mask].float().mean(0)
