"""One resolver of layer indices: the same values accepted, and the same sentence for what is refused, everywhere."""

import re

import numpy as np
import pytest

import nbtoolkit as nbt
from nbtoolkit import attribution, interventions, plots
from nbtoolkit.errors import LayerError
from nbtoolkit.interventions.vectors import difference_of_means
from nbtoolkit.reproduction import reproduce
from nbtoolkit.studies import extend
from nbtoolkit.types import resolve_layer, resolve_layers
from nbtoolkit.widgets import DictionaryComparison, Explorer

SMALL = nbt.SemiNMF(2, random_state=0)


def test_one_layer():
    assert [resolve_layer(i, 5) for i in (0, 5, -1, -6, np.int64(2), np.int8(-2))] == [0, 5, 5, 0, 2, 4]
    assert all(type(resolve_layer(i, 5)) is int for i in (np.int64(2), np.uint8(2)))
    assert resolve_layer(-1, 5, available=[2, 5]) == 5


def test_several_layers():
    assert resolve_layers("all", 3) == (0, 1, 2, 3) and resolve_layers("all", 3, first=1) == (1, 2, 3)
    assert resolve_layers([3, -1, 1], 3) == (1, 3) == resolve_layers(np.array([3, 1, 1]), 3)
    assert resolve_layers([3, -1, 1], 3, ascending=False) == (3, 3, 1)
    assert resolve_layers(2, 3) == resolve_layers(np.int32(2), 3) == (2,) and resolve_layers([], 3) == ()
    assert resolve_layers(range(1, 3), 3) == (1, 2) == resolve_layers((i for i in (1, 2)), 3)
    assert resolve_layers("all", 5, available=(0, 2, 5), first=1) == (2, 5)


WRONG = [1.5, 1.0, None, "5", "last", True, np.float64(1.0), [[1]], 6, -7, {"layer": 1}, b"1"]


@pytest.mark.parametrize("value", WRONG, ids=repr)
def test_what_is_no_layer_is_refused(value):
    with pytest.raises(
        LayerError, match=rf"^layer is {re.escape(repr(value))}; expected a whole number from 0 to 5, or a negative"
    ):
        resolve_layer(value, 5)
    with pytest.raises(
        LayerError, match=r"^layers is .*; expected 'all', or for each layer a whole number from 0 to 5, or a negative"
    ):
        resolve_layers(value, 5)
    with pytest.raises(
        LayerError, match=r"^layers is \[1, .*; expected 'all', or for each layer a whole number from 0 to 5"
    ):
        resolve_layers([1, value], 5)


@pytest.fixture(scope="module")
def targets(model, data):
    return attribution.mentions(model, data["image"][:40], "dog")


@pytest.fixture(scope="module")
def singles(model, reps, study, data, scorer, targets):
    """Public functions of one layer."""
    vector = np.ones(model.d_model)

    def patch(layer):
        with interventions.patch(model, layer, np.zeros((1, 1, model.d_model)), positions=[0]):
            return layer

    def steer(layer):
        with interventions.steer(model, layer, vector):
            return layer

    return {
        "Representations.layer": reps.layer,
        "Representations.resolve": reps.resolve,
        "decompose": lambda layer: nbt.decompose(reps, SMALL, layer=layer),
        "Study.dictionary": study.dictionary,
        "Study.grounding": study.grounding,
        "patch": patch,
        "Targets.words": targets.words,
        "Targets.from_layer": targets.from_layer,
        "Targets.gradient": targets.gradient,
        "difference_of_means": lambda layer: difference_of_means(reps, reps, layer=layer),
        "concept_cards": lambda layer: plots.concept_cards(study, layer=layer, concepts=[0], n_images=1),
        "across_layers": lambda layer: plots.across_layers(study, 0, layer=layer, layers=[5], n_images=1),
        "reproduce": lambda layer: reproduce(model, data, data, [], scorer, layer=layer),
        "Explorer": lambda layer: Explorer(study, layer=layer),
        "DictionaryComparison": lambda layer: DictionaryComparison(study, layers=(layer, 5)),
        "set_label": lambda layer: Explorer(study, layer=5).set_label(0, "x", layer=layer),
    }


@pytest.fixture(scope="module")
def plurals(model, data, reps, study, targets):
    """Public functions of several layers."""

    def ablate(layers):
        with interventions.ablate(model, layers):
            return layers

    def ablate_direction(layers):
        with interventions.ablate(model, layers, direction=np.ones(model.d_model)):
            return layers

    def steer(layers):
        with interventions.steer(model, layers, np.ones(model.d_model)):
            return layers

    few, one = data.select(range(40)), data["image"][:1]
    return {
        "extract": lambda layers: nbt.extract(model, few, "dog", layers=layers, progress=False),
        "study": lambda layers: nbt.study(model, reps, "dog", method=SMALL, layers=layers, progress=False),
        "extend": lambda layers: extend(study, model, layers),
        "sweep": lambda layers: nbt.sweep(model, reps, layers=layers, n_concepts=[2], progress=False),
        "ablate": ablate,
        "ablate direction": ablate_direction,
        "steer": steer,
        "mean_contributions": lambda layers: interventions.mean_contributions(model, one, layers),
        "layer_effects": lambda layers: interventions.layer_effects(targets, layers, n_random=0),
    }


SINGLES = ["Representations.layer", "Representations.resolve", "decompose", "Study.dictionary", "Study.grounding", "patch", "Targets.words",
           "Targets.from_layer", "Targets.gradient", "difference_of_means", "concept_cards", "across_layers", "reproduce", "Explorer",
           "DictionaryComparison", "set_label"]  # fmt: skip
PLURALS = [
    "extract",
    "study",
    "extend",
    "sweep",
    "ablate",
    "ablate direction",
    "steer",
    "mean_contributions",
    "layer_effects",
]
NO_FILES = {"study"}  # its representations have no image files here


@pytest.mark.parametrize("name", SINGLES)
@pytest.mark.parametrize("layer", [5, -1, np.int64(5), np.int16(-1)], ids=repr)
def test_functions_of_one_layer_take_whole_numbers(singles, name, layer):
    if name == "reproduce":
        with pytest.raises(nbt.NbtoolkitError, match="No token could be evaluated"):
            singles[name](layer)
    else:
        singles[name](layer)


@pytest.mark.parametrize("name", SINGLES)
@pytest.mark.parametrize("layer", [[1.5], 1.5, "all", 99, True, [1]], ids=repr)
def test_functions_of_one_layer_refuse_the_rest_in_the_same_words(singles, name, layer):
    with pytest.raises(
        LayerError, match=r"^layer is .*; expected (a whole number from 0 to 5|one of the layers \[.*\]), or a negative"
    ):
        singles[name](layer)


@pytest.mark.parametrize("name", [n for n in SINGLES if n not in ("Explorer", "set_label")])
def test_functions_of_one_layer_refuse_none(singles, name):  # where it does not stand for the best or the shown layer
    with pytest.raises(LayerError, match=r"^layer is None; expected"):
        singles[name](None)


@pytest.mark.filterwarnings("ignore:.*concepts are dead:UserWarning")  # at layer 0
@pytest.mark.parametrize("name", [n for n in PLURALS if n not in NO_FILES])
@pytest.mark.parametrize("layers", [5, -1, [1, -1], "all", np.array([2, 3]), np.int64(4)], ids=repr)
def test_functions_of_several_layers_take_one_a_list_or_all(plurals, name, layers):
    plurals[name](layers)


@pytest.mark.parametrize("name", PLURALS)
@pytest.mark.parametrize("layers", [[1.5], 1.5, "some", [1, 99], True, [None]], ids=repr)
def test_functions_of_several_layers_refuse_the_rest_in_the_same_words(plurals, name, layers):
    expected = r"^layers is .*; expected 'all', or for each layer (a whole number from [01] to 5|one of the layers \[.*\]), or a negative"
    with pytest.raises(LayerError, match=expected):
        plurals[name](layers)


@pytest.mark.parametrize("name", [n for n in PLURALS if n != "layer_effects"])
def test_functions_of_several_layers_refuse_none(plurals, name):  # None stands for all only where it is the default
    with pytest.raises(LayerError, match=r"^layers is None; expected"):
        plurals[name](None)


def test_the_command_line_refuses_in_the_same_words(tmp_path, capsys, monkeypatch):
    from nbtoolkit.cli import main

    monkeypatch.setattr("nbtoolkit.data.loading._TOY_SIZE", {"train": 200})
    monkeypatch.chdir(tmp_path)
    arguments = ["study", "--model", "toy", "--data", "toy", "--token", "dog", "--out", "d.study", "--n-concepts", "2"]
    assert main([*arguments, "--layers", "1,9"]) == 2
    assert "layers is [1, 9]; expected 'all', or for each layer one of the layers" in capsys.readouterr().err
