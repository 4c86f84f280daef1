"""Every entry of the model layer runs in inference mode on a fitting number of threads, and leaves the caller's setting alone."""

import contextlib

import numpy as np
import pytest
import torch
from torch.nn.modules.module import register_module_forward_pre_hook

import nbtoolkit as nbt
from nbtoolkit import interventions
from nbtoolkit.attribution import mentions
from nbtoolkit.models import TextEncoder, inference
from nbtoolkit.models.checks import check_adapter
from nbtoolkit.models.generation import greedy, respond, states_at, teacher_forced
from nbtoolkit.models.hooks import LastPosition
from nbtoolkit.toy.evaluation import caption_all

from ..zoo.bert import tiny_bert


@pytest.fixture(autouse=True)
def _two_threads():
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)


@contextlib.contextmanager
def modes():
    """The inference mode and the number of threads of every call of every torch module."""
    calls = set()
    handle = register_module_forward_pre_hook(
        lambda *_: calls.add((torch.is_inference_mode_enabled(), torch.get_num_threads()))
    )
    try:
        yield calls
    finally:
        handle.remove()


def at_image(model, image):
    inputs = model.inputs([image])
    return states_at(model, inputs, [1], model.image_mask(inputs))


RUNS = {
    "forward": lambda m, image, _: m.forward(m.extend(m.inputs([image]), [[]])),
    "generate": lambda m, image, _: m.generate(m.inputs([image]), 2),
    "unembed": lambda m, *_: m.unembed(np.zeros((1, m.d_model), np.float32)),
    "unembed a tensor": lambda m, *_: m.unembed(torch.zeros(1, m.d_model)),
    "greedy": lambda m, image, _: greedy(m, m.inputs([image]), LastPosition([0], 2), lambda ids: [False] * len(ids)),
    "respond": lambda m, image, _: respond(m, m.inputs([image]), 2),
    "teacher_forced": lambda m, image, _: teacher_forced(m, m.inputs([image]), [[5, 6]], [1]),
    "states_at": lambda m, image, _: at_image(m, image),
    "load_model": lambda m, *_: nbt.load_model(m.hf, processor=m.processor),
    "check_adapter": lambda m, *_: check_adapter(m),
    "check_model": lambda m, image, _: nbt.check_model(m, [image] * 2, max_new_tokens=2),
    "scorer images": lambda _m, image, s: s.images([image]),
    "scorer texts": lambda _m, _i, s: s.texts(["dog"]),
    "scorer": lambda _m, image, s: s([image], ["dog"]),
    "text encoder": lambda *_: TextEncoder(*tiny_bert(["a dog on the grass"] * 4, 60))(["a dog"]),
    "caption_all": lambda m, *_: caption_all(m, nbt.load_data("toy", n=2)),
    "mean_contributions": lambda m, image, _: interventions.mean_contributions(m, [image], [1]),
    "mentions": lambda m, image, _: mentions(m, [image], "dog", answers=["a dog on grass"]).read([1]),
    "answers": lambda m, image, _: mentions(m, [image], "dog", answers=["a dog on grass"]).answers(2),
}  # fmt: skip


@pytest.mark.parametrize("name", list(RUNS))
def test_a_pass_runs_in_inference_mode_on_one_thread(model, scorer, data, name):
    with modes() as calls:
        RUNS[name](model, data[0]["image"], scorer)
    assert calls == {(True, 1)}
    assert torch.get_num_threads() == 2 and not torch.is_inference_mode_enabled() and torch.is_grad_enabled()


def test_an_error_leaves_the_callers_setting(model, data):
    inputs = model.extend(model.inputs([data[0]["image"]]), [[]])
    for run in (model.forward, lambda inputs: model.generate(inputs, 2)):
        handle = model.blocks[1].register_forward_pre_hook(lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run(inputs)
        handle.remove()
        assert torch.get_num_threads() == 2 and not torch.is_inference_mode_enabled() and torch.is_grad_enabled()


def test_gradients_pass_where_the_caller_wants_them(model, data):
    image = data[0]["image"]
    inputs = model.extend(model.inputs([image]), [[]])
    with modes() as calls:
        states = torch.ones(1, model.d_model, requires_grad=True)
        model.unembed(states, gradient=True).sum().backward()
        assert states.grad.abs().max() > 0
        assert teacher_forced(model, model.inputs([image]), [[5]], [1], gradient=True).requires_grad
        with torch.inference_mode():  # whatever mode the caller is in
            assert model.forward(inputs, gradient=True).logits.requires_grad
    assert calls == {(False, 1)}
    model.hf.zero_grad()
    assert not model.unembed(states).requires_grad
    mention = mentions(model, [image], "dog", answers=["a dog on grass"])
    assert np.abs(mention.gradient(3)).max() > 0


def test_large_models_keep_the_callers_threads(model, data, monkeypatch):
    monkeypatch.setattr(inference, "SMALL", 1000)
    with modes() as calls:
        model.forward(model.extend(model.inputs([data[0]["image"]]), [[]]))
    assert calls == {(True, 2)}


def test_encode_is_an_alias_of_inputs(model, data):
    images = data[:2]["image"]
    for name, value in model.inputs(images).items():
        assert torch.equal(model.encode(images)[name], value)
