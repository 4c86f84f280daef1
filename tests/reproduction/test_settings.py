"""Settings: what the paper prints, what its code does, what nbtoolkit does; and that they reach the numbers."""

import numpy as np
import pytest

import nbtoolkit as nbt
from nbtoolkit.reproduction import SETTINGS, Settings, reproduce
from nbtoolkit.reproduction.settings import changes, settings_of
from nbtoolkit.text.words import vocabulary


def test_what_each_of_them_sets():
    assert {name: s.alpha for name, s in SETTINGS.items()} == {"paper": 1.0, "released": 2.0, "nbtoolkit": "auto"}
    assert {name: (s.naming, s.filter, s.n_words) for name, s in SETTINGS.items()} == {
        "paper": ("paper", "paper", 15),
        "released": ("paper", "xl-vlms", 10),
        "nbtoolkit": ("auto", "default", 15),
    }
    rows = dict(changes(SETTINGS["released"]))
    assert rows["λ of Semi-NMF"][0] == rows["λ of Semi-NMF"][2] == "2.0" and rows["naming rule"][0] == "paper"
    assert all(len(values) == 4 and values[0] == values[2] for values in rows.values())


def test_released_is_the_halved_loss_of_scikit_learn():
    """λ = 2 is alpha = 1 of DictionaryLearning's halved loss."""
    X = np.abs(np.random.default_rng(0).normal(size=(40, 8)))
    a = SETTINGS["released"].semi_nmf().set_params(n_components=3, random_state=0).fit(X)
    b = nbt.SemiNMF(3, alpha=1.0, convention="sklearn", random_state=0).fit(X)
    np.testing.assert_allclose(a.components_, b.components_)


def test_settings_of_ones_choice_are_taken():
    mine = Settings("mine", 0.5, "norm", "default", 8)
    assert settings_of(mine) is mine and changes(mine)[3] == ("words per concept, at most", ["8", "15", "10", "15"])


@pytest.mark.parametrize("name", ["paper", "released"])
def test_they_reach_dictionaries_words_and_sweeps(name, model, scorer, world, evaluation, evaluation_cache):
    data, test = world
    settings = {"n_concepts": 6, "sizes": [6], "n_replicates": 0, "n_ablations": 0, "layers": -1, "encoder": None}
    r = reproduce(model, data, test, ["dog"], scorer, settings=name, cache=evaluation_cache, **settings)
    own, s = evaluation_cache / "dog-train", SETTINGS[name]
    cd = nbt.decompose(
        nbt.extract(model, data, "dog", progress=False, out=own), nbt.SemiNMF(6, alpha=s.alpha, random_state=0)
    )
    g = nbt.ground(
        cd, model, n_words=s.n_words, filter=s.filter, naming="paper", vocabulary=vocabulary(data["captions"])
    )
    assert r.settings is s and r.lambdas == {"dog": s.alpha} and r.groundings["dog"].words == g.words
    assert r.layers["reconstruction_error"].tolist() == pytest.approx([cd.reconstruction_error])
    assert r.encoder == "BERTScore is off." and not r.texts["dog"] and not r.causal["dog"]
    assert evaluation.lambdas["dog"] > 2.5  # "auto" is another λ
