"""What a token owes to its concepts: identities with the model's own answer, and finite differences."""

import numpy as np
import pytest
import torch

import nbtoolkit as nbt
from nbtoolkit import interventions
from nbtoolkit.attribution import Contributions, contributions, mentions
from nbtoolkit.metrics import c_deletion, c_insertion

from ..models.test_zoo import load, told


@pytest.fixture(scope="module")
def said(model, data):
    return mentions(model, data["image"][:60], "dog")


def test_a_mention_is_where_extraction_reads(model, data, said):
    reps = nbt.extract(model, data.select(range(60)), "dog", progress=False, batch_size=4)
    ids = data["id"][:60]
    assert [ids[i] for i in said.rows if ids[i] in reps.sample_ids] == list(reps.sample_ids)
    _, states = said.read(range(model.n_layers + 1))
    rows = [k for k, i in enumerate(said.rows) if ids[i] in reps.sample_ids]
    np.testing.assert_allclose(states[rows], reps.states, atol=1e-4)


def test_the_log_probability_is_that_of_generation(model, data, said):
    image = data["image"][said.rows[0]]
    said = mentions(model, [image], "dog")
    out = model.hf.generate(**model.encode([image]), max_new_tokens=40, do_sample=False, num_beams=1, pad_token_id=model.pad,
                            output_logits=True, return_dict_in_generate=True)  # fmt: skip
    new = out.sequences[0][-len(out.logits) :].tolist()
    step = next(k for k, i in enumerate(new) if model.tokenizer.decode([i]).strip() == "dog")
    expected = torch.log_softmax(out.logits[step][0], -1)[new[step]]
    assert said.read()[0][0] == pytest.approx(float(expected), abs=1e-4)


@pytest.mark.parametrize(
    "name",
    ["llava", "qwen2.5-vl", "gemma3", "blip-2", "mllama", "florence-2", "paligemma", "idefics3", "kosmos-2", "pixtral"],
)
def test_going_on_from_the_models_own_states_changes_nothing(name):
    family = load(name)
    data, word, answers = told(family)
    own = mentions(family, data["image"], word, max_new_tokens=10)
    read = mentions(family, data["image"], word, answers=answers)
    assert own.rows == read.rows and own.captions == read.captions
    plain, states = own.read(range(family.n_layers + 1))
    for layer in range(family.n_layers + 1):
        forward = own.after(layer)
        np.testing.assert_allclose(forward(states[:, layer]), plain, atol=2e-5)
        moved = states[:, layer] + 0.01 * np.random.default_rng(0).normal(size=states[:, layer].shape).astype(
            np.float32
        )
        assert not np.allclose(forward(moved), plain, atol=1e-7)


@pytest.mark.parametrize("layer", [1, 3, 5])
def test_gradients_are_finite_differences(said, layer):
    _, states = said.read([layer])
    Z, forward, gradient = states[:, 0], said.after(layer), said.gradient(layer)
    step = np.random.default_rng(0).normal(size=Z.shape).astype(np.float32)
    step *= 0.02 / np.linalg.norm(step, axis=1, keepdims=True)
    found = (forward(Z + step) - forward(Z - step)) / 2
    np.testing.assert_allclose(found, (gradient * step).sum(1), atol=2e-3 * np.abs(gradient).max())
    assert not any(p.grad is not None for p in said.model.hf.parameters())


def test_interventions_reach_mentions(said, model):
    plain, _ = said.read()
    with interventions.ablate(model, 1):
        assert said.read()[0].mean() < plain.mean() - 1
    np.testing.assert_array_equal(said.read()[0], plain)


def test_contributions_are_what_the_model_loses(said, model, reps):
    for layer in (2, -1):
        cd = nbt.decompose(reps, nbt.SemiNMF(6, random_state=0), layer=layer)
        found = contributions(said, cd)
        plain, states = said.read([cd.layer])
        k = int(found.activations.sum(0).argmax())
        without = states[:, 0] - found.activations[:, [k]] * cd.concepts[k]
        np.testing.assert_allclose(found.ablation[:, k], plain - said.after(cd.layer)(without), atol=1e-4)
        assert (found.ablation[found.activations == 0] == 0).all() and (
            found.gradient[found.activations == 0] == 0
        ).all()
        small = nbt.ConceptDictionary(
            cd.concepts * 1e-2, cd.activations, cd.sample_ids, cd.layer, cd.method, encoder=cd.encoder
        )
        near = contributions(said, small)  # taking out a hundredth of it: the first order is nearly all
        np.testing.assert_allclose(near.ablation, near.gradient, atol=0.1 * np.abs(near.gradient).max())
        assert np.nanmedian(near.agreement) > 0.9


def test_agreement_is_undefined_where_there_is_nothing_to_rank():
    one = Contributions(
        np.array([[1.0, 0, 0, 0], [1, 2, 3, 0]]),
        np.array([[1.0, 0, 0, 0], [1, 2, 3, 0]]),
        np.array([[1.0, 0, 0, 0], [3, 2, 1, 0]]),
    )
    assert np.isnan(one.agreement[0]) and one.agreement[1] == -1


def test_two_concepts_are_too_few_to_rank():
    """Of two, the correlation of ranks could only be -1 or 1."""
    V = np.array([[1.0, 2.0, 0.0, 0.0], [1.0, 2.0, 3.0, 0.0]])
    agreement = Contributions(V, V, V).agreement
    assert np.isnan(agreement[0]) and agreement[1] == pytest.approx(1)


def test_deletion_and_insertion_on_the_models_own_log_probability(said, reps):
    cd = nbt.decompose(reps, nbt.SemiNMF(6, random_state=0), layer=3)
    plain, states = said.read([3])
    V = cd.encode(states[:, 0])
    forward = said.after(3)
    deletion, insertion = (f(states[:, 0], V, cd.concepts, forward) for f in (c_deletion, c_insertion))
    np.testing.assert_allclose(deletion.values[:, 0], plain, atol=1e-4)
    np.testing.assert_allclose(insertion.values[:, -1], plain, atol=1e-4)
    np.testing.assert_allclose(deletion.values[:, -1], insertion.values[:, 0], atol=1e-4)
    assert deletion.area.mean < insertion.area.mean


def test_what_cannot_be_read_is_said(model, data, said):
    with pytest.raises(nbt.errors.NothingFoundError, match="'dog' is in none of 1 responses"):
        mentions(model, data["image"][:1], "dog", answers=["a red bus"])
    with pytest.raises(nbt.NbtoolkitError, match="2 responses for 1 images"):
        mentions(model, data["image"][:1], "dog", answers=["a dog", "a dog"])
    with pytest.raises(nbt.NbtoolkitError, match=r"shape \(1, 128\); expected"):
        said.after(2)(np.zeros((1, 128)))
    with pytest.raises(nbt.NbtoolkitError, match="layer is 9; expected a whole number from 0 to 5"):
        said.gradient(9)
