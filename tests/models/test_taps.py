"""Taps: the model's logits stay, rows rebuild the heads, and what is cut is not read; in every family, sdpa and eager."""

import numpy as np
import pytest
import torch
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

import nbtoolkit as nbt
from nbtoolkit.models.inference import inference
from nbtoolkit.models.taps import Cut, require_layers, tap
from nbtoolkit.targets import target
from nbtoolkit.targets.roles import other_image

from .test_replay import a_pass
from .test_zoo import FAMILIES, load, pictures

NOT_HEARD = ("git",)  # a function of its own
CROSS = {"mllama": [1, 3]}  # layers with self-attention


@pytest.fixture(params=list(FAMILIES))
def name(request):
    return request.param


@pytest.fixture(params=["sdpa", "eager"])
def model(request, name):
    model = load(name)
    if name in NOT_HEARD and request.param == "sdpa":
        pytest.skip("GIT has no sdpa")
    before = model.hf.config.get_text_config(decoder=True)._attn_implementation
    model.hf.set_attn_implementation(request.param)
    yield model
    model.hf.set_attn_implementation(before)


def logits(model, inputs):
    with inference(model.hf):
        return model.hf(**inputs, use_cache=False).logits


def test_rows_rebuild_the_heads_and_logits_are_bit_identical(name, model):
    inputs = a_pass(model)
    before = logits(model, inputs)
    with tap(model, None) as attention:
        assert torch.equal(logits(model, inputs), before)
    if name in NOT_HEARD:
        with pytest.raises(
            nbt.errors.ModelError, match="no attention between positions of its residual stream at any layer"
        ):
            require_layers(attention, model)
        return
    assert sorted(attention.rows) == CROSS.get(name, list(range(1, model.n_layers + 1)))
    for layer, rows in attention.rows.items():
        assert attention.residual[layer] < 2e-6
        torch.testing.assert_close(rows.sum(-1), torch.ones(rows.shape[:-1]), rtol=0, atol=1e-6)
    with tap(model, [-1, 0], layers=[1]) as some:
        logits(model, inputs)
    assert list(some.rows) == [1]
    torch.testing.assert_close(some.rows[1], attention.rows[1][:, :, [-1, 0]], rtol=0, atol=1e-6)


def test_with_the_image_cut_everywhere_two_images_give_equal_logits(name, model):
    image = pictures()[0]
    options = {"response": "a red dog sits", "foil": "cat"}
    one, two = (target(model, i, "dog", **options) for i in (image, other_image(image)))
    if one.image_span is None or name in NOT_HEARD:
        pytest.skip(f"{name} has no image positions, or an attention of its own")
    first, last = one.image_span
    sources = tuple(range(first, last + 1))
    others = tuple(i for i in range(one.n_positions) if i not in sources)
    results = []
    for t in (one, two):
        whole = logits(model, t.inputs)[0, -1]
        with tap(model, cuts=[Cut(layer, others, ()) for layer in range(1, model.n_layers + 1)]):
            assert torch.equal(logits(model, t.inputs)[0, -1], whole)  # an empty cut
        with tap(model, cuts=[Cut(layer, others, sources) for layer in range(1, model.n_layers + 1)]) as attention:
            results.append((whole, logits(model, t.inputs)[0, -1]))
        assert attention.cut == set(range(1, model.n_layers + 1))
    assert (results[0][0] - results[1][0]).abs().max() > 1e-3
    assert torch.equal(results[0][1], results[1][1])


def test_heads_are_cut_one_by_one_and_together():
    """Cutting all heads of a layer equals no heads named; one head alone changes something else."""
    model = nbt.load_model("toy")
    image = nbt.load_data("toy", n=1)[0]["image"]
    t = target(model, image, "a")
    sources = t.at("image")

    def last(*cuts):
        with tap(model, cuts=cuts):
            return logits(model, t.inputs)[0, -1]

    whole, every = last(), last(Cut(3, t.at("last"), sources))
    heads = tuple(range(model.n_heads))
    torch.testing.assert_close(last(Cut(3, t.at("last"), sources, heads)), every, rtol=0, atol=0)
    torch.testing.assert_close(last(*(Cut(3, t.at("last"), sources, (h,)) for h in heads)), every, rtol=0, atol=0)
    single = [last(Cut(3, t.at("last"), sources, (h,))) for h in heads]
    assert len({float((s - whole).abs().max()) for s in single}) == len(heads)


def test_a_cut_holds_in_cached_generation_too():
    """The response under a cut, generated with a cache, equals the argmax of whole passes under it."""
    model = nbt.load_model("toy")
    inputs = model.inputs([nbt.load_data("toy", n=1)[0]["image"]])
    n = inputs["input_ids"].shape[1]
    image = tuple(model.image_mask(inputs)[0].nonzero()[:, 0].tolist())
    cuts = [Cut(layer, tuple(range(n - 1, n + 20)), image) for layer in (2, 3)]
    with tap(model, cuts=cuts):
        ids = model.generate(inputs, 6)[0, n:].tolist()
    for k in range(len(ids)):
        with tap(model, cuts=cuts):
            step = logits(model, model.extend(inputs, [ids[:k]]))[0, -1]
        assert int(step.argmax()) == ids[k]


def test_the_attention_functions_are_as_before_after_an_error():
    before = dict(ALL_ATTENTION_FUNCTIONS._local_mapping)
    model = nbt.load_model("toy")
    with pytest.raises(RuntimeError, match="stop"), tap(model, None):
        raise RuntimeError("stop")
    assert ALL_ATTENTION_FUNCTIONS._local_mapping == before
    with tap(model, None), tap(model, [-1]) as inner:  # one inside another
        logits(model, model.inputs([nbt.load_data("toy", n=1)[0]["image"]]))
    assert inner.rows and ALL_ATTENTION_FUNCTIONS._local_mapping == before
    assert np.isfinite(list(inner.residual.values())).all()
