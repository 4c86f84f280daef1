"""Words of a response are the occurrences that targets are made of."""

import pytest

from nbtoolkit.live.inspector_words import Word, most_changed, words_of
from nbtoolkit.text.tokens import Span, find_spans, subtoken_variants, tokenize_response

TEXTS = [
    "a ginger cat standing on the beach wearing a hat",
    "two  cars, (cars) and 12 Cars!",
    "<b>evil</b> dog — dog",
    "小狗在跑 and naïve cafés",
    "the dog " * 9,
]


@pytest.mark.parametrize("text", TEXTS)
def test_spans_are_those_of_a_target(model, text):
    ids = tokenize_response(model.tokenizer, text)
    words = words_of(model.tokenizer, ids)
    assert len({word.key for word in words}) == len(words) > 1
    for word in words:
        name, _, occurrence = word.key.partition("#")
        spans = find_spans(ids, subtoken_variants(model.tokenizer, name), model.tokenizer.decode)
        assert word.span in spans
        assert "'" in text or spans.index(word.span) == int(occurrence or 1) - 1


def test_no_words_are_none(model):
    assert words_of(model.tokenizer, []) == () == words_of(model.tokenizer, tokenize_response(model.tokenizer, "... !"))


def test_the_word_that_changes_most_is_no_stop_word_where_there_is_another():
    words = tuple(Word(text, Span(i, i, " ", text)) for i, text in enumerate(("the", "dog", "in", "snow")))
    assert most_changed(words, [0, 0, 0, 0], [-9, -1, -8, -2]) == "snow"
    assert most_changed(words[::2], [0, 0, 0, 0], [-9, -1, -8, -2]) == "the"
