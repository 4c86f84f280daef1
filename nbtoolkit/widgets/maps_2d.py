"""Places of the samples and concepts of a layer in two dimensions, and of which samples the captions lack the word."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..storage.study import Study
from ..text.words import locate
from ..types import ConceptDictionary
from .concept_lists import strongest

MAX_POINTS = 20_000
MAX_SPELLING = 100  # characters: what is longer is no word, and takes long to search for
SAMPLES_TEXT = "Near: images of like concepts (principal components)."
CONCEPTS_TEXT = "Near: concepts of like images (scaling of correlations)."
Reply = tuple[dict[str, Any], list[bytes]]


def sample_places(cd: ConceptDictionary) -> tuple[np.ndarray, np.ndarray]:
    """Samples on the first two principal axes of the centred activations, each activation times the length of its concept.

    A distance on the map is at most the distance of the two rows of activations; ``share`` says how much of the variance
    the two axes hold. Of a large dictionary the 1,000 strongest concepts count.

    Parameters
    ----------
    cd
        The dictionary of a layer.

    Returns
    -------
    places : (n_samples, 2)
        The side of each axis on which its largest loading is, is positive.
    share : (2,)
        Share of the variance per axis, 0 to 1, no unit.

    References
    ----------
    Jolliffe 2002, Principal Component Analysis, section 1.1.

    Examples
    --------
    >>> import nbtoolkit as nbt, numpy as np
    >>> cd = nbt.ConceptDictionary(np.eye(2), [[1, 0], [3, 0], [2, 0]], ["a", "b", "c"], 1, "SemiNMF")
    >>> sample_places(cd)[0].tolist(), sample_places(cd)[1].tolist()
    ([[-1.0, 0.0], [1.0, 0.0], [0.0, 0.0]], [1.0, 0.0])
    """
    rows = strongest(cd)
    weights = np.linalg.norm(cd.concepts[rows], axis=1)
    states = cd.activations[:, rows].astype(np.float64) * weights
    states -= states.mean(0)
    if states.shape[0] < states.shape[1]:  # the smaller side has the same axes
        return _axes(states @ states.T)
    values, vectors = np.linalg.eigh(states.T @ states)
    places = _oriented(vectors[:, ::-1][:, :2])
    return _padded(states @ places), _shares(values)


def concept_places(cd: ConceptDictionary) -> tuple[list[int], np.ndarray, np.ndarray]:
    """Concepts by classical scaling of the correlations of their activations over the samples.

    The squared distance of two concepts is 2 (1 − correlation), of which the map holds ``share``. Concepts whose activation
    is the same in all samples have no correlation and no place; of a large dictionary the 1,000 strongest have one.

    Parameters
    ----------
    cd
        The dictionary of a layer.

    Returns
    -------
    concepts : list of int
        Rows of the dictionary that have a place, ascending.
    places : (n, 2)
        Their places.
    share : (2,)
        Share of the squared distances from the middle per axis, 0 to 1, no unit.

    References
    ----------
    Torgerson 1952, Multidimensional scaling: I. Theory and method.
    """
    rows = np.array(strongest(cd), int)
    columns = cd.activations[:, rows].astype(np.float64)
    columns -= columns.mean(0)
    length = np.linalg.norm(columns, axis=0)
    live = length > 1e-12 * max(1.0, float(np.abs(cd.activations).max(initial=0)))
    columns = columns[:, live] / length[live]
    correlation = columns.T @ columns
    if len(correlation):
        correlation -= correlation.mean(0)
        correlation -= correlation.mean(1, keepdims=True)
    return (rows[live].tolist(), *_axes(correlation))


def _axes(gram: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places (n, 2) whose inner products are nearest to a Gram matrix, and the share of its trace per axis."""
    if not len(gram):
        return np.zeros((0, 2)), np.zeros(2)
    values, vectors = np.linalg.eigh(gram)
    places = _oriented(vectors[:, ::-1][:, :2]) * np.sqrt(values[::-1][:2].clip(min=0))
    return _padded(places), _shares(values)


def _oriented(vectors: np.ndarray) -> np.ndarray:
    """Columns with the sign that makes their largest entry positive: the same on every machine."""
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(0)[None], 0)
    return vectors * np.where(largest < 0, -1, 1)


def _padded(places: np.ndarray) -> np.ndarray:
    """With a second axis of zeros where there is none."""
    return np.pad(places, ((0, 0), (0, 2 - places.shape[1])))


def _shares(values: np.ndarray) -> np.ndarray:
    """Share of the two largest eigenvalues, from ascending ones."""
    two = np.pad(values[::-1][:2].clip(min=0), (0, 2))[:2]
    return np.asarray(two / max(float(values.clip(min=0).sum()), 1e-30))


def reply(study: Study, layer: int) -> Reply:
    """Places of the samples and concepts of a layer, for a page.

    Parameters
    ----------
    study
        The study.
    layer
        One of its layers.

    Returns
    -------
    dict, list of bytes
        Per kind, ``samples`` and ``concepts``, how they are placed and the share that the map holds. As bytes, the places
        (float32) of the samples and of the concepts, the concepts that have one (int32), and the rows of the samples (int32)
        where they are not all.
    """
    cd = study.dictionary(layer)
    samples, share = sample_places(cd)
    concepts, places, concept_share = concept_places(cd)
    n = len(samples)
    rows = np.linspace(0, n - 1, MAX_POINTS).astype(int) if n > MAX_POINTS else np.arange(0)
    if len(rows):
        samples = samples[rows]
    about = {
        "samples": [SAMPLES_TEXT, round(float(share.sum()), 4)],
        "concepts": [CONCEPTS_TEXT, round(float(concept_share.sum()), 4)],
    }
    parts = ((samples, "<f4"), (places, "<f4"), (concepts, "<i4"), (rows, "<i4"))
    return about, [np.ascontiguousarray(a, kind).tobytes() for a, kind in parts]


def lacking(study: Study) -> np.ndarray | None:
    """Whether no caption of the data set has the word that the model's response has, in any spelling of the study.

    Parameters
    ----------
    study
        The study.

    Returns
    -------
    numpy.ndarray or None
        (n_samples,) bool; None where no sample has a caption, or where the responses are captions themselves.
    """
    if study.source.decoding == "given captions" or not any(s.captions for s in study.samples):
        return None
    spelled = (s.pieces[s.position].strip() for s in study.samples if s.position < len(s.pieces))
    words = tuple(dict.fromkeys(word for word in (study.token, *spelled) if 0 < len(word) <= MAX_SPELLING))[:64]
    if not words:
        return None
    return np.array([bool(s.captions) and not any(locate(words, c) for c in s.captions) for s in study.samples])


def lacking_reply(study: Study) -> Reply:
    """One byte per sample, 1 where the captions lack the word; none where that is not defined.

    Parameters
    ----------
    study
        The study.
    """
    flags = lacking(study)
    return {}, [b"" if flags is None else flags.astype(np.uint8).tobytes()]
