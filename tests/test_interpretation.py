"""New pictures taken apart, concepts located in them, and concepts that move between two models."""

import numpy as np
import pytest
import torch
from nbtoolkit.shift import concept_pair, concept_shift, difference_of_means, t_overlap

import nbtoolkit as nbt
from nbtoolkit.models.hooks import watching

from .models.test_zoo import load, pictures
from .zoo import FAMILIES


@pytest.fixture(scope="module")
def dictionary(model, reps):
    cd = nbt.decompose(reps, nbt.SemiNMF(8, random_state=0), layer=-1)
    return cd, nbt.ground(cd, model)


def test_a_known_picture_is_interpreted_as_it_was_stored(model, data, reps, dictionary):
    cd, g = dictionary
    place = {i: k for k, i in enumerate(data["id"])}
    images = [data[place[i]]["image"] for i in reps.sample_ids[:4]]
    found = nbt.interpret(model, images, cd, g, "dog", ids=reps.sample_ids[:4])
    for k, one in enumerate(found):
        order = np.argsort(-cd.activations[k], kind="stable")[: len(one.parts)]
        assert [p.concept for p in one.parts] == order.tolist() and one.parts[0].relative == 1.0
        np.testing.assert_allclose([p.activation for p in one.parts], cd.activations[k][order], rtol=2e-3, atol=2e-3)
        assert one.unexplained == pytest.approx(float(cd.unexplained[k]), abs=2e-3)
        assert one.parts[0].words == tuple(g.words[order[0]]) and one.sample_id in repr(one)


def test_the_strongest_concepts_may_be_negative(model, data, reps, dictionary):
    """Principal components have signs; three concepts are shown, by absolute activation."""
    cd = nbt.decompose(reps, "PCA", layer=-1)
    g, place = nbt.Grounding([["w"]] * cd.n_concepts, [["x"]] * cd.n_concepts), list(data["id"]).index
    rows = range(6)
    images = [data[place(reps.sample_ids[i])]["image"] for i in rows]
    for i, one in zip(rows, nbt.interpret(model, images, cd, g, "dog"), strict=True):
        v = cd.activations[i]
        assert [p.concept for p in one.parts] == np.argsort(-np.abs(v), kind="stable")[:3].tolist()
        np.testing.assert_allclose([p.activation for p in one.parts], v[[p.concept for p in one.parts]], atol=1e-2)
        assert [p.relative for p in one.parts] == pytest.approx(
            [abs(p.activation / one.parts[0].activation) for p in one.parts]
        )
    assert (cd.activations[:6].min(1) < -np.sort(np.abs(cd.activations[:6]))[:, -3]).any()


def test_a_picture_about_which_the_token_is_not_said(model, data, reps, dictionary):
    cd, g = dictionary
    cake = next(row["image"] for row in data if row["factors"]["subject"] == "cake")
    dog = data[list(data["id"]).index(reps.sample_ids[0])]["image"]
    found = nbt.interpret(model, [cake, dog], cd, g, "dog")
    assert found[0] is None and found[1].sample_id == "1"
    assert nbt.interpret(model, [cake], cd, g, "dog") == [None]
    with pytest.raises(nbt.NbtoolkitError, match="expected one id per image, and r between 1 and 8"):
        nbt.interpret(model, [dog], cd, g, "dog", r=9)


def test_saliency_is_the_inner_product_on_the_grid(model, data, dictionary):
    cd, _ = dictionary
    image = data[3]["image"]
    inputs, seen = model.encode([image]), []
    with torch.inference_mode(), watching(model.blocks, lambda layer, h: seen.append(h) if layer == cd.layer else None):
        model.hf(**inputs)
    mask = model.image_mask(inputs)
    expected = seen[0][mask].numpy() @ cd.concepts[2]
    np.testing.assert_allclose(nbt.saliency(model, image, cd, 2).ravel(), expected, rtol=1e-4, atol=1e-3)
    with pytest.raises(nbt.NbtoolkitError, match="There is no concept 8; the dictionary has 8"):
        nbt.saliency(model, image, cd, 8)


GRIDS = {"llava": (1, 4, 4), "pixtral": (1, 3, 4), "mistral3": (1, 3, 4), "llava-next": (1, 4, 4), "qwen2.5-vl": (1, 2, 2), "glm-4v": (1, 2, 3),
         "idefics3": (5, 2, 2), "internvl": (1, 2, 2), "llama4": (3, 2, 2), "ovis2": (3, 2, 2), "git": (1, 4, 4), "molmo2": (1, 2, 2)}  # fmt: skip


@pytest.mark.parametrize("name", list(FAMILIES))
def test_every_family_has_its_grid_or_says_why_not(name):
    model = load(name)
    concepts = np.eye(2, model.d_model, dtype=np.float32)
    cd = nbt.ConceptDictionary(concepts, np.ones((1, 2)), ["a"], 2, "PCA")
    try:
        found = nbt.saliency(model, pictures(1)[0], cd, 0)
    except nbt.NbtoolkitError as error:
        assert name in {
            "blip-2",
            "instructblip",
            "kosmos-2",
            "idefics2",
            "fuyu",
            "blip-2-t5",
            "mllama",
            "florence-2",
        }, error
        assert "no grid of patches" in str(error) or "no image positions" in str(error)
        return
    assert found.ndim == 3 and found.shape == GRIDS.get(name, found.shape) and np.ptp(found) > 0


def test_words_that_set_a_concept_apart(model, dictionary):
    cd, g = dictionary
    apart = nbt.ground(cd, model, centred=True)
    assert apart.words != g.words
    common = np.mean([("dog" in w) for w in g.words]), np.mean([("dog" in w) for w in apart.words])
    assert common[1] <= common[0]


# --- shift ------------------------------------------------------------------------------------------------


def two_models(rng, move, n=60, d=12, k=3):
    """States around k centres; the fine-tuned model moves the samples of each centre by its own vector."""
    centres = 5 * rng.normal(size=(k, d))
    owner = rng.integers(0, k, n)
    noise = rng.normal(size=(n, d))
    ids = [f"s{i}" for i in range(n)]

    def make(Z, i):
        return nbt.Representations(Z[:, None].astype(np.float32), i, ["a"] * len(i), [0] * len(i))

    before, after = make(centres[owner] + noise, ids), make((centres + move)[owner] + noise, ids)
    activations = np.eye(k)[owner]
    a = nbt.ConceptDictionary(centres, activations, ids, 0, "KMeans")
    order = rng.permutation(k)
    b = nbt.ConceptDictionary((centres + move)[order], activations[:, order], ids, 0, "KMeans")
    return before, after, a, b, owner, order


def test_a_planted_shift_is_found(rng):
    move = rng.normal(size=(3, 12))
    before, after, a, b, owner, order = two_models(rng, move)
    found = concept_shift(before, after, a, b)
    np.testing.assert_allclose(found.vectors, move, atol=1e-5)
    assert found.counts.tolist() == np.bincount(owner, minlength=3).tolist()
    assert [order[p] for p in found.partners] == [0, 1, 2]
    np.testing.assert_allclose(found.recovery, 1, atol=1e-5)
    np.testing.assert_allclose(found.distance_gain, 1, atol=1e-5)
    np.testing.assert_allclose(found.consistency, 1, atol=1e-5)
    np.testing.assert_allclose(found.magnitude, np.linalg.norm(move, axis=1), atol=1e-5)
    half = concept_shift(before, after, a, b, alpha=0.5)
    np.testing.assert_allclose(half.distance_gain, 0.5, atol=1e-5)
    nowhere = concept_shift(before, before, a, b)
    np.testing.assert_allclose(nowhere.recovery, 0, atol=1e-5)


def test_a_concept_without_samples_and_samples_without_a_partner(rng):
    """The authors' code stops at an empty cluster."""
    before, after, a, b, _, _ = two_models(rng, rng.normal(size=(3, 12)))
    activations = a.activations.copy()
    activations[:, 0] = 0
    lonely = nbt.ConceptDictionary(a.concepts, activations + np.eye(3)[1] * 1e-9, a.sample_ids, 0, "KMeans")
    found = concept_shift(before, after, lonely, b)
    assert (
        found.counts[0] == 0
        and not found.vectors[0].any()
        and np.isnan(found.recovery[0])
        and np.isfinite(found.recovery[2])
    )
    fewer = nbt.ConceptDictionary(b.concepts[:2], b.activations[:, :2], b.sample_ids, 0, "KMeans")
    assert (concept_shift(before, after, a, fewer).partners == -1).sum() == 1
    some = nbt.Representations(after.states[:10], after.sample_ids[:10], after.captions[:10], after.positions[:10])
    assert concept_shift(before, some, a, b).counts.sum() == 10


def test_what_cannot_be_compared(rng):
    before, after, a, b, _, _ = two_models(rng, np.zeros((3, 12)))
    strangers = nbt.Representations(after.states, [f"x{i}" for i in range(60)], after.captions, after.positions)
    with pytest.raises(nbt.NbtoolkitError, match="no sample in common"):
        concept_shift(before, strangers, a, b)
    wide = nbt.ConceptDictionary(np.ones((3, 16)), b.activations, b.sample_ids, 0, "KMeans")
    with pytest.raises(
        nbt.NbtoolkitError, match="widths 12 and 16; expected the same layer of two versions of one model"
    ):
        concept_shift(before, after, a, wide)
    other = nbt.ConceptDictionary(b.concepts, b.activations, b.sample_ids, 3, "KMeans")
    with pytest.raises(nbt.NbtoolkitError, match="of layers 0 and 3 and widths 12 and 12; expected the same layer"):
        concept_shift(before, after, a, other)


def test_steering_vectors_have_the_papers_sign(rng):
    """The authors' code names u_i − u_j what the paper calls from i to j."""
    before, after, a, _, _, _ = two_models(rng, np.full((3, 12), 2.0))
    np.testing.assert_allclose(difference_of_means(before, after, layer=0), np.full(12, 2.0), atol=1e-5)
    np.testing.assert_allclose(a.concepts[0] + concept_pair(a, 0, 2), a.concepts[2], atol=1e-5)
    with pytest.raises(nbt.NbtoolkitError, match="There is no concept 3; the dictionary has 3"):
        concept_pair(a, 0, 3)
    assert t_overlap([["a", "b"], []], [["b"], ["c"]])[0] == 50 and np.isnan(t_overlap([[]], [["c"]])[0])
