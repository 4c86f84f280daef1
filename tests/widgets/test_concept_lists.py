"""A dictionary of 16,384 concepts in a view: small first messages, others by number or search, nothing lost."""

import json
import time

import numpy as np
import pytest
import traitlets

import nbtoolkit as nbt
from nbtoolkit.grounding import exemplars as strongest_samples
from nbtoolkit.widgets import concept_lists, payloads

N, D, SAMPLES, USED = 16_384, 64, 300, 32


@pytest.fixture(scope="module")
def large():
    rng = np.random.default_rng(0)
    V = np.zeros((SAMPLES, N), np.float32)
    for row in V:
        row[rng.choice(N, USED, replace=False, p=np.arange(N, 0, -1) / (N * (N + 1) / 2))] = rng.exponential(2, USED)
    ids = [f"s{i}" for i in range(SAMPLES)]
    cd = nbt.ConceptDictionary(rng.normal(size=(N, D)), V, ids, 1, "SparseAutoencoder", unexplained=rng.random(SAMPLES))
    exemplars = strongest_samples(cd, 8)
    words = [[f"word{k}x{j}" for j in range(15)] for k in range(N)]
    samples = [nbt.storage.study.Sample(i, f"a caption of sample {i}, of usual length", pieces=("a", "b")) for i in ids]
    reps = nbt.Representations(rng.normal(size=(SAMPLES, 2, D)), ids, ["a"] * SAMPLES, [0] * SAMPLES)
    return nbt.Study("dog", {1: cd}, {1: nbt.Grounding(words, exemplars)}, samples, reps)


def size(message):
    return len(json.dumps(message, ensure_ascii=False).encode())


def test_first_messages_are_small_and_quick(large):
    for make in (lambda: payloads.outline(large), lambda: payloads.one_layer(large, 1)):
        start = time.process_time()
        message = make()
        assert time.process_time() - start < 1 and size(message) < 2e6
    assert len(message["concepts"]) == concept_lists.N_LISTED and message["concepts"][0]["n"] == N
    energy = concept_lists.energy(large.dictionary(1))
    assert concept_lists.energy(large.dictionary(1)) is energy  # one pass over all activations, not one per message
    listed = [c["k"] for c in message["concepts"]]
    assert energy[listed].min() >= np.delete(energy, listed).max()


def test_activations_come_in_parts_without_their_zeros(large):
    cd, at, V, rest = large.dictionary(1), 0, np.zeros((SAMPLES, N), np.float32), []
    while at < SAMPLES:
        about, parts = payloads.activations(cd, at, 20_000)
        assert sum(map(len, parts)) < 25_000 and about["shape"] == [SAMPLES, N]
        values, shares, ks, counts = (
            np.frombuffer(p, t) for p, t in zip(parts, ("<f4", "<f4", "<i4", "<i4"), strict=True)
        )
        V[np.repeat(np.arange(at, at + len(counts)), counts), ks] = values
        rest, at = [*rest, *shares], at + len(counts)
    np.testing.assert_array_equal(V, cd.activations)
    np.testing.assert_array_equal(rest, np.asarray(cd.unexplained, np.float32))


def test_other_concepts_by_number_and_search(large):
    view = nbt.widgets.Explorer(large, layer=1, labels={"1:16000": "rare thing"})
    quick = view._requests.quick()
    content, _ = quick["concepts"](layer=1, numbers=[16_000, 3])
    assert [c["k"] for c in content["concepts"]] == [16_000, 3] and content["concepts"][0]["words"][0] == "word16000x0"
    for query in ("word16000x3", "RARE", "rare word16000x0"):
        content, _ = quick["search"](layer=1, query=query)
        assert [c["k"] for c in content["concepts"]] == [16_000], query
    content, _ = quick["search"](layer=1, query="caption s7,")
    g = large.grounding(1)
    assert [c["k"] for c in content["concepts"]] == [k for k in range(N) if "s7" in g.exemplars[k]][
        : concept_lists.N_LISTED
    ]
    with pytest.raises(nbt.NbtoolkitError, match="number is 16384; expected 0 … 16383"):
        quick["concepts"](layer=1, numbers=[N])
    view.close()


def test_a_search_has_the_matches_by_words_before_those_by_captions(large, monkeypatch):
    g, energy = large.grounding(1), concept_lists.energy(large.dictionary(1))
    by_caption = [k for k in range(N) if "s7" in g.exemplars[k]]
    weakest = min(range(N), key=energy.__getitem__)
    words = [[*row, "s7,"] if k == weakest else row for k, row in enumerate(g.words)]
    study = nbt.Study(
        "dog", large.dictionaries, {1: nbt.Grounding(words, g.exemplars)}, large.samples, large.representations
    )
    monkeypatch.setattr(concept_lists, "N_LISTED", 5)
    rows = concept_lists.search(study, 1, "s7,", {})
    assert weakest in rows and len(rows) == 5 and set(rows) - {weakest} <= set(by_caption)


def test_a_page_has_the_strongest_and_those_of_its_samples(large, tmp_path):
    content = payloads.content(large)["concepts"]["1"]
    listed = {c["k"] for c in content}
    V = large.dictionary(1).activations
    assert all(set(np.argsort(-row)[:3].tolist()) <= listed for row in V) and len(listed) < N / 2
    path = nbt.widgets.Explorer(large, layer=1).to_html(tmp_path / "x.html")
    assert path.stat().st_size < 4e6


def test_small_dictionaries_are_sent_whole(study):
    concepts = payloads.one_layer(study, 4)["concepts"]
    assert len(concepts) == 8 and "k" not in concepts[0]
    assert len(payloads.activations(study.dictionary(4))[1]) == 2


def test_a_comparison_is_of_the_strongest_concepts_by_their_own_numbers(large):
    start = time.process_time()
    view = nbt.widgets.DictionaryComparison(large, layers=(1, 1))
    assert time.process_time() - start < 20 and size(view._meta) < 2e6
    rows = concept_lists.strongest(large.dictionary(1))
    assert [pair[:2] for pair in sorted(view._meta["pairs"])] == [[k, k] for k in rows]
    assert view.agreement.score.mean == pytest.approx(1)
    outside = next(k for k in range(N) if k not in rows)
    with pytest.raises(traitlets.TraitError, match="that are compared"):
        view.pair = [outside, rows[0]]
