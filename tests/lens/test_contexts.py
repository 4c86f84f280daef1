"""Contextual neighbours: a state of the bank finds itself, an image's positions find what was planted, in every family."""

import dataclasses

import numpy as np
import pytest

import nbtoolkit as nbt
from nbtoolkit.lens import ContextualBank, contextual
from nbtoolkit.targets.roles import other_image

from ..models.test_zoo import load, pictures
from ..zoo_targets import EVERY, zoo_target
from .test_tuned import captioned_images


@pytest.fixture(scope="module")
def bank(model):
    return ContextualBank.of(model, nbt.load_data("toy", n=10), layers=[2, 4])


@pytest.fixture(scope="module")
def t(model, data):
    return nbt.target(model, data[3]["image"], "on", foil="in")


@pytest.mark.parametrize(("name", "how"), EVERY)
def test_neighbours_of_every_family(name, how):
    t = zoo_target(name, how)
    bank = ContextualBank.of(t.model, captioned_images(), layers=[1, -1])
    role = "image" if t.image_span else "response"
    m = contextual(t, bank, positions=role, k=3)
    assert m.values.dims == ("layer", "position", "rank") and m.check.residual <= 1e-5
    keys = bank.states[1]
    states = t.residual(-1)[list(t.at(role))]
    by_hand = -np.sort(-(states / np.linalg.norm(states, axis=-1, keepdims=True)) @ keys.T, axis=-1)[:, :3]
    np.testing.assert_allclose(m.values.sel(layer=t.model.n_layers), by_hand, atol=1e-5)
    np.testing.assert_allclose(
        m.null, contextual(t.again(other_image(t.image)), bank, positions=role, k=3).values, atol=1e-4
    )
    assert abs(m.null - m.values).max() > 1e-4
    # the word of a caption at its own position, in a pass of its own, is in the bank
    own = nbt.target(t.model, pictures()[0], "sits", response="a red dog sits")
    words = contextual(own, bank, positions=[-1], k=1).details["word"].values.ravel()
    assert words.tolist() == ["dog", "dog"]
    assert contextual(own, bank, positions=[-1], k=1).values.min() > 1 - 1e-4


def test_a_planted_state_finds_itself(t, bank):
    row = next(i for i, word in enumerate(bank.words) if bank.sentence(i).startswith("a") and word not in ("a", "on"))
    stream = list(t.recording.stream)
    stream[4] = stream[4].clone()
    place = t.at("image")[7]
    stream[4][0, place] = stream[4].new_tensor(bank.states[bank.layers.index(4)][row] * 30)
    planted = dataclasses.replace(t)
    planted.__dict__["recording"] = dataclasses.replace(t.recording, stream=tuple(stream))
    m = contextual(planted, bank, k=2)
    word = m.details["word"].sel(layer=4, position=place, rank=1).item()
    assert word == bank.words[row] and m.details["sentence"].sel(
        layer=4, position=place, rank=1
    ).item() == bank.sentence(row)
    assert m.values.sel(layer=4, position=place, rank=1).item() == pytest.approx(1, abs=1e-5)
    across = contextual(planted, bank, layers=[4], k=2, across_layers=True)
    assert across.details["bank_layer"].sel(position=place, rank=1).item() == 4
    assert (across.values >= m.values.sel(layer=[4]) - 1e-6).all()


def test_words_are_read_at_their_last_piece(model, data, bank):
    caption = "a stop sign near a stop-light"
    own = ContextualBank.of(model, [caption], layers=[3])
    assert own.words == ("a", "stop", "sign", "near", "a", "stop-light") and own.sentences == (caption,)
    few = ContextualBank.of(model, ["a dog on a bus", "a dog", "the dog"], layers=[3], per_word=2)
    assert few.words == ("a", "dog", "on", "a", "bus", "dog", "the")
    one_by_one = ContextualBank.of(model, ["a dog on a bus", "a dog", "the dog"], layers=[3], per_word=2, batch_size=1)
    np.testing.assert_allclose(one_by_one.states, few.states, atol=1e-5)
    assert bank.states.shape == (2, len(bank), model.d_model)
    np.testing.assert_allclose(np.linalg.norm(bank.states, axis=-1), 1, atol=1e-5)


def test_save_and_open_is_the_identity(model, t, bank, tmp_path):
    file = bank.save(tmp_path / "mine.bank")
    again = ContextualBank.open(file)
    assert file.name == "mine.bank" and again.words == bank.words and again.layers == bank.layers
    np.testing.assert_array_equal(again.states, bank.states)
    assert repr(again) == repr(bank) and not again.states.flags.writeable
    assert contextual(t, again).details["sentence"].equals(contextual(t, bank).details["sentence"])
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    with pytest.raises(nbt.errors.StudyError, match="was altered"):
        ContextualBank.open(file)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sentence_of": "last"}, "has sentences up to"),
        ({"states": "long"}, "other lengths than 1"),
        ({"layers": (4, 2)}, "expected ascending layers"),
        ({"words": "short"}, "has states"),
    ],
)
def test_a_file_that_does_not_fit_itself_is_refused(bank, tmp_path, change, message):
    values = {
        "last": bank.sentence_of + 10_000,
        "long": bank.states * 2,
        "short": bank.words[:-1],
    }
    ((name, value),) = change.items()
    wrong = dataclasses.replace(bank, **{name: values[value] if isinstance(value, str) else value})
    with pytest.raises(nbt.errors.StudyError, match=message):
        ContextualBank.open(wrong.save(tmp_path / "wrong"))


def test_what_cannot_be_searched_is_refused(model, t, bank):
    for options, error, message in (
        ({"layers": [3]}, nbt.errors.LayerError, r"one of the layers \[2, 4\].*Make a bank with this layer"),
        ({"k": 10**6}, nbt.errors.MethodError, "k is 1000000; expected at most"),
        ({"positions": "picture"}, nbt.errors.MethodError, "role is 'picture'"),
    ):
        with pytest.raises(error, match=message):
            contextual(t, bank, **options)
    other = nbt.target(load("llava"), pictures()[0], "dog", response="a red dog sits")
    with pytest.raises(nbt.errors.MethodError, match="The bank is of the model"):
        contextual(other, bank)
    with pytest.raises(nbt.errors.NothingFoundError, match="The captions have no word"):
        ContextualBank.of(model, ["?", "!"])
    with pytest.raises(nbt.errors.MethodError, match="expected captioned images, or captions"):
        ContextualBank.of(model, [])
    with pytest.raises(nbt.errors.MethodError, match="expected captioned images, or captions"):
        ContextualBank.of(model, ["a dog", 3])
    with pytest.raises(nbt.errors.LayerError, match=r"layer is 3; expected one of the bank: \[2, 4\]"):
        bank.nearest(np.ones((1, model.d_model)), 1, [3])
    with pytest.raises(nbt.errors.MethodError, match="not finite"):
        bank.nearest(np.full((1, model.d_model), np.inf), 1, [2])


def test_data_are_a_bank_for_one_call(model, t):
    data = nbt.load_data("toy", n=4)
    a, b = contextual(t, data, layers=[2], k=2), contextual(t, ContextualBank.of(model, data, [2]), layers=[2], k=2)
    np.testing.assert_array_equal(a.values, b.values)
    assert a.details["word"].equals(b.details["word"])
