"""The session's operations take images outside the study, which a view has lent it, as samples."""

import numpy as np
import pytest

import nbtoolkit as nbt
from nbtoolkit.data import read_image
from nbtoolkit.live import Session, operations
from nbtoolkit.live.session import N_PHOTOGRAPHS
from nbtoolkit.storage.study import Sample


@pytest.fixture(scope="module")
def live(model, study):
    return Session(model, study)


def test_what_is_lent_is_a_sample(live, study):
    """The image of a sample of the study has its concepts."""
    own = Sample("photo:a", "", image=study.samples[2].image)
    live.lend(own)
    result = operations.photograph(live, sample=own.id, at=4)
    same = operations.photograph(live, sample=study.samples[2].id, at=4)
    assert result == same and result["pieces"][result["position"]] == "dog"
    values = np.frombuffer(result["bytes"], "<f4")
    np.testing.assert_allclose(values, study.dictionary(4).activations[2], atol=0.05 * values.max())
    tokens = operations.concepts_per_token(live, sample=own.id, at=4)
    np.testing.assert_allclose(tokens["activations"][tokens["position"]], values, atol=1e-3)
    assert result["unexplained"] == pytest.approx(tokens["unexplained"][tokens["position"]], abs=1e-4)


def test_a_caption_that_is_given_is_read(live, study, model):
    own = Sample("photo:b", "my dog and me", image=study.samples[2].image)
    live.lend(own)
    assert operations.photograph(live, sample=own.id, at=4)["caption"] == "my dog and me"
    assert live.has_given_caption(own.id) and not live.has_given_caption(study.samples[2].id)


def test_the_last_ones_are_held(live, study):
    for i in range(N_PHOTOGRAPHS + 1):
        live.lend(Sample(f"photo:{i}", "", image=study.samples[0].image))
    assert len(live.photographs) == N_PHOTOGRAPHS
    with pytest.raises(nbt.NbtoolkitError, match="No sample 'photo:0' in this study"):
        live.image_of("photo:0")


def test_photographs_are_swept_beside_the_samples(model, study, data):
    whole = study.samples
    session = Session(model, study, data)
    own = [Sample(f"photo:{i}", "", image=s.image) for i, s in enumerate(whole[:2])]
    for photograph in own:
        session.lend(photograph)
    few = [s.id for s in own]
    assert session.run("layer_effects", {"samples": few})["samples"] == few
    with pytest.raises(nbt.NbtoolkitError, match=f"expected at most {len(whole) + 2}"):
        session.run("layer_effects", {"samples": [few[0]] * (len(whole) + 3)})


def test_an_image_in_full_is_that_of_the_data_set(model, study, data):
    sample = study.samples[0].id
    jpeg = operations.full_image(Session(model, study, data), sample=sample)["bytes"]
    assert read_image(jpeg).size == read_image(data["image"][data["id"].index(sample)]).size
    jpeg = operations.full_image(Session(model, study), sample=sample)["bytes"]
    assert read_image(jpeg).size == read_image(study.samples[0].image).size
