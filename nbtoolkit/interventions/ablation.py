"""Ablate what layers add to the residual stream: blocks, attention, heads, MLPs, neurons, and directions of the states."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..errors import MethodError
from ..models.adapter import Model
from ..models.anatomy import branches, neuron_matrix, output_projection
from ..models.hooks import skip_block, zero_entries, zero_slices
from ..models.sums import residual_sums
from ..types import resolve_layers
from ..types.arguments import checked
from ..types.rules import described
from .residual import as_vector, editing

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
    neurons: Sequence[int] | None = None,
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
    neurons
        With ``part="mlp"``, only these neurons, counted from 0: inputs of its last matrix, whose bias stays.
    means
        For ``how="mean"``: layer to its mean contribution (d_model,), from :func:`mean_contributions`.
    direction : (d_model,)
        Instead of a part: project this direction, such as a concept, out of the states after those layers.

    Raises
    ------
    LayerError
        A layer that the model does not have.
    MethodError
        A part, head, neuron or shape that does not exist; the message lists those that do.
    ModelError
        The family's branches, heads or neurons cannot be found.

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
        with _project_out(model, resolve_layers(layers, model.n_layers), as_vector(model, direction)):
            yield
        return
    chosen = resolve_layers(layers, model.n_layers, first=1)
    _check_parts(part, heads, neurons)
    if how == "mean":
        missing = [layer for layer in chosen if layer not in (means or {})]
        if missing or heads is not None or neurons is not None:
            raise MethodError(
                f"how='mean' of layers {list(chosen)} has means for {sorted(means or {})}; expected one each from "
                "mean_contributions(model, images, layers, part=…), and no heads or neurons."
            )
    with contextlib.ExitStack() as stack:
        for layer in chosen:
            block, mean = model.blocks[layer - 1], None if how != "mean" else as_vector(model, (means or {})[layer])
            if part == "block":
                hook: Any = block.register_forward_hook(skip_block(mean), with_kwargs=True)
                stack.callback(hook.remove)
            elif heads is not None:
                stack.callback(_ablate_heads(model, block, heads).remove)
            elif neurons is not None:
                stack.callback(_ablate_neurons(model, layer, neurons).remove)
            else:
                stack.enter_context(residual_sums(block, branches(block, part), _constant(mean)))
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


def _check_parts(part: str, heads: Sequence[int] | None, neurons: Sequence[int] | None) -> None:
    for name, chosen, whole in (("heads", heads, "attention"), ("neurons", neurons, "mlp")):
        if chosen is not None and part != whole:
            raise MethodError(
                f"{name} is {described(list(chosen))} with part={part!r}; {name} are parts of {'attention' if whole == 'attention' else 'the MLP'}: "
                f"part={whole!r}."
            )


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


def _ablate_neurons(model: Model, layer: int, neurons: Sequence[int]) -> Any:
    matrix: Any = neuron_matrix(model, layer)
    n = int(matrix.in_features)
    if not len(neurons) or any(not 0 <= i < n for i in neurons):
        raise MethodError(
            f"neurons is {described(list(neurons))}; expected neurons of layer {layer} from 0 to {n - 1}."
        )
    return matrix.register_forward_pre_hook(zero_entries(neurons))


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

    return editing(model, dict.fromkeys(layers, project))
