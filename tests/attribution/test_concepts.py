"""What a token owes to its concepts: identities with the model's own answer, and finite differences."""

import contextlib
import sys

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.decomposition import (
    NMF,
    PCA,
    DictionaryLearning,
    FactorAnalysis,
    FastICA,
    MiniBatchDictionaryLearning,
    SparseCoder,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

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
        found = contributions(said, cd, quantity="log_prob", n_steps=1)
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
        near = contributions(
            said, small, quantity="log_prob", n_steps=1
        )  # taking out a hundredth of it: the first order is nearly all
        np.testing.assert_allclose(near.ablation, near.gradient, atol=0.1 * np.abs(near.gradient).max())
        assert np.nanmedian(near.agreement) > 0.9


def by_inverse(e, V):
    return e.inverse_transform(V)


def by_centres(centres):
    return lambda e, V: getattr(e, centres)[V.argmax(1)] * V.any(1)[:, None]  # no concept, no centre


BRUTE = {  # each with its own way back from activations to states
    "SemiNMF": (nbt.SemiNMF(6, random_state=0), lambda e, V: V @ e.components_),
    "PCA": (PCA(6), by_inverse),
    "PCA whitened": (PCA(6, whiten=True), by_inverse),
    "FastICA": (FastICA(6, random_state=0, max_iter=2000, tol=1e-3), by_inverse),
    "FactorAnalysis": (FactorAnalysis(6), lambda e, V: V @ e.components_ + e.mean_),
    "KMeans": (KMeans(6, random_state=0, n_init=1), by_centres("cluster_centers_")),
    "MiniBatchKMeans": (MiniBatchKMeans(6, random_state=0, n_init=1), by_centres("cluster_centers_")),
    "LargestNorm": (nbt.LargestNorm(6), by_centres("components_")),
    "RandomDirections": (nbt.RandomDirections(6, random_state=0), lambda e, C: C @ e.components_),  # of coefficients
    "DictionaryLearning": (
        DictionaryLearning(6, random_state=0, max_iter=20, transform_alpha=0.5),
        lambda e, V: V @ e.components_,
    ),
    "MiniBatchDictionaryLearning": (
        MiniBatchDictionaryLearning(6, random_state=0, max_iter=20, split_sign=True),
        lambda e, V: (V[:, :6] - V[:, 6:]) @ e.components_,
    ),
    "SparseCoder": (SparseCoder(np.eye(8, 128), transform_n_nonzero_coefs=4), lambda e, V: V @ np.eye(8, 128)),
    "NMF in a pipeline": (make_pipeline(MinMaxScaler(clip=True), NMF(6, max_iter=3000)), by_inverse),
    "StandardScaler + PCA": (make_pipeline(StandardScaler(), PCA(6)), by_inverse),
    "TopKSAE": (nbt.TopKSAE(200, k=8, n_epochs=20, random_state=0), by_inverse),
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", BRUTE)
def test_contributions_equal_brute_force(name, model, data, said, reps):
    """Reconstruct by the estimator with the concept and without it, subtract the difference in a hook, run the model."""
    method, way_back = BRUTE[name]
    cd = nbt.decompose(reps, method, layer=4)
    other = next(i for i in range(60) if i not in said.rows)  # without a dog, so that log p is not saturated
    one = mentions(model, [data["image"][other]], "dog", answers=[said.captions[0]])
    result = contributions(one, cd)
    assert result.quantity.kind == "log_prob" and not result.quantity.switched
    (plain,), states = one.read([4])
    V = np.asarray(cd.encode(states[:, 0]), np.float64)
    if cd.coding == "one-hot":
        V = np.eye(cd.n_concepts)[V.argmax(1)]
    if cd.coding == "least-squares":
        V = np.linalg.lstsq(cd.encoder.components_.astype(float).T, states[0, 0].astype(float))[0][None]
    expected = np.zeros(cd.n_concepts)
    for k in np.flatnonzero(V[0]):
        without = V.copy()
        without[0, k] = 0
        part = torch.tensor((way_back(cd.encoder, V) - way_back(cd.encoder, without))[0], dtype=torch.float32)
        with subtracting(model.blocks[3], part):
            expected[k] = plain - one.read()[0][0]
    everything = torch.tensor((way_back(cd.encoder, V) - way_back(cd.encoder, 0 * V))[0], dtype=torch.float32)
    with subtracting(model.blocks[3], everything):
        whole = plain - one.read()[0][0]
    largest, gap = np.abs(expected).max(), np.abs(result.ablation[0] - expected).max()
    row = (
        f"{name:28s} {cd.n_concepts:4d} concepts, largest effect {largest:9.4f} nats, largest difference {gap:.1e} nats"
    )
    sys.stdout.write(row + "\n")
    assert largest > 1e-2 and gap <= 1e-4 * max(1, largest)
    assert result.leave_all_out[0] == pytest.approx(float(whole), abs=1e-4 * max(1, float(abs(whole))))
    assert result.total("integrated_gradients")[0] == pytest.approx(float(whole), abs=0.05 * max(1, float(abs(whole))))
    assert (result.integrated_gradients[0, V[0] == 0] == 0).all()


@contextlib.contextmanager
def subtracting(block, part):
    """A block whose last position is less by a vector."""

    def change(_module, _inputs, output):
        hidden = (output[0] if isinstance(output, tuple) else output).clone()
        hidden[:, -1] -= part
        return (hidden, *output[1:]) if isinstance(output, tuple) else hidden

    handle = block.register_forward_hook(change)
    try:
        yield
    finally:
        handle.remove()


@pytest.mark.parametrize("method", [KMeans(6, random_state=0, n_init=1), nbt.LargestNorm(6)])
def test_a_sample_is_attributed_to_its_cluster_only(method, said, reps):
    cd = nbt.decompose(reps, method, layer=4)
    result = contributions(said, cd, n_steps=1)
    assert ((result.ablation != 0).sum(1) <= 1).all() and ((result.gradient != 0).sum(1) == 1).all()
    assert (result.coefficients.argmax(1) == result.activations.argmax(1)).all()
    assert np.isnan(result.agreement).all()  # one concept cannot be ranked


def test_a_deletion_curve_of_a_dictionary_uses_its_decoder(said, reps):
    cd = nbt.decompose(reps, KMeans(6, random_state=0, n_init=1), layer=4)
    _, states = said.read([4])
    Z, forward = states[:, 0], said.after(4)
    curve = c_deletion(Z, cd, None, forward)
    centres = cd.encoder.cluster_centers_[cd.encoder.predict(Z)]
    np.testing.assert_allclose(curve.values[:, 1], forward(Z - centres), atol=1e-4)
    np.testing.assert_allclose(curve.values[:, -1], curve.values[:, 1], atol=1e-5)
    np.testing.assert_allclose(c_insertion(Z, cd, None, forward).values[:, -1], forward(Z), atol=1e-4)


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
