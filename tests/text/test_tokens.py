"""The token finder: whole words, in generated ids only, for byte-level and SentencePiece-like tokenizers."""

import functools
import json
import re

import pytest
import transformers as hf
from hypothesis import given, settings
from hypothesis import strategies as st
from nbtoolkit.tokens import find_token, find_tokens, spellings, subtoken_variants
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from nbtoolkit.errors import TokenError

CORPUS = [
    "a dog and a hotdog near a doghouse",
    "the Dog sat",
    "two dogs",
    "a car with a carrot",
    "traffic light at night",
    "dog dog dog",
    "Dog.",
    "is it a dog? it is 'a car', a cat, two",
]
WORDS = ["a", "the", "dog", "Dog", "hotdog", "doghouse", "dogs", "car", "carrot", "light", "traffic", "night"]


def sentence_pieces(scheme):
    """Vocabulary and merges as SentencePiece writes them: pieces begin with the space before a word."""
    bpe = Tokenizer(models.BPE(unk_token="<unk>"))
    apart = [
        pre_tokenizers.Metaspace(prepend_scheme=scheme),
        pre_tokenizers.Punctuation("isolated"),
    ]  # no piece spans both
    bpe.pre_tokenizer = pre_tokenizers.Sequence(apart)
    special = ["<unk>", "<s>", "</s>", "<pad>", "<eos>", "<bos>"]
    bpe.train_from_iterator(CORPUS * 3, trainers.BpeTrainer(vocab_size=90, special_tokens=special, show_progress=False))
    core = json.loads(bpe.to_str())["model"]
    return core["vocab"], [tuple(m) for m in core["merges"]]


KINDS = {
    "gpt-2 and opt": lambda: hf.GPT2Tokenizer().train_new_from_iterator(CORPUS * 20, 330, show_progress=False),
    "qwen": lambda: hf.Qwen2Tokenizer().train_new_from_iterator(CORPUS * 20, 330, show_progress=False),
    "llama": lambda: hf.LlamaTokenizer(*sentence_pieces("always")),
    "gemma": lambda: hf.GemmaTokenizer(*sentence_pieces("never")),
    "t5": lambda: hf.T5Tokenizer().train_new_from_iterator(CORPUS * 20, 90, show_progress=False),
    "bert": lambda: hf.BertTokenizer().train_new_from_iterator(CORPUS * 20, 140, show_progress=False),
}


@functools.cache
def make(kind):
    return KINDS[kind]()


@pytest.fixture(scope="module", params=list(KINDS))
def tokenizer(request):
    return make(request.param)


def locate(tokenizer, text, token):
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids, find_token(ids, subtoken_variants(tokenizer, token), tokenizer.decode)


def test_variants_are_never_white_space_only(tokenizer):
    for token in ("dog", "car", "traffic light"):
        variants = subtoken_variants(tokenizer, token)
        assert variants
        for ids in variants:
            assert ids and tokenizer.decode(ids[:1]).strip()


@pytest.mark.parametrize(("text", "found"), [("a dog sat", True), ("the Dog sat", True), ("a hotdog", False), ("two dogs", False),
                                             ("a doghouse", False), ("a dog.", True), ("near a hotdog a dog", True), ("", False)])  # fmt: skip
def test_whole_words_only(tokenizer, text, found):
    assert (locate(tokenizer, text, "dog")[1] is not None) == found


def test_position_is_that_of_the_last_sub_token(tokenizer):
    ids, at = locate(tokenizer, "a traffic light at night", "traffic light")
    assert tokenizer.decode(ids[: at + 1]).strip().endswith("light") and "light" not in tokenizer.decode(ids[:at])


MARKS = [" ", ", ", ". ", " '", "? "]


@given(words=st.lists(st.sampled_from(WORDS), min_size=1, max_size=8), marks=st.lists(st.sampled_from(MARKS), min_size=8, max_size=8),
       token=st.sampled_from(["dog", "car", "light", "traffic light"]), kind=st.sampled_from(list(KINDS)))  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_found_exactly_where_the_text_has_the_whole_word(words, marks, token, kind):
    tokenizer = make(kind)
    text = "".join(w + m for w, m in zip(words, marks, strict=False)).strip()
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    said = tokenizer.decode(ids)
    every = find_tokens(ids, subtoken_variants(tokenizer, token), tokenizer.decode)
    assert len(every) == len(re.findall(rf"(?<!\w){token}(?!\w)", said, re.IGNORECASE))
    for n, at in enumerate(every):
        upto = tokenizer.decode(ids[: at + 1])
        assert len(re.findall(rf"(?<!\w){token}(?!\w)", upto, re.IGNORECASE)) == n + 1
        assert upto.lower().endswith(token)


@given(text=st.text(max_size=30), kind=st.sampled_from(list(KINDS)))
@settings(max_examples=200, deadline=None)
def test_any_text_is_either_refused_or_never_found_by_white_space(text, kind):
    """The authors' open bug: a token that decodes to white space matches everywhere, and every concept reads "today"."""
    tokenizer = make(kind)
    try:
        variants = subtoken_variants(tokenizer, spellings(text))
    except TokenError:
        return
    for ids in variants:
        assert ids and tokenizer.decode(ids[:1]).strip() and tokenizer.unk_token_id not in ids


def test_a_word_after_a_mark_is_found(tokenizer):
    """SentencePiece spells it otherwise there: its pieces have the space in front."""
    for text in ("is it 'a car', a cat", "a 'car' it is", "it is 'dog"):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        word = "dog" if "dog" in text else "car"
        assert len(find_tokens(ids, subtoken_variants(tokenizer, word), tokenizer.decode)) == 1


def test_several_spellings_are_one_token(tokenizer):
    words = spellings("dog", "plural")
    ids = tokenizer("two dogs near a dog", add_special_tokens=False)["input_ids"]
    assert len(find_tokens(ids, subtoken_variants(tokenizer, words), tokenizer.decode)) == 2
    assert len(find_tokens(ids, subtoken_variants(tokenizer, "dog"), tokenizer.decode)) == 1


def test_a_word_that_cannot_be_spelled_is_refused():
    with pytest.raises(TokenError, match="tokenizer cannot spell '狗'"):
        subtoken_variants(make("bert"), "狗")


def test_half_a_character_is_refused(tokenizer):
    with pytest.raises(TokenError, match=r"tokenizer cannot spell '\\ud800'"):
        subtoken_variants(tokenizer, "\ud800")
