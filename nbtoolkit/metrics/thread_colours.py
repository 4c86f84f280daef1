"""Colours of threads, as numbers of a palette: concepts that are shown together have different ones where possible."""

from __future__ import annotations

import numpy as np

from ..storage.study import Study
from ..types import ConceptDictionary
from .across_layers import Threads
from .sparsity import energy

Array = np.ndarray
N_PASSES = 3
N_TOGETHER = 5  # strongest concepts of a sample, which are shown side by side
NEAR = ((1, 0.5), (2, 0.25))  # places between two concepts in a list, and how much one colour for both would confuse


def thread_colours(study: Study, threads: Threads, n_colours: int) -> list[int]:
    """Colour of each thread: greedily the one that is least among the threads it is shown with.

    Threads are shown together where they are among the strongest concepts of one sample, or near one another in the order of
    importance of a layer. Each thread takes its turn ``N_PASSES`` times.

    Parameters
    ----------
    study
        The study.
    threads
        Its threads.
    n_colours
        Number of colours.

    Returns
    -------
    list of int
        Per thread, a number from 0 to ``n_colours - 1``.

    Examples
    --------
    >>> from nbtoolkit.metrics import threads
    >>> from nbtoolkit.storage.example import noise_study
    >>> thread_colours(noise_study(), threads(noise_study()), 8)
    [0, 1, 2, 3]
    """
    numbers = [threads.of(layer) for layer in threads.layers]
    costs = [_together(study.dictionary(layer)) for layer in threads.layers]
    clash, uses = np.zeros((threads.n_threads, n_colours)), np.zeros(n_colours)
    colours = np.full(threads.n_threads, -1)
    members: list[list[tuple[int, int]]] = [
        [] for _ in colours
    ]  # of a thread: places of the layers, and concepts there
    for at, own in enumerate(numbers):
        for k in np.flatnonzero(own >= 0):
            members[own[k]].append((at, int(k)))
    for thread in [*range(threads.n_threads)] * N_PASSES:
        former = colours[thread]
        if former >= 0:
            uses[former] -= 1
        order = np.lexsort((np.arange(n_colours), uses, clash[thread].round(9)))
        colours[thread] = colour = int(order[0])
        uses[colour] += 1
        if colour == former:
            continue
        for at, k in members[thread]:
            others = numbers[at] >= 0
            clash[numbers[at][others], colour] += costs[at][k, others]
            if former >= 0:
                clash[numbers[at][others], former] -= costs[at][k, others]
    return [int(colour) for colour in colours]


def _together(cd: ConceptDictionary) -> Array:
    """How much two concepts of a layer are visible together, (n_concepts, n_concepts): 1 for a pair of equals in each tenth sample."""
    strength = np.abs(np.nan_to_num(cd.activations))
    n_samples, n = strength.shape
    weights = np.zeros((n_samples, n), np.float32)
    rows = np.argsort(-strength, axis=1, kind="stable")[:, :N_TOGETHER]
    top = np.take_along_axis(strength, rows, 1)
    np.put_along_axis(weights, rows, np.sqrt(top / np.maximum(top[:, :1], 1e-30)).astype(np.float32), 1)
    cost = 10 * (weights.T @ weights).astype(float) / max(1, n_samples)
    order = np.argsort(-energy(cd), kind="stable")
    for places, weight in NEAR:
        a, b = order[:-places], order[places:]
        cost[a, b] += weight
        cost[b, a] += weight
    np.fill_diagonal(cost, 0)
    return cost
