"""Layers and concepts switched off: what happens to the token, the caption and the concepts."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

import nbtoolkit as nbt
from nbtoolkit.attribution import mentions
from nbtoolkit.interventions import ablate, mean_contributions, steer
from nbtoolkit.interventions.effects import Effect, effect, layer_effects, word_difference
from nbtoolkit.models.hooks import watching

from ..models.test_zoo import load, pictures


@pytest.fixture(scope="module")
def said(model, data):
    return mentions(model, data["image"][:60], "dog")


@pytest.fixture(scope="module")
def one(model, data, said):
    return mentions(model, [data["image"][said.rows[0]]], "dog")


def test_every_layer_is_what_it_is_alone(said, model):
    found = layer_effects(said, n_random=2)
    assert found.layers == (1, 2, 3, 4, 5) and found.change.shape == found.null.shape == (len(said), 5)
    with ablate(model, 1):
        moved = said.read()[0]
    np.testing.assert_allclose(found.change[:, 0], moved - said.read()[0])
    assert found.score(1).mean < -1 and abs(found.null.mean()) < abs(found.score(1).mean)
    np.testing.assert_array_equal(layer_effects(said, [2], n_random=0).null, 0)
    assert layer_effects(said, [-1], n_random=1).layers == (5,)


def test_positions_of_a_decoder_of_its_own_are_counted_from_its_start():
    """Its generation begins with one position, as a cached step has."""
    family = load("blip-2-t5")
    target = mentions(family, pictures(1), "dog", answers=["a brown dog"])
    constant = SimpleNamespace(transform=lambda states: np.zeros((len(states), 2)))
    cd = nbt.ConceptDictionary(np.eye(family.d_model)[:2], np.ones((1, 2)), ["a"], 2, "PCA", encoder=constant)
    vector = 50 * np.random.default_rng(0).normal(size=family.d_model)
    with steer(family, 2, vector, positions=slice(2, None)):
        (response,) = target.responses(4)
    assert response.startswith(target.responses(2)[0]) and response != target.responses(4)[0]
    result = effect(target, cd, lambda: steer(family, 2, vector, positions=slice(2, None)), max_new_tokens=4)
    assert result.after == response


def states_after(said, model, layer):
    """States at all positions after a layer, one tensor per forward pass."""
    states = []
    with watching(model.blocks, lambda here, hidden: states.append(hidden) if here == layer else None):
        said.read()
    return states


def test_the_null_moves_the_state_as_far_as_the_layer_writes_in_a_random_direction(said, model):
    """By hand: at every position the norm of what block 3 writes, along one direction per draw."""
    before, changes = said.read()[0], []
    norms = [
        (after - start).norm(dim=-1, keepdim=True)
        for after, start in zip(states_after(said, model, 3), states_after(said, model, 2), strict=True)
    ]
    for direction in np.random.default_rng(7).normal(size=(4, model.d_model)):
        unit, passes = torch.tensor(direction / np.linalg.norm(direction), dtype=torch.float32), iter(norms)

        def moved(here, hidden, unit=unit, passes=passes):
            return hidden + next(passes) * unit if here == 3 else None

        with watching(model.blocks, moved):
            changes.append(said.read()[0] - before)
    result = layer_effects(said, [3], random_state=7)
    np.testing.assert_allclose(result.draws[:, :, 0], changes, atol=1e-5)
    np.testing.assert_allclose(result.null[:, 0], np.mean(changes, 0), atol=1e-5)
    assert abs(result.null.mean()) > 1e-3 and result.p(3) > 0.1  # not the .0001 of a direction that is projected out
    assert [null.name for null in result.preserves] == ["random direction, same length", "other concepts, same length"]


def test_another_words_concepts_are_a_null(said, model):
    """A direction that is ablated moves a state as far as its part; another moves it as far, against its own part."""
    u, w = said.read([4])[1][:, 0].mean(0), np.random.default_rng(0).normal(size=model.d_model)
    own = layer_effects(said, [4], direction=u, other=[u], n_random=0)
    np.testing.assert_allclose(own.other[0], own.change, atol=1e-5)  # itself: as if it were projected out
    other = layer_effects(said, [4], direction=u, other=np.stack([w, w]), n_random=0)
    assert other.other.shape == (2, len(said), 1) and not np.allclose(other.other[0], own.change, atol=1e-3)
    assert np.isnan(own.p(4)) and own.draws.shape == (0, len(said), 1)
    with pytest.raises(nbt.NbtoolkitError, match=r"other has shape \(3,\); expected \(n_other, 128\) finite numbers"):
        layer_effects(said, [4], other=np.ones(3))
    with pytest.raises(nbt.NbtoolkitError, match="other is all zeros; expected vectors with a length"):
        layer_effects(said, [4], other=0 * u)


def test_the_mean_and_the_branches_have_effects_of_their_own(said, model, data):
    means = mean_contributions(model, data["image"][:4], [1], part="mlp")
    zero, mean = (
        layer_effects(said, [1], part="mlp", how=how, means=means, n_random=0).change for how in ("zero", "mean")
    )
    assert not np.allclose(zero, mean)


def test_nothing_changed_is_nothing_changed(one, model, reps):
    cd = nbt.decompose(reps, nbt.SemiNMF(6, random_state=0), layer=3)
    same = effect(one, cd, lambda: ablate(model, []))
    assert same.change == 0 and same.before == same.after and same.vanished == same.appeared == []
    assert [kind for kind, _ in same.difference] == ["same"]
    np.testing.assert_array_equal(same.activations[0], same.activations[1])


def test_a_concept_that_is_taken_out_vanishes(one, model, reps):
    """Taking the strongest concept's direction out of its own layer leaves nothing of it there."""
    cd = nbt.decompose(reps, nbt.SemiNMF(6, random_state=0), layer=3)
    strongest = int(effect(one, cd, lambda: ablate(model, [])).activations[0].argmax())
    found = effect(one, cd, lambda: ablate(model, 3, direction=cd.concept(strongest)))
    assert strongest in found.vanished and found.activations[1][strongest] < 1e-3 * found.activations[0][strongest]


def test_a_concept_is_used_from_a_twentieth_of_the_strongest_activation():
    """Vanished: above 5% of the strongest before, not above it after; appeared: the reverse."""
    activations = np.array([[1.0, 0.06, 0.04, 0.3, 0.06], [1.0, 0.04, 0.06, 0.0, 0.05]])
    change = Effect("", "", (0.0, 0.0), activations)
    assert change.vanished == [3, 1, 4] and change.appeared == [2]
    stronger = Effect("", "", (0.0, 0.0), np.array([[1.0, 0.08], [2.0, 0.0]]))
    assert stronger.vanished == []  # 0.08 is 4% of the strongest activation, which comes after the change


def test_without_its_first_layer_the_model_says_something_else(one, model, reps):
    cd = nbt.decompose(reps, nbt.SemiNMF(6, random_state=0), layer=-1)
    found = effect(one, cd, lambda: ablate(model, 1))
    assert found.after != found.before and found.change < 0 and "becomes" in repr(found)
    gone = " ".join(words for kind, words in found.difference if kind != "new")
    new = " ".join(words for kind, words in found.difference if kind != "gone")
    assert gone == found.before and new == found.after
    assert one.answers() == [found.before]


def test_one_picture_at_a_time(said, model, reps):
    cd = nbt.decompose(reps, nbt.SemiNMF(3, random_state=0))
    with pytest.raises(nbt.NbtoolkitError, match="targets; expected that of one image"):
        effect(said, cd, lambda: ablate(model, 1))


def test_words_that_come_and_go():
    assert word_difference("", "a b") == [("new", "a b")] and word_difference("a b", "") == [("gone", "a b")]
    assert word_difference("", "") == []
