"""Extraction against an unbatched oracle, and its refusals."""

import datasets
import numpy as np
import pytest
import torch

import nbtoolkit as nbt
from nbtoolkit.text.words import contains


def oracle(model, image, token, later=0):
    """States at the position that predicts the token (or later), one image at a time, from ``output_hidden_states``."""
    inputs = model.encode([image])
    with torch.inference_mode():
        out = model.hf.generate(
            **inputs, max_new_tokens=40, do_sample=False, output_hidden_states=True, return_dict_in_generate=True
        )
    new = out.sequences[0, inputs["input_ids"].shape[1] :].tolist()
    at = next(i for i in range(len(new)) if contains(token, model.decode(new[: i + 1])))
    return [h[0, -1].numpy() for h in out.hidden_states[at + later]], at


def test_hooked_states_equal_the_unbatched_oracle(model, data, reps):
    row = {i: k for k, i in enumerate(data["id"])}
    for k in range(0, len(reps), 5):
        states, at = oracle(model, data[row[reps.sample_ids[k]]]["image"], "dog")
        assert reps.positions[k] == at
        for layer in range(model.n_layers):  # Hugging Face's last entry is after the final norm, ours before it
            np.testing.assert_allclose(reps.states[k, layer], states[layer], atol=2e-5)
        normed = model.norm(torch.tensor(reps.states[k, -1])).detach().numpy()
        np.testing.assert_allclose(normed, states[-1], atol=2e-5)


def test_where_token_is_one_position_after_the_prediction(model, data, reps):
    """The position that reads the token back; ``positions`` still counts the token's."""
    row = {i: k for k, i in enumerate(data["id"])}
    some = data.select([row[i] for i in reps.sample_ids[:3]])
    at = nbt.extract(model, some, "dog", where="token", progress=False)
    for k, image in enumerate(some["image"]):
        states, position = oracle(model, image, "dog", later=1)
        assert at.positions[k] == position
        for layer in range(model.n_layers):
            np.testing.assert_allclose(at.states[k, layer], states[layer], atol=2e-5)


def test_the_first_given_caption_that_contains_the_token_is_read(model, data):
    captions = ["a cat runs", "on the grass a dog runs", "a dog"]
    one = data.select([0]).map(lambda _: {"captions": captions}, keep_in_memory=True)
    reps = nbt.extract(model, one, "dog", captions="given", progress=False)
    assert reps.captions == ("on the grass a dog runs",) and reps.references == (tuple(captions),)
    assert (
        model.tokenizer(captions[1], add_special_tokens=False).input_ids[reps.positions[0]]
        == reps.source.token_ids[0][-1]
    )


def test_several_sub_tokens_are_read_at_the_last_one(model, data):
    reps = nbt.extract(model, data, "traffic light", progress=False)
    assert len(reps) >= 5 and all(len(v) > 1 for v in reps.source.token_ids)
    row = {i: k for k, i in enumerate(data["id"])}
    for k in range(0, len(reps), 4):
        states, at = oracle(model, data[row[reps.sample_ids[k]]]["image"], "traffic light")
        assert reps.positions[k] == at
        np.testing.assert_allclose(reps.states[k, 3], states[3], atol=2e-5)
    assert {model.decode([t]).strip() for t in model.unembed(reps.layer(-1)).argmax(1)} == {"light"}


def test_the_state_predicts_the_token(model, reps):
    said = model.unembed(reps.layer(-1)).argmax(1)
    assert {model.decode([t]).strip() for t in said} == {"dog"}


def test_every_sample_has_the_token_in_captions_and_output(reps):
    assert all(contains("dog", c) for c in reps.captions)
    assert all(any(contains("dog", c) for c in group) for group in reps.references)
    assert len(reps) + len(reps.skipped) == reps.source.n_candidates


def test_batch_size_does_not_matter(model, data, reps):
    alone = nbt.extract(model, data, "dog", batch_size=1, progress=False)
    assert alone.captions == reps.captions
    np.testing.assert_allclose(alone.states, reps.states, atol=2e-5)


@pytest.mark.parametrize(
    "caption", ["A DOG ON GRASS", "a big  dog  on grass", "half-dog on grass", "cat/dog on grass", "the ''dog'' sits"]
)
def test_a_given_caption_that_contains_the_token_is_never_skipped(model, data, caption):
    """What the check of captions counts as the token, the reader finds, in any spelling."""
    one = data.select([0]).remove_columns("captions").add_column("captions", [[caption]])
    reps = nbt.extract(model, one, "dog", captions="given", progress=False)
    assert len(reps) == 1 and not reps.skipped and reps.captions[0].lower() == caption.lower()


def test_given_captions_equal_generation_when_the_model_said_them(model, data, reps):
    row = {i: k for k, i in enumerate(data["id"])}
    keep = list(range(0, len(reps), 3))
    said = dict(zip(reps.sample_ids, reps.captions, strict=True))
    own = data.select([row[reps.sample_ids[k]] for k in keep]).map(
        lambda r: {"captions": [said[r["id"]]]}, keep_in_memory=True
    )
    given = nbt.extract(model, own, "dog", captions="given", progress=False)
    assert given.positions == tuple(reps.positions[k] for k in keep)
    np.testing.assert_allclose(given.states, reps.states[keep], atol=5e-5)


def test_layers_can_be_chosen(model, data, reps):
    some = nbt.extract(model, data, "dog", layers=[-1, 2], progress=False)
    assert some.layers == (2, 5) and some.n_layers == 5
    np.testing.assert_allclose(some.layer(-1), reps.layer(5), atol=1e-6)
    with pytest.raises(
        nbt.NbtoolkitError, match=r"layer is 3; expected one of the layers \[2, 5\], .*Extract further layers"
    ):
        some.layer(3)
    with pytest.raises(nbt.NbtoolkitError, match="a whole number from 0 to 5"):
        nbt.extract(model, data, "dog", layers=[9], progress=False)


def test_a_killed_run_resumes_and_other_settings_are_refused(model, data, reps, tmp_path, monkeypatch):
    monkeypatch.setattr("nbtoolkit.extraction.representations.SHARD", 16)

    def stop(done, _total):
        if done > 16:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        nbt.extract(model, data, "dog", out=tmp_path, progress=stop, batch_size=8)
    assert list(tmp_path.glob("shard-*.json"))
    calls = []
    again = nbt.extract(model, data, "dog", out=tmp_path, progress=lambda d, t: calls.append((d, t)), batch_size=8)
    assert again.sample_ids == reps.sample_ids
    np.testing.assert_allclose(again.states, reps.states, atol=2e-5)
    assert calls[0] == (16, again.source.n_candidates)  # the first shard was not computed again
    with pytest.raises(
        nbt.NbtoolkitError, match=r"holds an extraction of something else \(.*token: 'dog' there, 'cat' now"
    ):
        nbt.extract(model, data, "cat", out=tmp_path, progress=False)


def test_a_damaged_shard_is_computed_again(model, data, reps, tmp_path):
    nbt.extract(model, data, "dog", out=tmp_path, progress=False)
    shard = tmp_path / "shard-00000.safetensors"
    shard.write_bytes(shard.read_bytes()[:-8])
    assert nbt.extract(model, data, "dog", out=tmp_path, progress=False).sample_ids == reps.sample_ids


def test_broken_pictures_are_skipped_and_reported(model, data, reps):
    raw = data.cast_column("image", datasets.Image(decode=False))
    bad = reps.sample_ids[1]

    def damage(row):
        return row | {"image": {"bytes": row["image"]["bytes"][:100], "path": None}} if row["id"] == bad else row

    broken = raw.map(damage, keep_in_memory=True).cast_column("image", datasets.Image())
    out = nbt.extract(model, broken, "dog", progress=False)
    assert set(out.sample_ids) == set(reps.sample_ids) - {bad}
    assert "cannot be read" in out.skipped[bad]


def test_all_pictures_broken(model):
    rows = datasets.Dataset.from_dict({"id": ["a"], "image": [{"bytes": b"x", "path": None}], "captions": [["a dog"]]}, features=datasets.Features(
        {"id": datasets.Value("string"), "image": datasets.Image(), "captions": datasets.List(datasets.Value("string"))}))  # fmt: skip
    with pytest.raises(
        nbt.NbtoolkitError, match=r"None of the 1 images whose caption contains 'dog' can be read \(first: 'a'"
    ):
        nbt.extract(model, rows, "dog", progress=False)


def test_unknown_token_lists_the_frequent_words(model, data):
    with pytest.raises(
        nbt.NbtoolkitError, match=r"No sample's caption contains 'zebra'; the most frequent words are \w+, \w+"
    ):
        nbt.extract(model, data, "zebra", progress=False)


def test_a_token_that_the_model_never_says(model, data):
    zebra = data.select(range(3)).map(lambda r: {"captions": ["a zebra"]}, keep_in_memory=True)
    with pytest.raises(
        nbt.NbtoolkitError,
        match=r"The model never says 'zebra': 3 images have it in a caption, no response contains it",
    ):
        nbt.extract(model, zebra, "zebra", progress=False)


def test_float16_overflow_is_refused(data):
    half = nbt.load_model("toy", dtype="float16")
    half.blocks[2].mlp.down_proj.weight.data[:] = 6e4
    with pytest.raises(
        nbt.NbtoolkitError,
        match=r"The states of sample 'train-0-\d+' overflow torch.float16 at layer 3; expected finite numbers",
    ):
        nbt.extract(half, data, "dog", captions="given", progress=False)


def test_hooks_are_gone_after_an_error(model, data):
    def fail(*_):
        raise RuntimeError("stop")

    def hooks():
        return [len(b._forward_hooks) + len(b._forward_pre_hooks) for b in model.blocks]

    before = hooks()  # Hugging Face leaves hooks of its own on blocks that have recorded hidden states
    with pytest.raises(RuntimeError, match="stop"):
        nbt.extract(model, data, "dog", progress=fail)
    assert hooks() == before


def test_bad_options(model, data):
    with pytest.raises(nbt.NbtoolkitError, match="captions is 'mine'; expected 'generate' or 'given'"):
        nbt.extract(model, data, "dog", captions="mine", progress=False)
    for token in (" ", 5, None):
        with pytest.raises(nbt.NbtoolkitError, match="The token is .*; expected a word"):
            nbt.extract(model, data, token, progress=False)
    for size in (0, -1, 2.5, "big"):
        with pytest.raises(nbt.NbtoolkitError, match="batch_size is .*; expected 'auto' or a whole number"):
            nbt.extract(model, data, "dog", batch_size=size, progress=False)
    with pytest.raises(nbt.NbtoolkitError, match="max_new_tokens is 0"):
        nbt.extract(model, data, "dog", max_new_tokens=0, progress=False)


def test_data_that_did_not_come_through_the_door(model):
    plain = nbt.toy.scenes(30).select_columns(["image", "captions"]).rename_column("captions", "text")
    assert nbt.extract(model, plain, "train", progress=False).sample_ids[0].isdigit()
    numbered = plain.add_column("id", list(range(30)))
    assert all(isinstance(i, str) for i in nbt.extract(model, numbered, "train", progress=False).sample_ids)
    with pytest.raises(nbt.NbtoolkitError, match="The data set is empty"):
        nbt.extract(model, nbt.toy.scenes(0), "train", progress=False)


def test_the_callers_threads_come_back(model, data):
    torch.set_num_threads(2)
    try:
        nbt.extract(model, data, "dog", progress=False, layers=[1], max_new_tokens=8)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
