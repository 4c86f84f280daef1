"""The map: places with known distances, what captions lack, bounded choices, factors of a data set, degenerate studies."""

import base64
import dataclasses

import datasets
import numpy as np
import pytest
import traitlets

import nbtoolkit as nbt
from nbtoolkit.strict_json import encodable
from nbtoolkit.widgets import ConceptMap, Explorer, concept_map, maps_2d, requests
from nbtoolkit.widgets.bulk import embedded
from nbtoolkit.widgets.factors import factors_of


def dictionary(activations, concepts=None):
    V = np.asarray(activations, np.float32)
    D = np.eye(V.shape[1], max(2, V.shape[1])) if concepts is None else concepts
    return nbt.ConceptDictionary(D, V, [f"s{i}" for i in range(len(V))], 1, "SemiNMF")


def distances(places):
    return np.linalg.norm(places[:, None] - places[None], axis=-1)


@pytest.mark.parametrize("n", [4, 40])
def test_two_dimensions_are_placed_exactly(n):
    flat = np.random.default_rng(0).normal(size=(n, 2))
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(7, 7)))[0][:2]
    places, share = maps_2d.sample_places(dictionary(flat @ turn))
    np.testing.assert_allclose(distances(places), distances(flat), atol=1e-5)
    assert share.sum() == pytest.approx(1) and share[0] >= share[1]
    again, _ = maps_2d.sample_places(dictionary(flat @ turn))
    assert (again == places).all()


def test_an_activation_counts_by_the_length_of_its_concept():
    places, _ = maps_2d.sample_places(dictionary([[1, 0], [0, 0]], np.array([[3.0, 0], [0, 1]])))
    assert distances(places)[0, 1] == pytest.approx(3)


def test_concepts_are_placed_by_the_correlation_of_their_activations():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 500))
    V = np.stack([a, 5 * a, b, -a, np.ones(500)], 1)
    concepts, places, share = maps_2d.concept_places(dictionary(V))
    assert concepts == [0, 1, 2, 3] and share.sum() == pytest.approx(1, abs=1e-6)  # the constant one has none
    far = distances(places)
    assert far[0, 1] == pytest.approx(0, abs=1e-3) and far[0, 3] == pytest.approx(2, abs=1e-3)
    assert far[0, 2] == pytest.approx(np.sqrt(2 * (1 - np.corrcoef(a, b)[0, 1])), abs=1e-3)


@pytest.mark.parametrize("activations", [[[2.0]], [[1.0], [3.0]], [[0.0, 0.0], [0.0, 0.0]], [[1.0, 2.0, 3.0]]])
def test_degenerate_dictionaries_have_finite_places(activations):
    cd = dictionary(activations)
    places, share = maps_2d.sample_places(cd)
    assert places.shape == (len(activations), 2) and np.isfinite(places).all() and 0 <= share.sum() <= 1 + 1e-9
    concepts, places, share = maps_2d.concept_places(cd)
    assert places.shape == (len(concepts), 2) and np.isfinite(places).all() and np.isfinite(share).all()


def test_a_large_dictionary_and_many_samples_are_bounded(study):
    rng = np.random.default_rng(0)
    V = rng.gamma(1, size=(60, 3000)) * (rng.random((60, 3000)) < 0.01)
    concepts, places, _ = maps_2d.concept_places(dictionary(V, rng.normal(size=(3000, 4))))
    assert len(concepts) <= 1000 and len(places) == len(concepts)
    n = maps_2d.MAX_POINTS + 7
    few = dataclasses.replace(study, dictionaries={1: dictionary(np.ones((n, 1)))}, groundings={1: study.grounding(1)})
    _, (samples, *_, rows) = maps_2d.reply(few, 1)
    rows = np.frombuffer(rows, "<i4")
    assert len(samples) == 8 * maps_2d.MAX_POINTS and rows[0] == 0 and rows[-1] == n - 1 and len(set(rows)) == len(rows)


def test_captions_lack_the_word_in_any_spelling_of_the_study(study):
    def changed(i, captions):
        return dataclasses.replace(study.samples[i], captions=captions)

    first, second = changed(0, ("a cat", "cats")), changed(1, ("a cat", f"two {study.token.upper()}"))
    other = dataclasses.replace(study, samples=(first, second, *study.samples[2:]))
    flags = maps_2d.lacking(other)
    assert flags[0] and not flags[1] and flags.shape == (len(study.samples),)
    given = dataclasses.replace(other.source, decoding="given captions")
    assert maps_2d.lacking(dataclasses.replace(other, source=given)) is None
    bare = [dataclasses.replace(s, captions=()) for s in study.samples]
    assert maps_2d.lacking(dataclasses.replace(study, samples=bare)) is None


def test_a_choice_is_read_as_a_table(study):
    kinds = {"half": ["a", "b"] * (len(study.samples) // 2) + ["a"] * (len(study.samples) % 2)}
    view = ConceptMap(study, layer=4, factors=kinds, map_colour="factor:half", map_filter={"factor": ["half", "b"]})
    frame = view.selection_frame()
    assert set(frame["half"]) == {"b"} and frame.index[0] == study.samples[1].id
    view.lasso = [study.samples[3].id, study.samples[0].id, study.samples[3].id]
    frame = view.selection_frame()
    assert frame.index.tolist() == view.lasso == [study.samples[3].id, study.samples[0].id]
    V = study.dictionary(4).activations
    assert frame["concepts"].iloc[0][0] == np.abs(V[3]).argmax()
    assert frame["activations"].iloc[0][0] == pytest.approx(V[3][frame["concepts"].iloc[0][0]])
    high = ConceptMap(study, layer=4, map_filter={"unexplained": 0.1}).selection_frame()
    assert len(high) == (study.dictionary(4).unexplained > 0.1).sum()


@pytest.mark.parametrize(
    "trait, value, reason",
    [
        ("lasso", ["nobody"], "No sample 'nobody'"),
        ("lasso", [""] * 20_001, "expected at most 20,000"),
        ("lasso_concepts", ["4:99"], "layer:concept"),
        ("lasso_concepts", ["99:0"], "layer:concept"),
        ("lasso_concepts", ["4:-1"], "layer:concept"),
        ("map_window", [0.0, 0.0, 0.0, 1.0], "x0, y0, x1, y1"),
        ("map_window", [float("nan")] * 4, "x0, y0, x1, y1"),
        ("map_colour", "factor:none", "expected one of"),
        ("map_filter", {"path": "/"}, "expected one of"),
        ("map_filter", {"lacking": 1.5}, "expected True or False"),
        ("map_filter", {"unexplained": True}, "expected a share"),
        ("map_filter", {"factor": "a"}, "a name and a value"),
        ("map_filter", {"factor": ["none", "a"]}, "expected one of"),
        ("factors", {"x": ["a"]}, "one text for each"),
        ("factors", {"x": [str(i) for i in range(40)]}, "more than 30 different values"),
    ],
)
def test_what_does_not_fit_is_refused(study, trait, value, reason, monkeypatch):
    monkeypatch.setattr(concept_map, "MAX_VALUES", 30)
    with pytest.raises(traitlets.TraitError, match=reason):
        setattr(ConceptMap(study), trait, value)


def test_a_page_cannot_write_factors(study):
    view = Explorer(study)
    view.send = view.send_state = lambda *_: None
    view.set_state({"factors": {"x": ["a"] * len(study.samples)}, "lasso": [study.samples[2].id]})
    assert view.factors == {} and view.lasso == [study.samples[2].id]


def test_a_factor_that_goes_takes_its_colour_and_filter_along(study):
    kinds = {"half": ["a", "b"] * (len(study.samples) // 2)}
    rule = {"factor": ["half", "b"], "unexplained": 0.0}
    view = ConceptMap(study, factors=kinds, map_colour="factor:half", map_filter=rule)
    view.factors = kinds | {"other": kinds["half"]}
    assert (view.map_colour, view.map_filter) == ("factor:half", rule)
    view.factors = {}
    assert (view.map_colour, view.map_filter) == ("concept", {"unexplained": 0.0})
    assert ConceptMap(study, **view.state()).state() == view.state()


def test_ids_with_lone_surrogates_are_chosen_in_linear_time(study, monkeypatch):
    ids = [f"\ud800{i}" for i in range(len(study.samples))]
    samples = [dataclasses.replace(s, id=i) for i, s in zip(ids, study.samples, strict=True)]
    other = dataclasses.replace(study, samples=samples)
    calls = []
    monkeypatch.setattr(requests, "encodable", lambda text: calls.append(text) or encodable(text))
    assert requests.ids_of(other, [encodable(i) for i in ids[::-1]]) == ids[::-1] and len(calls) == len(ids)
    assert requests.ids_of(study, ["x\ufffd"]) == ["x\ufffd"]


def test_the_filter_of_what_captions_lack(study):
    view = ConceptMap(study, map_filter={"lacking": True})
    flags = maps_2d.lacking(study)
    assert view.selection_frame().index.tolist() == [s.id for s, f in zip(study.samples, flags, strict=True) if f]
    bare = dataclasses.replace(study, samples=[dataclasses.replace(s, captions=()) for s in study.samples])
    assert ConceptMap(bare, map_filter={"lacking": True}).selection_frame().empty


def test_factors_come_from_columns_of_the_data_set(study):
    data = nbt.load_data("toy", n=60)
    own = dataclasses.replace(study.samples[0], id=data[3]["id"])
    other = dataclasses.replace(study, samples=(own, *study.samples[1:]))
    factors = factors_of(other, data)
    assert {len(texts) for texts in factors.values()} == {len(study.samples)}
    assert factors["weather"][0] == data[3]["factors"]["weather"]
    bare = data.remove_columns("factors")
    assert factors_of(study, bare) == {}
    own = [["x", "y"][i % 2] for i in range(60)]
    for column in (own, [o + "x" * 200 for o in own], [{"bytes": o.encode()} for o in own], [[o] for o in own]):
        assert set(factors_of(other, bare.add_column("own", column))) == ({"own"} if column is own else set())
    masks = data.select_columns(["image"]).rename_column("image", "mask")
    assert factors_of(other, datasets.concatenate_datasets([bare, masks], axis=1)) == {}
    assert nbt.explore(other, data=data).factors == factors  # without a model, too


def test_a_page_without_a_kernel_has_the_map(study):
    bulk = embedded(study)
    assert set(bulk["map"]) == {str(layer) for layer in study.layers}
    places = np.frombuffer(base64.b64decode(bulk["map"]["4"]["buffers"][0]), "<f4").reshape(-1, 2)
    np.testing.assert_allclose(places, maps_2d.sample_places(study.dictionary(4))[0], atol=1e-4)
