"""What a message has of each measurement of the Inspector: arrays by name, and single values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import xarray

from ..models.anatomy import neuron_matrix
from ..models.inference import inference
from ..text.tokens import read_piece
from ..types.measurement import Measurement
from .inspector_case import Case
from .inspector_payload import Arrays, null_arrays

N_NEURONS = 50
N_PROMOTED = 5  # words per neuron
Array = np.ndarray


def plain(case: Case, m: Measurement) -> Arrays:
    """Values and null.

    Parameters
    ----------
    case, m
        The case, and its measurement.
    """
    return {name: by_patch(case, array) for name, array in {"values": m.values, **null_arrays(m)}.items()}


def lens(_case: Case, m: Measurement) -> Arrays:
    """Log-probabilities of the word, and the most probable words with theirs.

    Parameters
    ----------
    _case, m
        The case, and its measurement.
    """
    word, top = {"word": m.values["word"].values[0]}, {"rank": "top"}
    shares = m.details["top_probability"]
    return {
        "values": m.values.sel(word, drop=True),
        "words": m.details["top_words"].rename(top),
        "log_probs": shares.copy(data=np.log(shares.values.clip(1e-30))).rename(top),
        **null_arrays(m, **word),
    }


def contribution(_case: Case, m: Measurement) -> Arrays:
    """Heads, and sums of attention and MLP by layer.

    Parameters
    ----------
    _case, m
        The case, and its measurement.
    """
    parts = m.details["parts"]
    layers = [layer for layer in parts.layer.values if layer > 0]
    sums = {
        name: parts.sel(part=name, layer=layers, drop=True).fillna(0)
        for name in ("attention", "mlp", "cross-attention", "deepstack")
        if name in parts.part.values
    }
    return {"values": m.values, **null_arrays(m), **sums}


def contribution_facts(m: Measurement) -> dict[str, float]:
    """Sum of the heads, the logit that all parts sum to, what biases add, and the embedding.

    Parameters
    ----------
    m
        The measurement.
    """
    parts = m.details["parts"]
    by_kind = parts.sum("layer")
    facts = {"sum": float(m.values.sum()), "total": float(m.provenance["before_softcap"])}
    return facts | {
        name: float(by_kind.sel(part=name)) for name in ("embedding", "constant") if name in parts.part.values
    }


def neurons(case: Case, m: Measurement) -> Arrays:
    """The strongest neurons, with the words that each promotes.

    Parameters
    ----------
    case, m
        The case, and its measurement.
    """
    values = m.values.values
    order = np.argsort(-np.abs(np.nan_to_num(values)).ravel(), kind="stable")[:N_NEURONS]
    places = [(int(m.values.layer.values[i // values.shape[1]]), int(i % values.shape[1])) for i in order.tolist()]
    names = [f"{layer}.{index}" for layer, index in places]

    def strongest(array: xarray.DataArray) -> xarray.DataArray:
        return xarray.DataArray(array.values.reshape(-1)[order], {"neuron": names}, "neuron")

    chosen = {name: strongest(array) for name, array in {"values": m.values, **null_arrays(m)}.items()}
    words = np.array(_promoted(case, places), object)
    return chosen | {
        "words": xarray.DataArray(words, {"neuron": names, "top": range(1, words.shape[1] + 1)}, ("neuron", "top"))
    }


def neuron_facts(m: Measurement) -> dict[str, float]:
    """Sum of all neurons, and of the strongest ones.

    Parameters
    ----------
    m
        The measurement.
    """
    flat = np.nan_to_num(m.values.values).ravel()
    strongest = flat[np.argsort(-np.abs(flat), kind="stable")[:N_NEURONS]]
    return {"sum": float(strongest.sum()), "total": float(flat.sum()), "n_neurons": float(flat.size)}


def _promoted(case: Case, places: Sequence[tuple[int, int]]) -> list[list[str]]:
    """Sub-tokens that the output direction of each neuron raises most, without the final norm's scale."""
    model = case.side.model
    columns = [neuron_column(model, layer, index) for layer, index in places]
    with inference(model.hf):
        best = model.unembed(torch.stack(columns), norm=False).topk(N_PROMOTED).indices.tolist()
    return [[read_piece(model.tokenizer, i)[0].strip() for i in row] for row in best]


def neuron_column(model: Any, layer: int, index: int) -> torch.Tensor:
    """What a neuron writes to the residual stream, (d_model,).

    Parameters
    ----------
    model
        The model.
    layer
        The layer, from 1.
    index
        The neuron.
    """
    weight: Any = neuron_matrix(model, layer).weight
    column: torch.Tensor = weight.detach()[:, index]
    return column


def concept_facts(m: Measurement) -> dict[str, float]:
    """Sum of the concepts, and the change when all are left out.

    Parameters
    ----------
    m
        The measurement.
    """
    return {"sum": float(m.values.sum()), "total": float(m.provenance["all"])}


def writers(_case: Case, m: Measurement) -> Arrays:
    """Heads, and attention and MLP by layer.

    Parameters
    ----------
    _case, m
        The case, and its measurement.
    """
    return {"values": m.values, **null_arrays(m), **m.details}


def writer_facts(m: Measurement) -> dict[str, float]:
    """The concept's score, what the embedding adds, and the sum of the heads.

    Parameters
    ----------
    m
        The measurement.
    """
    facts = {"total": m.provenance["score"], "embedding": m.provenance["embedding"]}
    return {"sum": float(m.values.sum()), **{name: float(value) for name, value in facts.items()}}


def curves(_case: Case, m: Measurement) -> Arrays:
    """Curves of deletion and insertion, the band of random orders, and those of the centre.

    Parameters
    ----------
    _case, m
        The case, and its measurement.
    """
    arrays = {"values": m.values, **null_arrays(m), "centre": m.details["centre"]}
    return {name: array.rename(fraction="step") for name, array in arrays.items()}


def by_patch(case: Case, array: xarray.DataArray) -> xarray.DataArray:
    """An array whose patches are those of the geometry, in its order, with their index as coordinate.

    Parameters
    ----------
    case
        The case.
    array
        An array of an instrument, over all image positions.
    """
    if "patch" not in array.dims:
        return array
    positions, geometry = case.side.patches
    if geometry is not None and "position" in array.coords:
        index = {int(p): i for i, p in enumerate(array["position"].values)}
        array = array.isel(patch=[index[p] for p in positions])
    return array.drop_vars("position", errors="ignore").assign_coords(patch=np.arange(array.sizes["patch"]))
