"""Extraction at scale: rows that stop early, other positions, every occurrence, half precision, memory that runs out, cancellation."""

import contextlib
import threading

import datasets
import numpy as np
import pytest
import torch

import nbtoolkit as nbt
from nbtoolkit.errors import Cancelled
from nbtoolkit.extraction.options import ReadingPlan
from nbtoolkit.extraction.reader import Reader
from nbtoolkit.models.generation import greedy as run_greedy
from nbtoolkit.models.hooks import watching
from nbtoolkit.text.tokens import subtoken_variants

from .test_representations import oracle


@pytest.fixture(scope="module")
def whole(model, data):
    return nbt.extract(model, data, "dog", progress=False, stop_early=False)


def told(texts, pictures):
    rows = {
        "id": [f"p{i}" for i in range(len(texts))],
        "image": pictures,
        "captions": [[t] if isinstance(t, str) else t for t in texts],
    }
    features = {
        "id": datasets.Value("string"),
        "image": datasets.Image(),
        "captions": datasets.List(datasets.Value("string")),
    }
    return datasets.Dataset.from_dict(rows, features=datasets.Features(features))


def steps_of(monkeypatch):
    """Count the steps that generation takes, batch by batch."""
    steps = []

    def counting(model, inputs, keep, stop=None):
        out = run_greedy(model, inputs, keep, stop)
        steps.append(keep.steps)
        return out

    monkeypatch.setattr("nbtoolkit.extraction.reader.greedy", counting)
    return steps


def test_rows_stop_at_their_token_and_keep_the_same_states(model, data, whole, monkeypatch):
    steps = steps_of(monkeypatch)
    early = nbt.extract(model, data, "dog", progress=False, batch_size=1)
    assert early.sample_ids == whole.sample_ids and early.positions == whole.positions
    np.testing.assert_allclose(early.states, whole.states, atol=2e-5)
    assert all(
        full.startswith(cut) and cut.lower().endswith("dog")
        for cut, full in zip(early.captions, whole.captions, strict=True)
    )
    said = [k for k, i in enumerate(steps) if i < 25]
    assert len(said) > len(early) / 2
    ahead = [s - p for s, p in zip(steps, early.positions, strict=False)] if len(steps) == len(early) else []
    assert all(a == 2 for a in ahead)  # the token, and the one after it, which shows that the word is whole


def test_a_longer_word_does_not_stop_a_row(model, data, whole):
    """Only the piece after the token tells "dog" from "doghouse"."""
    plan = ReadingPlan(("dog",), whole.source.token_ids, (0,), nbt.extraction.ReadingOptions())
    reader = Reader(model, data, plan)
    ids = model.tokenizer(" a dog", add_special_tokens=False)["input_ids"]
    after = model.tokenizer(" runs", add_special_tokens=False)["input_ids"][0]
    assert reader._contains_token([ids]) == [False] and reader._contains_token([[*ids, after]]) == [True]
    assert reader._contains_token([[*ids, after, after]]) == [False]  # it has ended already; nothing new to find


def test_the_state_at_the_token_reads_it_back(model, data, whole):
    at = nbt.extract(model, data, "dog", where="token", progress=False)
    assert at.sample_ids == whole.sample_ids and at.source.where == "token"
    embedded = model.hf.get_input_embeddings().weight[whole.source.token_ids[0][-1]].detach().numpy()
    np.testing.assert_allclose(at.layer(0), np.broadcast_to(embedded, at.layer(0).shape), atol=1e-6)
    given = nbt.extract(model, data, "dog", where="token", captions="given", progress=False)
    np.testing.assert_allclose(given.layer(0), np.broadcast_to(embedded, given.layer(0).shape), atol=1e-6)


def test_a_caption_that_ends_with_the_token_has_no_state_there(model, data, whole):
    first = whole.positions[0]
    short = nbt.extract(model, data, "dog", where="predict", progress=False, max_new_tokens=first + 1)
    assert whole.sample_ids[0] in short.sample_ids
    cut = nbt.extract(
        model, data, "dog", where="token", captions="generate", progress=False, max_new_tokens=max(whole.positions) + 1
    )
    assert any("ends with the token, which has no state of its own" in why for why in cut.skipped.values())


def test_every_occurrence_is_a_row(model, data, whole):
    pictures = [data[k]["image"] for k in range(3)]
    given = told(["a dog and a dog", "one dog", "dog dog dog"], pictures)
    reps = nbt.extract(model, given, "dog", which="all", captions="given", progress=False)
    assert reps.sample_ids == ("p0", "p0", "p1", "p2", "p2", "p2") and reps.positions[0] < reps.positions[1]
    one = nbt.extract(model, given, "dog", captions="given", progress=False)
    assert one.sample_ids == ("p0", "p1", "p2")
    np.testing.assert_allclose(one.states, reps.states[[0, 2, 3]], atol=2e-5)
    g = nbt.ground(nbt.decompose(reps, nbt.SemiNMF(2, random_state=0)), model)
    assert all(len(set(shown)) == len(shown) for shown in g.exemplars)
    with pytest.raises(nbt.NbtoolkitError, match="several rows per sample"):
        nbt.study(model, reps, "dog", progress=False)


def test_plurals_and_other_words_count_when_asked(model, data):
    pictures = [data[k]["image"] for k in range(3)]
    given = told(["two dogs run", "a dog runs", "a cat runs"], pictures)
    settings = {"captions": "given", "progress": False}
    assert nbt.extract(model, given, "dog", **settings).sample_ids == ("p1",)
    assert nbt.extract(model, given, "dog", variants="plural", **settings).sample_ids == ("p0", "p1")
    assert nbt.extract(model, given, "dog", variants=["cat"], **settings).sample_ids == ("p1", "p2")
    with pytest.raises(nbt.NbtoolkitError, match="variants is 'many'; expected 'plural' or a list of words"):
        nbt.extract(model, given, "dog", variants="many", **settings)


def test_picture_positions_that_unembed_to_the_token(model, data, monkeypatch):
    """Appendix G, against one picture at a time from ``output_hidden_states``."""
    inputs = model.encode(data[:40]["image"])
    with torch.inference_mode():
        last = []
        with watching(model.blocks, lambda layer, h: last.append(h) if layer == model.n_layers else None):
            model.hf(**inputs)
        said = model.unembed(last[0]).argmax(-1)
    mask = model.image_mask(inputs)
    assert mask.sum(1).unique().tolist() == [model.hf.config.image_seq_length]
    seen = [model.decode([i]).strip() for i in said[mask].unique().tolist()]
    word = next(w for w in sorted(seen) if len(w) > 2 and len(subtoken_variants(model.tokenizer, w)[0]) == 1)
    told_so = data.select(range(40)).map(lambda _: {"captions": [word]}, keep_in_memory=True)
    reps = nbt.extract(model, told_so, word, where="visual", progress=False, batch_size=7)
    ids = {v[0] for v in reps.source.token_ids if len(v) == 1}
    for k in range(40):
        row = [int(i) in ids for i in said[k][mask[k]]]
        assert (f"{told_so[k]['id']}" in reps.sample_ids) == any(row)
        if any(row):
            r = reps.sample_ids.index(told_so[k]["id"])
            assert reps.positions[r] == row.index(True)
            np.testing.assert_allclose(reps.states[r, -1], last[0][k][mask[k]][row.index(True)].numpy(), atol=2e-5)
    decode = model.tokenizer.decode
    monkeypatch.setattr(model.tokenizer, "decode", lambda ids, **options: decode(ids, **options).upper())
    capitals = nbt.extract(model, told_so, word, where="visual", progress=False)
    assert (capitals.sample_ids, capitals.positions) == (reps.sample_ids, reps.positions)
    monkeypatch.undo()
    with pytest.raises(nbt.NbtoolkitError, match="where='visual' needs a word of one sub-token; 'traffic light' has"):
        nbt.extract(model, data, "traffic light", where="visual", progress=False)


def test_half_precision_is_kept_and_overflow_is_refused(model, data, whole, tmp_path):
    half = nbt.extract(model, data, "dog", dtype="float16", progress=False, out=tmp_path / "half")
    assert half.states.dtype == np.float16 and half.layer(3).dtype == np.float32
    np.testing.assert_allclose(half.layer(3), whole.layer(3), rtol=2e-3, atol=2e-3)
    big = nbt.load_model("toy")
    big.blocks[1].mlp.down_proj.weight.data *= 1e5
    with pytest.raises(
        nbt.NbtoolkitError, match=r"The states of sample '.*' overflow float16 at layer \d; expected finite numbers"
    ):
        nbt.extract(big, data, "dog", dtype="float16", captions="given", progress=False)
    assert np.isfinite(nbt.extract(big, data, "dog", captions="given", progress=False).states).all()


def test_states_are_mapped_from_one_file(model, data, whole, tmp_path, monkeypatch):
    monkeypatch.setattr("nbtoolkit.extraction.representations.SHARD", 16)
    reps = nbt.extract(model, data, "dog", out=tmp_path, progress=False)
    assert isinstance(reps.states, np.memmap) and isinstance(reps.layer(2), np.memmap)
    assert reps.layer(2).flags.c_contiguous and not reps.layer(2).flags.writeable
    assert reps.sample_ids == whole.sample_ids and reps.references == whole.references
    np.testing.assert_allclose(reps.states, whole.states, atol=2e-5)
    made = (tmp_path / "states.safetensors").stat().st_mtime_ns
    again = nbt.extract(model, data, "dog", out=tmp_path, progress=False)
    assert (tmp_path / "states.safetensors").stat().st_mtime_ns == made
    np.testing.assert_array_equal(again.states, reps.states)


class Crowded:
    """Stands for a device on which more than so many pictures do not fit."""

    def __init__(self, monkeypatch, limit, error=torch.OutOfMemoryError):
        self.sizes = []

        def tight(model, inputs, keep, stop=None):
            self.sizes.append(len(inputs["input_ids"]))
            if len(inputs["input_ids"]) > limit:
                raise error(
                    "CUDA out of memory"
                    if error is torch.OutOfMemoryError
                    else "DefaultCPUAllocator: can't allocate memory: 1 GB"
                )
            return run_greedy(model, inputs, keep, stop)

        monkeypatch.setattr("nbtoolkit.extraction.reader.greedy", tight)


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, RuntimeError])
def test_memory_that_runs_out_halves_the_batch_and_is_remembered(model, data, whole, monkeypatch, error):
    crowded = Crowded(monkeypatch, 9, error)
    reps = nbt.extract(model, data, "dog", progress=False)
    assert reps.sample_ids == whole.sample_ids
    np.testing.assert_allclose(reps.states, whole.states, atol=2e-5)
    assert crowded.sizes[:3] == [32, 16, 8] and max(crowded.sizes[3:]) == 8


def test_a_picture_that_does_not_fit_alone_is_one_clear_error(model, data, monkeypatch):
    Crowded(monkeypatch, 0)
    with pytest.raises(nbt.NbtoolkitError, match="Memory runs out with a single image"):
        nbt.extract(model, data, "dog", progress=False)


def test_other_errors_of_a_batch_are_not_mistaken_for_it(model, data, monkeypatch):
    def broken(*_):
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr("nbtoolkit.extraction.reader.greedy", broken)
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        nbt.extract(model, data, "dog", progress=False)


def test_an_event_cancels_and_finished_shards_stay(model, data, whole, tmp_path, monkeypatch):
    monkeypatch.setattr("nbtoolkit.extraction.representations.SHARD", 16)
    cancel = threading.Event()
    with pytest.raises(Cancelled, match="completed shards remain"):
        nbt.extract(
            model,
            data,
            "dog",
            out=tmp_path,
            batch_size=4,
            cancel=cancel,
            progress=lambda done, _: done >= 20 and cancel.set(),
        )
    assert [f.name for f in sorted(tmp_path.glob("shard-*.json"))] == ["shard-00000.json"]
    seen = []
    reps = nbt.extract(model, data, "dog", out=tmp_path, batch_size=4, progress=lambda done, _: seen.append(done))
    assert seen[0] == 16 and reps.sample_ids == whole.sample_ids


def test_an_interrupt_leaves_no_hook(model, data):
    def hooks():
        return sum(len(b._forward_hooks) + len(b._forward_pre_hooks) for b in model.blocks)

    def interrupt(*_):
        raise KeyboardInterrupt

    before = hooks()
    with pytest.raises(KeyboardInterrupt), watching(model.blocks, interrupt):
        model.hf(**model.encode([data[0]["image"]]))
    assert hooks() == before
    with pytest.raises(KeyboardInterrupt):
        nbt.extract(model, data, "dog", progress=interrupt)
    assert hooks() == before


@pytest.mark.parametrize("broken", [[0], [2], [3], [0, 1, 2], [1, 2, 3]])
def test_a_broken_picture_anywhere_in_a_batch(model, data, whole, broken):
    rows = [list(data["id"]).index(i) for i in whole.sample_ids[:4]]
    some = data.select(rows).cast_column("image", datasets.Image(decode=False))

    def damage(row, k):
        return row | {
            "image": {"bytes": row["image"]["bytes"][:60] if k in broken else row["image"]["bytes"], "path": None}
        }

    bad = some.map(damage, with_indices=True, keep_in_memory=True).cast_column("image", datasets.Image())
    reps = nbt.extract(model, bad, "dog", batch_size=4, progress=False)
    left = [k for k in range(4) if k not in broken]
    assert reps.sample_ids == tuple(whole.sample_ids[k] for k in left)
    assert sorted(reps.skipped) == sorted(whole.sample_ids[k] for k in broken)
    np.testing.assert_allclose(reps.states, whole.states[left], atol=2e-5)


@contextlib.contextmanager
def never_saying(model, ids):
    """The model with the logits of some ids at minus infinity."""
    handle = model.head.register_forward_hook(lambda _m, _a, out: out.index_fill(-1, torch.tensor(ids), -torch.inf))
    try:
        yield
    finally:
        handle.remove()


def test_captions_that_are_empty_never_end_or_lack_the_token(model, data, whole):
    """One model of each kind, made from the toy by its own logits."""
    few = data.select([list(data["id"]).index(i) for i in whole.sample_ids[:3]])
    end = model.tokenizer.eos_token_id
    with never_saying(model, [end]):
        endless = nbt.extract(model, few, "dog", progress=False, stop_early=False, max_new_tokens=60)
    assert endless.sample_ids == whole.sample_ids[:3] and all(
        len(c) > len(w) for c, w in zip(endless.captions, whole.captions, strict=False)
    )
    dog = {i for v in whole.source.token_ids for i in v}
    with never_saying(model, sorted(dog)), pytest.raises(nbt.NbtoolkitError, match="The model never says 'dog'"):
        nbt.extract(model, few, "dog", progress=False)
    with (
        never_saying(model, [i for i in range(model.head.weight.shape[0]) if i != end]),
        pytest.raises(nbt.NbtoolkitError, match="for example, the token is not in the response ''"),
    ):
        nbt.extract(model, few, "dog", progress=False)


def test_oracle_is_the_unbatched_model(model, data, whole):
    row = {i: k for k, i in enumerate(data["id"])}
    states, at = oracle(model, data[row[whole.sample_ids[1]]]["image"], "dog")
    assert at == whole.positions[1]
    np.testing.assert_allclose(whole.states[1, 2], states[2], atol=2e-5)
