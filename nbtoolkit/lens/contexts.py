"""Contextual neighbours: the words in sentences whose states are closest to those of image positions."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray
from torch import Tensor

from ..targets.axes import resolve_positions
from ..targets.target import Target
from ..types import resolve_layers
from ..types.arguments import checked
from ..types.measurement import Identity, Measurement
from ..types.nulls import PLACEBO_IMAGE
from ..types.rules import Count
from .banks import ContextualBank
from .positions import coordinates, placebo_target, visit_layers

N_CHECKED = 64  # states of the bank, per layer, that have to find themselves
TOLERANCE = 1e-5


@checked
def contextual(
    target: Target,
    bank: Any,
    *,
    positions: Any = "image",
    layers: Any = "all",
    k: Count = 5,
    across_layers: bool = False,
    placebo: Any = None,
) -> Measurement:
    """Words in sentences whose states are closest to those of each image position.

    Where the logit lens compares a state with the vocabulary, this compares it with states that a text has in the model.

    Parameters
    ----------
    target
        The target.
    bank
        Of :meth:`nbtoolkit.lens.ContextualBank.of`, with the same model; or captioned data, of which one is made for this call.
    positions
        A role, a list of positions, or all where None.
    layers
        Layers of the bank; negative ones count from the model's last.
    k
        Number of neighbours.
    across_layers
        Search in all layers of the bank rather than in the layer of the state: image tokens of early layers are close to text of
        later ones.
    placebo
        Image of the null, resized to the target's; where None, the negative of the target's, mixed with noise.

    Returns
    -------
    Measurement
        ``layer, position, rank`` -> cosine, -1 to 1, no unit. The null is the search for the placebo's states at the same
        positions. Details: ``word``, ``sentence``, ``bank_layer``, and ``placebo_word``, what the placebo is closest to.

    Raises
    ------
    MethodError
        The bank is of another model, or has fewer than ``k`` states.
    LayerError
        The bank lacks a layer.
    ModelError
        The image has no positions in the decoder.

    References
    ----------
    "LatentLens", 2026, arXiv 2602.00462.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> model, data = nbt.load_model("toy"), nbt.load_data("toy", n=8)
    >>> bank = ContextualBank.of(model, data, layers=[2, 3])
    >>> contextual(nbt.target(model, data[0]["image"], "a"), bank, k=3).values.sizes
    Frozen({'layer': 2, 'position': 64, 'rank': 3})
    """
    if not isinstance(bank, ContextualBank):
        bank = ContextualBank.of(target.model, bank, layers)
    bank.require(target.model)
    hint = "Make a bank with this layer."
    chosen = resolve_layers(layers, target.model.n_layers, available=bank.layers, needed=True, hint=hint)
    at = resolve_positions(target, positions)

    def search(layer: int, states: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return bank.nearest(states, k, bank.layers if across_layers else (layer,))

    results = [search(layer, target.residual(layer)[list(at)]) for layer in chosen]
    cosines, rows, homes = (np.stack(column) for column in zip(*results, strict=True))
    null: dict[int, tuple[np.ndarray, ...]] = {}

    def visit(layer: int, states: Tensor) -> None:
        if layer in chosen:
            null[layer] = search(layer, states[list(at)].float().cpu().numpy())

    visit_layers(placebo_target(target, placebo), visit, target.n_positions)
    axes = {"layer": list(chosen)} | coordinates(target, at) | {"rank": range(1, k + 1)}
    dims = ("layer", "position", "rank")
    others = np.stack([null[layer][1] for layer in chosen])
    tables = {
        "word": _texts(rows, bank.words),
        "sentence": _texts(bank.sentence_of[rows], bank.sentences),
        "bank_layer": homes,
        "placebo_word": _texts(others, bank.words),
    }
    return Measurement(
        xarray.DataArray(cosines, axes, dims, "contextual"),
        "no unit",
        _check(bank, chosen),
        xarray.DataArray(np.stack([null[layer][0] for layer in chosen]), axes, dims, "null"),
        PLACEBO_IMAGE,
        {name: xarray.DataArray(values, axes, dims, name) for name, values in tables.items()},
        target.provenance
        | {"n_states": len(bank), "across_layers": across_layers, "dtype": str(target.model.hf.dtype)},
        image=target.thumbnail,
        target=target,
    )


def _check(bank: ContextualBank, layers: tuple[int, ...]) -> Identity:
    """States of the bank against themselves, through the same search."""
    rows = np.unique(np.linspace(0, len(bank) - 1, N_CHECKED).astype(int))
    gaps = [abs(1 - bank.nearest(bank.states[bank.layers.index(k)][rows], 1, (k,))[0]).max() for k in layers]
    return Identity("a state of the bank finds itself with cosine 1", float(max(gaps)), TOLERANCE)


def _texts(rows: np.ndarray, texts: tuple[str, ...]) -> np.ndarray:
    return np.array([texts[i] for i in rows.ravel().tolist()], object).reshape(rows.shape)
