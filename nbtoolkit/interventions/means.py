"""Mean contributions of layers, for mean ablation."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..data.images import read_images
from ..errors import DataError
from ..models.adapter import Model
from ..models.anatomy import branches
from ..models.hooks import input_states, output_states
from ..models.sums import residual_sums
from ..types import resolve_layers
from ..types.arguments import checked
from .ablation import PARTS, check_choice


@checked
def mean_contributions(
    model: Model,
    images: Sequence[Any],
    layers: int | Sequence[int],
    *,
    part: str = "block",
    prompt: str | Sequence[str | None] | None = None,
) -> dict[int, np.ndarray]:
    """Mean of what layers add to the residual stream, over all positions of a prompt with each image.

    The attention or MLP of a block is read where it enters the residual sum, so after a norm, gate or factor of its own. The
    means of both sum to that of the block where ``model.parts_sum`` is true; in blocks that end with a norm they do not.

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

    def collect(layer: int, order: int, added: Any) -> None:
        flat = added.double().reshape(-1, model.d_model)
        total[layer] += flat.sum(0).cpu().numpy()
        n_positions[layer] += len(flat) if order == 0 else 0

    def whole(layer: int) -> Callable[..., None]:
        return lambda _block, args, kwargs, output: collect(
            layer, 0, output_states(output) - input_states(args, kwargs)
        )

    with contextlib.ExitStack() as stack:
        for layer in chosen:
            block = model.blocks[layer - 1]
            if part == "block":
                stack.callback(block.register_forward_hook(whole(layer), with_kwargs=True).remove)
            else:
                stack.enter_context(residual_sums(block, branches(block, part), functools.partial(collect, layer)))
        if prompt is not None and not isinstance(prompt, str) and len(prompt) != len(images):
            raise DataError(f"There are {len(prompt)} prompts for {len(images)} images; expected one each.")
        questions = [prompt] * len(images) if prompt is None or isinstance(prompt, str) else prompt
        for image, question in zip(images, questions, strict=True):  # one at a time: no padding counts
            model.forward(model.extend(model.inputs([read_images(image)], question), [[]]))
    return {layer: (total[layer] / max(1, n_positions[layer])).astype(np.float32) for layer in chosen}
