"""Mean contributions of layers, for mean ablation."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..data.images import read_images
from ..models.adapter import Model
from ..models.anatomy import branches
from ..models.hooks import input_states, output_states
from ..types import resolve_layers
from .residual import PARTS, check_choice


def mean_contributions(
    model: Model,
    images: Sequence[Any],
    layers: int | Sequence[int],
    *,
    part: str = "block",
    prompt: str | Sequence[str | None] | None = None,
) -> dict[int, np.ndarray]:
    """Mean of what layers add to the stream, over all positions of a prompt with each image.

    Parameters
    ----------
    model
        The model.
    images
        Images; a list of images where a row has several.
    layers
        1 … n_layers, or negative.
    part
        ``"block"``, ``"attention"`` or ``"mlp"``.
    prompt
        The question, or a list with one per image; the model's default where None.

    Returns
    -------
    dict
        Layer to a vector (d_model,), for ``ablate(…, how="mean", means=…)``.

    Raises
    ------
    LayerError
        A layer that the model does not have.
    MethodError
        Another part.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> {k: v.shape for k, v in mean_contributions(nbt.load_model("toy"), nbt.load_data("toy", n=2)["image"], [2]).items()}
    {2: (128,)}
    """
    check_choice(part, PARTS, "part")
    chosen = resolve_layers(layers, model.n_layers, first=1)
    total = {layer: np.zeros(model.d_model) for layer in chosen}
    n_positions = dict.fromkeys(chosen, 0)

    def collect(layer: int, count: bool) -> Callable[..., None]:
        def hook(_module: Any, args: Any, kwargs: Any, output: Any) -> None:
            added = output_states(output)
            if part == "block":
                added = added - input_states(args, kwargs)
            total[layer] += added.double().flatten(0, -2).sum(0).cpu().numpy()
            n_positions[layer] += count * added.shape[:-1].numel()

        return hook

    with contextlib.ExitStack() as stack:
        for layer in chosen:
            block = model.blocks[layer - 1]
            for i, module in enumerate([block] if part == "block" else branches(block, part)):
                stack.callback(module.register_forward_hook(collect(layer, i == 0), with_kwargs=True).remove)
        questions = [prompt] * len(images) if prompt is None or isinstance(prompt, str) else prompt
        for image, question in zip(images, questions, strict=True):  # one at a time: no padding counts
            model.forward(model.extend(model.inputs([read_images(image)], question), [[]]))
    return {layer: (total[layer] / max(1, n_positions[layer])).astype(np.float32) for layer in chosen}
