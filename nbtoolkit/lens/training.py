"""Training of a tuned lens: states of whole passes, and one affine map per layer, by Kullback-Leibler divergence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..data.images import read_image
from ..data.loading import captioned
from ..errors import MethodError
from ..models.adapter import Model
from ..models.generation import respond
from ..models.hooks import watching
from ..models.inference import inference
from ..text.tokens import tokenize_response
from .reading import chunk_size, n_vocabulary


@dataclass(frozen=True, eq=False)
class States:
    """States of sampled positions.

    Attributes
    ----------
    layers
        Layer to its states, (n, d_model), float32.
    images
        Number of the image of each row, (n,).
    """

    layers: dict[int, Tensor]
    images: np.ndarray


def sample_states(
    model: Model, data: Any, layers: Sequence[int], *, captions: str, n_positions: int, max_new_tokens: int, rng: Any
) -> States:
    """States at positions of passes over images and responses, the same number per image.

    Parameters
    ----------
    model
        The model.
    data
        Captioned images.
    layers
        Layers to keep, and the last.
    captions
        ``"generated"``: the model's own responses; ``"given"``: the first caption of each image.
    n_positions
        Number of positions in all.
    max_new_tokens
        Longest response of the model, in sub-tokens.
    rng
        Random generator of numpy.

    Raises
    ------
    MethodError
        Fewer than two images.
    """
    rows = captioned(data)
    if len(rows) < 2:
        raise MethodError(f"data has {len(rows)} image; expected at least 2, so that one can be held out.")
    chosen = [*layers, model.n_layers]
    parts: dict[int, list[Tensor]] = {layer: [] for layer in chosen}
    numbers: list[int] = []
    each = -(-n_positions // len(rows))
    for k in range(len(rows)):
        inputs = model.inputs([read_image(rows[k]["image"])])
        generated = captions == "generated"
        ids = respond(model, inputs, max_new_tokens)[0] if generated else _first_caption(model, rows[k])
        at: list[int] = []

        def keep(layer: int, states: Tensor, at: list[int] = at) -> None:
            if not at:
                n = states.shape[1]
                at += sorted(rng.choice(n, min(each, n), replace=False).tolist())
            if layer in parts:
                parts[layer].append(states[0, at].float().cpu())

        with watching(model.blocks, keep):
            model.forward(model.extend(inputs, [ids]))
        numbers += [k] * len(at)
    return States({layer: torch.cat(part) for layer, part in parts.items()}, np.array(numbers))


def _first_caption(model: Model, row: Any) -> list[int]:
    if not row["captions"]:
        raise MethodError(
            f"The image {row['id']!r} has no caption; expected one. Use captions='generated', or leave it out."
        )
    return tokenize_response(model.tokenizer, row["captions"][0])


def fit_layer(
    model: Model, states: Tensor, last: Tensor, *, n_epochs: int, learning_rate: float, batch_size: int, rng: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Weight (d_model, d_model) and bias (d_model,) that are added to a layer's states: s + W s + b.

    Parameters
    ----------
    model
        The model.
    states, last : (n, d_model)
        States of the layer and of the last layer.
    n_epochs, learning_rate, batch_size
        As for :class:`nbtoolkit.lens.TunedLens`.
    rng
        Random generator of numpy.
    """
    n, d = states.shape
    scale = states.pow(2).mean().sqrt().clamp_min(1e-12)
    with torch.inference_mode(False), torch.enable_grad():
        weight, bias = torch.zeros(d, d, requires_grad=True), torch.zeros(d, requires_grad=True)
        groups: list[dict[str, Any]] = [
            {"params": [weight], "lr": learning_rate / d},
            {"params": [bias], "lr": learning_rate / d**0.5},
        ]
        optimizer = torch.optim.Adam(groups)
        n_steps = n_epochs * -(-n // batch_size)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / max(1, n_steps))
        for _ in range(n_epochs):
            order = rng.permutation(n)
            for start in range(0, n, batch_size):
                rows = order[start : start + batch_size]
                part = states[rows].clone()
                new = part + part @ weight.T + bias * scale
                loss = divergence(model, new, last[rows], gradient=True).mean()
                weight.grad, bias.grad = torch.autograd.grad(loss, [weight, bias])
                optimizer.step()
                schedule.step()
    return weight.detach().numpy(), (bias.detach() * scale).numpy()


def divergence(model: Model, states: Tensor, last: Tensor, *, gradient: bool = False) -> Tensor:
    """Kullback-Leibler divergence of the lens from the last layer's distribution, per state, (n,), in nats.

    Parameters
    ----------
    model
        The model.
    states, last : (n, d_model)
        Translated states, and those of the last layer.
    gradient
        Record gradients.
    """
    with inference(model.hf):
        target = model.unembed(last).log_softmax(-1)
    if gradient:
        target = target.clone()
    with torch.set_grad_enabled(gradient):
        lens = model.unembed(states, gradient=gradient).log_softmax(-1)
        result: Tensor = (target.exp() * (target - lens.to(target.device))).sum(-1)
    return result.to(states.device)


def mean_divergences(
    model: Model, states: Mapping[int, Tensor], layers: Sequence[int], translate: Callable[[int, Tensor], Tensor] | None
) -> np.ndarray:
    """Mean divergence of each layer's lens from the last layer's distribution, (n_layers,), in nats.

    Parameters
    ----------
    model
        The model.
    states
        Layer to its states, (n, d_model), the last layer's among them.
    layers
        The layers.
    translate
        Function of a layer and its states; none where None.
    """
    size, last = chunk_size(n_vocabulary(model)), states[model.n_layers]
    means = []
    for layer in layers:
        own = states[layer] if translate is None else translate(layer, states[layer])
        parts = zip(own.split(size), last.split(size), strict=True)
        means.append(np.concatenate([divergence(model, a, b).numpy() for a, b in parts]).mean())
    return np.array(means, np.float32)
