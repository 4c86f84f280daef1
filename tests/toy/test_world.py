"""The embedded world: scenes, captions and the parser."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nbtoolkit as nbt
from nbtoolkit.toy.world import grammar
from nbtoolkit.toy.world.drawing import render


@given(st.integers(0, 2**32 - 1), st.booleans())
def test_parser_recovers_every_factor_of_every_caption(seed, heldout):
    rng = np.random.default_rng(seed)
    factors = grammar.sample_factors(rng, heldout=heldout)
    assert nbt.toy.parse(grammar.caption(factors, rng)) == grammar.stated(factors)
    assert grammar.is_heldout(factors) == heldout


def test_no_word_has_two_values_and_every_value_has_a_word():
    pairs = {(f, v) for f, v in grammar.WORDS.values()}
    for domain in grammar.DOMAIN.values():
        for factor, values in domain.items():
            assert {(factor, v) for v in values if v != "none"} <= pairs


def test_parse_ignores_unknown_words_and_takes_the_first_of_two():
    assert nbt.toy.parse("quantum flux") == {}
    assert nbt.toy.parse("a red car, a blue car") == {"subject": "car", "colour": "red", "count": "one"}


def test_the_world_imports_no_torch():
    code = "import sys, nbtoolkit.toy.evaluation, nbtoolkit.toy.world.drawing; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_scenes_are_reproducible_and_splits_are_disjoint():
    again, once = nbt.toy.scenes(5, 1, "test"), nbt.toy.scenes(5, 1, "test")
    assert again["factors"] == once["factors"] and again["captions"] == once["captions"]
    assert all(np.array_equal(a, b) for a, b in zip(again["image"], once["image"], strict=True))
    ids = [set(nbt.toy.scenes(3, 1, s)["id"]) for s in ("train", "test", "heldout")]
    assert not ids[0] & ids[1] and not ids[1] & ids[2]
    assert all(grammar.is_heldout(f) for f in nbt.toy.scenes(20, 0, "heldout")["factors"])
    assert not any(grammar.is_heldout(f) for f in nbt.toy.scenes(20, 0, "train")["factors"])


def test_every_factor_changes_the_image():
    base = dict(
        subject="dog", colour="brown", action="sitting", background="grass", weather="sunny", prop="ball", count="one"
    )
    changes = dict(
        subject="cat", colour="black", action="running", background="snow", weather="night", prop="hat", count="two"
    )
    image = np.asarray(render(base, np.random.default_rng(0)), float)
    assert image.shape == (128, 128, 3)
    for factor, value in changes.items():
        other = np.asarray(render(base | {factor: value}, np.random.default_rng(0)), float)
        assert np.abs(image - other).mean() > 1, factor


@pytest.mark.parametrize("subject", grammar.SUBJECTS)
def test_every_allowed_scene_can_be_drawn(subject, rng):
    for factor, values in grammar.DOMAIN[subject].items():
        for value in values:
            factors = grammar.sample_factors(rng, heldout=False)
            while factors["subject"] != subject:
                factors = grammar.sample_factors(rng, heldout=False)
            assert render(factors | {factor: value}, rng).size == (128, 128)


def test_unknown_split_and_negative_n_are_refused():
    with pytest.raises(nbt.NbtoolkitError, match="split is 'dev'; expected one of train, test, heldout"):
        nbt.toy.scenes(1, split="dev")
    with pytest.raises(nbt.NbtoolkitError, match="n is -1"):
        nbt.toy.scenes(-1)
