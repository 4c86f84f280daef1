"""The token finder: whole words, in generated ids only, for byte-level and SentencePiece-like tokenizers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from nbtoolkit.tokens import contains, find_token, frequent_words, subtoken_variants

CORPUS = [
    "a dog and a hotdog near a doghouse",
    "the Dog sat",
    "two dogs",
    "a car with a carrot",
    "traffic light at night",
    "dog dog dog",
    "Dog.",
]
WORDS = ["a", "the", "dog", "Dog", "hotdog", "doghouse", "dogs", "car", "carrot", "light", "traffic", "night"]


def byte_level(prefix_space):
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix_space)
    bpe.decoder = decoders.ByteLevel()
    bpe.train_from_iterator(
        CORPUS * 20,
        trainers.BpeTrainer(vocab_size=320, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False),
    )
    return PreTrainedTokenizerFast(tokenizer_object=bpe, clean_up_tokenization_spaces=False)


def metaspace():
    bpe = Tokenizer(models.BPE(unk_token="<unk>"))
    bpe.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    bpe.decoder = decoders.Metaspace(prepend_scheme="never")
    bpe.train_from_iterator(
        CORPUS * 3, trainers.BpeTrainer(vocab_size=60, special_tokens=["<unk>"], show_progress=False)
    )
    return PreTrainedTokenizerFast(tokenizer_object=bpe, unk_token="<unk>", clean_up_tokenization_spaces=False)


@pytest.fixture(scope="module", params=["gpt2-like", "prefix-space", "llama-like"])
def tokenizer(request):
    return {"gpt2-like": lambda: byte_level(False), "prefix-space": lambda: byte_level(True), "llama-like": metaspace}[
        request.param
    ]()


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


@given(words=st.lists(st.sampled_from(WORDS), min_size=1, max_size=8), token=st.sampled_from(["dog", "car", "light"]))
def test_found_exactly_where_the_text_has_the_whole_word(words, token):
    text = " ".join(words)
    for tokenizer in _ALL:
        ids, at = locate(tokenizer, text, token)
        assert (at is not None) == contains(token, text)
        if at is not None:
            said = tokenizer.decode(ids[: at + 1])
            assert contains(token, said) and not contains(token, tokenizer.decode(ids[:at]))


_ALL = [byte_level(False), byte_level(True), metaspace()]


def test_contains_handles_punctuation_and_special_characters():
    assert contains("dog", "a dog, sitting") and contains("t-shirt", "a T-shirt!") and not contains("shirt", "tshirts")
    assert not contains("a.c", "abc")


def test_frequent_words_count_samples_not_mentions():
    assert frequent_words([["a dog dog dog"], ["a cat"], ["the cat"]], 2) == ["cat", "dog"]
