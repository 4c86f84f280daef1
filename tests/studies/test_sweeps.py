"""Baselines and sweeps: always as many words as asked, nothing computed twice, the same numbers as by hand."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from pandas.testing import assert_frame_equal
from sklearn.decomposition import PCA, SparseCoder

import nbtoolkit as nbt
from nbtoolkit.metrics import active_concepts, explained_variance, overlap
from nbtoolkit.studies import sweeps
from nbtoolkit.text.words import vocabulary


def test_a_sweep_is_a_tidy_table_of_what_one_would_compute_by_hand(model, data, scorer, reps, held):
    test_data, test = held
    table = nbt.sweep(model, reps, layers=[2, -1], methods=["SemiNMF", PCA(2), "LargestNorm"], n_concepts=[3, 5], random_states=[0, 1], test=test,
                      data=data, test_data=test_data, scorer=scorer, progress=False)  # fmt: skip
    assert len(table) == 2 * 3 * 2 * 2
    assert list(table.columns[:6]) == ["token", "layer", "method", "n_concepts", "random_state", "stability"]
    row = table.query("layer == 5 and method == 'SemiNMF' and n_concepts == 5 and random_state == 1").iloc[0]
    cd = nbt.decompose(reps, nbt.SemiNMF(5, random_state=1), layer=-1)
    assert row.reconstruction_error == pytest.approx(cd.reconstruction_error)
    assert row.explained_variance == pytest.approx(
        explained_variance(reps.layer(-1), cd.activations @ cd.concepts).mean, abs=1e-5
    )
    assert 0 < row.stability <= 1 and row.clip_score > row.clip_score_random
    assert row.test_clip_score_low <= row.test_clip_score <= row.test_clip_score_high
    fixed = table.query("method == 'LargestNorm'")
    assert fixed.groupby(["layer", "n_concepts"])["reconstruction_error"].nunique().eq(1).all()
    errors = table.query("method == 'PCA' and random_state == 0 and layer == 5").sort_values("n_concepts")[
        "reconstruction_error"
    ]
    assert errors.is_monotonic_decreasing


def test_nothing_is_computed_twice(model, reps, tmp_path, monkeypatch):
    calls = []
    real = sweeps.decompose
    monkeypatch.setattr(sweeps, "decompose", lambda *a, **k: calls.append(1) or real(*a, **k))
    settings = {"layers": [1, -1], "n_concepts": [3], "cache": tmp_path, "progress": False}
    first = nbt.sweep(model, reps, random_states=[0], **settings)
    assert len(calls) == 2
    again = nbt.sweep(model, reps, random_states=[0], **settings)
    assert len(calls) == 2 and again.equals(first)
    more = nbt.sweep(model, reps, random_states=[0, 1], **settings)
    assert len(calls) == 4 and more.query("random_state == 0").drop(columns="stability").reset_index(drop=True).equals(
        first.drop(columns="stability")
    )
    next(tmp_path.glob("*.json")).write_text("{")
    nbt.sweep(model, reps, random_states=[0, 1], **settings)
    assert len(calls) == 5
    nbt.sweep(model, reps, layers=[1], n_concepts=[3], methods=["LargestNorm"], random_states=[0, 1, 2], progress=False)
    assert len(calls) == 6  # it has no random state


def test_columns_of_a_sweep_by_hand(model, reps, held):
    """The error on test samples is about their mean; active is concepts per sample."""
    test = held[1]
    row = nbt.sweep(model, reps, n_concepts=[4], test=test, progress=False).iloc[0]
    cd = nbt.decompose(reps, nbt.SemiNMF(4, random_state=0))
    Z = test.layer(-1).astype(float)
    error = np.square(Z - cd.encode(test.layer(-1)) @ cd.concepts).sum() / np.square(Z - Z.mean(0)).sum()
    assert row.test_error == pytest.approx(error, rel=1e-4)
    assert row.active == pytest.approx(active_concepts(cd.activations).mean) and row.active > 1


def test_words_of_a_sweep_occur_in_the_captions(model, data):
    """Two concepts of one direction share all words; where no caption has such a word they have none, and no overlap."""
    x = np.random.default_rng(0).normal(size=model.d_model).astype(np.float32)
    reps = nbt.Representations(np.stack([x, 2 * x])[:, None], ["a", "b"], ["a dog"] * 2, [1] * 2, layers=[5])
    settings = {"methods": ["LargestNorm"], "n_concepts": [2], "progress": False}
    first = nbt.ground(nbt.decompose(reps, nbt.LargestNorm(1)), model).words[0][0]
    for caption, expected in (("a zymurgist", np.nan), (f"a {first}", 1)):
        captions = data.select([0]).map(lambda _, text=caption: {"captions": [text]}, keep_in_memory=True)
        np.testing.assert_equal(nbt.sweep(model, reps, data=captions, **settings)["overlap"][0], expected)
    assert nbt.sweep(model, reps, **settings)["overlap"][0] == 1


def test_other_states_of_the_same_samples_are_another_row(model, reps, tmp_path):
    """A checkpoint that was trained further may have the same name; its states tell."""
    settings = {"layers": [3], "methods": ["LargestNorm"], "n_concepts": [3], "cache": tmp_path, "progress": False}
    before = nbt.sweep(model, reps, **settings)
    moved = dataclasses.replace(reps, states=reps.states + np.float32(1))
    after, expected = nbt.sweep(model, moved, **settings), nbt.decompose(moved, nbt.LargestNorm(3), layer=3)
    assert after["reconstruction_error"][0] == expected.reconstruction_error != before["reconstruction_error"][0]
    assert len(list(tmp_path.glob("*.json"))) == 2


def test_every_state_of_training_and_test_samples_is_in_the_key(model, reps, held, tmp_path):
    """Also of the last training sample, and of test samples, which the row depends on."""
    test = held[1]
    settings = {"layers": [3], "methods": ["LargestNorm"], "n_concepts": [3], "cache": tmp_path, "progress": False}
    first = nbt.sweep(model, reps, test=test, **settings)
    states = np.array(reps.states)
    states[-1] *= 2
    moved = dataclasses.replace(reps, states=states)
    assert nbt.sweep(model, moved, test=test, **settings)["reconstruction_error"][0] != first["reconstruction_error"][0]
    shifted = dataclasses.replace(test, states=test.states * 3 + 1)
    again, fresh = (
        nbt.sweep(model, reps, test=shifted, **settings),
        nbt.sweep(model, reps, test=shifted, **{**settings, "cache": None}),
    )
    assert again["test_error"][0] == fresh["test_error"][0] != first["test_error"][0]
    assert len(list(tmp_path.glob("*.json"))) == 3


def test_another_filter_or_scorer_is_another_row(model, data, reps, scorer, tmp_path):
    """The scorer by its weights, not its name: a scorer that was trained again gives other scores."""
    settings = {"n_concepts": [3], "data": data, "cache": tmp_path, "progress": False}
    first = nbt.sweep(model, reps, scorer=scorer, **settings)
    paper = nbt.sweep(model, reps, scorer=scorer, filter="paper", **settings)
    assert len(list(tmp_path.glob("*.json"))) == 2
    g = nbt.ground(nbt.decompose(reps, nbt.SemiNMF(3, random_state=0)), model, filter="paper",
                   vocabulary=vocabulary(data["captions"]))  # fmt: skip
    assert paper["overlap"][0] == pytest.approx(overlap([words[:10] for words in g.words]).mean)
    other = nbt.load_scorer("toy")
    assert other.digest == scorer.digest
    with torch.no_grad():
        next(p for n, p in other.hf.named_parameters() if n.startswith("text_projection")).mul_(-1)
    other.__dict__.pop("digest")
    again = nbt.sweep(model, reps, scorer=other, **settings)
    assert other.digest != scorer.digest and len(list(tmp_path.glob("*.json"))) == 3
    assert again["clip_score"][0] != first["clip_score"][0]


def test_an_interrupted_sweep_keeps_its_rows(model, reps, tmp_path):
    def stop(done, _):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        nbt.sweep(model, reps, layers=[1, 2, 3], n_concepts=[3], cache=tmp_path, progress=stop)
    assert len(list(tmp_path.glob("*.json"))) == 2


def test_several_tokens(model, data, reps):
    cat = nbt.extract(model, data, "cat", progress=False)
    table = nbt.sweep(model, {"dog": reps, "cat": cat}, n_concepts=[3], progress=False)
    assert table["token"].tolist() == ["dog", "cat"] and table["reconstruction_error"].nunique() == 2


def test_settings_that_a_method_cannot_take(model, reps):
    with pytest.raises(nbt.NbtoolkitError, match="n_concepts is 0; expected a whole number of at least 1"):
        nbt.sweep(model, reps, n_concepts=[0], progress=False)
    with pytest.raises(
        nbt.NbtoolkitError, match="SparseCoder has no n_components; expected n_components or n_clusters"
    ):
        nbt.sweep(model, reps, methods=[SparseCoder(np.eye(2, 128))], n_concepts=[2], progress=False)
    with pytest.raises(nbt.NbtoolkitError, match="No decomposition named 'Kmean'"):
        nbt.sweep(model, reps, methods=["Kmean"], progress=False)
    with pytest.raises(
        nbt.NbtoolkitError,
        match=r"NMF needs non-negative data, and Z at layer \d has \d+% negative entries. Use SemiNMF",
    ):
        from sklearn.decomposition import NMF

        nbt.sweep(model, reps, methods=[NMF()], n_concepts=[3], progress=False)


def test_a_damaged_row_of_a_cache_is_computed_again(model, reps, tmp_path):
    """One flipped bit in a number is a number, so only the checksum tells; rows of earlier releases have none."""
    settings = {"layers": [3], "methods": ["LargestNorm"], "n_concepts": [3], "cache": tmp_path, "progress": False}
    table = nbt.sweep(model, reps, **settings)
    (file,) = tmp_path.glob("*.json")
    whole = file.read_text()
    row = json.loads(whole)
    changes = [
        json.dumps(row | {"row": {**row["row"], "reconstruction_error": 0.123}}),
        json.dumps(row | {"concepts": {}}),
        json.dumps([row]),
        "[" * 10_000,
        "",
    ]
    for text in changes:
        file.write_text(text)
        assert_frame_equal(nbt.sweep(model, reps, **settings), table)
        assert file.read_text() == whole
    del row["check"]
    file.write_text(json.dumps(row | {"row": {**row["row"], "reconstruction_error": 0.123}}))
    assert nbt.sweep(model, reps, **settings)["reconstruction_error"][0] == 0.123
