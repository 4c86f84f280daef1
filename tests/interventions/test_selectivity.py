"""Causal selectivity: planted directions of which exactly the named word goes, and floors."""

import numpy as np
import pytest

import nbtoolkit as nbt
from nbtoolkit.errors import DataError, MethodError
from nbtoolkit.interventions import causal_selectivity
from nbtoolkit.toy.world.facts import parse


@pytest.fixture(scope="module")
def model():
    return nbt.load_model("toy")


@pytest.fixture(scope="module")
def scenes():
    return nbt.load_data("toy", n=60)


def colours(caption):
    return {f"{factor}={value}" for factor, value in parse(caption).items()}


def test_the_reading_direction_of_a_word_takes_its_word_and_leaves_the_rest(model, scenes):
    """At the last layer the row of the head reads a word: without it the word goes, and hardly another fact."""
    ids = [model.tokenizer(f" {word}", add_special_tokens=False).input_ids[0] for word in ("beach", "snow")]
    rows = model.hf.lm_head.weight[ids].detach().numpy()
    result = causal_selectivity(
        model, scenes["image"], rows, [["background=beach"], ["background=snow"]], layer=-1, facts=colours, n_null=2
    )
    assert result.concepts == (0, 1) and (result.n_images >= 2).all()
    assert result.score.mean > 0.5 > result.null.mean + 0.3
    assert (result.others < 0.2).all() and (result.null_named <= result.named).all()


def test_concepts_without_names_and_dead_ones_are_left_out(model, scenes):
    rng = np.random.default_rng(0)
    vectors = np.stack([rng.normal(size=128), rng.normal(size=128), np.zeros(128)])
    result = causal_selectivity(model, scenes["image"][:12], vectors, [[], ["zebra"], ["dog"]], layer=4)
    assert result.concepts == () and np.isnan(result.score.mean) and len(result.named) == 0


def test_words_of_responses_are_the_facts_where_none_are_given(model, scenes):
    """And one random state gives one result."""
    images = scenes["image"][:6]
    first = causal_selectivity(model, images, np.eye(128)[:2], [["a"], ["dog", "train", "car"]], layer=2, n_images=None)
    again = causal_selectivity(model, images, np.eye(128)[:2], [["a"], ["dog", "train", "car"]], layer=2, n_images=None)
    np.testing.assert_array_equal(first.named, again.named)
    np.testing.assert_array_equal(first.null_others, again.null_others)
    assert set(first.concepts) >= {1} and ((first.named >= 0) & (first.named <= 1)).all()


def test_bad_input_is_one_clear_error(model, scenes):
    images = scenes["image"][:2]
    for arguments, text in (
        (dict(concepts=np.eye(128)[:1], names=[["dog"]]), "layer is None"),
        (dict(concepts=np.eye(128)[:2], names=[["dog"]], layer=3), "1 lists of names for 2 concepts"),
        (dict(concepts=np.eye(64)[:1], names=[["dog"]], layer=3), r"shape \(1, 64\)"),
        (dict(concepts=np.full((1, 128), np.nan), names=[["dog"]], layer=3), "finite"),
    ):
        with pytest.raises(MethodError, match=text):
            causal_selectivity(model, images, **arguments)
    with pytest.raises(DataError, match="no images"):
        causal_selectivity(model, [], np.eye(128)[:1], [["dog"]], layer=3)
