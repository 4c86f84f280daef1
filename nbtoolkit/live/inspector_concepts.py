"""Concepts of a study at one word: where one lies, which heads write it, and what each contributes to the word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import xarray

from ..attribution.concept_maps import patch_scores
from ..attribution.concepts import contributions
from ..attribution.frozen import freeze, norms_in
from ..attribution.parts import Parts, read_parts
from ..targets.axes import patch_coordinates, placebo, rounding
from ..targets.batches import Batch
from ..targets.targets import Targets
from ..types.measurement import Identity, Measurement
from ..types.nulls import OTHER_IMAGE, RANDOM_DIRECTION

if TYPE_CHECKING:
    from ..targets.target import Target
    from .inspector_case import Case

Array = np.ndarray
N_DRAWS = 20


def concept_map(case: Case) -> Measurement:
    """Where in the image a concept lies: its row of the decoder · h at every image position, in the pass of the word.

    Parameters
    ----------
    case
        The case, ``of`` is ``"layer:concept"``.
    """
    cd, k = case.concept
    target, direction = case.target, cd.concept(k)
    positions, _ = target.patches
    coords = patch_coordinates(target, positions)

    def scores(of: Target) -> Array:
        return of.residual(cd.layer)[list(positions)] @ direction

    own, other = scores(target), scores(placebo(target))
    question = target.question or None
    alone, _ = patch_scores(target.model, target.image, cd, prompt=question)
    gap = float(np.abs(own - alone[k]).max() / max(np.abs(alone[k]).max(), 1e-30))
    arrays = [xarray.DataArray(a, coords, "patch", name) for a, name in ((own, "concept_map"), (other, "null"))]
    return Measurement(
        arrays[0],
        "no unit",
        Identity(
            "equals the concept map of the prompt without the response (relative to the largest)", gap, rounding(target)
        ),
        arrays[1],
        OTHER_IMAGE,
        provenance=target.provenance | {"layer": cd.layer, "concept": k},
        image=target.thumbnail,
        target=target,
    )


def writers(case: Case) -> Measurement:
    """What every head and MLP adds along a concept's direction where the word is predicted: layer × head.

    The concept's score at its layer, direction · state, is the sum of what the embedding and all layers up to it add.

    Parameters
    ----------
    case
        The case, ``of`` is ``"layer:concept"``.
    """
    cd, k = case.concept
    target, layers = case.target, list(range(1, cd.layer + 1))
    row = target.positions[-1]
    parts = read_parts(target, [row], "head", layers)
    own = torch.tensor(cd.concept(k), dtype=torch.float64)
    noise = np.random.default_rng(0).normal(size=(N_DRAWS, len(own)))
    draws = torch.tensor(noise) * (own.norm() / torch.tensor(np.linalg.norm(noise, axis=1, keepdims=True)))
    directions = torch.cat([own[None], draws])
    heads = np.stack([_by_head(target, parts, layer, directions) for layer in layers], 1) if layers else None
    if heads is None:
        heads = np.zeros((len(directions), 0, target.model.n_heads))
    by_kind = {
        kind: xarray.DataArray(
            [float(directions[0] @ added[layer][0]) if layer in added else 0.0 for layer in layers],
            {"layer": layers},
            "layer",
        )
        for kind, added in parts.added.items()
        if kind != "embedding"
    }
    score = float(target.residual(cd.layer)[row].astype(np.float64) @ cd.concept(k))
    embedding = float(directions[0] @ parts.added["embedding"][0][0])
    everything = [embedding, *(float(v) for array in by_kind.values() for v in array.values)]
    gap = abs(sum(everything) - score) / max(sum(map(abs, everything)), 1e-30)
    axes = {"layer": layers, "head": range(target.model.n_heads)}
    return Measurement(
        xarray.DataArray(heads[0], axes, ("layer", "head"), "writers"),
        "no unit",
        Identity(
            "what all layers add sums to the concept's score, relative to the sum of their sizes", gap, rounding(target)
        ),
        xarray.DataArray(heads[1:], axes, ("draw", "layer", "head"), "null"),
        RANDOM_DIRECTION,
        by_kind,
        target.provenance | {"layer": cd.layer, "concept": k, "score": score, "embedding": embedding},
        target.thumbnail,
        target=target,
    )


def _by_head(target: Target, parts: Parts, layer: int, directions: torch.Tensor) -> Array:
    """What each head of a layer adds along directions, (n_directions, n_heads)."""
    matrix, block = parts.matrices[layer], target.model.blocks[layer - 1]
    where = f"between the attention of layer {layer} and the residual stream"
    norms = norms_in(block, matrix.after.shape[-1])
    entry = freeze(matrix.after[0], parts.added["attention"][layer][0], norms, rounding(target), where)
    weight: Any = matrix.module.weight
    read = entry.pull(directions) @ weight.detach().double().cpu()  # (n_directions, width)
    effect = read * matrix.before[0].double().cpu()
    return np.asarray(effect.unflatten(-1, (target.model.n_heads, -1)).sum(-1).numpy())


def concept_contributions(case: Case) -> Measurement:
    """What each concept of a layer contributes to the word, by integrated gradients along its coefficient.

    Parameters
    ----------
    case
        The case, ``of`` is the layer.
    """
    cd, target = case.dictionary, case.target
    result = contributions(as_targets(target), cd, quantity=target.quantity.kind, foil=target.foil or None)
    names = {"concept": np.arange(cd.n_concepts)}
    arrays = {
        "activation": result.activations[0],
        "ablation": result.ablation[0],
        "gradient": result.gradient[0],
    }
    whole, parts = float(result.leave_all_out[0]), result.integrated_gradients[0]
    gap = abs(whole - float(parts.sum())) / max(float(np.abs(parts).sum()), abs(whole), 1e-12)
    return Measurement(
        xarray.DataArray(parts, names, "concept", "concepts"),
        target.quantity.unit,
        Identity("parts sum to the change without all concepts, relative to the sum of their sizes", gap, 0.05),
        details={name: xarray.DataArray(a, names, "concept", name) for name, a in arrays.items()},
        provenance=target.provenance | {"layer": cd.layer, "all": whole},
        image=target.thumbnail,
        note=result.quantity.note,
        target=target,
    )


def as_targets(target: Target) -> Targets:
    """One target as the targets that functions of data sets take.

    Parameters
    ----------
    target
        The target.
    """
    batch = Batch(target._prompt, [list(target._ids)], [target.span], 0)
    words = (target.word,)
    return Targets(
        target.model,
        target.word,
        (0,),
        (target.response,),
        words,
        (batch,),
        (target.image,),
        (target.question or None,),
    )
