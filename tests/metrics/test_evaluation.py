"""Scores on data with known values, and the lazy table of metrics."""

import pkgutil
import subprocess
import sys

import numpy as np
import pytest

import nbtoolkit as nbt
from nbtoolkit import metrics
from nbtoolkit.metrics import clip_score, explained_variance, naming, overlap, word_list


def test_overlap_is_zero_one_and_asymmetric():
    assert overlap([["a", "b"], ["c"]]).values.tolist() == [0, 0]
    assert overlap([["a", "b"], ["b", "a"]]).values.tolist() == [1, 1]
    # a concept without words shares none because it has none: undefined, where 0 would be the best possible
    np.testing.assert_array_equal(overlap([["a", "b"], ["a"], []]).values, [0.25, 0.5, np.nan])
    assert np.isnan(overlap([[], []]).mean) and overlap([["a"], []]).mean == 0
    assert overlap([["a"]]).values.tolist() == [0]


def test_clip_score():
    assert clip_score(np.array([[1.0, -1.0, 0.2]])).tolist() == [[2.5, 0.0, 0.5]]
    assert word_list(["sun", "sea"]) == "sun, sea"


def test_explained_variance_can_be_negative():
    Z = np.array([[1.0], [3.0]])
    assert explained_variance(Z, Z[::-1]).values.tolist() == [-3, -3]
    assert np.isnan(explained_variance(Z[:1], Z[:1]).mean)


def test_naming():
    factors = [
        {"w": "sun", "c": "red"},
        {"w": "sun", "c": "blue"},
        {"w": "rain", "c": "red"},
        {"w": "rain", "c": "blue"},
    ]
    meaning = {"sunny": ("w", "sun"), "rainy": ("w", "rain"), "red": ("c", "red")}
    V = np.array([[3, 1, 0, 0], [2, 0, 0, 0], [0, 2, 0, 0], [0, 0, 0, 0.0]])
    values = naming(V, [["x", "sunny"], ["rainy"], ["sunny"], ["sunny"]], factors, meaning).values
    assert values[0] == 1 and np.isnan(values[2]) and np.isnan(values[3])
    assert values[1] == 0  # it separates red, and its word is rainy
    assert naming(V[:, 1:2], [["red"]], factors, meaning).values.tolist() == [1]


def test_naming_looks_at_five_words():
    V, factors = np.array([[1.0], [0.0]]), [{"weather": "sun"}, {"weather": "rain"}]
    words, meaning = ["a", "b", "c", "d", "sunny"], {"sunny": ("weather", "sun")}
    assert naming(V, [words], factors, meaning).values.tolist() == [1]
    assert naming(V, [["x", *words]], factors, meaning).values.tolist() == [0]


def test_evaluate_with_a_planted_scorer():
    cd = nbt.ConceptDictionary(
        np.eye(2), np.array([[2.0, 0], [0, 1.0]]), ["a", "b"], 1, "SemiNMF", reconstruction_error=0.25
    )
    g = nbt.Grounding([["sun"], ["sea"]], [["a"], ["b"]])
    embeddings = {"a": [1.0, 0], "b": [0, 1.0], "sun": [1.0, 0], "sea": [0, 1.0]}

    def embed(names):
        return np.array([embeddings[n] for n in names])

    s = nbt.evaluate(cd, g, images=embed, texts=embed)
    assert s["clip_score"] == 2.5 and s["overlap"] == 0 and s["reconstruction_error"] == 0.25 and s["n_dead"] == 0
    assert s.per_concept["clip_score"].tolist() == [2.5, 2.5] and s.baseline["clip_score"] in (0, 1.25, 2.5)
    assert "clip_score" not in nbt.evaluate(cd, g).values


def test_random_words_come_from_outside_the_dictionary_and_the_token_alone_is_a_control():
    cd = nbt.ConceptDictionary(
        np.eye(2), np.eye(2), ["a", "b"], 1, "SemiNMF", source=nbt.types.Source(token="dog", model="m")
    )
    g = nbt.Grounding([["sun"], ["sea"]], [["a"], ["b"]])
    where = {
        "a": [1.0, 0],
        "b": [0, 1.0],
        "sun": [1.0, 0],
        "sea": [0, 1.0],
        "car": [-1.0, 0],
        "bus": [0.6, 0.8],
        "dog": [0.8, 0.6],
    }

    def embed(names):
        return np.array([where[n] for n in names])

    s = nbt.evaluate(cd, g, images=embed, texts=embed, random_words=[["car", "sun"], ["bus"]])
    assert s.per_concept["clip_score_random"].tolist() == [0, 2.0] and s.baseline["clip_score"] == 1
    assert s.per_concept["clip_score_token"].tolist() == pytest.approx([2.0, 1.5]) and s["clip_score_token"] == 1.75
    own, random = metrics.correspondence(g, embed, embed, random_words=[["car"], ["bus"]])
    assert random.preserves == "the number of words, the word filter and the exemplars" and own.preserves == ""
    assert metrics.correspondence(g, embed, embed)[1].name == "clip_score of words of the dictionary"
    with pytest.raises(nbt.NbtoolkitError, match="random_words has 1 lists; expected 2, one per concept"):
        metrics.correspondence(g, embed, embed, random_words=[["car"]])


def test_a_dictionary_without_words_has_no_overlap_and_no_scores():
    cd = nbt.ConceptDictionary(np.eye(2), np.eye(2), ["a", "b"], 1, "SemiNMF", source=nbt.types.Source(token="dog"))
    s = nbt.evaluate(cd, nbt.Grounding([[], []], [["a"], ["b"]]), images=lambda ids: 1 / 0, texts=lambda texts: 1 / 0)
    assert np.isnan(s["overlap"]) and not {"clip_score", "clip_score_token"} & set(s.values) and not s.baseline


def test_a_concept_without_words_or_exemplars_has_no_clip_score():
    cd = nbt.ConceptDictionary(np.eye(2), np.array([[2.0, 0]]), ["a"], 1, "SemiNMF")

    def embed(names):
        return np.ones((len(names), 1))

    s = nbt.evaluate(cd, nbt.Grounding([["sun"], []], [["a"], []]), images=embed, texts=embed)
    assert np.isnan(s.per_concept["clip_score"][1]) and s["clip_score"] == 2.5 and s["n_dead"] == 1


LIGHT = """
import sys
from nbtoolkit.metrics import Score, clip_score, overlap, word_list
assert not {"sklearn", "scipy", "torch", "matplotlib"} & {name.split(".")[0] for name in sys.modules}
from nbtoolkit.metrics import match
assert not {"sklearn", "scipy.stats", "torch"} & set(sys.modules)
"""


def test_a_metric_imports_only_its_own_file():
    subprocess.run([sys.executable, "-c", LIGHT], check=True)


def test_every_metric_of_the_table_resolves():
    assert dir(metrics) == metrics.__all__ and metrics.Score is nbt.types.Score
    for name in metrics.__all__:
        assert getattr(metrics, name).__doc__, name
    with pytest.raises(AttributeError, match="has no attribute 'overlaps'; it has Agreement"):
        metrics.overlaps  # noqa: B018 (the access is the test)


def test_no_file_hides_a_metric():
    """Importing a file sets its name on the package, which must not be the name of a function."""
    assert not {module.name for module in pkgutil.iter_modules(metrics.__path__)} & set(metrics.__all__)


def test_evaluate_scores_the_first_n_words():
    """The eleventh word is the only one that the two concepts share, and by default ten words count."""
    cd = nbt.ConceptDictionary(np.eye(2), np.eye(2), ["a", "b"], 1, "SemiNMF")
    g = nbt.Grounding([[*"abcdefghij", "shared"], [*"klmnopqrst", "shared"]], [["a"], ["b"]])
    batches = []

    def embed(texts):
        batches.append(list(texts))
        return np.ones((len(texts), 1))

    assert nbt.evaluate(cd, g, images=embed, texts=embed)["overlap"] == 0
    assert batches[1] == ["a, b, c, d, e, f, g, h, i, j", "k, l, m, n, o, p, q, r, s, t"]
    assert nbt.evaluate(cd, g, n_words=11)["overlap"] == pytest.approx(1 / 11)
    assert nbt.evaluate(cd, g, images=embed, texts=embed, n_words=2)["overlap"] == 0
    assert batches[4] == ["a, b", "k, l"]


def test_clip_score_of_a_concept_is_the_mean_over_its_exemplars():
    """One exemplar fits exactly, one not at all, one is opposite: cosines 1, 0 and -1, so (2.5 + 0 + 0) / 3."""
    cd = nbt.ConceptDictionary(np.eye(1, 2), np.ones((3, 1)), ["a", "b", "c"], 1, "SemiNMF")
    where = {"a": [1.0, 0], "b": [0, 1.0], "c": [-1.0, 0], "sun": [1.0, 0]}

    def look(names):
        return np.array([where[n] for n in names])

    scores = nbt.evaluate(cd, nbt.Grounding([["sun"]], [["a", "b", "c"]]), images=look, texts=look)
    assert scores["clip_score"] == pytest.approx(2.5 / 3) == scores.baseline["clip_score"]


def test_active_is_the_share_of_samples_that_use_a_concept():
    V = np.array([[2.0, 0.0], [-0.5, 0.0], [0.0, 1.0]])
    scores = nbt.evaluate(nbt.ConceptDictionary(np.eye(2), V, "abc", 1, "PCA"), nbt.Grounding([[], []], [[], []]))
    np.testing.assert_allclose(scores.per_concept["active"], [2 / 3, 1 / 3])
    assert scores["active"] == pytest.approx(0.5) and scores.spread["active"] == pytest.approx(1 / 6)
