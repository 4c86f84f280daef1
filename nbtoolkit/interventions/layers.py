"""Change of the token's log-probability when each layer is ablated, against changes of the same length."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import MethodError
from ..metrics import Score, exceedance
from ..models.adapter import Model
from ..models.hooks import watching
from ..models.inference import inference
from ..targets import Targets
from ..targets.batches import Batch, score, word_states
from ..targets.recorded import read_batch
from ..types import resolve_layers
from ..types.arguments import checked, checked_array
from ..types.nulls import OTHER_CONCEPT, RANDOM_DIRECTION, Null
from ..types.rules import Number, Rule
from .ablation import ablate

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class LayerEffects:
    """Change of the token's log-probability when each layer is ablated, in nats, with its nulls.

    Attributes
    ----------
    layers
        The ablated layers.
    change : (n, n_layers)
        After minus before; negative where the layer supports the token.
    null : (n, n_layers)
        Mean over ``draws``; 0 without.
    draws : (n_random, n, n_layers)
        The same when the states after the layer move in a random direction, at every position as far as the ablation
        moves them: for a block, by the norm of what it writes.
    other : (n_other, n, n_layers)
        The same in the direction of other concepts, such as another word's, against their part in the state.
    preserves
        What the two nulls preserve (:class:`nbtoolkit.types.nulls.Null`).
    """

    layers: tuple[int, ...]
    change: Array
    null: Array
    draws: Array
    other: Array
    preserves: tuple[Null, Null] = (RANDOM_DIRECTION, OTHER_CONCEPT)

    def score(self, layer: int) -> Score:
        """Change of one layer, a value per sample, in nats.

        Parameters
        ----------
        layer
            One of ``layers``.
        """
        return Score(self.change[:, self.layers.index(layer)], f"change without layer {layer}")

    def p(self, layer: int) -> float:
        """Monte Carlo p-value of the mean change of a layer against ``draws``, two-sided; at least 1 / (n_random + 1).

        Parameters
        ----------
        layer
            One of ``layers``.
        """
        j = self.layers.index(layer)
        return exceedance(float(self.change[:, j].mean()), self.draws[:, :, j].mean(1), two_sided=True)


@checked
def layer_effects(
    targets: Targets,
    layers: str | int | Sequence[int] | None = None,
    *,
    part: str = "block",
    how: str = "zero",
    means: Mapping[int, Any] | None = None,
    direction: Any = None,
    n_random: Number = 4,
    other: Any = None,
    random_state: Any = 0,
    progress: Callable[[int, int], None] | None = None,
) -> LayerEffects:
    """Ablate each layer in turn.

    The null moves the states after the layer in one random direction per draw, at every position as far as the ablation
    moves them there, so it is about what a layer writes and not about how much.

    Parameters
    ----------
    targets
        Of :func:`nbtoolkit.attribution.mentions`.
    layers
        Layers 1 … n_layers; all of them where None or ``"all"``.
    part, how, means, direction
        As for :func:`nbtoolkit.interventions.ablate`.
    n_random
        Number of random directions of the null; 19 are the fewest for a p-value of 0.05.
    other : (n_other, d_model)
        Directions of a second null, such as the concepts of another word's dictionary at this layer.
    random_state
        Seed of the random directions.
    progress
        Called with the number of layers that are done, and of all.

    Raises
    ------
    LayerError
        A layer that the model does not have.
    MethodError
        Other directions of another width, or one that is all zeros.

    References
    ----------
    Random changes of the same norm as a control: Gurnee, "SAE reconstruction errors are (empirically) pathological",
    Alignment Forum 2024.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> targets = nbt.attribution.mentions(nbt.load_model("toy"), nbt.load_data("toy", n=40)["image"], "dog")
    >>> layer_effects(targets).change.shape
    (5, 5)
    """
    model = targets.model
    chosen = resolve_layers("all" if layers is None else layers, model.n_layers, first=1)
    others = _directions(other, model.d_model)
    rng = np.random.default_rng(random_state)
    sizes = (n_random, len(others))
    ablation = partial(ablate, model, part=part, how=how, means=means, direction=direction)
    change = np.zeros((len(targets), len(chosen)))
    draws, effects = (np.zeros((n, *change.shape)) for n in sizes)
    directions = [(rng.normal(size=(n_random, model.d_model)), others) for _ in chosen]
    batches = targets.batches
    for b, batch in enumerate(batches):
        rows = slice(batch.start, batch.start + len(batch))
        sweep = _Sweep(model, batch, ablation)
        for j, layer in enumerate(chosen):
            change[rows, j], (draws[:, rows, j], effects[:, rows, j]) = sweep.effects(layer, directions[j])
            if progress is not None:
                progress((b * len(chosen) + j + 1) // len(batches), len(chosen))
    null = draws.mean(0) if n_random else np.zeros(change.shape)
    return LayerEffects(chosen, change, null, draws, effects)


class _Sweep:
    """Ablations of one layer after the other in a batch of responses: in a recorded pass where the model can be continued.

    Parameters
    ----------
    model, batch
        The model, and the responses.
    ablation
        Makes the ablation of a layer.
    """

    def __init__(self, model: Model, batch: Batch, ablation: Callable[[int], AbstractContextManager[None]]) -> None:
        self.model, self.batch, self.ablation = model, batch, ablation
        self.recorded = read_batch(model, batch)
        self.before = self._log_probability(0)

    def effects(self, layer: int, directions: tuple[Array, Array]) -> tuple[Array, tuple[Array, Array]]:
        """Change when a layer is ablated, (n,), and in each of two sets of directions, (n_directions, n).

        Parameters
        ----------
        layer
            The layer.
        directions : (n_directions, d_model)
            Random directions, and those of other concepts, against which a state moves.
        """
        states: list[Tensor] = []
        with self.ablation(layer), _reading(self.model, layer, states):
            after = self._log_probability(layer - 1)
        nulls = [
            np.array([self._moved(layer, states, vector, against=against) for vector in vectors]).reshape(
                len(vectors), len(self.batch)
            )
            for vectors, against in zip(directions, (False, True), strict=True)
        ]
        return after - self.before, (nulls[0], nulls[1])

    def _moved(self, layer: int, states: Sequence[Tensor], direction: Array, *, against: bool) -> Array:
        """Change when the states after a layer move in a direction as far as those of an earlier reading are away."""
        move = _mover(states, direction, against=against)
        if self.recorded is not None:
            own = self.recorded.recording.stream[layer]
            with inference(self.model.hf):
                moved = move(own)
            return np.asarray(self.recorded.measure(layer, moved).cpu().numpy()) - self.before
        with watching(self.model.blocks, lambda here, hidden: move(hidden) if here == layer else None):
            return self._log_probability(layer) - self.before

    def _log_probability(self, layer: int) -> Array:
        """Log-probability of each token, (n,): in the recorded pass continued from a layer, or in a whole pass."""
        if self.recorded is not None:
            return np.asarray(self.recorded.measure(layer, self.recorded.recording.stream[layer]).cpu().numpy())
        states = word_states(self.model, self.batch, [self.model.n_layers])[0]
        return np.asarray(score(self.model, states, self.batch).cpu().numpy())


def _directions(other: Any, d_model: int) -> Array:
    """Directions as rows (n, d_model); none where nothing is given."""
    if other is None:
        return np.zeros((0, d_model))
    vectors = np.atleast_2d(checked_array("other", other, Rule(finite=False)).astype(np.float64))
    if vectors.ndim != 2 or vectors.shape[1] != d_model or not np.isfinite(vectors).all():
        raise MethodError(f"other has shape {np.shape(other)}; expected (n_other, {d_model}) finite numbers.")
    if not np.abs(vectors).any(1).all():
        raise MethodError("A direction of other is all zeros; expected vectors with a length: leave dead concepts out.")
    return vectors


def _reading(model: Model, layer: int, states: list[Tensor]) -> AbstractContextManager[None]:
    """Append the states after a layer in each forward pass to a list, in the model's precision."""

    def visit(here: int, hidden: Tensor) -> None:
        if here == layer:
            states.append(hidden.detach())

    return watching(model.blocks, visit)


def _mover(states: Sequence[Tensor], direction: Array, *, against: bool) -> Callable[[Tensor], Tensor]:
    """Function that moves states in a direction, at every position as far as those of an earlier reading are away.

    Parameters
    ----------
    states
        States of the earlier reading, one tensor per forward pass.
    direction : (d_model,)
        The direction.
    against
        Move against the part that a state has in this direction, as an ablation of it does.
    """
    unit = torch.tensor(direction / np.linalg.norm(direction), dtype=torch.float32)
    passes = iter(states)

    def move(hidden: Tensor) -> Tensor:
        own = hidden.float()
        u = unit.to(own.device)
        length = (own - next(passes).float()).norm(dim=-1, keepdim=True)
        if against:
            length = -length * torch.sign(own @ u)[..., None]
        return (own + length * u).to(hidden.dtype)

    return move
