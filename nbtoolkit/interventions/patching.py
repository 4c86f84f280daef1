"""Activation patching: states of a clean pass in a corrupt one, layer by layer and by groups of positions."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xarray
from torch import Tensor

from ..errors import MethodError, ModelError
from ..models.anatomy import branches, output_projection
from ..models.replay import replay
from ..models.sums import residual_sums
from ..targets.axes import resolve_positions
from ..targets.roles import other_image
from ..targets.target import Target
from ..types import resolve_layers
from ..types.arguments import checked
from ..types.measurement import Identity, Measurement
from ..types.nulls import PLACEBO_IMAGE

PARTS = ("stream", "attention", "mlp", "heads")
TOLERANCE = 1e-4
SMALLEST = 1e-3  # difference of clean and corrupt, in the unit of the quantity, below which a share of it means nothing


@checked
def activation_patching(
    target: Target,
    other: Target,
    *,
    part: str = "stream",
    groups: Mapping[str, Any] | Sequence[str] | None = None,
    layers: str | int | Sequence[int] = "all",
    placebo: Target | None = None,
) -> Measurement:
    """How much of the word comes back in a corrupt pass when states of the clean pass are put in.

    Parameters
    ----------
    target
        The clean target.
    other
        The corrupt one: ``t.again(image=…)`` or ``t.again(question=…)``, with as many positions.
    part
        ``"stream"``: the state after a layer; ``"attention"``, ``"mlp"``: what a branch of the layer adds to the stream;
        ``"heads"``: one head at a time, on an axis of its own.
    groups
        Roles (``"image"``, ``"question"``, ``"response"``, ``"system"``, ``"last"``), or a mapping of names to positions. Every
        role that has positions, and ``"last"``, where None.
    layers
        Layers: 0 … n_layers of the stream, 1 … n_layers of the other parts. Where a model adds the image again between
        blocks, those after that.
    placebo
        An unrelated pass whose states are put in instead, for the null; ``t.again(image=noise)`` where None.

    Returns
    -------
    Measurement
        ``layer, group`` (``layer, group, head``) -> (m(patched) - m(corrupt)) / (m(clean) - m(corrupt)), no unit: 1 is the
        clean pass, 0 the corrupt one.

    Raises
    ------
    MethodError
        The passes have different lengths or words, or the same quantity.
    ModelError
        The parts of the model's blocks cannot be told apart, or the image has no positions in its decoder.

    References
    ----------
    Meng et al., "Locating and editing factual associations in GPT", NeurIPS 2022; Golovanevsky et al. 2024, arXiv 2406.16320,
    for pairs of images.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> data = nbt.load_data("toy", n=2)
    >>> t = nbt.target(nbt.load_model("toy"), data[0]["image"], "a", foil="the")
    >>> activation_patching(t, t.again(data[1]["image"])).values.dims
    ('layer', 'group')
    """
    if part not in PARTS:
        raise MethodError(f"part is {part!r}; expected one of {', '.join(map(repr, PARTS))}.")
    _check_pair(target, other)
    model = target.model
    first = max(target.first_layer, other.first_layer, 0 if part == "stream" else 1)
    chosen = [layer for layer in resolve_layers(layers, model.n_layers, needed=True) if layer >= first]
    named = _groups(target, groups)
    scale = target.value - other.value
    floor = placebo or target.again(other_image(other_image(target.image)))
    _check_pair(floor, other, differ=False)
    _ = other.prefix  # read before anything is patched
    rows = [_values((target, floor), other, part, layer, named) for layer in chosen]
    values, null = np.stack(rows, 1) / scale - other.value / scale
    everywhere = tuple(range(target.n_positions))
    middle = max(first, model.n_layers // 2)
    gap = abs(_patched(target, other, "stream", middle, everywhere, None) - target.value)
    gap = max(gap, abs(_patched(other, other, part, max(middle, 1), everywhere, None) - other.value))
    dims = ("layer", "group", "head") if part == "heads" else ("layer", "group")
    axes = {"layer": chosen, "group": list(named)} | ({"head": list(range(model.n_heads))} if part == "heads" else {})
    return Measurement(
        xarray.DataArray(values, axes, dims, "activation_patching"),
        "no unit",
        Identity(
            "all positions give the clean pass, and a pass patched with itself is unchanged",
            gap,
            TOLERANCE * max(1.0, abs(scale)),
        ),
        xarray.DataArray(null, axes, dims, "null"),
        PLACEBO_IMAGE,
        provenance=target.provenance
        | {
            "part": part,
            "corrupt": other.provenance,
            "clean": target.value,
            "corrupt value": other.value,
            "unit": target.quantity.unit,
        },
        image=target.thumbnail,
        target=target,
        note=f"The model adds the image again between its first blocks; layers from {first} on are patched."
        if first > 1
        else "",
    )


def _check_pair(t: Target, other: Target, *, differ: bool = True) -> None:
    if t.model is not other.model or t.piece_ids != other.piece_ids or t.quantity.parting != other.quantity.parting:
        raise MethodError(
            "The targets have different models or words; expected t and t.again(image=…) or t.again(question=…)."
        )
    if t.image_span is None:
        raise ModelError(
            f"{t.model.name} reads the image through cross-attention or an encoder, so that the states of its decoder are not all that a "
            "pass has of it; expected image positions among those of the text. Use the logit lens, or occlusion with unit='token'."
        )
    if t.n_positions != other.n_positions:
        raise MethodError(
            f"The passes have {t.n_positions} and {other.n_positions} positions; expected as many. Take an image of the same size, or a "
            "question of as many sub-tokens."
        )
    if differ and abs(t.value - other.value) < SMALLEST:
        raise MethodError(
            f"{t.quantity} is {t.value:.4f} in one pass and {other.value:.4f} in the other; expected values that differ. Take a pair that "
            "changes the word."
        )


def _groups(t: Target, groups: Any) -> dict[str, tuple[int, ...]]:
    if groups is None:
        groups = [role for role in ("image", "question", "system", "response") if t.at(role)] + ["last"]
    if isinstance(groups, Mapping):
        return {str(name): resolve_positions(t, which, f"groups[{name!r}]") for name, which in groups.items()}
    return {str(role): resolve_positions(t, role, "groups") for role in groups}


def _values(
    sources: Sequence[Target], other: Target, part: str, layer: int, named: Mapping[str, Sequence[int]]
) -> np.ndarray:
    """The quantity of the corrupt pass with a part of each source's, (n_sources, n_groups) or (n_sources, n_groups, n_heads)."""
    if part != "stream":
        heads: list[int | None] = [*range(other.model.n_heads)] if part == "heads" else [None]
        rows = [
            [[_patched(s, other, part, layer, where, h) for h in heads] for where in named.values()] for s in sources
        ]
        return np.array(rows) if part == "heads" else np.array(rows)[..., 0]
    result = np.zeros((len(sources), len(named)))
    jobs = [(min(where), i, k, list(where)) for i in range(len(sources)) for k, where in enumerate(named.values())]
    half = other.n_positions // 2  # what begins late is computed apart, as it is short
    for batch in ([job for job in jobs if job[0] < half], [job for job in jobs if job[0] >= half]):
        if batch:
            states = other.recording.stream[layer].repeat(len(batch), 1, 1)
            for row, (_, i, _, at) in enumerate(batch):
                states[row, at] = sources[i].recording.stream[layer][0, at]
            changed = other.replay(layer, states, start=min(job[0] for job in batch))
            result[[job[1] for job in batch], [job[2] for job in batch]] = changed
    return result


def _patched(source: Target, other: Target, part: str, layer: int, where: Sequence[int], head: int | None) -> float:
    """The quantity of the corrupt pass with a part of the source's."""
    at, start = list(where), min(where)
    if part == "stream":
        states = other.recording.stream[layer].clone()
        states[:, at] = source.recording.stream[layer][:, at]
        return float(other.replay(layer, states, start=start)[0])
    block, ends = other.model.blocks[layer - 1], [p - other.n_positions for p in at]
    with contextlib.ExitStack() as stack:
        if part == "heads":
            values = _heads(source, layer)
            stack.enter_context(_with_heads(block, other.model.n_heads, values, ends, head))
        else:
            sums = _sums(source, layer, part)

            def visit(order: int, added: Tensor) -> Tensor:
                new = added.reshape(
                    -1, other.model.d_model
                ).clone()  # of the last positions; some blocks flatten the batch
                new[ends] = sums[order].reshape(-1, other.model.d_model)[ends]
                return new.reshape(added.shape)

            stack.enter_context(residual_sums(block, branches(block, part), visit))
        return float(other.replay(layer - 1, other.recording.stream[layer - 1], start=start)[0])


def _sums(t: Target, layer: int, part: str) -> list[Tensor]:
    """What a branch adds to the stream in a target's own pass."""
    block, added = t.model.blocks[layer - 1], []
    with residual_sums(block, branches(block, part), lambda _order, tensor: added.append(tensor.detach())):
        replay(t.model, t.recording, layer - 1, t.recording.stream[layer - 1], until=layer)
    if not added:
        raise ModelError(f"Block {layer} of {t.model.name} adds no {part} to the stream. Use part='stream'.")
    return added


def _heads(t: Target, layer: int) -> Tensor:
    """Input of the output projection in a target's own pass: the heads side by side."""
    inputs: list[Tensor] = []
    projection = output_projection(t.model.blocks[layer - 1], t.model.n_heads)
    handle = projection.register_forward_pre_hook(lambda _module, args: inputs.append(args[0].detach()))
    try:
        replay(t.model, t.recording, layer - 1, t.recording.stream[layer - 1], until=layer)
    finally:
        handle.remove()
    return inputs[0]


@contextlib.contextmanager
def _with_heads(block: Any, n_heads: int, values: Tensor, at: list[int], head: int | None) -> Iterator[None]:
    def hook(_module: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
        x = args[0].clone().unflatten(-1, (n_heads, -1))
        new = values.unflatten(-1, (n_heads, -1))
        which = slice(None) if head is None else head
        x[:, at, which] = new[:, at, which]
        return (x.flatten(-2), *args[1:])

    handle = output_projection(block, n_heads).register_forward_pre_hook(hook)
    try:
        yield
    finally:
        handle.remove()
