"""Whole words in text, spellings, frequent words."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbtoolkit.tokens import contains, frequent_words, locate, spellings

from nbtoolkit.errors import TokenError
from nbtoolkit.text.words import in_vocabulary, is_word, split_at_token, vocabulary


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


def test_combining_marks_are_letters():
    assert contains("कुत्ता", "एक कुत्ता घास पर") and not contains("कुत", "एक कुत्ता घास पर")
    assert not contains("घास", "घासें") and contains("घास", "घास।")
    assert contains("หมา", "หมาวิ่ง") and not contains("มา", "ม\u0e49า") and not contains("หม", "หม\u0e35")
    assert vocabulary([["एक कुत्ता"]]) == {"एक", "कुत्ता"} and is_word("हिन्दी") and not is_word("\u0941त")


def test_accents_are_one_whichever_way_they_are_written():
    composed, decomposed = "café", "cafe\u0301"
    for a in (composed, decomposed):
        for b in (composed, decomposed):
            assert (
                contains(a, f"a {b} here")
                and contains(a, f"A {b.upper()}")
                and in_vocabulary(composed, vocabulary([[b]]))
            )
    assert not contains("cafe", decomposed) and spellings(decomposed) == (composed,)
    assert contains("개", unicodedata.normalize("NFD", "개가")) and not contains("は", "は\u3099")
    assert contains("葛", "葛\U000e0100飾区")  # a variation selector chooses a glyph, it makes no other letter


def test_white_space_in_a_token_is_any_white_space():
    assert (
        contains("ice cream", "an ice  cream")
        and contains("ice  cream", "ICE\ncream")
        and not contains("ice cream", "icecream")
    )


@pytest.mark.parametrize("word", ["dog", "straße", "σκύλος", "собака", "élan", "ﬁg", "ɓe", "ծառ"])
def test_capitals_throughout_are_the_same_word(word):
    assert contains(word, f"1, {word.upper()}!") and contains(word.upper(), word)


def test_korean_words_begin_at_a_boundary_and_take_particles():
    assert contains("개", "흰 개가 달린다") and contains("개", "개") and not contains("개", "번개가 친다")


def test_a_caption_is_split_in_composed_form():
    before, token, after = split_at_token("the cafe\u0301 at cafe\u0301 x", ("cafe\u0301",))[0]
    assert (before, token, after) == ("the ", "café", " at café x")
    assert split_at_token("a dog", ("cat",))[0] == ("", "", "a dog")


@given(
    st.text(max_size=20), st.text(max_size=20), st.text("abcé狗개ก\u0e49 ", min_size=1, max_size=4).filter(str.strip)
)
def test_a_match_is_the_word_in_any_text(before, after, word):
    match = locate(word, text := f"{before}{word}{after}")
    assert match is None or match.string == unicodedata.normalize("NFC", text)
    assert locate(word, f"{before} . {word} . {after}")


def test_chinese_vocabulary_is_matched_inside_clauses():
    words = vocabulary([["一只小狗在草地上。", "a hotdog"]])
    assert in_vocabulary("小狗", words) and in_vocabulary("草地", words) and not in_vocabulary("上一", words)
    assert not in_vocabulary("猫", words) and not in_vocabulary("dog", words) and in_vocabulary("hotdog", words)


def test_frequent_chinese_words_are_no_clauses():
    captions = [["一只小狗在草地上"], ["小狗在睡觉"], ["那只小狗"], ["a dog"]]
    assert frequent_words(captions, 1) == ["小狗"]
