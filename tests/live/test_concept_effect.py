"""Ablation of one concept over several images: the same as one by one, a control, refusals."""

import numpy as np
import pytest

import nbtoolkit as nbt
from nbtoolkit.errors import NbtoolkitError
from nbtoolkit.live import Session


@pytest.fixture(scope="module")
def session(model, study):
    return Session(model, study)


def test_the_effect_on_many_images_is_that_on_each(session, study):
    ids = [s.id for s in study.samples[:3]]
    result = session.run("concept_effect", {"samples": ids, "at": 4, "concept": 1})
    assert result["samples"] == ids and "length of the change" in result["preserves"]
    for i, change in zip(ids, result["change"], strict=True):
        one = session.run("ablate", {"sample": i, "edits": [{"op": "ablate", "layer": 4, "concept": 1}], "at": 4})
        assert change == pytest.approx(one["after"] - one["before"], abs=1e-4)
    assert np.isfinite(result["control"]).all() and np.abs(result["control"]).max() > 0


def test_what_does_not_fit_is_refused(session, study):
    with pytest.raises(NbtoolkitError, match="expected at most 16"):
        session.run("concept_effect", {"samples": [study.samples[0].id] * 17, "at": 4, "concept": 0})
    with pytest.raises(NbtoolkitError, match="concept"):
        session.run("concept_effect", {"samples": [study.samples[0].id], "at": 4, "concept": 99})


def test_a_concept_page_has_words_with_logits(study):
    view, sent = nbt.explore(study), []
    view.send = lambda content, buffers=None: sent.append(content)
    for args in ({"layer": 4, "concept": 1}, {"layer": 4, "concept": 99}):
        view._channel.receive(view, {"kind": "request", "id": 1, "op": "concept_page", "args": args}, [])
    page, g = sent[0]["data"]["1"], study.grounding(4)
    assert [word for word, _ in page["words"]] == g.words[1] and page["words"][0][1] == pytest.approx(
        g.logits[1][0], abs=0.01
    )
    assert [word for word, _ in page["negative"]] == g.negative[1] and page["negative"][0][1] < 0
    assert "99" in sent[1]["error"]
