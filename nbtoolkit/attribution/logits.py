"""Direct logit attribution: what every layer, head, neuron or source patch adds to the logit of the word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import xarray
from torch import Tensor

from ..errors import MethodError
from ..targets.axes import on_fitting_threads, patch_coordinates, require_image, rounding
from ..targets.target import Target
from ..types import resolve_layers
from ..types.arguments import checked
from ..types.measurement import Identity, Measurement
from ..types.nulls import RANDOM_PIECES
from ..types.rules import Count
from .directions import Directions, read_directions
from .frozen import freeze, norms_in
from .parts import Parts, read_parts

Array = np.ndarray
UNITS = ("layer", "head", "neuron", "patch")
KINDS = ("embedding", "attention", "cross-attention", "mlp", "deepstack", "constant")
SUMS = {
    "head": "heads to what the attention adds",
    "neuron": "neurons to what the MLP adds",
    "patch": "sources through all heads to what the attention adds",
}
GROUPS = ("system", "question", "response")


@checked
@on_fitting_threads
def direct_logit_attribution(
    target: Target,
    unit: str = "layer",
    *,
    layers: str | int | Sequence[int] = "all",
    n_draws: Count = 20,
    random_state: int = 0,
) -> Measurement:
    """Direct effect of every part of the residual stream on the word's logit, or on its difference to the foil's.

    The residual stream is a sum; with the scale of the final norm held fixed, so is the logit. A part's value is its
    product with the direction that the unembedding reads. Effects through later layers are not in it.

    Parameters
    ----------
    target
        The target. Of a logit difference, the parts sum to the difference. log p is no sum of parts; for it, the logit minus
        the mean logit of all sub-tokens is attributed. Of several pieces, their logits are summed.
    unit
        ``"layer"``: embedding, attention and MLP of every layer, and the image where a model adds it again (deepstack).
        ``"head"``: every attention head. ``"neuron"``: every entry of the input of the MLP's last matrix.
        ``"patch"``: every image position through every head.
    layers
        Layers 1 … n_layers, negative ones from the end.
    n_draws
        Number of random sub-tokens (pairs of them for a difference) whose logits are attributed to the same parts.
    random_state
        Seed of the draws.

    Returns
    -------
    Measurement
        (layer, part), NaN where a layer has no such part; (layer, head); (layer, neuron); or (layer, head, patch). Heads,
        neurons and patches also have ``details["parts"]``, the whole sum by layer, and ``details["constant"]``, what biases
        add; patches have ``details["text"]``, the other sources by role. The provenance has the logit before and after the
        soft cap; the parts sum to the first.

    Raises
    ------
    ModelError
        Attention and MLP do not sum to what a block adds; no image positions, or no attention that can be heard, for
        patches; a mixture of experts for neurons.

    References
    ----------
    Elhage et al. 2021 (A Mathematical Framework for Transformer Circuits), "Residual stream". Wang et al. 2022 (arXiv
    2211.00593), section 3.1, for differences of logits with the norm's scale frozen.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> from nbtoolkit.targets import target
    >>> t = target(nbt.load_model("toy"), nbt.load_data("toy", n=1)[0]["image"], "cars", response="two cars", foil="dogs")
    >>> parts = direct_logit_attribution(t)
    >>> abs(float(parts.values.sum()) - t.value) < 1e-4
    True
    """
    if unit not in UNITS:
        raise MethodError(f"unit is {unit!r}; expected {', '.join(map(repr, UNITS))}.")
    if unit == "patch":
        require_image(target, "Attribution to source patches")
    chosen = list(resolve_layers(layers, target.model.n_layers, first=1, needed=True))
    directions = read_directions(target, int(n_draws), random_state)
    parts = read_parts(target, directions.rows, unit, chosen)
    by_layer = _by_layer(target, parts, directions)
    scale = float(np.nansum(np.abs(by_layer.values[0]))) or 1.0
    missed = abs(float(by_layer[0].sum()) - directions.before) / scale
    identity, details = "parts sum to the logit before the soft cap", {}
    if unit == "layer":
        values = by_layer if isinstance(layers, str) else by_layer.sel(layer=chosen)
    else:
        split = _split(target, parts, directions, unit, chosen)
        values, details = split.values, split.details | {"parts": by_layer[0], "constant": split.constant}
        missed = max(missed, split.missed(by_layer, unit) / scale)
        identity += f", and {SUMS[unit]}"
    values = values.rename("direct_logit_attribution")
    return Measurement(
        values[0],
        "nats" if target.quantity.kind == "logit_difference" else "logits",
        Identity(f"{identity}, relative to the sum of their sizes", missed, rounding(target)),
        null=values[1:].rename({"word": "draw"}),
        null_kind=RANDOM_PIECES,
        details=details,
        provenance=target.provenance
        | {
            "settings": {"unit": unit, "layers": chosen},
            "before_softcap": directions.before,
            "after_softcap": directions.after,
        },
        image=target.thumbnail,
        target=target,
        note=directions.note,
    )


def _by_layer(target: Target, parts: Parts, directions: Directions) -> xarray.DataArray:
    """Direct effect of each kind of part at each layer, (word, layer, part)."""
    n, constants = target.model.n_layers, directions.constants.numpy()
    kinds = [kind for kind in KINDS if kind in parts.added or kind == "constant"]
    table = np.full((len(constants), n + 1, len(kinds)), np.nan)
    for k, kind in enumerate(kinds):
        for layer, added in parts.added.get(kind, {}).items():
            table[:, layer, k] = torch.einsum("krd,rd->k", directions.pulled, added).numpy()
    table[:, n, kinds.index("constant")] = constants
    coords = {"layer": range(n + 1), "part": kinds}
    return xarray.DataArray(table, dims=("word", "layer", "part"), coords=coords, name="parts")


@dataclass
class _Split:
    """Effects of the heads, neurons or patches, (word, layer, …), and of their layers' biases, (layer,)."""

    values: xarray.DataArray
    constant: xarray.DataArray
    details: dict[str, xarray.DataArray]
    total: Array  # (n_layers,), of the target's word: all units and biases of each layer

    def missed(self, by_layer: xarray.DataArray, unit: str) -> float:
        """Largest difference of a layer's units and what it adds."""
        whole = by_layer[0].sel(layer=self.values.layer.values, part="mlp" if unit == "neuron" else "attention")
        return float(np.abs(self.total - whole.values).max())


def _split(target: Target, parts: Parts, directions: Directions, unit: str, layers: Sequence[int]) -> _Split:
    kind, tolerance = "mlp" if unit == "neuron" else "attention", rounding(target)
    effects: list[Tensor] = []
    constants: list[Tensor] = []
    for layer in layers:
        matrix, block = parts.matrices[layer], target.model.blocks[layer - 1]
        effect, constant = torch.zeros(()), torch.zeros(len(directions.constants), dtype=torch.float64)
        for row in range(len(parts.rows)):
            after = matrix.after[row]
            entry = freeze(
                after,
                parts.added[kind][layer][row],
                norms_in(block, len(after)),
                tolerance,
                f"between the {kind} of layer {layer} and the residual stream",
            )
            here = directions.pulled[:, row]
            pulled = entry.pull(here).float().to(matrix.module.weight.device)
            bias = matrix.module.bias
            constant = constant + entry.constant(here)
            if bias is not None:
                constant = constant + (pulled @ bias.detach().float()).double().cpu()
            read = (pulled @ matrix.module.weight.detach().float()).double().cpu()  # (n_words, width)
            if unit == "patch":
                sources, more = _sources(target, parts, layer, row, read, tolerance)
                effect, constant = effect + sources, constant + more
            else:
                effect = effect + read * matrix.before[row].double().cpu()
        effects.append(effect)
        constants.append(constant)
    return _arranged(target, unit, layers, effects, torch.stack(constants, 1).numpy())


def _sources(
    target: Target, parts: Parts, layer: int, row: int, read: Tensor, tolerance: float
) -> tuple[Tensor, Tensor]:
    """Effect of every source position through every head, (n_words, n_heads, n_positions), and of a norm's offset."""
    rows = parts.attention.rows[layer][0, :, row].double().cpu()  # (n_heads, n_positions)
    values = parts.attention.values[layer][0].double().cpu()  # (n_heads, n_positions, d_head)
    heads = torch.einsum("hs,hsd->hd", rows, values).flatten()
    block = target.model.blocks[layer - 1]
    where = f"between the heads of layer {layer} and their output projection (a gate)"
    inner = freeze(heads, parts.matrices[layer].before[row], norms_in(block, len(heads)), tolerance, where)
    pulled = inner.pull(read).unflatten(-1, (len(rows), -1))
    return torch.einsum("khd,hsd->khs", pulled, values) * rows, inner.constant(read)


def _arranged(target: Target, unit: str, layers: Sequence[int], effects: list[Tensor], constants: Array) -> _Split:
    """Effects of all layers as an array with axes."""
    coords: dict[str, Any] = {"layer": list(layers)}
    details: dict[str, xarray.DataArray] = {}
    if unit == "head":
        effects = [e.unflatten(-1, (target.model.n_heads, -1)).sum(-1) for e in effects]
    axes: tuple[str, ...]
    total = np.array([float(e[0].sum()) for e in effects]) + constants[0]
    if unit == "patch":
        image, every = target.at("image"), torch.stack(effects, 1).numpy()
        heads = coords | {"head": range(every.shape[2])}
        others = np.stack([every[0][..., list(target.at(role))].sum(-1) for role in GROUPS], -1)
        groups = heads | {"group": list(GROUPS)}
        details["text"] = xarray.DataArray(others, dims=("layer", "head", "group"), coords=groups, name="text")
        table, axes = every[..., list(image)].astype(np.float32), ("head", "patch")
        coords = heads | patch_coordinates(target, image)
    else:
        width = max(e.shape[-1] for e in effects)
        table, axes = np.full((len(effects[0]), len(layers), width), np.nan), (unit,)
        for i, e in enumerate(effects):
            table[:, i, : e.shape[-1]] = e.numpy()
        coords[unit] = range(width)
    values = xarray.DataArray(table, dims=("word", "layer", *axes), coords=coords)
    constant = xarray.DataArray(constants[0], dims="layer", coords={"layer": list(layers)}, name="constant")
    return _Split(values, constant, details, total)
