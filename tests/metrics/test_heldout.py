"""Scores on held-out samples: the words of their top concepts."""

import numpy as np
import pytest

import nbtoolkit as nbt
from nbtoolkit.metrics import (
    caption_clip_score,
    of_top_concepts,
    top_words_bert_score,
    top_words_clip_score,
)
from nbtoolkit.studies import baselines


def test_scores_of_top_concepts():
    V = np.array([[3.0, -5.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    S = np.array([[0.1, 0.5, 0.9], [0.2, 0.6, 0.9], [0.3, 0.7, 0.9]])
    assert of_top_concepts(V, S).values[:2].tolist() == [0.5, 0.2] and np.isnan(of_top_concepts(V, S).values[2])
    np.testing.assert_allclose(of_top_concepts(V, S, 2).values[:2], [0.3, 0.2])
    S[0, 1] = np.nan
    assert np.isnan(of_top_concepts(V, S).values[0]) and of_top_concepts(V, S, 2).values[0] == pytest.approx(0.1)
    with pytest.raises(nbt.NbtoolkitError, match="do not fit; expected one shape, and r between 1 and n_concepts"):
        of_top_concepts(V, S, 4)


def test_test_scores_read_ten_words_and_the_mean_over_captions():
    words, texts = [[*"abcdefghijkl"]], []

    def embed(some):
        texts.extend(some)
        return np.array([[1.0, 0.0] if text != "off" else [0.0, 1.0] for text in some])

    assert top_words_clip_score(np.ones((1, 1)), words, np.eye(1, 2), embed).values.tolist() == [2.5]
    assert texts == ["a, b, c, d, e, f, g, h, i, j"]
    captions = caption_clip_score([["on", "off", "on"], ["off"], []], np.eye(1, 2).repeat(3, 0), embed)
    np.testing.assert_allclose(captions.values, [2.5 * 2 / 3, 0, np.nan])
    texts.clear()
    top_words_bert_score(np.ones((1, 1)), words, [["on"]], lambda some: [(np.eye(1), np.ones(1)) for _ in embed(some)])
    assert texts[0] == "a, b, c, d, e, f, g, h, i, j"


def test_own_captions_beat_concepts_and_concepts_beat_random_words(model, scorer, held, reps):
    """Table 1 of the paper, on the embedded world: the order of its columns."""
    data, test = held
    place = {i: k for k, i in enumerate(data["id"])}
    pictures = scorer.images([data[place[i]]["image"] for i in test.sample_ids])
    cd = nbt.decompose(reps, nbt.SemiNMF(12, random_state=0), layer=-1)
    g = nbt.ground(cd, model)
    V = cd.encode(test.layer(-1))
    ours = top_words_clip_score(V, g.words, pictures, scorer.texts)
    random = top_words_clip_score(V, baselines.random_words(model, g).words, pictures, scorer.texts)
    upper = caption_clip_score(test.references, pictures, scorer.texts)
    assert random.mean < ours.mean < upper.mean
    assert nbt.compare(ours, random).t_p < 1e-3 and nbt.compare(ours, random).permutation_p < 1e-3
