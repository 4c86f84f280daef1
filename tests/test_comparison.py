"""Two dictionaries: planted matches are recovered, against their null, and the view shows both sides."""

import json
import re

import numpy as np
import pytest
import traitlets

import nbtoolkit as nbt
from nbtoolkit.metrics import compare_dictionaries
from nbtoolkit.widgets import DictionaryComparison


@pytest.fixture
def planted(rng):
    """A dictionary, and the same one reordered, with one concept exchanged for another."""
    U, V = rng.normal(size=(6, 300)), rng.gamma(1, size=(80, 6)) * (rng.random((80, 6)) < 0.4)
    order = rng.permutation(6)
    W, X = U[order].copy(), V[:, order].copy()
    stranger = int(np.flatnonzero(order == 0)[0])
    W[stranger], X[:, stranger] = rng.normal(size=300), rng.permutation(V[:, 0])
    ids = [f"s{i}" for i in range(80)]
    return (
        nbt.ConceptDictionary(U, V, ids, 3, "SemiNMF"),
        nbt.ConceptDictionary(W, X, ids, 3, "SemiNMF"),
        order,
        stranger,
    )


@pytest.mark.parametrize("measure", ["cosine", "activation"])
def test_planted_matches_are_recovered(planted, measure):
    a, b, order, _ = planted
    agreement = compare_dictionaries(a, b, measure=measure)
    assert [order[j] for j in agreement.partners] == list(range(6))
    assert (agreement.values[1:] > 0.99).all() and agreement.values[0] < 0.5
    assert agreement.null.mean < 0.35 < agreement.score.mean and agreement.similarity.shape == (6, 6)
    np.testing.assert_allclose(agreement.similarity[np.arange(6), agreement.partners], agreement.values, atol=1e-12)


def test_activation_similarity_equals_numpys_correlation(planted):
    a, b, _, _ = planted
    expected = np.corrcoef(a.activations.T, b.activations.T)[:6, 6:]
    np.testing.assert_allclose(compare_dictionaries(a, b, measure="activation").similarity, expected, atol=1e-5)


@pytest.mark.parametrize("measure", ["cosine", "activation"])
def test_the_null_mixes_entries_of_each_concept_or_the_samples_of_all(rng, measure):
    """Two equal concepts stay equal when samples are mixed for all concepts together, and part when entries are mixed."""
    row, column = rng.normal(size=(1, 50)), rng.normal(size=(40, 1))
    twins = nbt.ConceptDictionary(np.repeat(row, 2, 0), np.repeat(column, 2, 1), [f"s{i}" for i in range(40)], 3, "PCA")
    null = compare_dictionaries(twins, twins, measure=measure).null
    pairs = null.values.reshape(20, 2)  # twenty shuffles of two concepts
    assert np.allclose(pairs[:, 0], pairs[:, 1]) is (measure == "activation")
    assert abs(null.mean) < 0.3 and null.std > 0.05


def test_the_measure_suits_the_dictionaries(planted):
    a, b, _, _ = planted
    deeper = nbt.ConceptDictionary(b.concepts, b.activations, b.sample_ids, 4, "SemiNMF")
    assert compare_dictionaries(a, b).measure == "cosine" and compare_dictionaries(a, deeper).measure == "activation"
    dead = nbt.ConceptDictionary(0 * a.concepts, 0 * a.activations, a.sample_ids, 3, "SemiNMF")
    assert (compare_dictionaries(a, dead).values == 0).all()


def test_refusals(planted):
    a, b, _, _ = planted
    narrow = nbt.ConceptDictionary(b.concepts[:, :7], b.activations, b.sample_ids, 3, "SemiNMF")
    with pytest.raises(nbt.NbtoolkitError, match="widths 300 and 7; expected one width. Use measure='activation'"):
        compare_dictionaries(a, narrow, measure="cosine")
    strangers = nbt.ConceptDictionary(b.concepts, b.activations, [f"x{i}" for i in range(80)], 4, "SemiNMF")
    with pytest.raises(nbt.NbtoolkitError, match="0 samples in common; expected at least 3"):
        compare_dictionaries(a, strangers)
    with pytest.raises(nbt.NbtoolkitError, match="measure is 'angle'; expected 'auto', 'cosine' or 'activation'"):
        compare_dictionaries(a, b, measure="angle")


def test_the_view_of_two_layers(study):
    w = DictionaryComparison(study, layers=(2, 4))
    assert w.agreement.measure == "activation" and len(json.dumps(w._meta)) < 300_000
    assert [len(side["concepts"]) for side in w._meta["sides"]] == [8, 8] and w.pair == w._meta["pairs"][0][:2]
    values = [p[2] for p in w._meta["pairs"]]
    assert values == sorted(values, reverse=True) and "layer 2" in repr(w)
    same = DictionaryComparison(study, study, layers=(3, 3))
    assert same.agreement.score.mean == pytest.approx(1) and len(same._meta["samples"]) == 2 * len(study.samples)
    assert repr(DictionaryComparison(study)) == repr(DictionaryComparison(study, layers=(study.layers[-1],) * 2))
    with pytest.raises(nbt.NbtoolkitError, match="was given a str; expected studies"):
        DictionaryComparison(study, "other")


def test_thumbnails_of_both_sides(study):
    w = DictionaryComparison(study, study)
    sent = []
    w.send = lambda content, buffers=None: sent.append((content, buffers))
    w._channel.receive(w, {"kind": "request", "id": 3, "op": "thumbs", "args": {"rows": [0, len(study.samples)]}}, [])
    (content, buffers) = sent[0]
    caption = study.samples[0].caption
    expected = {"rows": [0, len(study.samples)], "captions": [caption, caption], "aspects": [1.0, 1.0]}
    assert content["data"] == expected and len(buffers) == 1


def test_the_comparison_is_a_view_like_the_others(study, tmp_path):
    w = DictionaryComparison(study, layers=(2, 4), threshold=0.3, names=("two", "four"))
    w.pair = [None, 5]
    again = DictionaryComparison(study, **json.loads(json.dumps(w.state())))
    assert again.state() == w.state() and again._meta == w._meta
    page = w.to_html(tmp_path / "two.html").read_text("utf-8")
    state = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])["state"]
    assert state["pair"] == [None, 5] and state["threshold"] == 0.3
    traitlets.link((w, "pair"), (again, "pair"))
    w.pair = [1, 1]
    assert again.pair == [1, 1]
    still = w.snapshot(2)._repr_html_()
    assert still.count("<img") == 2 and "two and four" in still and "<script" not in still
    bundle = w._repr_mimebundle_()[0]
    assert bundle["text/plain"] == repr(w) and len(bundle["text/html"]) < 60_000
    sent = []
    w.send = lambda content, buffers=None: sent.append(content)
    w.observe(lambda change: 1 / 0, "threshold")
    with pytest.raises(ZeroDivisionError):
        w.threshold = 0.5
    assert sent == [{"kind": "failure", "text": "ZeroDivisionError: division by zero"}]
    w.close()
    assert w._meta == {} and w._samples == [] and "closed" in repr(w)


def test_wrong_options_of_the_comparison_are_refused(study):
    with pytest.raises(TypeError, match=r"DictionaryComparison has no option 'layer'. Did you mean 'layers'\?"):
        DictionaryComparison(study, layer=3)
    w = DictionaryComparison(study)
    with pytest.raises(traitlets.TraitError, match=r"pair is \[8, 0\]; expected a row of A \(0 … 7\)"):
        w.pair = [8, 0]
    with pytest.raises(traitlets.TraitError, match="threshold is 2.0; expected a number from -1 to 1"):
        w.threshold = 2
