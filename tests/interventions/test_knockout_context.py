"""Knocking out attention while a response is generated: cached steps equal whole passes, in every family, sdpa and eager."""

import numpy as np
import pytest
import torch

import nbtoolkit as nbt
from nbtoolkit.attribution import attention_to_image
from nbtoolkit.interventions import knock_out
from nbtoolkit.models.generation import respond
from nbtoolkit.models.inference import inference
from nbtoolkit.models.replay import record
from nbtoolkit.models.taps import Cut, tap

from ..zoo_targets import EVERY, NO_POSITIONS, pair, zoo_target

N = 6  # generated sub-tokens


def cut_pair(name, how):
    if name == "git":
        pytest.skip(
            "GIT computes attention by a function of its own; test_what_cannot_be_cut_is_refused has its refusal"
        )
    return pair(name, how)


def prompt_of(t):
    return t.model.inputs([t.image], t.question or None)


def last_logits(model, inputs, ids):
    """Logits after a prompt and some ids, of one whole pass without a cache."""
    with inference(model.hf):
        return model.unembed(record(model, model.extend(inputs, [ids])).stream[-1][0, -1])


def uncached(model, inputs, n):
    """Greedy ids of whole passes."""
    ids = []
    for _ in range(n):
        logits = last_logits(model, inputs, ids)
        ids.append(int(logits.argmax()))
    return ids


def cached(model, inputs, n):
    """Greedy ids and their logits of a generation."""
    with inference(model.hf):
        out = model.hf.generate(**inputs, max_new_tokens=n, min_new_tokens=n, do_sample=False, use_cache=True,
                                output_logits=True, return_dict_in_generate=True)  # fmt: skip
    return out.sequences[0, -n:].tolist(), torch.stack(out.logits)[:, 0].float()


@pytest.mark.parametrize(("name", "how"), EVERY)
def test_a_generation_under_a_cut_is_that_of_whole_passes(name, how):
    t, _ = cut_pair(name, how)
    model, inputs, image = t.model, prompt_of(t), t.at("image")
    _, plain = cached(model, inputs, N)
    last = t.positions[0]
    for options in (
        {"targets": slice(max(image) + 1, None)},
        {},
        {"targets": slice(last, None), "layers": [model.n_layers], "heads": [0, 1]},
        {"targets": [last, last + 1], "layers": -1},
    ):
        with knock_out(model, image, **options):
            ids, logits = cached(model, inputs, N)
            for k in range(N):
                whole = last_logits(model, inputs, ids[:k]).float()
                torch.testing.assert_close(logits[k].cpu(), whole.cpu(), atol=2e-4, rtol=2e-4)
        if options.get("layers") is None:  # a window of eight positions reads no image at the end
            assert (logits - plain).abs().max() > 1e-5, options
    ids, again = cached(model, inputs, N)
    assert torch.equal(again, plain)  # nothing stays


@pytest.mark.parametrize(("name", "how"), EVERY)
def test_an_empty_cut_changes_no_bit(name, how):
    t, _ = cut_pair(name, how)
    plain = record(t.model, t.inputs).stream[-1]
    for sources, options in (((), {}), (t.at("image"), {"targets": []}), (t.at("image"), {"layers": []}),
                             (t.at("image"), {"heads": []}), (slice(0, 0), {})):  # fmt: skip
        with knock_out(t.model, sources, **options):
            assert torch.equal(record(t.model, t.inputs).stream[-1], plain)


@pytest.mark.parametrize(("name", "how"), EVERY)
def test_without_the_image_two_images_give_equal_answers(name, how):
    """Also where a model adds the image again between blocks, at the image's positions alone."""
    t, other = cut_pair(name, how)
    answers, values = [], []
    for one in (t, other):
        _ = one.image_span
        with knock_out(t.model, t.at("image")):
            answers.append(cached(t.model, prompt_of(one), N)[1])
            values.append(one.again().value)
    torch.testing.assert_close(*answers, atol=1e-4, rtol=1e-4)
    assert values[0] == pytest.approx(values[1], abs=1e-4) and abs(t.value - other.value) > 1e-3


@pytest.mark.parametrize(("name", "how"), EVERY)
def test_a_target_under_a_cut_is_a_replay_and_its_attention_is_what_is_left(name, how):
    t, _ = cut_pair(name, how)
    image, n = t.at("image"), t.model.n_layers
    with knock_out(t.model, image, targets=t.at("last"), layers=[n], heads=[1]):
        edited = t.again()
        m = attention_to_image(edited)
        value = edited.value
    with tap(t.model, cuts=[Cut(n, t.at("last"), image, (1,))]):
        own = t.replay(n - 1, t.recording.stream[n - 1], start=t.at("last")[0])
    assert value == pytest.approx(float(own[0]), abs=2e-5)
    assert m.check.holds
    whole = attention_to_image(t)
    if t.positions == t.at("last") and float(whole.values.sel(layer=n).sum()) > 0:  # of one piece, image in its window
        assert float(m.values.sel(layer=n, head=1).sum()) == 0 < float(whole.values.sel(layer=n, head=1).sum())
    np.testing.assert_allclose(m.values.sel(layer=n, head=0), whole.values.sel(layer=n, head=0), atol=1e-6)


def test_sources_and_targets_may_be_slices():
    t, _ = pair("llava")
    image = t.at("image")
    assert image == tuple(range(image[0], image[-1] + 1))
    values = []
    for sources, targets in (
        (image, None),
        (slice(image[0], image[-1] + 1), [p for p in range(t.n_positions) if p not in image]),
    ):
        with knock_out(t.model, sources, targets=targets):
            values.append(t.again().value)
    assert values[0] == values[1] != t.value


def test_the_toy_answers_otherwise_without_its_image():
    model, image = nbt.load_model("toy"), nbt.load_data("toy", n=1)[0]["image"]
    inputs = model.inputs([image])
    t = nbt.target(model, image, "a", response="a dog")
    plain = respond(model, inputs, 20)
    with knock_out(model, t.at("image")):
        ids = respond(model, inputs, 20)
        assert ids[0][:5] == uncached(model, inputs, 5)
    assert ids != plain == respond(model, inputs, 20)


def test_what_cannot_be_cut_is_refused():
    t, _ = pair("git")
    with pytest.raises(nbt.errors.ModelError, match="has no attention between positions"), knock_out(t.model, [1]):
        respond(t.model, prompt_of(t), 2)
    t, _ = pair("llava")
    for sources, options, message in (
        ([-1], {}, "positions is"),
        ("image", {}, "sources is 'image'"),
        (slice(0, 9, 2), {}, "without a step"),
        ([1], {"heads": [4]}, r"heads is \[4\]; expected heads from 0 to 3"),
        ([1], {"layers": 9}, "9"),
        ([1], {"layers": 0}, "0"),
        ([1], {"targets": [1.5]}, "targets is|positions is"),
    ):
        with pytest.raises(nbt.NbtoolkitError, match=message), knock_out(t.model, sources, **options):
            pass
    with knock_out(t.model, [1]):  # no pass: nothing to refuse
        pass


@pytest.mark.parametrize("name", NO_POSITIONS)
def test_positions_of_text_are_cut_where_the_image_has_none(name):
    """Self-attention of a decoder that reads the image in another way; of its steps, too."""
    t = zoo_target(name)
    model, inputs = t.model, prompt_of(t)
    with inference(model.hf):
        first = record(model, model.extend(inputs, [[]])).n_positions - 1
    _, plain = cached(model, inputs, N)
    with knock_out(model, [first], targets=slice(first + 1, None)):
        ids, logits = cached(model, inputs, N)
        for k in range(1, N):
            whole = last_logits(model, inputs, ids[:k]).float()
            torch.testing.assert_close(
                logits[k].cpu().log_softmax(-1), whole.cpu().log_softmax(-1), atol=2e-4, rtol=2e-4
            )
    assert torch.equal(logits[0], plain[0]) and (logits - plain).abs().max() > 1e-6


def test_layers_of_cross_attention_are_refused():
    t = zoo_target("mllama")
    refused = []
    for layer in range(1, t.model.n_layers + 1):
        try:
            with knock_out(t.model, [0], layers=layer):
                _ = record(t.model, t.inputs)
        except nbt.errors.ModelError as error:
            refused.append(layer)
            assert f"at layers [{layer}]" in str(error) or "at any layer" in str(error)
    cross = [i for i, block in enumerate(t.model.blocks, 1) if hasattr(block, "cross_attn")]
    assert refused == cross and cross
