"""Ablate, patch and steer the residual stream: context managers on plain hooks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import MethodError
from ..models.adapter import Model
from ..models.anatomy import branches, output_projection
from ..models.hooks import skip_block, watching, zero_slices
from ..models.sums import residual_sums
from ..types import resolve_layer, resolve_layers
from ..types.arguments import checked, checked_array
from ..types.rules import Rule
from .places import Places

PARTS = ("block", "attention", "mlp")
HOW = ("skip", "zero", "mean")


@checked
@contextlib.contextmanager
def ablate(
    model: Model,
    layers: int | Sequence[int],
    *,
    part: str = "block",
    how: str = "zero",
    heads: Sequence[int] | None = None,
    means: Mapping[int, Any] | None = None,
    direction: Any = None,
) -> Iterator[None]:
    """Ablate what layers add to the residual stream.

    Parameters
    ----------
    model
        The model; its weights are not changed.
    layers
        The layers: layer l is the l-th block, 1 … n_layers; negative ones count from the last. With ``direction``, any
        layers, 0 included.
    part
        ``"block"`` (all that the block adds), ``"attention"`` or ``"mlp"``.
    how
        ``"zero"``: nothing is added, so a block is skipped (``"skip"`` is the same). ``"mean"``: what is added is its
        mean, the same at every position.
    heads
        With ``part="attention"``, only these heads, counted from 0.
    means
        For ``how="mean"``: layer to its mean contribution (d_model,), from :func:`mean_contributions`.
    direction : (d_model,)
        Instead of a part: project this direction, such as a concept, out of the states after those layers.

    Raises
    ------
    LayerError
        A layer that the model does not have.
    MethodError
        A part, head or shape that does not exist; the message lists those that do.
    ModelError
        The family's branches or heads cannot be found.

    References
    ----------
    Zero and mean ablation: Wang et al., "Interpretability in the wild", ICLR 2023, section 2.1; directions: Arditi et
    al., "Refusal in language models is mediated by a single direction", NeurIPS 2024, equation 4.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> with nbt.interventions.ablate(nbt.load_model("toy"), [2, 3], part="mlp"):
    ...     pass
    """
    check_choice(part, PARTS, "part")
    check_choice(how, HOW, "how")
    if direction is not None:
        with _project_out(model, resolve_layers(layers, model.n_layers), _vector(model, direction)):
            yield
        return
    chosen = resolve_layers(layers, model.n_layers, first=1)
    if heads is not None and part != "attention":
        raise MethodError(f"heads is {list(heads)} with part={part!r}; heads are parts of attention: part='attention'.")
    if how == "mean":
        missing = [layer for layer in chosen if layer not in (means or {})]
        if missing or heads is not None:
            raise MethodError(
                f"how='mean' of layers {list(chosen)} has means for {sorted(means or {})}; expected one each from "
                "mean_contributions(model, images, layers, part=…), and no heads."
            )
    with contextlib.ExitStack() as stack:
        for layer in chosen:
            block, mean = model.blocks[layer - 1], None if how != "mean" else _vector(model, (means or {})[layer])
            if part == "block":
                hook: Any = block.register_forward_hook(skip_block(mean), with_kwargs=True)
                stack.callback(hook.remove)
            elif heads is not None:
                stack.callback(_ablate_heads(model, block, heads).remove)
            else:
                stack.enter_context(residual_sums(block, branches(block, part), _constant(mean)))
        yield


@checked
@contextlib.contextmanager
def patch(model: Model, layer: int, states: Any, positions: Sequence[int] | None = None) -> Iterator[None]:
    """Replace the residual stream after a layer.

    Parameters
    ----------
    model
        The model.
    layer
        0 … n_layers, or negative.
    states : (n, positions, d_model)
        The new states, on any device.
    positions
        Their positions, counted from the first position of the prompt; all of them where not given, and then the pass
        must be as long as ``states``. Positions that a pass does not have, as in the cached steps of a generation, are
        unchanged. One generation per block.

    Raises
    ------
    LayerError
        A layer that the model does not have.
    MethodError
        A shape that does not match; from inside the pass where only it can be checked.

    References
    ----------
    Activation patching: Vig et al., "Investigating gender bias in language models using causal mediation analysis",
    NeurIPS 2020, section 3; Meng et al., "Locating and editing factual associations in GPT", NeurIPS 2022, section 2.1.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> with nbt.interventions.patch(nbt.load_model("toy"), -1, np.zeros((1, 1, 128)), positions=[5]):
    ...     pass
    """
    index = resolve_layer(layer, model.n_layers)
    new = states if isinstance(states, torch.Tensor) else torch.tensor(checked_array("states", states, Rule()))
    if new.ndim != 3 or new.shape[-1] != model.d_model or (positions is not None and new.shape[1] != len(positions)):
        raise MethodError(
            f"states has shape {tuple(new.shape)}; expected (n, {'positions' if positions is None else len(positions)}, {model.d_model})."
        )
    end = 0  # of the last pass

    def replace(hidden: Tensor) -> Tensor:
        nonlocal end
        begin = end if hidden.shape[1] == 1 else 0  # a cached step continues where the last pass ended
        end = begin + hidden.shape[1]
        offsets = range(hidden.shape[1]) if positions is None else [p - begin for p in positions]
        if positions is None and begin:
            return hidden
        if hidden.shape[0] != new.shape[0] or (positions is None and hidden.shape[1] != new.shape[1]):
            raise MethodError(
                f"states has shape {tuple(new.shape)}, and the pass {tuple(hidden.shape)}; expected the same images and prompt."
            )
        pairs = [(p, k) for k, p in enumerate(offsets) if 0 <= p < hidden.shape[1]]
        if not pairs:
            return hidden
        to, of = (list(side) for side in zip(*pairs, strict=True))
        hidden = hidden.clone()
        hidden[:, to] = new[:, of].to(hidden.device, hidden.dtype)
        return hidden

    with _edit(model, {index: replace}):
        yield


@checked
@contextlib.contextmanager
def steer(
    model: Model,
    layers: int | Sequence[int],
    vector: Any,
    scale: float = 1.0,
    positions: Sequence[int] | slice | None = None,
) -> Iterator[None]:
    """Add a vector to the residual stream after layers, at every position and every step, or at some positions.

    Parameters
    ----------
    model
        The model.
    layers
        0 … n_layers, or negative.
    vector : (d_model,)
        For example of :func:`nbtoolkit.interventions.concept_unit` or :func:`nbtoolkit.interventions.difference_of_means`.
    scale
        Factor, no unit.
    positions
        Positions, counted from the first position of the prompt, or a slice such as ``slice(70, None)``; all of them where
        None. The steps of a generation continue the count. One generation per block, of prompts without padding.

    Raises
    ------
    LayerError
        A layer that the model does not have.
    MethodError
        A vector of another shape, or not finite.

    References
    ----------
    Khayatan et al., arXiv 2501.03012, section 5; Rimsky et al., "Steering Llama 2 via contrastive activation
    addition", ACL 2024, section 3.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> with nbt.interventions.steer(nbt.load_model("toy"), 3, np.ones(128), scale=0.1):
    ...     pass
    """
    v = _vector(model, vector)

    def adder() -> Callable[[Tensor], Tensor]:
        place = Places(positions)  # each layer counts its own passes

        def add(hidden: Tensor) -> Tensor:
            added = scale * v.to(hidden.device, hidden.dtype)
            return hidden + (added if positions is None else place.mask(hidden) * added)

        return add

    with _edit(model, {layer: adder() for layer in resolve_layers(layers, model.n_layers)}):
        yield


def check_choice(value: str, choices: Sequence[str], name: str) -> None:
    """Refuse a value that is none of the choices.

    Parameters
    ----------
    value
        The value.
    choices
        The values that are possible.
    name
        Name of the argument, for the message.

    Raises
    ------
    MethodError
        The value is another one.
    """
    if value not in choices:
        raise MethodError(f"{name} is {value!r}; expected one of {', '.join(map(repr, choices))}.")


def _vector(model: Model, vector: Any) -> Tensor:
    is_tensor = isinstance(vector, torch.Tensor)
    v = vector if is_tensor else torch.tensor(checked_array("The vector", vector, Rule()).astype(np.float32))
    if v.shape != (model.d_model,) or not bool(v.isfinite().all()):
        raise MethodError(
            f"The vector has shape {tuple(v.shape)}; expected ({model.d_model},) finite numbers, one per dimension of the stream."
        )
    return v


def _constant(mean: Tensor | None) -> Callable[[int, Tensor], Tensor]:
    """Replace what enters a block's sums by zeros, or by a mean, which is that of all its sums together: once."""

    def visit(order: int, added: Tensor) -> Tensor:
        zeros = torch.zeros_like(added)
        return zeros if mean is None or order else zeros + mean.to(added.device, added.dtype)

    return visit


def _ablate_heads(model: Model, block: Any, heads: Sequence[int]) -> Any:
    n = model.n_heads
    if not len(heads) or any(not 0 <= h < n for h in heads):
        raise MethodError(f"heads is {list(heads)}; expected heads between 0 and {n - 1}.")
    return output_projection(block, n).register_forward_pre_hook(zero_slices(n, heads))


def _project_out(model: Model, layers: Sequence[int], direction: Tensor) -> contextlib.AbstractContextManager[None]:
    length = float(direction.norm())
    if length == 0:
        raise MethodError(
            "The direction is all zeros; expected a vector with a length, such as a concept that is not dead."
        )
    unit = direction / length

    def project(hidden: Tensor) -> Tensor:
        u = unit.to(hidden.device, hidden.dtype)
        return hidden - (hidden @ u)[..., None] * u

    return _edit(model, dict.fromkeys(layers, project))


def _edit(model: Model, changes: Mapping[int, Callable[[Tensor], Tensor]]) -> contextlib.AbstractContextManager[None]:
    return watching(model.blocks, lambda layer, hidden: changes[layer](hidden) if layer in changes else None)
