"""Names of concepts: distinct within a layer, a word where one is the concept's own, a number only where nothing else is left."""

import numpy as np

from nbtoolkit.types.concept_names import concept_names


def test_a_word_that_all_concepts_have_names_none_of_them():
    words = [["car", "snow", "bus"], ["car", "beach"], ["night", "car"]]
    assert concept_names(words, "dog") == ["snow", "beach", "night"]


def test_the_first_word_stays_where_it_is_the_concepts_own():
    words = [["room", "carpet"], ["snow", "winter"], ["hat", "cap"]]
    assert concept_names(words, "dog") == ["room", "snow", "hat"]


def test_concepts_that_share_their_best_word_have_a_second_one_that_differs():
    others = [[f"word {k}"] for k in range(9)]
    words = [["snow", "winter", "running"], ["snow", "winter", "standing"], *others]
    assert concept_names(words, "dog")[:2] == ["snow · running", "snow · standing"]


def test_the_token_names_a_concept_only_where_it_is_the_only_word():
    assert concept_names([["dog", "cat"], ["Dog"], ["dog"]], "dog") == ["cat", "Dog", "dog"]
    assert concept_names([["dog", "cat"]], "Dog") == ["cat"]


def test_equal_words_and_no_words_end_in_numbers():
    assert concept_names([["car"], ["car"], [], []], "dog") == ["car 0", "car 1", "concept 2", "concept 3"]
    assert concept_names([]) == []


def test_all_names_of_a_layer_are_distinct_whatever_the_words():
    """20 vocabularies from one word to many, and words that look like names that are given to others."""
    rng = np.random.default_rng(0)
    for size in range(1, 21):
        pool = [*(f"w{i}" for i in range(size)), "concept 3", "w0 · w1", "w1 2", "dog", ""]
        words = [rng.choice(pool, rng.integers(0, min(6, size) + 1)).tolist() for _ in range(40)]
        names = concept_names(words, "dog")
        assert len(set(names)) == 40 and all(names) and names == concept_names(words, "dog")
