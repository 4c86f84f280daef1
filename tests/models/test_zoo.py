"""Every family of the zoo keeps every promise: batches, hooks, unembedding, teacher forcing, and eyes."""

import functools

import datasets
import numpy as np
import pytest
import torch
import transformers
from packaging.version import Version
from PIL import Image

import nbtoolkit as nbt
from nbtoolkit.models.generation import greedy
from nbtoolkit.models.hooks import LastPosition, watching
from nbtoolkit.text.words import contains

from ..vision import why_not
from ..zoo import FAMILIES, build

NEW = 10
# faults of transformers itself, by family: the first release with the fault, and the error that its forward pass raises
UPSTREAM = {"llama4": ("5.24", "'MoeCausalLMOutputWithPast' object has no attribute 'image_outputs'")}


def pictures(n=6):
    """Blocks of colour in four shapes, so that dynamic resolutions, tiles and paddings differ within a batch."""
    rng, sides = np.random.default_rng(0), [(64, 48), (48, 64), (64, 64), (96, 32)]
    blocks = [Image.fromarray(rng.integers(0, 256, (3, 3, 3), dtype=np.uint8)) for _ in range(n)]
    return [block.resize(sides[i % 4], Image.Resampling.BICUBIC) for i, block in enumerate(blocks)]


@functools.cache
def load(name):
    try:
        hf, processor = build(name)
    except ImportError as error:
        pytest.skip(f"{why_not() or error}")
    try:
        return nbt.load_model(hf, processor=processor)
    except nbt.NbtoolkitError as error:
        since, fault = UPSTREAM.get(name, ("", ""))
        if fault and fault in str(error.__cause__) and Version(transformers.__version__) >= Version(since):
            pytest.skip(f"transformers {transformers.__version__} cannot run {name} ({fault}); it could before {since}")
        raise


@pytest.fixture(params=list(FAMILIES))
def family(request):
    return load(request.param)


def captions(model, images):
    """What the model says about each picture, alone."""
    said = []
    with torch.inference_mode():
        for image in images:
            ids = greedy(model, model.encode([image]), LastPosition([0], NEW))[0]
            said.append(model.decode(ids).strip())
    return said


def told(model):
    """A data set whose captions all have a word that the model says about at least two of the pictures."""
    images = pictures()
    said = captions(model, images)
    words = {w for text in said for w in text.split() if w.isalpha()}
    word = max(
        sorted(words),
        key=lambda w: (
            sum(contains(w, t) for t in said),
            -min(t.split().index(w) if w in t.split() else 0 for t in said),
        ),
    )
    rows = {"id": [f"p{i}" for i in range(len(images))], "image": images, "captions": [[word]] * len(images)}
    features = {
        "id": datasets.Value("string"),
        "image": datasets.Image(),
        "captions": datasets.List(datasets.Value("string")),
    }
    return datasets.Dataset.from_dict(rows, features=datasets.Features(features)), word, said


def test_every_check_holds_also_in_batches_of_mixed_sizes(family):
    alike = [p.resize((64, 48)) for p in pictures(3)]  # where padding changes the answer, extraction never pads
    report = nbt.check_model(family, alike if family.equal_lengths else pictures(4))
    assert report.ok, report


def test_two_pictures_give_different_logits(family):
    a, b = pictures(1), [pictures(1)[0].transpose(Image.Transpose.ROTATE_180)]
    with torch.inference_mode():
        one, two = (family.hf(**family.extend(family.encode(p), [[]])).logits[0, -1] for p in (a, b))
    assert (one - two).abs().max() > 1e-3 * one.abs().max()


def test_a_hook_that_adds_nothing_changes_no_bit(family):
    inputs = family.extend(family.encode(pictures(1)), [[]])
    with torch.inference_mode():
        plain = family.hf(**inputs).logits
        with watching(family.blocks, lambda _layer, h: h + 0):
            assert torch.equal(family.hf(**inputs).logits, plain)


def test_states_of_batches_equal_one_by_one(family):
    data, word, said = told(family)
    settings = {"max_new_tokens": NEW, "progress": False}
    alone = nbt.extract(family, data, word, batch_size=1, **settings)
    together = nbt.extract(family, data, word, batch_size=4, **settings)
    assert len(alone) >= 1 and alone.sample_ids == together.sample_ids
    assert alone.positions == together.positions
    scale = np.abs(alone.states).max()
    np.testing.assert_allclose(together.states, alone.states, atol=2e-5 * scale)
    assert [contains(word, t) for t in said] == [f"p{i}" in alone.sample_ids for i in range(len(said))]


def test_teacher_forcing_gives_the_same_states(family):
    data, word, said = told(family)
    alone = nbt.extract(family, data, word, batch_size=2, max_new_tokens=NEW, progress=False, stop_early=False)
    rows = [int(i[1:]) for i in alone.sample_ids]
    own = data.select(rows).map(lambda _, k: {"captions": [said[rows[k]]]}, with_indices=True, keep_in_memory=True)
    given = nbt.extract(family, own, word, captions="given", batch_size=3, progress=False)
    assert given.sample_ids == alone.sample_ids and given.positions == alone.positions
    np.testing.assert_allclose(given.states, alone.states, atol=2e-5 * np.abs(alone.states).max())


@pytest.mark.parametrize("name", list(FAMILIES))
def test_hooks_see_what_the_model_itself_records(name):
    """Hooked states against ``output_hidden_states``, and the unembedded last layer against every step's own logits."""
    load(name)
    hf, processor = build(name)  # its own copy: recording leaves hooks of Hugging Face on the blocks
    model = nbt.load_model(hf, processor=processor)
    keep = LastPosition(range(model.n_layers + 1), NEW)
    inputs = model.encode(pictures(1))
    with torch.inference_mode(), watching(model.blocks, keep):
        out = hf.generate(**inputs, max_new_tokens=NEW, do_sample=False, num_beams=1, pad_token_id=model.pad,
                          return_dict_in_generate=True, output_hidden_states=True, output_logits=True)  # fmt: skip
    recorded = out.decoder_hidden_states if model.encoder_decoder else out.hidden_states
    assert keep.steps == len(out.logits) == len(recorded)
    for step, layers in enumerate(recorded):
        ours = keep.buffer[:, step]
        for layer in range(model.n_layers):
            torch.testing.assert_close(ours[layer], layers[layer][:, -1], atol=0, rtol=0)
        with torch.inference_mode():
            normed = model.norm(ours[-1]) if name not in ("git", "florence-2") else ours[-1]
        torch.testing.assert_close(normed, layers[-1][:, -1], atol=1e-5, rtol=1e-5)
        logits = out.logits[step].float()
        assert (model.unembed(ours[-1]) - logits).abs().max() <= 1e-5 * logits.abs().max()


def test_a_template_that_begins_the_sequence_is_not_begun_twice():
    from ..zoo.parts import BOS, Zoo, template
    from ..zoo.recipes import _llava, hf

    zoo = Zoo("<image>", wrap="<s> $A")
    config, processor = _llava(zoo, hf.LlamaConfig(**zoo.text()))
    processor.chat_template = template("<image>", before="<s>")
    ids = nbt.load_model(config, processor=processor, check=False).encode(pictures(2))["input_ids"]
    assert (ids == BOS).sum(1).tolist() == [1, 1]
    processor.chat_template = template("<image>")
    ids = nbt.load_model(config, processor=processor, check=False).encode(pictures(2))["input_ids"]
    assert (ids == BOS).sum(1).tolist() == [1, 1]


def test_a_picture_that_the_processor_refuses_is_left_out_by_id():
    model = load("qwen2-vl")
    data, word, _ = told(model)
    odd = data.map(
        lambda row: row | ({"image": Image.new("RGB", (900, 3))} if row["id"] == "p2" else {}), keep_in_memory=True
    )
    settings = {"max_new_tokens": NEW, "progress": False, "batch_size": 3}
    reps = nbt.extract(model, odd, word, **settings)
    assert "cannot be read by the model's processor (ValueError: absolute aspect ratio" in reps.skipped["p2"]
    assert set(reps.sample_ids) == set(nbt.extract(model, data, word, **settings).sample_ids) - {"p2"}


@pytest.mark.parametrize("name", list(FAMILIES))
def test_picture_positions_of_every_family(name):
    """Patching the picture's positions at layer 0 with another picture's is the same as showing that picture."""
    model = load(name)
    if model.encoder_decoder or name == "mllama":
        with pytest.raises(nbt.NbtoolkitError, match="has no image positions in its decoder's residual stream"):
            model.image_mask(model.encode(pictures(1)))
        return
    a, b = (model.extend(model.encode([p.resize((64, 64))]), [[]]) for p in pictures(2))
    mask, seen = model.image_mask(a), []
    with torch.inference_mode():
        with watching(model.blocks, lambda layer, h, seen=seen: seen.append(h.clone()) if layer == 0 else None):
            model.hf(**a)
            wanted = model.hf(**b).logits
        assert mask.shape == seen[0].shape[:2] and mask.any(), name
        differs = (seen[0] != seen[1]).any(-1)  # some are learned marks of a new line, the same in every picture
        assert not (differs & ~mask).any() and differs.sum() > 0.5 * mask.sum(), name
        patched = seen[0].clone()
        patched[mask] = seen[1][mask]
        with watching(model.blocks, lambda layer, _h, patched=patched: patched if layer == 0 else None):
            got = model.hf(**a).logits
    if name != "qwen3-vl":  # it adds the picture again between its first blocks
        torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-5, msg=name)
