"""Whole words in text, spellings, frequent words."""

import pytest
from nbtoolkit.tokens import contains, frequent_words, spellings

from nbtoolkit.errors import TokenError


def test_plurals_are_the_regular_ones():
    forms = {
        "dog": "dogs",
        "bus": "buses",
        "box": "boxes",
        "baby": "babies",
        "boy": "boys",
        "Church": "Churches",
        "dish": "dishes",
    }
    assert {w: spellings(w, "plural")[1] for w in forms} == forms
    assert spellings("dog", ["puppy", "dog "]) == ("dog", "puppy")
    for wrong in (" ", 5, None):
        with pytest.raises(TokenError, match="expected a word, such as 'dog'"):
            spellings("dog", [wrong])


def test_scripts_without_spaces_have_no_word_boundaries():
    assert contains("狗", "一只狗在草地上") and contains("개", "개가") and not contains("狗", "一只猫")
    assert contains("dog", "一只dog在") is False  # letters touch it; Latin words keep their boundaries


def test_contains_handles_punctuation_and_special_characters():
    assert contains("dog", "a dog, sitting") and contains("t-shirt", "a T-shirt!") and not contains("shirt", "tshirts")
    assert not contains("a.c", "abc")


def test_frequent_words_count_samples_not_mentions():
    assert frequent_words([["a dog dog dog"], ["a cat"], ["the cat"]], 2) == ["cat", "dog"]
