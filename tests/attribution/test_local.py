"""New pictures taken apart, concepts located in them, and concepts that move between two models."""

import numpy as np
import pytest

import nbtoolkit as nbt


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


def test_words_that_set_a_concept_apart(model, dictionary):
    cd, g = dictionary
    apart = nbt.ground(cd, model, centred=True)
    assert apart.words != g.words
    common = np.mean([("dog" in w) for w in g.words]), np.mean([("dog" in w) for w in apart.words])
    assert common[1] <= common[0]


# --- shift ------------------------------------------------------------------------------------------------
