"""The tuned lens: closer to the output on held-out images in every family, the logit lens before training, and a file."""

import datasets
import numpy as np
import pytest
import torch

import nbtoolkit as nbt
from nbtoolkit.lens import TunedLens, logit_lens
from nbtoolkit.lens.training import divergence

from ..models.test_zoo import load, pictures
from ..zoo_targets import EVERY, zoo_target


def captioned_images(n=6):
    texts = ["a red dog sits", "a cat on grass", "two birds fly", "the bus is red", "a dog on grass", "a red bird"]
    rows = {"id": [str(k) for k in range(n)], "image": pictures(n), "captions": [[texts[k % 6]] for k in range(n)]}
    kinds = {
        "id": datasets.Value("string"),
        "image": datasets.Image(),
        "captions": datasets.List(datasets.Value("string")),
    }
    return datasets.Dataset.from_dict(rows, features=datasets.Features(kinds))


@pytest.fixture(scope="module")
def lens(model):
    return TunedLens([1, 3], n_positions=600).fit(model, nbt.load_data("toy", n=20), captions="given")


@pytest.mark.parametrize(("name", "how"), EVERY)
def test_it_is_closer_to_the_output_on_images_that_are_held_out(name, how):
    t = zoo_target(name, how)
    few = t.model.encoder_decoder  # the decoder has the text's few positions only: more images and steps
    settings = {"n_epochs": 20, "batch_size": 8} if few else {"n_epochs": 6}
    data = captioned_images(24 if few else 6)
    lens = TunedLens(n_positions=240, **settings).fit(t.model, data, captions="given")
    m = lens.held_out_
    assert lens.layers_ == tuple(range(t.model.n_layers)) and m.check.residual <= 1e-5
    assert (m.values < m.null).all(), (m.values.values, m.null.values)
    reading = logit_lens(t, tuned=lens, positions="last")  # the last layer is still the model
    plain = logit_lens(t, positions="last")
    np.testing.assert_array_equal(reading.values[-1], plain.values[-1])
    assert abs(reading.values - plain.values)[:-1].max() > 1e-3


def test_before_training_it_is_the_logit_lens(model, data):
    lens = TunedLens(n_epochs=0, n_positions=60).fit(model, data.select(range(2)), captions="given")
    t = nbt.target(model, data[3]["image"], "on", foil="in")
    assert not lens.weight_.any() and not lens.bias_.any()
    np.testing.assert_array_equal(logit_lens(t, tuned=lens).values, logit_lens(t).values)


def test_the_divergence_is_that_of_kullback_and_leibler(model):
    states = torch.randn(3, model.d_model)
    p, q = (torch.tensor(model.unembed(s.numpy())).double().softmax(-1) for s in (states[:2], states[1:]))
    expected = (p * (p / q).log()).sum(-1)
    np.testing.assert_allclose(divergence(model, states[1:], states[:2]), expected, rtol=1e-3)


def test_the_same_data_and_seed_give_the_same_lens(model, lens):
    again = TunedLens([1, 3], n_positions=600).fit(model, nbt.load_data("toy", n=20), captions="given")
    np.testing.assert_array_equal(again.weight_, lens.weight_)
    other = TunedLens([1, 3], n_positions=600, random_state=1).fit(model, nbt.load_data("toy", n=20), captions="given")
    assert np.abs(other.weight_ - lens.weight_).max() > 0


def test_arrays_and_tensors_are_translated_alike(model, lens):
    states = np.random.default_rng(0).normal(size=(4, model.d_model)).astype(np.float32)
    own = lens.translate(3, states)
    np.testing.assert_allclose(own, states + states @ lens.weight_[1].T + lens.bias_[1], rtol=1e-5)
    np.testing.assert_allclose(lens.translate(3, torch.from_numpy(states)), own, atol=1e-5)
    assert lens.translate(model.n_layers, states) is states


def test_save_and_open_is_the_identity(model, data, lens, tmp_path):
    file = lens.save(tmp_path / "mine.lens")
    again = TunedLens.open(file)
    assert file.name == "mine.lens" and repr(again) == repr(lens) and again.held_out_.check == lens.held_out_.check
    np.testing.assert_array_equal(again.weight_, lens.weight_)
    np.testing.assert_array_equal(again.held_out_.null, lens.held_out_.null)
    t = nbt.target(model, data[3]["image"], "on", foil="in")
    np.testing.assert_array_equal(logit_lens(t, tuned=again).values, logit_lens(t, tuned=lens).values)
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    with pytest.raises(nbt.errors.StudyError, match="was altered: the SHA-256 of its numbers"):
        TunedLens.open(file)
    with pytest.raises(nbt.errors.StudyError, match="is not a tuned lens|was altered|lacks|is 'logit_lens'"):
        TunedLens.open(logit_lens(t).save(tmp_path / "other"))
    with pytest.raises(nbt.errors.StudyError):
        TunedLens.open(tmp_path / "absent.lens")


def test_what_cannot_be_fitted_or_read_is_refused(model, data, lens):
    t = nbt.target(model, data[3]["image"], "on", foil="in")
    with pytest.raises(nbt.errors.LayerError, match=r"one of the layers \[1, 3, 5\].*Fit the tuned lens for them"):
        logit_lens(t, tuned=lens, layers=[2])
    assert logit_lens(t, tuned=lens, positions="last").values.layer.values.tolist() == [1, 3, 5]
    with pytest.raises(nbt.errors.LayerError, match="The last layer is the model's output itself"):
        TunedLens([5]).fit(model, data)
    with pytest.raises(nbt.errors.MethodError, match="data has 1 image; expected at least 2"):
        TunedLens().fit(model, data.select([0]))
    with pytest.raises(nbt.errors.MethodError, match="captions is 'mine'; expected 'generated' or 'given'"):
        TunedLens().fit(model, data, captions="mine")
    with pytest.raises(nbt.errors.MethodError, match="The image '0' has no caption"):
        TunedLens().fit(model, captioned_images(2).map(lambda _: {"captions": []}), captions="given")
    with pytest.raises(nbt.errors.MethodError, match="not fitted"):
        logit_lens(t, tuned=TunedLens())
    other = nbt.target(load("llava"), pictures()[0], "dog", response="a red dog sits")
    with pytest.raises(nbt.errors.MethodError, match="The tuned lens is of the model"):
        logit_lens(other, tuned=lens)
    with pytest.raises(nbt.NbtoolkitError, match="learning_rate is 0"):
        TunedLens(learning_rate=0)
    with pytest.raises(nbt.errors.LayerError, match=r"layer is 2; expected one of the tuned lens: \[1, 3\]"):
        lens.translate(2, np.zeros((1, model.d_model)))


def test_the_responses_of_the_model_may_be_read(model, data):
    lens = TunedLens([4], n_positions=200, n_epochs=4).fit(model, data.select(range(5)))
    assert (lens.held_out_.values < lens.held_out_.null).all()
