"""The causal column: a concept's words leave the response as the concept is ablated, and the others stay."""

from __future__ import annotations

import itertools

import numpy as np

from ..data.loading import rows_by_id
from ..interventions import Selectivity, causal_selectivity
from ..types import ConceptDictionary, Grounding, Representations
from .systems import METHODS, Context, Systems

N_IMAGES = 40  # test images whose responses are looked at
N_NAMES = 5  # words of a concept that count as its names: those that the paper shows
PER_CONCEPT = 4  # responses that are generated again per concept and direction


def causal(context: Context, one: Systems, test: Representations) -> dict[str, Selectivity]:
    """Causal selectivity of the concepts that test samples use most, per method.

    A concept's names are its first five words other than the token, which all concepts share. Facts are the content words
    of the responses.

    Parameters
    ----------
    context
        Of the evaluation.
    one
        Dictionaries and groundings of the token.
    test
        Representations to test on.

    Returns
    -------
    dict
        Method to selectivity; empty where no concepts are ablated.
    """
    if not context.n_ablations:
        return {}
    ids = list(dict.fromkeys(test.sample_ids))[:N_IMAGES]
    images = list(rows_by_id(context.test_images.data, ids))
    methods = [m for m in METHODS if one.dictionaries[m].decoder is not None]
    own = [
        names(one.dictionaries[m], one.groundings[m], one.systems[m][0], test.source.token, context.n_ablations)
        for m in methods
    ]
    result = causal_selectivity(  # of all methods together, so that the responses to compare with are generated once
        context.model,
        images,
        np.concatenate([one.dictionaries[m].concepts for m in methods]),
        [words for one_method in own for words in one_method],
        layer=context.layer,
        n_images=PER_CONCEPT,
        random_state=context.random_state,
        max_new_tokens=test.source.max_new_tokens,
    )
    ends = np.cumsum([0, *map(len, own)])
    return {m: _part(result, *bounds) for m, bounds in zip(methods, itertools.pairwise(ends.tolist()), strict=True)}


def _part(result: Selectivity, start: int, end: int) -> Selectivity:
    """Rows of the concepts from ``start`` to ``end``, counted from 0."""
    rows = [i for i, k in enumerate(result.concepts) if start <= k < end]
    values = (result.n_images, result.named, result.others, result.null_named, result.null_others)
    return Selectivity(tuple(result.concepts[i] - start for i in rows), *(v[rows] for v in values))


def names(cd: ConceptDictionary, g: Grounding, activations: np.ndarray, token: str, n: int) -> list[list[str]]:
    """Names of each concept that is ablated: its first five words other than the token; none for the other concepts.

    Parameters
    ----------
    cd, g
        The dictionary and its grounding.
    activations : (n_samples, n_concepts)
        Of the test samples.
    token
        The token.
    n
        Number of concepts: those with names that are the strongest in most test samples, then by the sum of their activations.
    """
    strength = np.abs(activations)
    uses = np.bincount(strength.argmax(1), minlength=cd.n_concepts) if len(strength) else np.zeros(cd.n_concepts)
    first = [[w for w in words if w != token.lower()][:N_NAMES] for words in g.words]
    order = np.lexsort((-strength.sum(0), -uses))
    chosen = [k for k in order if first[k] and strength[:, k].max(initial=0) > 0][:n]
    return [first[k] if k in chosen else [] for k in range(cd.n_concepts)]
