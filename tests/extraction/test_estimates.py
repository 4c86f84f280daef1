"""Estimates of a run, and batches that fit in memory."""

import dataclasses
import logging

import numpy as np
import pytest

import nbtoolkit as nbt
from nbtoolkit.extraction import batch_limits, estimate, estimates
from nbtoolkit.extraction.batch_limits import BatchLimit, chunks
from nbtoolkit.extraction.reader import Reader
from nbtoolkit.models.budget import limited
from nbtoolkit.models.memory import PeakMemory

from ..models.test_zoo import load, told


@pytest.fixture(scope="module")
def toy():
    return nbt.load_model("toy"), nbt.load_data("toy", n=60)


def test_an_estimate_of_the_toy(toy):
    result = estimate(*toy, max_new_tokens=20)
    assert (result.n_images, result.positions, result.batch_size, result.advice) == (60, 64, 32, "")
    inputs = toy[0].inputs([toy[1][0]["image"]])
    with PeakMemory() as memory:
        toy[0].generate(inputs, 20)
    assert 0.5 < result.bytes_per_image / memory.peak < 3
    assert str(result).startswith("64 positions per image; at most ") and " for 60 images (" in str(result)


def test_an_estimate_follows_the_length_of_responses_and_the_kind_of_reading(toy):
    short, long = (estimate(*toy, max_new_tokens=n).seconds_per_image for n in (2, 200))
    assert long > 3 * short
    assert estimate(*toy, captions="given").seconds_per_image < long
    with pytest.raises(dataclasses.FrozenInstanceError):
        estimate(*toy, captions="given").positions = 1


def test_a_long_run_is_told_what_fewer_positions_would_save(monkeypatch):
    model = load("pixtral")
    data, _, _ = told(model)
    monkeypatch.setattr(estimates, "LONG", 0.0)
    monkeypatch.setattr(
        estimates, "_seconds", lambda model, images, _: 2.0 if model.image_limit.tokens is None else 0.5
    )
    result = estimate(model, data)
    assert result.advice == f"max_image_tokens={result.positions // 4} would take 25 % of the time"
    assert str(result).endswith(result.advice)


def test_a_model_that_does_not_fit_says_so(toy, monkeypatch):
    monkeypatch.setattr(estimates, "available_memory", lambda _: 1000)
    result = estimate(*toy)
    assert result.batch_size == 0
    assert result.advice.startswith("a single image does not fit: load the model with dtype='bfloat16'")


def test_only_a_long_run_is_announced(toy, monkeypatch, capsys, caplog):
    settings = {"max_new_tokens": 5}
    nbt.extract(*toy, "dog", progress=True, **settings)
    assert "positions per image" not in capsys.readouterr().out
    monkeypatch.setattr(estimates, "ANNOUNCED", 0.0)
    nbt.extract(*toy, "dog", progress=True, **settings)
    assert "toy: 64 positions per image; at most " in capsys.readouterr().out
    with caplog.at_level(logging.INFO, "nbtoolkit"):
        nbt.extract(*toy, "dog", progress=lambda done, total: None, **settings)
    assert "64 positions per image" in caplog.text
    caplog.clear()
    nbt.extract(*toy, "dog", progress=False, **settings)
    assert not caplog.text and not capsys.readouterr().out


def test_batches_are_as_large_as_memory_allows_and_give_the_same_states(toy, monkeypatch):
    settings = {"progress": False, "max_new_tokens": 10}
    whole = nbt.extract(*toy, "dog", **settings)
    sizes = []
    read = Reader._read
    monkeypatch.setattr(Reader, "_read", lambda self, batch: sizes.append(len(batch.samples)) or read(self, batch))
    inputs = toy[0].inputs([toy[1][0]["image"]])
    with PeakMemory() as memory:
        toy[0].generate(inputs, 10)
    monkeypatch.setattr(batch_limits, "available_memory", lambda _: int(4.5 * memory.peak / batch_limits.SHARE))
    part = nbt.extract(*toy, "dog", **settings)
    assert sizes[0] == 1 and 2 <= max(sizes) <= 4, sizes
    assert part.sample_ids == whole.sample_ids
    np.testing.assert_allclose(part.states, whole.states, atol=2e-5 * np.abs(whole.states).max())


def test_the_limit_is_not_measured_where_there_is_room(toy):
    inputs = toy[0].prepare([toy[1][0]["image"]] * 4)
    assert BatchLimit(toy[0], 40).images(inputs, 32) == 32


def test_a_few_large_images_are_decoded_at_once():
    pixels = [12_000_000] * 6
    room = 2 * 12_000_000 * batch_limits.DECODED * 4
    assert chunks(range(6), pixels, 32, room) == [[0, 1], [2, 3], [4, 5]]
    assert chunks(range(6), pixels, 32, None) == [[0, 1, 2, 3, 4, 5]]
    assert chunks(range(3), pixels, 1, None) == [[0], [1], [2]]
    assert chunks([0], pixels, 32, 10) == [[0]]  # one is always read
    assert chunks([], pixels, 32, 10) == []


def test_a_limit_of_image_positions_is_recorded_and_part_of_the_run(tmp_path):
    model = load("pixtral")
    data, word, _ = told(model)
    settings = {"progress": False, "max_new_tokens": 10, "captions": "given"}
    whole = nbt.extract(model, data, word, out=tmp_path, **settings)
    small = nbt.extract(model, data, word, max_image_tokens=4, **settings)
    assert whole.source.max_image_tokens is None and whole.source.image_options == {}
    assert small.source.max_image_tokens == 4 and small.source.image_options == {"size": {"longest_edge": 16}}
    assert not np.allclose(whole.states, small.states)
    np.testing.assert_allclose(nbt.extract(limited(model, 4), data, word, **settings).states, small.states, atol=1e-5)
    with pytest.raises(nbt.NbtoolkitError, match="max_image_tokens: None there, 4 now"):
        nbt.extract(model, data, word, out=tmp_path, max_image_tokens=4, **settings)
    with pytest.raises(nbt.NbtoolkitError, match="max_image_tokens is 15; expected at least 16"):
        nbt.extract(load("llava"), data, word, max_image_tokens=15, **settings)
