"""The causal column: which concepts are ablated, and that it is the function of the interventions."""

import numpy as np
import pytest

import nbtoolkit as nbt
from nbtoolkit.interventions import causal_selectivity
from nbtoolkit.reproduction import METHODS
from nbtoolkit.reproduction.causes import N_IMAGES, N_NAMES, PER_CONCEPT, names


def test_names_are_the_words_of_the_concepts_that_samples_use_most():
    cd = nbt.ConceptDictionary(np.eye(4), np.eye(4), list("abcd"), layer=1, method="SemiNMF")
    words = [["dog", "grass", "run"], ["dog"], ["snow", "dog", "a1", "a2", "a3", "a4", "a5"], ["beach"]]
    g = nbt.Grounding(words, [[]] * 4)
    V = np.array([[0, 9, 1, 0], [3, 9, 2, 0], [0, 1, 2, 0]], float)
    assert names(cd, g, V, "Dog", 3) == [
        ["grass", "run"],
        [],
        ["snow", "a1", "a2", "a3", "a4"],
        [],
    ]  # one is dead, one mute
    assert names(cd, g, V, "dog", 1) == [[], [], ["snow", "a1", "a2", "a3", "a4"], []] and N_NAMES == 5
    assert names(cd, g, V[:0], "dog", 2) == [[]] * 4


@pytest.mark.slow
def test_the_column_is_causal_selectivity_of_the_test_images(evaluation, evaluation_cache, world, model):
    """All concepts are as in one call of the function; Semi-NMF's come first, so they draw the same images by themselves."""
    data, test = world
    train, held = (
        nbt.extract(model, source, "dog", progress=False, out=evaluation_cache / f"dog-{name}")
        for source, name in ((data, "train"), (test, "test"))
    )
    cd = nbt.decompose(train, nbt.SemiNMF(6, random_state=0))
    own = names(cd, evaluation.groundings["dog"], cd.encode(held.layer(-1)), "dog", 3)
    assert sum(map(bool, own)) == 3
    rows = {i: k for k, i in enumerate(test["id"])}
    images = [test[rows[i]]["image"] for i in held.sample_ids[:N_IMAGES]]
    everything = evaluation.causal["dog"]
    expected = causal_selectivity(model, images, cd, own, n_images=PER_CONCEPT, random_state=0)
    assert everything["SemiNMF"].concepts == expected.concepts and set(everything) == set(METHODS)
    np.testing.assert_array_equal(everything["SemiNMF"].n_images, expected.n_images)
    np.testing.assert_allclose(everything["SemiNMF"].named, expected.named)
    assert all(len(result.concepts) <= 3 and max(result.concepts, default=0) < 6 for result in everything.values())
