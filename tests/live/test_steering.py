"""Steering in a view is the steering of the interventions, beside random directions of the same norm."""

import json
from dataclasses import replace

import numpy as np
import pytest

import nbtoolkit as nbt
from nbtoolkit.interventions import ablate, concept_unit, steer, word_contrast
from nbtoolkit.live import Session, edited, operations, precomputed, steering

MLP = {"op": "ablate", "layers": [2], "part": "mlp"}
WIND = np.random.default_rng(0).normal(size=128)


@pytest.fixture(scope="module")
def live(model, study, data):
    return Session(model, study, data, directions={"wind": WIND})


@pytest.fixture
def sample(study):
    return study.samples[0].id


def edit(strength=2.0, layer=4, positions="all", **what):
    return {"op": "steer", "layer": layer, "strength": strength, "positions": positions, **(what or {"concept": 1})}


@pytest.mark.parametrize("positions", ["all", "image", "after"])
@pytest.mark.parametrize("ablations", [(), (MLP,)])
def test_a_steered_response_is_that_of_generate_under_the_intervention(
    live, model, study, sample, positions, ablations
):
    own = [
        *ablations,
        edit(-2, positions=positions),
        edit(3, 3, word="snow"),
        edit(0.5, 0, positions, direction="wind"),
    ]
    result = steering.steer(live, sample=sample, edits=own, at=4, draws=2)
    plain = operations.ablate(live, sample=sample, edits=own, at=4)
    control = result.pop("control")
    assert result.pop("units")[2] == "the direction as given"
    np.testing.assert_allclose(result.pop("activations"), plain.pop("activations"), atol=1e-3)
    assert result.pop("after") == pytest.approx(plain.pop("after"), abs=1e-4) and result == plain
    assert len(control["responses"]) == len(control["after"]) == 2 and control["changed"] in (0, 1, 2)


def test_it_equals_the_call_from_python(live, model, study, sample):
    target = live.response(sample)
    for strength in (-3, -0.25, 3):
        with ablate(model, [2], part="mlp"), steer(model, 4, concept_unit(study.dictionary(4), 1), strength):
            (after,), (response,) = target.read()[0], target.responses(study.source.max_new_tokens)
        result = live.run("steer", {"sample": sample, "edits": [MLP, edit(strength)], "at": 4})
        assert result["response"] == response and result["after"] == pytest.approx(float(after), abs=1e-4)


def test_controls_are_random_directions_of_the_same_norm(live, model, study, sample):
    vector = 2 * concept_unit(study.dictionary(4), 1)
    (draws,) = steering.random_directions([vector], 4)
    np.testing.assert_allclose(np.linalg.norm(draws, axis=1), np.linalg.norm(vector))
    assert np.abs(draws @ vector).max() < 0.5 * float(vector @ vector)
    control = steering.steer(live, sample=sample, edits=[edit()], at=4)["control"]
    again = steering.steer(live, sample=sample, edits=[edit()], at=4)["control"]
    assert control == again and len(control["after"]) == steering.DRAWS
    target = live.response(sample)
    with steer(model, 4, draws[1]):
        assert control["after"][1] == pytest.approx(float(target.read()[0][0]), abs=1e-4)
        assert control["responses"][1] == target.responses(study.source.max_new_tokens)[0]
    unedited = target.captions[0]
    assert control["changed"] == sum(response != unedited for response in control["responses"])


def test_without_a_draft_the_model_generates(live, sample, monkeypatch):
    own = [MLP, edit(-2, positions="after")]
    quick = steering.steer(live, sample=sample, edits=own, at=4, draws=1)
    monkeypatch.setattr(steering, "draft", lambda *_: None)
    steering._BASES.pop(live)
    whole = steering.steer(live, sample=sample, edits=own, at=4)
    steering._BASES.pop(live)
    assert whole["control"]["responses"] == quick["control"]["responses"] and whole["response"] == quick["response"]
    assert whole["after"] == pytest.approx(quick["after"], abs=1e-4)


def test_units(live, model, study):
    cd = study.dictionary(4)
    own = edited.unit(live, edit(concept=1))
    used = cd.coefficients[:, 1][cd.coefficients[:, 1] > 0]
    np.testing.assert_allclose(own.vector, used.mean() * cd.concept(1), rtol=1e-5)
    snow = edited.unit(live, edit(word="snow"))
    np.testing.assert_allclose(snow.vector, word_contrast(study.representations, "snow", layer=4))
    assert edited.unit(live, edit(-1, word="snow")) is snow  # every stop of the slider has the same one
    rare = edited.unit(live, edit(word="zebra"))
    norms = [np.linalg.norm(concept_unit(cd, k)) for k in range(cd.n_concepts)]
    assert np.linalg.norm(rare.vector) == pytest.approx(np.median(norms), abs=1e-3) and "unembedding" in rare.text
    scope = {"study": study, "model": model, "directions": live.directions} | vars(nbt.interventions)
    for one in (own, snow, rare, edited.unit(live, edit(direction="wind"))):
        np.testing.assert_allclose(eval(one.python, scope), one.vector, rtol=1e-6)


def test_what_does_not_steer_is_refused(live, sample):
    for edits in ([], [MLP], [edit(0)]):
        with pytest.raises(nbt.NbtoolkitError, match="edits has nothing that steers"):
            steering.steer(live, sample=sample, edits=edits)
    with pytest.raises(nbt.NbtoolkitError, match="draws is 17; expected 1 … 16"):
        steering.steer(live, sample=sample, edits=[edit()], draws=17)
    with pytest.raises(nbt.NbtoolkitError, match=r"direction of edits\[0\] is 'rain'"):
        steering.steer(live, sample=sample, edits=[edit(direction="rain")])
    with pytest.raises(nbt.NbtoolkitError, match="cannot spell"):
        steering.steer(live, sample=sample, edits=[edit(word="\ud800")])


def test_without_images_or_edits(live, model, study, sample):
    bare = replace(study, samples=[replace(one, image=b"") for one in study.samples])
    with pytest.raises(
        nbt.NbtoolkitError, match=f"Sample '{sample}' has no image in the study; expected one. Give data"
    ):
        steering.steer(Session(model, bare), sample=sample, edits=[edit()])
    text = live.run("edits_as_python", {"sample": sample, "edits": []})["text"]
    assert "with" not in text and text.splitlines()[-2].startswith("print(targets.responses(")


@pytest.mark.parametrize(("directions", "message"), [
    ([WIND], "directions is a list of 1 entries; expected at most 64 names"),
    ({"wind": WIND[:5]}, r"directions\['wind'\] has shape \(5,\); expected \(128,\)"),
    ({"wind": WIND * 0}, "not all zeros"),
    ({"wind": WIND * np.nan}, r"directions\['wind'\] has NaN"),
    ({"wind": "west"}, r"directions\['wind'\] is 'west'"),
    ({"": WIND}, "A name of directions is ''"),
    ({"wind": WIND, " wind": WIND}, "directions has 'wind' twice"),
])  # fmt: skip
def test_directions_are_checked(model, study, directions, message):
    with pytest.raises(nbt.NbtoolkitError, match=message):
        nbt.explore(study, model, directions=directions)


def test_directions_and_edits_are_state(model, study):
    own = [edit(direction="wind"), edit(-1, word="snow", positions="after")]
    view = nbt.explore(study, model, directions={"wind": WIND}, edits=own)
    assert view.state()["edits"] == own and view._meta["live"]["directions"] == ["wind"]
    with pytest.raises(nbt.NbtoolkitError, match="directions needs a model"):
        nbt.explore(study, directions={"wind": WIND})


def test_a_page_has_what_the_operations_give(live, study, sample):
    result = live.run("interventions_of", {"sample": sample, "at": 4})
    assert len(json.dumps(result)) < 20_000 and result["stops"] == [-2, 2]
    assert result["sweep"] == operations.layer_effects(live, samples=[sample])
    active = live.response(sample).read([4])[1][0]
    used = np.flatnonzero(study.dictionary(4).encode(active)[0])
    assert 0 < len(result["steering"]) <= 5 and {int(k) for k in result["steering"]} <= {*used.tolist()}
    for k, stops in result["steering"].items():
        for strength, stop in zip(result["stops"], stops, strict=True):
            whole = steering.steer(live, sample=sample, edits=[edit(strength, concept=int(k))], at=4, draws=1)
            for name in ("response", "difference", "before", "vanished", "appeared", "layer"):
                assert stop[name] == whole[name]
            for one, other in ((stop, whole), (stop["control"], whole["control"])):
                assert one["after"] == pytest.approx(other["after"], abs=1e-4)
            assert stop["control"]["responses"] == whole["control"]["responses"]
    assert set(live.run("interventions_of", {"sample": sample, "at": 4, "concepts": [3]})["steering"]) == {"3"}


def test_a_page_steers_concepts_that_have_a_unit(live, model, study, data, sample):
    strongest, *rest = live.run("interventions_of", {"sample": sample, "at": 4})["steering"]
    cd = study.dictionary(4)
    unused = np.where(np.arange(cd.n_concepts) == int(strongest), 0, cd.activations)
    dead = replace(study, dictionaries=study.dictionaries | {4: replace(cd, activations=unused)})
    others = Session(model, dead, data)
    assert [*others.run("interventions_of", {"sample": sample, "at": 4})["steering"]][: len(rest)] == rest
    with pytest.raises(nbt.NbtoolkitError, match=f"No sample uses concept {strongest} of layer 4"):
        others.run("interventions_of", {"sample": sample, "at": 4, "concepts": [int(strongest)]})
    nothing = replace(study, dictionaries=study.dictionaries | {4: replace(cd, activations=0 * cd.activations)})
    with pytest.raises(nbt.NbtoolkitError, match="No sample uses a concept of layer 4"):
        steering.steer(Session(model, nothing, data), sample=sample, edits=[edit(word="xylophone")], at=4)


def test_samples_that_are_asked_for_next_share_the_passes(model, study, data, monkeypatch):
    calls, ids = [], [s.id for s in study.samples[:4]]
    sweep = precomputed.OPERATIONS["layer_effects"]
    alone = Session(model, study, data)
    expected = [sweep(alone, samples=[sample]) for sample in ids]

    def count(session, *, samples):
        calls.append(samples)
        return sweep(session, samples=samples)

    monkeypatch.setitem(precomputed.OPERATIONS, "layer_effects", count)
    live = Session(model, study, data)
    results = [
        live.run("interventions_of", {"sample": one, "at": 4, "concepts": [], "ahead": ids})["sweep"] for one in ids
    ]
    assert calls == [ids]
    for result, own in zip(results, expected, strict=True):
        assert {**result, "change": 0, "null": 0} == {**own, "change": 0, "null": 0}
        for part in ("change", "null"):
            np.testing.assert_allclose(result[part], own[part], atol=1e-4)
    with pytest.raises(nbt.NbtoolkitError, match="ahead has 32 entries; expected at most 31"):
        live.run("interventions_of", {"sample": ids[0], "at": 4, "ahead": ids * 8})
    with pytest.raises(nbt.NbtoolkitError, match="No sample 'x' in this study"):
        live.run("interventions_of", {"sample": study.samples[5].id, "at": 4, "ahead": ["x"]})


MEAN = {"op": "ablate", "layers": [1], "part": "attention", "how": "mean"}
HEADS = {"op": "ablate", "layers": [2], "part": "attention", "heads": [0, 1]}


@pytest.mark.parametrize("with_data", [True, False])
def test_edits_as_python_do_the_same(model, study, data, sample, capsys, with_data):
    live = Session(model, study, data if with_data else None, directions={"wind": WIND})
    own = [
        edit(-2, positions="after"),
        MEAN,
        HEADS,
        {"op": "ablate", "layer": 3, "concept": 1},
        edit(1, 3, word="snow"),
    ]
    own += [edit(0.5, 5, "image", direction="wind")]
    for edits in ([], own):
        text = live.run("edits_as_python", {"sample": sample, "edits": edits})["text"]
        exec(text, {"study": study, "model": model, "data": data, "directions": live.directions})
        response, value = capsys.readouterr().out.strip().rsplit("\n", 1)
        result = live.run("ablate", {"sample": sample, "edits": edits})
        assert response == result["response"] and float(value) == pytest.approx(result["after"], abs=1e-4)
