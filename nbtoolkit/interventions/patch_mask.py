"""Mask patches of the image for as long as a ``with`` block lasts: also while a response is generated."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor

from ..errors import MethodError
from ..models.hooks import input_states
from ..targets.axes import boxes_of, patch_positions, require_image
from ..targets.target import Target
from ..types.arguments import checked
from ..types.rules import described
from .residual import patch


@checked
@contextlib.contextmanager
def mask_patches(target: Target, patches: Sequence[int]) -> Iterator[None]:
    """Replace patches of the image by its mean patch, where they enter the first block and where a model adds them again.

    The vision tower has seen the patches, and what it wrote to others stays; the states of these patches become the mean over
    all patches, as in :func:`nbtoolkit.attribution.occlusion`, whose numbers it gives. It holds for every pass of the target's
    prompt, and for what is generated after it.

    Parameters
    ----------
    target
        A target of the image; its pass is read before the patches are masked.
    patches
        Patches in the order of ``target.patches``, from 0; positions of the image in their order where they are no grid.

    Raises
    ------
    ModelError
        The image has no positions in the decoder.
    MethodError
        A patch that the image does not have.

    References
    ----------
    Zeiler and Fergus 2014 (arXiv 1311.2901), section 4.2, at the decoder's input.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> t = nbt.target(nbt.load_model("toy"), nbt.load_data("toy", n=1)[0]["image"], "a", response="a dog")
    >>> with nbt.interventions.mask_patches(t, range(64)):
    ...     masked = t.again().probability
    >>> bool(masked != t.probability)
    True
    """
    image = require_image(target, "A mask of patches")
    every = list(target.patches[0]) if boxes_of(target)[0] else list(image)
    if any(not 0 <= i < len(every) for i in patches):
        raise MethodError(f"patches is {described(list(patches))}; expected patches from 0 to {len(every) - 1}.")
    at, pool, model, recording = (
        [every[int(i)] for i in patches],
        patch_positions(target),
        target.model,
        target.recording,
    )

    def mean(states: Tensor) -> Tensor:
        return states[:, pool].float().mean(1, keepdim=True).to(states.dtype)

    with contextlib.ExitStack() as stack:
        if at:
            for layer, states in recording.between.items():
                change = mean(states) - states[:, at]
                handle = model.blocks[layer].register_forward_pre_hook(_adding(at, change), with_kwargs=True)
                stack.callback(handle.remove)
            stack.enter_context(patch(model, 0, mean(recording.stream[0]).expand(-1, len(at), -1), at))
        yield


def _adding(at: Sequence[int], change: Tensor) -> Any:
    """Hook that adds to a block's input at positions of the prompt; the steps of a generation have none of them."""

    def hook(_block: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        states = input_states(args, kwargs)
        if states.shape[1] <= max(at):
            return None
        new = states.clone()
        new[:, list(at)] += change.to(states.device, states.dtype)
        return ((new, *args[1:]), kwargs) if args else (args, kwargs | {"hidden_states": new})

    return hook
