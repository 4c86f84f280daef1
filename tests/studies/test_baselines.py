"""Baselines: random words through the same filter, noise images through the same pipeline."""

import re

import numpy as np
import pytest
from PIL import Image

import nbtoolkit as nbt
from nbtoolkit.grounding import FILTERS
from nbtoolkit.studies import baselines


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


def test_random_words_of_a_study_are_drawn_once_and_are_those_of_each_layer(model, reps):
    few, many = (
        nbt.ground(nbt.decompose(reps, nbt.SemiNMF(k, random_state=0), layer=layer), model)
        for k, layer in ((3, 2), (6, 5))
    )
    lists = baselines.RandomWords(model, n_words=4)
    for g in (few, many, few):
        expected = [words[:4] for words in baselines.random_words(model, g).words]
        assert lists(g) == expected
    assert lists(nbt.Grounding([[], []], [[], []])) == [[], []]


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


def test_shards_of_noise_are_read_again(model, data, reps, tmp_path):
    first = baselines.noise_representations(model, data, reps, progress=False, out=tmp_path)
    written = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.safetensors")}
    again = baselines.noise_representations(model, data, reps, progress=False, out=tmp_path)
    assert written and {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.safetensors")} == written
    np.testing.assert_array_equal(first.states, again.states)


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
