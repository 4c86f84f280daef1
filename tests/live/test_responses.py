"""Operations on many images at once: the numbers are those of one image at a time, with progress, and can be cancelled."""

import threading

import numpy as np
import pytest

import nbtoolkit as nbt
from nbtoolkit.attribution import contributions
from nbtoolkit.interventions import layers as interventions
from nbtoolkit.live import Session, concept_operations, operations, responses
from nbtoolkit.targets import continuations
from nbtoolkit.targets.joining import joined, single

N = 10


@pytest.fixture
def session(model, study, data):
    return Session(model, study, data)


@pytest.fixture
def ids(study):
    return [s.id for s in study.samples[:N]]


def test_maps_of_many_images_are_those_of_each(session, ids):
    reports = []
    many = session.run("concept_maps_of", {"samples": ids, "at": 4}, progress=lambda *now: reports.append(now))
    begin = 0
    for sample, facts in zip(ids, many["maps"], strict=True):
        alone = operations.concept_maps(session, sample=sample, at=4)
        size = np.prod(facts["shape"])
        pixels = np.frombuffer(many["bytes"][begin : begin + size], np.uint8).astype(int)
        assert abs(pixels - np.frombuffer(alone["bytes"], np.uint8)).max() <= 1  # a rounding of 255
        for edge in ("low", "high"):
            np.testing.assert_allclose(facts[edge], alone[edge], rtol=1e-4, atol=1e-4)
        assert {k: facts[k] for k in ("shape", "tiles", "frame", "seen")} == {
            k: alone[k] for k in ("shape", "tiles", "frame", "seen")
        }
        begin += size
    assert begin == len(many["bytes"])
    assert reports[0] == (0, N) and reports[-1] == (N, N) and (responses.CHUNK, N) in reports


def test_of_a_large_dictionary_come_the_maps_that_are_needed(session, ids, study, monkeypatch):
    whole = session.run("concept_maps_of", {"samples": ids[:2], "at": 4})
    monkeypatch.setattr(concept_operations, "strongest", lambda cd: [0])
    part = session.run("concept_maps_of", {"samples": ids[:2], "at": 4, "concepts": [5, 2, 5]})
    assert [m["concepts"] for m in part["maps"]] == [[2, 5]] * 2
    np.testing.assert_allclose(part["maps"][1]["low"], np.array(whole["maps"][1]["low"])[[2, 5]], rtol=1e-5)
    with pytest.raises(nbt.NbtoolkitError, match="expected a concept of the dictionary"):
        session.run("concept_maps_of", {"samples": ids, "at": 4, "concepts": [study.dictionary(4).n_concepts]})


def test_many_images_are_cancelled_between_passes(session, ids):
    stop = threading.Event()
    for name, question in (("concept_maps_of", {"at": 4}), ("layer_effects", {})):
        stop.clear()
        reports = []

        def report(done, total, reports=reports):
            reports.append(done)
            if done:
                stop.set()

        with pytest.raises(nbt.errors.Cancelled, match=f"Stopped after [0-9]+ of {N} images"):
            session.run(name, {"samples": ids} | question, progress=report, cancel=stop)
        assert 0 < reports[-1] < N


def test_an_unknown_image_is_refused_before_anything_is_reported(session, ids):
    for name, question in (
        ("concept_maps_of", {"at": 4}),
        ("layer_effects", {}),
        ("concept_effect", {"at": 4, "concept": 0}),
    ):
        reports = []
        with pytest.raises(nbt.NbtoolkitError, match="No sample 'x' in this study"):
            session.run(name, {"samples": [*ids, "x"]} | question, progress=lambda *r, to=reports: to.append(r))
        assert not reports


def test_a_sweep_of_many_images_is_that_of_each(session, ids, model, study, data):
    many = session.run("layer_effects", {"samples": ids})
    each = [Session(model, study, data).run("layer_effects", {"samples": [sample]}) for sample in ids]
    assert many["samples"] == ids
    for part in ("change", "null"):
        np.testing.assert_allclose(many[part], [one[part][0] for one in each], atol=1e-4)


def test_a_continued_sweep_is_that_of_whole_passes(session, ids, model, monkeypatch):
    said = joined([session.response(sample) for sample in ids[:2]])
    other = np.random.default_rng(0).normal(size=(1, model.d_model))
    for part in ("block", "mlp"):
        fast = interventions.layer_effects(said, part=part, n_random=2, other=other)
        with monkeypatch.context() as without:
            without.setattr(interventions, "read_batch", lambda *_: None)
            slow = interventions.layer_effects(said, part=part, n_random=2, other=other)
        for name in ("change", "draws", "other"):
            np.testing.assert_allclose(getattr(fast, name), getattr(slow, name), atol=1e-4)


def test_continued_contributions_are_those_of_whole_passes(session, ids, study, monkeypatch):
    many = joined([session.response(sample) for sample in ids[:3]])
    for layer in (0, 4, 5):
        cd = study.dictionary(max(layer, 1))
        cd = nbt.ConceptDictionary(cd.concepts, cd.activations, cd.sample_ids, layer, cd.method, encoder=cd.encoder)
        fast = contributions(many, cd, n_steps=3)
        with monkeypatch.context() as without:
            without.setattr(continuations.Continuation, "_continues", lambda _: False)
            slow = contributions(many, cd, n_steps=3)
        for name in ("ablation", "gradient", "integrated_gradients", "leave_all_out"):
            expected = getattr(slow, name)
            np.testing.assert_allclose(getattr(fast, name), expected, atol=1e-4 * max(1, np.abs(expected).max()))


def test_an_intervention_at_a_position_is_not_lost_behind_a_prefix(session, ids, model, study):
    """The states behind a prefix differ from the recorded ones then, and the whole passes are taken."""
    one = session.response(ids[0])
    last = one[0].n_positions - 1
    with nbt.interventions.patch(model, 5, np.ones((1, 1, model.d_model)), positions=[last]):
        result = contributions(one, study.dictionary(4), quantity="log_prob", n_steps=1)
    assert np.abs(result.ablation).max() < 1e-4  # what the last layer writes there is replaced


def test_the_last_responses_stay_in_memory(session, ids, monkeypatch):
    """A sweep of a study, or a page of it, does not hold the images of all its samples."""
    monkeypatch.setattr(responses, "N_RESPONSES", 3)
    first = session.response(ids[0])
    session.generate(ids[1:3])
    again = responses.responses(session, [ids[3], ids[0]])
    assert list(session.memory) == [ids[2], ids[3], ids[0]] and again[ids[0]] is first
    assert session.run("layer_effects", {"samples": ids})["samples"] == ids
    assert len(session.memory) <= 3


def test_responses_are_generated_together_and_kept(session, ids, model, monkeypatch):
    calls = []
    generate = model.generate
    monkeypatch.setattr(
        model, "generate", lambda inputs, *a, **k: calls.append(len(inputs["input_ids"])) or generate(inputs, *a, **k)
    )
    first = responses.responses(session, ids)
    assert calls == [N] and list(first) == ids
    again = responses.responses(session, [*ids, *ids[:1]])
    assert calls == [N] and all(again[sample] is first[sample] for sample in ids)
    alone = Session(model, session.study, session._data)
    for sample in ids[:2]:
        assert alone.response(sample).captions == first[sample].captions
        np.testing.assert_allclose(alone.response(sample).read([4])[1], first[sample].read([4])[1], atol=1e-4)


def test_single_targets_join_to_what_they_were(model, data):
    said = nbt.targets(model, data.select(range(40)), "dog")
    again = joined(single(said))
    assert again.captions == said.captions and len(again) == len(said)
    np.testing.assert_allclose(again.read([3])[1], said.read([3])[1], atol=1e-4)
