"""From the Explorer to the Inspector, and one selection of both."""

import pytest

import nbtoolkit as nbt
from nbtoolkit.widgets import Inspector


@pytest.fixture
def explorer(study, model, data):
    view = nbt.explore(study, model, data=data, layer=4, concept=2)
    yield view
    view.close()


def test_the_selected_image_is_inspected_with_the_concepts_of_the_study(explorer, study):
    view = explorer.inspect(metric="lens")
    sample = study.sample(explorer.sample)
    assert isinstance(view, Inspector) and view.subject.response == sample.caption and view.metric == "lens"
    assert view.target in study.source.token or view.target == study.token
    assert (view.layer, view.concept) == (4, 2) and view._meta["study"]["layers"] == list(study.layers)


def test_layer_and_concept_follow_in_both_directions(explorer, model):
    view = explorer.inspect()
    explorer.layer = 3
    assert view.layer == 3 and view.concept == explorer.concept
    view.layer, view.concept = 5, 1
    assert (explorer.layer, explorer.concept) == (5, 1)
    view.layer = 0  # the study has no dictionary there
    assert explorer.layer == 5
    view.close()
    explorer.layer = 2  # a closed view does not follow, nor fail


def test_a_page_opens_it_and_closes_it(explorer):
    explorer._slow_requests()["inspect"](job=Cancelled(False), sample=explorer.sample)
    inner = explorer.inspector
    assert isinstance(inner, Inspector) and "inspector" not in explorer.state()
    explorer.set_state({"inspector": "IPY_MODEL_1"})
    assert explorer.inspector is inner
    explorer.set_state({"inspector": None})
    assert explorer.inspector is None and inner.comm is None


def test_a_closed_explorer_closes_its_inspector(study, model, data):
    explorer = nbt.explore(study, model, data=data)
    explorer.inspector = inner = explorer.inspect()
    explorer.close()
    assert inner.comm is None


def test_a_request_that_was_cancelled_opens_nothing(explorer):
    with pytest.raises(nbt.errors.Cancelled):
        explorer._slow_requests()["inspect"](job=Cancelled(True), sample=explorer.sample)
    assert explorer.inspector is None


def test_it_needs_a_model_and_a_sample(study, explorer):
    with pytest.raises(
        nbt.NbtoolkitError, match=r"inspect needs a model; open the view with nbt\.explore\(study, model\)\."
    ):
        nbt.explore(study).inspect()
    with pytest.raises(nbt.NbtoolkitError, match="nowhere"):
        explorer.inspect("nowhere")


class Cancelled:
    """A job whose event is set, or not."""

    def __init__(self, is_set):
        self.cancel = self
        self.is_set = lambda: is_set
