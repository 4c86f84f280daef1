"""Recorded batches: one forward pass of several targets, continued from a layer without its vision tower and earlier blocks."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ..errors import ModelError
from ..models.adapter import Model
from ..models.replay import Recording, record, replay, replay_from
from .batches import Batch, score

MAX_BYTES = 2**30  # of recorded states; a larger batch is measured in whole passes
_MEASURED: weakref.WeakKeyDictionary[Any, dict[Any, bool]] = weakref.WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class RecordedBatch:
    """The teacher-forced pass of a batch of responses, which can be continued from every layer.

    Attributes
    ----------
    model, batch
        The model, and the responses.
    recording
        The pass up to the last piece of each word.
    """

    model: Model
    batch: Batch
    recording: Recording

    def measure(self, layer: int, states: Tensor) -> Tensor:
        """Log-probability of each token in nats when states replace those of the pass after a layer, under the interventions in force.

        Parameters
        ----------
        layer
            The layer, 0 … n_layers.
        states : (n, positions, d_model)
            States of the layer.

        Returns
        -------
        (n,) Tensor
        """
        last = replay(self.model, self.recording, layer, states)
        longest = max(span.last for span in self.batch.spans)
        at = [step - longest - 1 for step in self.batch.steps]
        return score(self.model, last[self.batch.rows, at].float(), self.batch)


def read_batch(model: Model, batch: Batch) -> RecordedBatch | None:
    """Run the pass of a batch, and keep it; None where it cannot be continued.

    Parameters
    ----------
    model, batch
        The model, and the responses.

    Returns
    -------
    RecordedBatch or None
        None where the states take more than a gibibyte, or where the continued pass differs from the whole one, which is
        measured once per model.
    """
    inputs = model.extend(batch.inputs, batch.prefixes)
    size = int(inputs["input_ids"].numel()) * model.d_model * (model.n_layers + 1) * model.hf.dtype.itemsize
    if size > MAX_BYTES:
        return None
    try:
        recording = record(model, inputs)
    except ModelError:  # a block is not called once per pass
        return None
    measured = _MEASURED.setdefault(model.hf, {})
    way = (recording.conditions, tuple(recording.between), len(batch) > 1)
    if way not in measured:
        measured[way] = _continues(model, inputs, recording)
    return RecordedBatch(model, batch, recording) if measured[way] else None


def _continues(model: Model, inputs: dict[str, Any], recording: Recording) -> bool:
    """Whether the pass can be continued from every layer."""
    try:
        return replay_from(model, inputs, recording) == 0
    except ModelError:
        return False
