"""A replay equals the model: unedited, edited, alone and in a batch, from every layer, in every family."""

import pytest
import torch

import nbtoolkit as nbt
from nbtoolkit.models.hooks import watching
from nbtoolkit.models.inference import inference
from nbtoolkit.models.replay import record, replay, replay_from

from .test_zoo import family as family
from .test_zoo import pictures


def a_pass(model):
    ids = model.tokenizer.convert_tokens_to_ids(["a", "red", "dog"])
    return model.extend(model.inputs(pictures()[:1]), [ids])


def edited(model, inputs, layer, states, gradient=False):
    """The last layer's states of a whole pass in which the states of a layer are replaced."""
    last = []

    def visit(here, hidden):
        if here == model.n_layers:
            last.append(hidden)
        return states if here == layer else None

    with watching(model.blocks, visit), inference(model.hf, gradient=gradient):
        model.hf(**inputs, use_cache=False)
    return last[0]


def test_a_replay_equals_the_model(family):
    inputs = a_pass(family)
    recording = record(family, inputs)
    assert replay_from(family, inputs, recording) == 0  # also where deepstack adds the image again between the blocks
    for layer in range(family.n_layers):
        own = recording.stream[layer]
        assert torch.equal(replay(family, recording, layer, own), recording.stream[-1])
        changed = own + torch.randn(own.shape, generator=torch.Generator().manual_seed(layer)) * own.std()
        batch = replay(family, recording, layer, torch.cat([own, changed, own]))
        whole = edited(family, inputs, layer, changed)
        assert (batch[1] - whole[0]).abs().max() <= 2e-5 * whole.abs().max()
        assert (batch[2] - recording.stream[-1][0]).abs().max() <= 2e-5 * whole.abs().max()
        assert (whole - recording.stream[-1]).abs().max() > 1e-3  # the edit does something


def test_a_replay_has_the_gradient_of_the_model(family):
    inputs = a_pass(family)
    recording = record(family, inputs)
    gradients = []
    for last_of in (
        lambda s: replay(family, recording, 1, s, gradient=True),
        lambda s: edited(family, inputs, 1, s, True),
    ):
        states = recording.stream[1].clone().requires_grad_()
        last = last_of(states)
        direction = torch.randn(last.shape, generator=torch.Generator().manual_seed(0))
        gradients.append(torch.autograd.grad((last * direction).sum(), states)[0])
    assert gradients[0].abs().max() > 0
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-5 * float(gradients[0].abs().max()))


def test_a_pass_under_an_intervention_is_recorded_as_it_is():
    model = nbt.load_model("toy")
    inputs = model.extend(model.inputs([nbt.load_data("toy", n=1)[0]["image"]]), [[5]])
    with nbt.interventions.ablate(model, [2]):
        recording = record(model, inputs)
    assert torch.equal(recording.stream[1], recording.stream[2])


def test_a_model_whose_blocks_are_called_twice_is_refused(monkeypatch):
    model = nbt.load_model("toy")
    inputs = model.extend(model.inputs([nbt.load_data("toy", n=1)[0]["image"]]), [[5]])
    forward = model.hf.forward
    monkeypatch.setattr(model.hf, "forward", lambda **options: (forward(**options), forward(**options))[1])
    with pytest.raises(nbt.errors.ModelError, match="were called 10 times in one pass; expected once each"):
        record(model, inputs)


@pytest.mark.parametrize("change", ["attention", "format"])
def test_a_recording_is_refused_once_the_model_computes_in_another_way(change):
    model = nbt.load_model("toy")
    t = nbt.target(model, nbt.load_data("toy", n=1)[0]["image"], "a", response="a dog")
    whole = float(t.replay(1, t.residual(1)[None])[0])
    try:
        model.hf.set_attn_implementation("eager") if change == "attention" else model.hf.to(torch.float64)
        with pytest.raises(nbt.errors.ModelError, match="with sdpa cpu torch.float32 .* Make the target again"):
            t.replay(1, t.residual(1)[None])
        again = nbt.target(model, t.image, "a", response="a dog")
        assert float(again.replay(1, again.residual(1)[None])[0]) == pytest.approx(whole, abs=1e-4)
    finally:
        model.hf.set_attn_implementation("sdpa")
        model.hf.to(torch.float32)
    assert float(t.replay(1, t.residual(1)[None])[0]) == whole
