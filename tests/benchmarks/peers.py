"""What captum and nnsight give for the same function of the same states, as rows of the benchmark of the instruments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nbtoolkit.attribution.baselines import baseline_states, moves
from nbtoolkit.targets import Target
from nbtoolkit.targets.target import REPLAYED

N_NODES = 16
Peer = tuple[str, str, str, Callable[[], Any]]  # name, package, our row, call


def rows(t: Target) -> list[Peer]:
    """Peers of our rows, which are called only where their package is installed."""
    return [
        ("captum FeatureAblation, blocks", "captum", "occlusion of blocks, no null", lambda: ablation(t)),
        ("captum IntegratedGradients, image", "captum", "integrated_gradients", lambda: gradients(t)),
        ("nnsight logit lens", "nnsight", "logit_lens", lambda: lens(t)),
    ]


def gap(measurement: Any, values: Any) -> float:
    """Largest difference of a measurement and a peer's numbers, relative to the largest number."""
    own = measurement.values.values
    return float(np.abs(own - values).max() / np.abs(own).max())


def ablation(t: Target) -> Any:
    """The target as captum's function of the states of layer 0; blocks are its features, and the text is one more."""
    from captum.attr import FeatureAblation

    from nbtoolkit.attribution.occlusion import _units

    units, _ = _units(t, "block", 2)
    own, base = t.recording.stream[0], baseline_states(t, 0)[None].clone()
    mask = torch.full(own.shape[1:2], len(units))
    for number, unit in enumerate(units):
        mask[list(unit)] = number
    text = mask == len(units)
    base[:, text] = own[:, text]  # unchanged
    f = FeatureAblation(lambda states: torch.as_tensor(t.replay(0, states)))
    with torch.no_grad():
        scores = f.attribute(
            own.clone(), base, feature_mask=mask[None, :, None].to(own.device), perturbations_per_eval=REPLAYED
        )
    return scores[0, [unit[0] for unit in units], 0].cpu().numpy()


def gradients(t: Target) -> Any:
    """The same path from the image's baseline, with the same nodes; captum's own batches."""
    from captum.attr import IntegratedGradients

    own, base = t.recording.stream[0], moves(t, 0)["image"][None]
    f = IntegratedGradients(lambda states: t.replay(0, states, gradient=True))
    scores: Tensor = f.attribute(
        own.clone(), base.clone(), n_steps=N_NODES, method="gausslegendre", internal_batch_size=REPLAYED
    )
    return scores[0, list(t.at("image"))].sum(-1).detach().cpu().numpy()


def lens(t: Target) -> Any:
    """Log-probabilities of the same words from the states that nnsight saves in one traced pass."""
    from nnsight import NNsight, save

    from nbtoolkit.lens.words import watch

    ids = list(watch(t, ()).ids)
    body = NNsight(t.model.hf)
    saved = []
    with torch.no_grad(), body.trace(**t.inputs, use_cache=False):
        for block in body.model.language_model.layers:
            saved.append(save(block.input) if not saved else None)
            saved.append(save(block.output))
    states = [s for s in saved if s is not None]
    tables = []
    with torch.no_grad():
        for layer in states:
            layer = layer[0] if isinstance(layer, tuple) else layer
            logits = t.model.hf.lm_head(t.model.hf.model.language_model.norm(layer))
            tables.append(logits[0].log_softmax(-1)[:, ids].cpu().numpy())
    return np.stack(tables)
