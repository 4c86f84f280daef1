"""One target: roles, the span of the image, and what follows from edited states, in every family."""

import numpy as np
import pytest
import torch

import nbtoolkit as nbt
from nbtoolkit.targets import target
from nbtoolkit.targets.roles import other_image

from ..models.test_zoo import family as family
from ..models.test_zoo import pictures


def a_target(model, image=None, **options):
    return target(model, image or pictures()[0], "dog", **({"response": "a red dog sits", "foil": "cat"} | options))


def test_every_position_has_a_role(family):
    t = a_target(family)
    assert [token.position for token in t.tokens] == list(range(t.n_positions))
    assert [token.text.strip() for token in t.tokens if token.role == "response"] == ["a", "red"]
    assert t.at("response") == tuple(range(t.n_positions - 2, t.n_positions)) and t.at("last") == (t.n_positions - 1,)
    if t.image_span is None:
        assert family.encoder_decoder or t.model.hf.config.model_type == "mllama"
        assert t.at("image") == ()
        return
    first, last = t.image_span
    assert t.at("image") == tuple(range(first, last + 1))
    assert set(np.flatnonzero(family.image_mask(t.inputs)[0].numpy())) <= set(t.at("image"))
    # before the span, no state depends on the image at any layer
    other = a_target(family, other_image(pictures()[0]))
    for layer in range(family.n_layers + 1):
        np.testing.assert_allclose(t.residual(layer)[:first], other.residual(layer)[:first], atol=1e-5)
    question = "".join(token.text for token in t.tokens if token.role == "question").split()
    assert not question or question == "Describe the image in one sentence .".split()


def test_edited_states_are_measured_as_the_model_does(family):
    """Unedited states give the quantity itself; states of another image at all positions give that image's."""
    t, other = a_target(family), a_target(family, other_image(pictures()[0]))
    for layer in (0, family.n_layers - 1, -1):
        assert t.replay(layer, t.residual(layer)[None])[0] == pytest.approx(t.value, abs=1e-5)
    if t.n_positions == other.n_positions and family.hf.config.model_type != "mllama" and not family.encoder_decoder:
        layer = max(t.recording.between, default=1) + 1  # deepstack adds the features of the first image before
        both = np.stack([other.residual(layer), t.residual(layer)])
        np.testing.assert_allclose(t.replay(layer, both), [other.value, t.value], atol=1e-4)
    with pytest.raises(nbt.errors.MethodError, match=r"states has shape \(1, 2, 3\); expected"):
        t.replay(1, np.zeros((1, 2, 3)))


def test_the_quantity_is_that_of_targets():
    """A word of the toy's own responses: the values of one target equal those of many."""
    model, images = nbt.load_model("toy"), nbt.load_data("toy", n=40)["image"]
    many = nbt.attribution.mentions(model, images, "dog")
    quantity = many.quantity(foil="cat")
    values = many.from_layer(-1, quantity, pieces=True)(many.piece_states(-1))
    for k, row in enumerate(many.rows[:3]):
        one = target(model, images[row], "dog", foil="cat")
        assert one.response == many.captions[k]
        assert one.value == pytest.approx(values[k], abs=1e-4)
        assert one.probability == pytest.approx(float(np.exp(many.read()[0][k])), abs=1e-5)
        np.testing.assert_allclose(one.residual(3)[-1], many.read([3])[1][k, 0], atol=1e-4)


def test_a_response_and_an_occurrence_can_be_given():
    model, image = nbt.load_model("toy"), nbt.load_data("toy", n=1)[0]["image"]
    text = "a dog and a dog"
    first, second = (target(model, image, "dog", response=text, occurrence=k) for k in (0, 1))
    assert second.n_positions > first.n_positions and first.response == text
    with pytest.raises(
        nbt.errors.NothingFoundError,
        match="'dog' is only 2 times in the response 'a dog and a dog'; expected occurrence 2",
    ):
        target(model, image, "dog", response=text, occurrence=2)
    with pytest.raises(nbt.errors.NothingFoundError, match="'cat' is not in the response"):
        target(model, image, "cat", response=text)
    with pytest.raises(nbt.errors.MethodError, match="foil is 'dog', which counts as the token"):
        target(model, image, "dog", response=text, foil="dog")
    with pytest.raises(nbt.errors.MethodError, match="role is 'picture'; expected"):
        first.at("picture")


def test_the_gradient_of_the_quantity_passes_through_a_replay():
    model, image = nbt.load_model("toy"), nbt.load_data("toy", n=1)[0]["image"]
    t = target(model, image, "a", foil="the")
    states = torch.tensor(t.residual(2)[None]).requires_grad_()
    (gradient,) = torch.autograd.grad(t.replay(2, states, gradient=True).sum(), states)
    step = np.random.default_rng(0).normal(size=states.shape).astype(np.float32)
    up, down = t.replay(2, np.concatenate([states.detach().numpy() + s * 1e-2 * step for s in (1, -1)]))
    assert (up - down) / 2e-2 == pytest.approx(float((gradient.numpy() * step).sum()), rel=0.02, abs=1e-3)


def test_many_targets_are_one_by_one_what_they_are_together():
    model, data = nbt.load_model("toy"), nbt.load_data("toy", n=40)
    many = nbt.targets(model, data, "dog")
    assert len(many) == 5
    for images in (data["image"], list(data["image"])):
        assert nbt.targets(model, images, "dog").rows == many.rows
    log_probabilities = many.read()[0]
    for i, t in enumerate(many):
        assert t.response == many.captions[i] and np.log(t.probability) == pytest.approx(log_probabilities[i], abs=1e-3)
    assert many[-1].response == many.captions[-1]
    with pytest.raises(nbt.errors.MethodError, match="index is 5; expected -5 … 4"):
        many[5]
