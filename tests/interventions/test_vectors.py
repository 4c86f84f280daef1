"""Steering vectors have the paper's sign."""

import numpy as np
import pytest

import nbtoolkit as nbt
from nbtoolkit.interventions import unembedding_direction
from nbtoolkit.interventions.vectors import (
    concept_pair,
    concept_unit,
    difference_of_means,
    typical_coefficient,
    word_contrast,
)
from nbtoolkit.metrics.shift import t_overlap

from ..metrics.test_shift import two_models


def test_steering_vectors_have_the_papers_sign(rng):
    """The authors' code names u_i − u_j what the paper calls from i to j."""
    before, after, a, _, _, _ = two_models(rng, np.full((3, 12), 2.0))
    np.testing.assert_allclose(difference_of_means(before, after, layer=0), np.full(12, 2.0), atol=1e-5)
    np.testing.assert_allclose(a.concepts[0] + concept_pair(a, 0, 2), a.concepts[2], atol=1e-5)
    with pytest.raises(nbt.NbtoolkitError, match="There is no concept 3; the dictionary has 3"):
        concept_pair(a, 0, 3)
    assert t_overlap([["a", "b"], []], [["b"], ["c"]])[0] == 50 and np.isnan(t_overlap([[]], [["c"]])[0])


def test_a_unit_of_a_concept_is_its_mean_where_it_is_used():
    V = np.array([[4.0, 0, -1], [2, 0, -3], [0, 0, 0]])
    cd = nbt.ConceptDictionary(2 * np.eye(3), V, ["a", "b", "c"], 1, "PCA")
    assert typical_coefficient(cd, 0) == 3 and typical_coefficient(cd, 2) == 2  # without a positive one: the magnitude
    assert concept_unit(cd, 0).tolist() == [6, 0, 0]
    with pytest.raises(nbt.NbtoolkitError, match="No sample uses concept 1 of layer 1"):
        concept_unit(cd, 1)


def test_a_unit_is_taken_over_finite_coefficients():
    V = np.array([[4.0, np.nan], [np.inf, -2], [2, -4]])
    cd = nbt.ConceptDictionary(np.eye(2), V, ["a", "b", "c"], 1, "PCA")
    assert (typical_coefficient(cd, 0), typical_coefficient(cd, 1)) == (3, 3)


def test_a_word_is_a_difference_of_means(reps):
    with_it = np.array(["ginger" in text.split() for text in reps.captions])
    states = reps.layer(4).astype(float)
    expected = states[with_it].mean(0) - states[~with_it].mean(0)
    np.testing.assert_allclose(word_contrast(reps, "ginger", layer=4), expected)
    with pytest.raises(nbt.NbtoolkitError, match=r"'zebra' is in 0 of \d+ responses; expected at least 2 with it"):
        word_contrast(reps, "zebra")


def test_an_unembedding_direction_raises_the_words_logit(model, reps):
    last = reps.layer(model.n_layers)
    direction = unembedding_direction(model, "snow", last, length=2.0)
    assert np.linalg.norm(direction) == pytest.approx(2)
    (snow,) = model.tokenizer(" snow", add_special_tokens=False)["input_ids"][-1:]
    mean = last.mean(0, keepdims=True)
    moved = [model.unembed(mean + x * direction)[0] for x in (-0.5, 0.5)]
    gain = moved[1] - moved[0]
    assert gain[snow] == gain.max() > 0
    with pytest.raises(nbt.NbtoolkitError, match="states has shape"):
        unembedding_direction(model, "snow", last[:, :5])
