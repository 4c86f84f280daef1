"""Stop words of several languages."""

import pytest

from nbtoolkit.errors import TokenError
from nbtoolkit.text.stop_words import ENGLISH, STOP_WORDS, language_stop_words


def test_english_words_are_those_of_the_english_list():
    latin = {w for w in STOP_WORDS if any("a" <= c <= "z" for c in w)}
    assert latin == ENGLISH == language_stop_words("en") and {"the", "with", "photo"} <= latin


def test_other_scripts_have_stop_words_by_default():
    assert {"的", "在", "是", "これ", "の", "และ", "है", "और", "это", "и", "그리고", "هذا", "του", "图片"} <= STOP_WORDS


@pytest.mark.parametrize(
    "word",
    "man war two old red 人 大 小 狗 二 男人 女人 水 犬 หมา คน घर कुत्ता женщина собака вода дом 개 아이 كلب".split(),
)
def test_what_an_image_shows_is_no_stop_word(word):
    assert word not in STOP_WORDS


def test_a_language_has_its_list():
    german = language_stop_words("de")
    assert {"und", "man", "nicht"} <= german and "the" not in german
    assert {"und", "le"} <= language_stop_words("de", "fr") and language_stop_words() == frozenset()
    with pytest.raises(
        TokenError, match="The language is 'klingon'; expected a code of ISO 639-1 with a list: af, ar, bg"
    ):
        language_stop_words("klingon")
