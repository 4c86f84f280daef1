"""Effect of ablating a concept over several images of a study, with a random direction as control."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import NbtoolkitError
from ..interventions.ablation import ablate
from ..interventions.selectivity import moved_as_far
from ..targets.joining import joined
from ..types.intervals import mean_interval
from ..types.nulls import RANDOM_DIRECTION
from .registry import operation
from .responses import check_samples, chunks, responses
from .session import Session

MAX_SAMPLES = 16
N_RANDOM = 4  # directions of the control


@operation
def concept_effect(
    session: Session,
    *,
    samples: Sequence[str],
    at: int,
    concept: int,
    progress: Callable[[int, int], None] | None = None,
    cancel: threading.Event | None = None,
) -> dict[str, Any]:
    """Change of the token's log-probability when a concept is ablated, in several images.

    Parameters
    ----------
    session, samples, at, concept
        The session, the ids of at most 16 samples, the layer, and the concept's row in its dictionary.
    progress, cancel
        Called with (done, total), in images; and the event that stops the operation.

    Returns
    -------
    dict
        ``samples``, those whose response contains the token; ``change`` per sample, in nats; ``control`` per sample: the mean
        over four random directions along which the states move as far, at every position; ``preserves``, what it preserves;
        ``interval`` and ``control_interval``, of 95 % of the two means (None for fewer than two samples).

    Raises
    ------
    Cancelled
        The event was set.
    MethodError
        The dictionary has no decoder: its concepts are no directions of the model's stream.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> model, data = nbt.load_model("toy"), nbt.load_data("toy", n=200)
    >>> study = nbt.study(model, data, "train", method=nbt.SemiNMF(4, random_state=0), progress=False)
    >>> result = Session(model, study).run("concept_effect", {"samples": [study.samples[0].id], "at": 4, "concept": 0})
    >>> len(result["change"]) == len(result["control"]) == 1
    True
    """
    if len(samples) > MAX_SAMPLES:
        raise NbtoolkitError(f"samples has {len(samples)} entries; expected at most {MAX_SAMPLES}.")
    check_samples(session, samples)
    cd = session.study.dictionary(at)
    cd.require_decoder("the ablation of a concept")
    direction = cd.concept(concept)
    random = np.random.default_rng(0).normal(size=(N_RANDOM, len(direction))).astype(np.float32)
    change, control, rows = [], [], []
    for chunk, report in chunks(samples, progress, cancel):
        with session.exclusive():
            targets = responses(session, chunk)
            if not targets:
                continue
            batch = joined([*targets.values()])
            before, _ = batch.read([cd.layer])
            with ablate(session.model, cd.layer, direction=direction):
                after, _ = batch.read([cd.layer])
            moved = []
            for j, other in enumerate(random):
                report(j + 1, N_RANDOM + 1)
                with moved_as_far(session.model, cd.layer, direction, other):
                    moved.append(batch.read([cd.layer])[0])
        change += (after - before).astype(float).tolist()
        control += (np.mean(moved, axis=0) - before).astype(float).tolist()
        rows += list(targets)
    return {
        "samples": rows,
        "change": change,
        "control": control,
        "interval": _interval(change),
        "control_interval": _interval(control),
        "preserves": str(RANDOM_DIRECTION),
    }


def _interval(values: Sequence[float]) -> list[float] | None:
    """Interval of the mean; None where there is none."""
    low, high = mean_interval(np.asarray(values, float), 0.95)
    return [low, high] if np.isfinite([low, high]).all() else None
