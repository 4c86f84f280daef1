"""Baselines and sweeps: always as many words as asked, nothing computed twice, the same numbers as by hand."""

import dataclasses
import re

import numpy as np
import pytest
from PIL import Image
from sklearn.decomposition import PCA

import nbtoolkit as nbt
from nbtoolkit.grounding import FILTERS
from nbtoolkit.metrics import (
    active_concepts,
    caption_clip_score,
    explained_variance,
    of_top_concepts,
    top_words_bert_score,
    top_words_clip_score,
)
from nbtoolkit.studies import baselines, sweeps


@pytest.fixture(scope="module")
def held(model):
    data = nbt.load_data("toy", split="test", n=300)
    return data, nbt.extract(model, data, "dog", progress=False)


def test_random_words_are_as_many_and_pass_the_filter(model, reps):
    g = nbt.ground(nbt.decompose(reps, nbt.SemiNMF(8, random_state=0), layer=-1), model)
    a, b = (baselines.random_words(model, g, random_state=s) for s in (0, 1))
    assert [len(w) for w in a.words] == [len(w) for w in g.words] and a.exemplars == g.exemplars
    assert (
        a.words != b.words and a.words != g.words and a.words == baselines.random_words(model, g, random_state=0).words
    )
    rule = FILTERS["default"]
    assert all(rule.accepts(w, begins_word=True) and len(set(row)) == len(row) for row in a.words for w in row)
    some = nbt.Grounding([["dog", "cat"]], [["x"]])
    assert set(baselines.random_words(model, some, vocabulary=["dog", "cat", "bus"]).words[0]) <= {"dog", "cat", "bus"}
    with pytest.raises(
        nbt.NbtoolkitError, match="Concept 0 has 2 words, and only 1 of the model's tokens pass the filter"
    ):
        baselines.random_words(model, some, vocabulary=["dog"])


def test_noise_goes_through_the_same_pipeline(model, data, reps):
    noise = baselines.noise_representations(model, data, reps, progress=False)
    assert noise.sample_ids == reps.sample_ids and noise.positions == reps.positions and noise.layers == reps.layers
    np.testing.assert_allclose(
        noise.layer(0), reps.layer(0), atol=1e-5
    )  # the word before is the same, the picture is not
    assert np.linalg.norm(noise.layer(-1) - reps.layer(-1), axis=1).min() > 1
    pictures = baselines.noise_images(data.select(range(3)))
    assert (
        pictures[0]["image"].size == data[0]["image"].size
        and pictures["captions"][:] == data.select(range(3))["captions"][:]
    )
    assert np.asarray(pictures[0]["image"]).std() > 60


def test_random_words_are_the_top_words_of_random_directions(model, data):
    """By hand: rank the tokens for the same directions, keep the whole words of three letters that are in the vocabulary."""
    pieces = model.tokenizer.convert_ids_to_tokens(list(range(len(model.tokenizer))))
    texts = [model.tokenizer.decode([i]).strip().lower() for i in range(len(pieces))]
    head, stop_words = model.head.weight.detach().numpy(), nbt.WordFilter("default").stop_words
    vocabulary = set(re.findall(r"[a-z]+", " ".join(text for group in data["captions"] for text in group).lower()))
    filters = {
        "none": lambda i: texts[i].isalpha(),
        "paper": lambda i: texts[i].isalpha() and len(texts[i]) >= 3 and texts[i] not in stop_words,
        "default": lambda i: pieces[i][0] == "Ġ" and filters["paper"](i),
    }
    like, results = nbt.Grounding([["x"] * 12, ["x"] * 12], [["a"], ["b"]]), []
    directions = np.random.default_rng(3).normal(size=(2, model.d_model)).astype(np.float32)
    for name, accepts in filters.items():
        for words in (None, vocabulary):
            expected = []
            for direction in directions:
                ranked = np.argsort(-head @ direction, kind="stable")
                row = [texts[i] for i in ranked if accepts(i) and (words is None or texts[i] in words)]
                expected.append(list(dict.fromkeys(row))[:12])
            random = baselines.random_words(model, like, filter=name, vocabulary=words, random_state=3)
            assert random.words == expected
            results.append(random.words)
    assert all(
        a != b for i, a in enumerate(results) for b in results[:i]
    )  # each filter and the vocabulary make a difference


def test_noise_images_are_small_and_each_its_own(data):
    """Of the image's shape, at most 256 pixels a side, every value from 0 to 255 alike."""
    wide = data.select(range(2)).map(lambda _: {"image": Image.new("RGB", (600, 300))}, keep_in_memory=True)
    a, b = (np.asarray(image) for image in baselines.noise_images(wide)["image"])
    assert a.shape == b.shape == (128, 256, 3) and (a == b).mean() < 0.01
    np.testing.assert_allclose(np.bincount(a.ravel() // 64) / a.size, 0.25, atol=0.01)


def test_scores_of_top_concepts():
    V = np.array([[3.0, -5.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    S = np.array([[0.1, 0.5, 0.9], [0.2, 0.6, 0.9], [0.3, 0.7, 0.9]])
    assert of_top_concepts(V, S).values[:2].tolist() == [0.5, 0.2] and np.isnan(of_top_concepts(V, S).values[2])
    np.testing.assert_allclose(of_top_concepts(V, S, 2).values[:2], [0.3, 0.2])
    S[0, 1] = np.nan
    assert np.isnan(of_top_concepts(V, S).values[0]) and of_top_concepts(V, S, 2).values[0] == pytest.approx(0.1)
    with pytest.raises(nbt.NbtoolkitError, match="do not fit; expected one shape, and r between 1 and n_concepts"):
        of_top_concepts(V, S, 4)


def test_test_scores_read_ten_words_and_the_mean_over_captions():
    words, texts = [[*"abcdefghijkl"]], []

    def embed(some):
        texts.extend(some)
        return np.array([[1.0, 0.0] if text != "off" else [0.0, 1.0] for text in some])

    assert top_words_clip_score(np.ones((1, 1)), words, np.eye(1, 2), embed).values.tolist() == [2.5]
    assert texts == ["a, b, c, d, e, f, g, h, i, j"]
    captions = caption_clip_score([["on", "off", "on"], ["off"], []], np.eye(1, 2).repeat(3, 0), embed)
    np.testing.assert_allclose(captions.values, [2.5 * 2 / 3, 0, np.nan])
    texts.clear()
    top_words_bert_score(np.ones((1, 1)), words, [["on"]], lambda some: [(np.eye(1), np.ones(1)) for _ in embed(some)])
    assert texts[0] == "a, b, c, d, e, f, g, h, i, j"


def test_own_captions_beat_concepts_and_concepts_beat_random_words(model, scorer, held, reps):
    """Table 1 of the paper, on the embedded world: the order of its columns."""
    data, test = held
    place = {i: k for k, i in enumerate(data["id"])}
    pictures = scorer.images([data[place[i]]["image"] for i in test.sample_ids])
    cd = nbt.decompose(reps, nbt.SemiNMF(12, random_state=0), layer=-1)
    g = nbt.ground(cd, model)
    V = cd.encode(test.layer(-1))
    ours = top_words_clip_score(V, g.words, pictures, scorer.texts)
    random = top_words_clip_score(V, baselines.random_words(model, g).words, pictures, scorer.texts)
    upper = caption_clip_score(test.references, pictures, scorer.texts)
    assert random.mean < ours.mean < upper.mean
    assert nbt.compare(ours, random).t_p < 1e-3 and nbt.compare(ours, random).permutation_p < 1e-3


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
    """Two concepts of one direction share all words, and none where no caption has such a word."""
    x = np.random.default_rng(0).normal(size=model.d_model).astype(np.float32)
    reps = nbt.Representations(np.stack([x, 2 * x])[:, None], ["a", "b"], ["a dog"] * 2, [1] * 2, layers=[5])
    settings = {"methods": ["LargestNorm"], "n_concepts": [2], "progress": False}
    first = nbt.ground(nbt.decompose(reps, nbt.LargestNorm(1)), model).words[0][0]
    for caption, overlap in (("a zymurgist", 0), (f"a {first}", 1)):
        captions = data.select([0]).map(lambda _, text=caption: {"captions": [text]}, keep_in_memory=True)
        assert nbt.sweep(model, reps, data=captions, **settings)["overlap"][0] == overlap
    assert nbt.sweep(model, reps, **settings)["overlap"][0] == 1


def test_other_states_of_the_same_samples_are_another_row(model, reps, tmp_path):
    """A checkpoint that was trained further may have the same name; its states tell."""
    settings = {"layers": [3], "methods": ["LargestNorm"], "n_concepts": [3], "cache": tmp_path, "progress": False}
    before = nbt.sweep(model, reps, **settings)
    moved = dataclasses.replace(reps, states=reps.states + np.float32(1))
    after, expected = nbt.sweep(model, moved, **settings), nbt.decompose(moved, nbt.LargestNorm(3), layer=3)
    assert after["reconstruction_error"][0] == expected.reconstruction_error != before["reconstruction_error"][0]
    assert len(list(tmp_path.glob("*.json"))) == 2


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
    with pytest.raises(nbt.NbtoolkitError, match="No decomposition named 'Kmean'"):
        nbt.sweep(model, reps, methods=["Kmean"], progress=False)
    with pytest.raises(
        nbt.NbtoolkitError,
        match=r"NMF needs non-negative data, and Z at layer \d has \d+% negative entries. Use SemiNMF",
    ):
        from sklearn.decomposition import NMF

        nbt.sweep(model, reps, methods=[NMF()], n_concepts=[3], progress=False)
