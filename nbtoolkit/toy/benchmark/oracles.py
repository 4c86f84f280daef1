"""Ceilings: dictionaries that know the truth, by edits of the renderer or by the labels of the training rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata
from sklearn.linear_model import RidgeCV

from .dictionaries import Candidate, Reader
from .truth import Fact, Group

Array = np.ndarray
_PENALTIES = np.logspace(0, 5, 11)


def true_directions(states: Array, directions: Array, layer: int, reader: Reader) -> Candidate:
    """The causal directions as a dictionary; a concept's activation is the inner product with its direction.

    Parameters
    ----------
    states : (n_rows, d_model)
        Training states.
    directions : (n_groups, d_model)
        From :func:`causal_directions`; NaN for facts that no edit shows, which become dead concepts.
    layer
        Their layer.
    reader
        Reads the words.
    """
    D = np.nan_to_num(directions)
    words = [row if d.any() else [] for row, d in zip(reader.words(D, layer), D, strict=True)]
    return Candidate(D, states @ D.T, lambda Z: Z @ D.T, words)


def supervised(
    states: Array,
    truth: Array,
    groups: Sequence[Group],
    reader: Reader,
    meaning: Mapping[str, Fact],
    maps: Array | None,
) -> Candidate:
    """The labels as a teacher: activations by ridge regression, and for each score the best direction that labels give.

    Words, and what is ablated, are the rows of the model's head for the first word of each fact; the cosine is that of
    the difference of the means of training states with the fact and without it; maps have directions of their own.

    Parameters
    ----------
    states : (n_rows, d_model)
        Training states.
    truth : (n_rows, n_groups)
        Labels of the training rows.
    groups
        The facts.
    reader
        Has the model, and reads the words.
    meaning
        Word to fact.
    maps : (n_groups, d_model)
        Directions that tell patches of each fact from others; None where there are no masks.
    """
    candidate = regression(states, truth.astype(float))
    means = np.stack([states[y].mean(0) - states[~y].mean(0) for y in truth.T])
    firsts = [
        next((w for w, fact in meaning.items() if fact == g.facts[0] and w in reader.vocabulary), "") for g in groups
    ]
    head = head_rows(reader, firsts)
    along = {"cosine": means, "causal": head} | ({} if maps is None else {"maps": maps})
    return Candidate(means, candidate.train, candidate.encode, [[w] if w else [] for w in firsts], along)


def regression(states: Array, targets: Array) -> Candidate:
    """Activations by ridge regression of targets on standardised states; without words.

    Parameters
    ----------
    states : (n_rows, d_model)
        Training states.
    targets : (n_rows, n_targets)
        What is to be read from them.
    """
    mean, scale = states.mean(0), states.std(0) + 1e-6
    fits = [RidgeCV(_PENALTIES).fit((states - mean) / scale, y) for y in targets.T]
    W, b = np.stack([f.coef_ for f in fits]), np.array([f.intercept_ for f in fits])

    def encode(Z: Array) -> Array:
        return ((Z - mean) / scale) @ W.T + b

    return Candidate(W, encode(states), encode, [[] for _ in fits])


def head_rows(reader: Reader, words: Sequence[str]) -> Array:
    """Rows of the model's head for words; zeros for an empty word, (n_words, d_model).

    Parameters
    ----------
    reader
        Has the model.
    words
        Words of the vocabulary; of one that is several tokens, the first counts.
    """
    model = reader.model
    weights = model.hf.get_output_embeddings().weight.detach().float().cpu().numpy()
    rows = np.zeros((len(words), weights.shape[1]))
    for k, word in enumerate(words):
        if word:
            rows[k] = weights[model.tokenizer(f" {word}", add_special_tokens=False)["input_ids"][0]]
    return rows


def patch_directions(states: Sequence[Array], patches: Sequence[Array], truth: Array) -> Array:
    """Directions that tell the patches of each fact from all other patches of training images, (n_groups, d_model).

    Parameters
    ----------
    states
        (n_patches, d_model) states of each image.
    patches
        (n_groups, n_patches) bool of each image: the patches that show the factor of each fact.
    truth : (n_images, n_groups)
        Whether the image shows the fact.
    """
    X = np.concatenate(states).astype(np.float64)
    X = X - X.mean(0)
    Y = np.concatenate([(visible & row[:, None]).T for visible, row in zip(patches, truth, strict=True)]).astype(float)
    gram = X.T @ X + 10.0 * np.eye(X.shape[1])
    return np.linalg.solve(gram, X.T @ (Y - Y.mean(0))).T


def normal_scores(values: Array) -> Array:
    """Normal scores of the ranks of each column, so that a regression learns ranks, (n_rows, n_columns).

    Parameters
    ----------
    values : (n_rows, n_columns)
        Numbers.
    """
    result: Array = ndtri((rankdata(values, axis=0) - 0.5) / len(values))
    return result
