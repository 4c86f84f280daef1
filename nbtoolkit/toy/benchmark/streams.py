"""Residual streams of another basis or with massive coordinates, in which the truth stays what it is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .tasks import Task

Array = np.ndarray
Stream = tuple[Callable[[Array], Array], Callable[[Array], Array]]
_MASSIVE, _JITTER = 1000.0, 0.02  # times the typical coordinate, and its relative standard deviation over rows


def stream_of(task: Task, states: Array, random_state: int) -> Stream:
    """The stream of a task: from the model's states to those that are decomposed, and from concepts back to directions.

    Parameters
    ----------
    task
        The task.
    states : (n_rows, d_model)
        Training states of the model.
    random_state
        Seed of the rotation and of the massive coordinates.
    """
    d_model = states.shape[1]
    if task.stream == "rotated":
        Q, _ = np.linalg.qr(np.random.default_rng([random_state, 7]).normal(size=(d_model, d_model)))
        return (lambda Z: (Z @ Q).astype(np.float32)), (lambda D: D @ Q.T)
    if task.stream == "massive":
        size = _MASSIVE * float(np.median(np.abs(states)))

        def with_massive(Z: Array) -> Array:
            jitter = np.random.default_rng([random_state, 8, len(Z)]).normal(1, _JITTER, (len(Z), 2))
            return np.concatenate([Z, size * jitter * (1, -1)], axis=1).astype(np.float32)

        return with_massive, (lambda D: D[:, :d_model])
    return (lambda Z: Z), (lambda D: D)
