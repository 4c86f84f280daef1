"""The causal column: a concept's words leave the response as the concept is ablated, and the others stay."""

from __future__ import annotations

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
    return {
        method: causal_selectivity(
            context.model,
            images,
            one.dictionaries[method],
            names(
                one.dictionaries[method],
                one.groundings[method],
                one.systems[method][0],
                test.source.token,
                context.n_ablations,
            ),
            n_images=PER_CONCEPT,
            random_state=context.random_state,
            max_new_tokens=test.source.max_new_tokens,
        )
        for method in METHODS
        if one.dictionaries[method].decoder is not None
    }


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
        Number of concepts: those with names that are the strongest in most test samples, then by their mean activation.
    """
    strength = np.abs(activations)
    uses = np.bincount(strength.argmax(1), minlength=cd.n_concepts) if len(strength) else np.zeros(cd.n_concepts)
    first = [[w for w in words if w != token.lower()][:N_NAMES] for words in g.words]
    order = np.lexsort((-strength.mean(0), -uses))
    chosen = [k for k in order if first[k] and strength[:, k].max(initial=0) > 0][:n]
    return [first[k] if k in chosen else [] for k in range(cd.n_concepts)]
