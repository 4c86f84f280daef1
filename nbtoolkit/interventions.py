"""Change what a model computes, for as long as a ``with`` block lasts: ablate, patch, steer."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .data import read_image
from .errors import MethodError

if TYPE_CHECKING:
    from torch import Tensor

    from .models import Model

PARTS = ("block", "attention", "mlp")
HOW = ("skip", "zero", "mean")


@contextlib.contextmanager
def ablate(model: Model, layers: int | Sequence[int], *, part: str = "block", how: str = "zero", heads: Sequence[int] | None = None,
           means: Mapping[int, Any] | None = None, direction: Any = None) -> Iterator[None]:  # fmt: skip
    """Switch off what layers add to the residual stream.

    Parameters
    ----------
    model
        The adapter; its own weights are not touched.
    layers
        Which: layer l is the work of the l-th block, 1 … n_layers; negative ones count from the end. With
        ``direction``, any layers, 0 included.
    part
        ``"block"`` (all that the block adds), ``"attention"`` or ``"mlp"``.
    how
        ``"zero"``: nothing is added, so a block is skipped (``"skip"`` says the same). ``"mean"``: what is added is its
        mean, at every position the same.
    heads
        With ``part="attention"``, only these heads, counted from 0.
    means
        For ``how="mean"``: layer to what it adds on average, from :func:`mean_contributions`.
    direction : (d_model,)
        Instead of a part: take this direction, such as a concept, out of the states after those layers.

    Raises
    ------
    MethodError
        A layer, part, head or shape that there is not; the message says what there is.
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
    from .models.anatomy import branches
    from .models.hooks import constant_branch, skip_block

    _check(part, PARTS, "part")
    _check(how, HOW, "how")
    if direction is not None:
        with _without(model, at_layers(model, layers), _vector(model, direction)):
            yield
        return
    chosen = at_layers(model, layers, first=1)
    if heads is not None and part != "attention":
        raise MethodError(f"heads is {list(heads)} with part={part!r}; heads are parts of attention: part='attention'.")
    if how == "mean":
        missing = [layer for layer in chosen if layer not in (means or {})]
        if missing or heads is not None:
            raise MethodError(f"how='mean' of layers {chosen} has means for {sorted(means or {})}; expected one each from "
                              "mean_contributions(model, images, layers, part=…), and no heads.")  # fmt: skip
    with contextlib.ExitStack() as stack:
        for layer in chosen:
            block, mean = model.blocks[layer - 1], None if how != "mean" else _vector(model, (means or {})[layer])
            if part == "block":
                hook: Any = block.register_forward_hook(skip_block(mean), with_kwargs=True)
                stack.callback(hook.remove)
            elif heads is not None:
                stack.callback(_off(model, block, heads).remove)
            else:
                for i, branch in enumerate(branches(block, part)):  # the mean is that of all of them together
                    stack.callback(branch.register_forward_hook(constant_branch(mean if i == 0 else None)).remove)
        yield


@contextlib.contextmanager
def patch(model: Model, layer: int, states: Any, positions: Sequence[int] | None = None) -> Iterator[None]:
    """Replace the residual stream after a layer.

    Parameters
    ----------
    layer
        0 … n_layers, or negative.
    states : (n, positions, d_model)
        What takes the place, on any device.
    positions
        Where, counted from the first position of the prompt; all of them where not given, and then the pass must be as
        long as ``states``. Positions that a pass does not have, as in the cached steps of a generation, stay as they are. One generation a block.

    Raises
    ------
    MethodError
        A shape or layer that does not fit; from inside the pass where only it can tell.

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
    import torch

    (at,) = at_layers(model, [layer])
    new = states if isinstance(states, torch.Tensor) else torch.tensor(np.asarray(states))
    if new.ndim != 3 or new.shape[-1] != model.d_model or (positions is not None and new.shape[1] != len(positions)):
        raise MethodError(
            f"states has shape {tuple(new.shape)}; expected (n, {'positions' if positions is None else len(positions)}, {model.d_model})."
        )
    begun = 0

    def replace(hidden: Tensor) -> Tensor:
        nonlocal begun
        begin = begun if hidden.shape[1] == 1 else 0  # a cached step goes on where the last pass ended
        begun = begin + hidden.shape[1]
        inside = range(hidden.shape[1]) if positions is None else [p - begin for p in positions]
        if positions is None and begin:
            return hidden
        if hidden.shape[0] != new.shape[0] or (positions is None and hidden.shape[1] != new.shape[1]):
            raise MethodError(
                f"states has shape {tuple(new.shape)}, and the pass {tuple(hidden.shape)}; expected the same pictures and prompt."
            )
        pairs = [(p, k) for k, p in enumerate(inside) if 0 <= p < hidden.shape[1]]
        if not pairs:
            return hidden
        to, of = (list(side) for side in zip(*pairs, strict=True))
        hidden = hidden.clone()
        hidden[:, to] = new[:, of].to(hidden.device, hidden.dtype)
        return hidden

    with _rewriting(model, {at: replace}):
        yield


@contextlib.contextmanager
def steer(model: Model, layers: int | Sequence[int], vector: Any, scale: float = 1.0) -> Iterator[None]:
    """Add a vector to the residual stream after layers, at every position and every step.

    Parameters
    ----------
    layers
        0 … n_layers, or negative.
    vector : (d_model,)
        For example of :func:`nbtoolkit.shift.difference_of_means`, or a concept.
    scale
        Factor, no unit.

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

    def add(hidden: Tensor) -> Tensor:
        return hidden + scale * v.to(hidden.device, hidden.dtype)

    with _rewriting(model, dict.fromkeys(at_layers(model, layers), add)):
        yield


def mean_contributions(model: Model, images: Sequence[Any], layers: Sequence[int], *, part: str = "block",
                       prompt: str | None = None) -> dict[int, np.ndarray]:  # fmt: skip
    """Mean of what layers add to the stream, over all positions of a prompt with each of these pictures.

    Returns
    -------
    dict
        Layer to a vector (d_model,), for ``ablate(…, how="mean", means=…)``.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> {k: v.shape for k, v in mean_contributions(nbt.load_model("toy"), nbt.load_data("toy", n=2)["image"], [2]).items()}
    {2: (128,)}
    """
    from .models.anatomy import branches
    from .models.hooks import input_states, output_states

    _check(part, PARTS, "part")
    chosen = at_layers(model, layers, first=1)
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
        for image in images:  # one at a time: no padding counts
            model.forward(model.extend(model.inputs([read_image(image)], prompt), [[]]))
    return {layer: (total[layer] / max(1, n_positions[layer])).astype(np.float32) for layer in chosen}


def at_layers(model: Model, layers: int | Sequence[int], first: int = 0) -> list[int]:
    """Resolve layers, negative ones from the end.

    Raises
    ------
    MethodError
        There is no such layer.
    """
    out = []
    for layer in [layers] if isinstance(layers, int | np.integer) else layers:
        at = int(layer) + model.n_layers + 1 if layer < 0 else int(layer)
        if not first <= at <= model.n_layers:
            raise MethodError(f"There is no layer {layer} to change; {model.name} has {first} … {model.n_layers}.")
        out.append(at)
    return sorted(set(out))


def _check(value: str, allowed: Sequence[str], name: str) -> None:
    if value not in allowed:
        raise MethodError(f"{name} is {value!r}; expected one of {', '.join(map(repr, allowed))}.")


def _vector(model: Model, vector: Any) -> Tensor:
    import torch

    v = vector if isinstance(vector, torch.Tensor) else torch.tensor(np.asarray(vector, np.float32))
    if v.shape != (model.d_model,) or not bool(v.isfinite().all()):
        raise MethodError(
            f"The vector has shape {tuple(v.shape)}; expected ({model.d_model},) finite numbers, one a dimension of the stream."
        )
    return v


def _off(model: Model, block: Any, heads: Sequence[int]) -> Any:
    from .models.anatomy import output_projection
    from .models.hooks import zero_slices

    n = model.n_heads
    wrong = [h for h in heads if not 0 <= h < n]
    if wrong or not len(heads):
        raise MethodError(f"heads is {list(heads)}; expected heads between 0 and {n - 1}.")

    return output_projection(block, n).register_forward_pre_hook(zero_slices(n, heads))


def _without(model: Model, layers: Sequence[int], direction: Tensor) -> contextlib.AbstractContextManager[None]:
    length = float(direction.norm())
    if length == 0:
        raise MethodError(
            "The direction is all zeros; expected a vector with a length, such as a concept that is not dead."
        )
    unit = direction / length

    def project(hidden: Tensor) -> Tensor:
        u = unit.to(hidden.device, hidden.dtype)
        return hidden - (hidden @ u)[..., None] * u

    return _rewriting(model, dict.fromkeys(layers, project))


def _rewriting(
    model: Model, changes: Mapping[int, Callable[[Tensor], Tensor]]
) -> contextlib.AbstractContextManager[None]:
    from .models.hooks import watching

    return watching(model.blocks, lambda layer, hidden: changes[layer](hidden) if layer in changes else None)
