"""What a study does where nobody says otherwise: how many concepts, exemplars and words, and whose words count."""

import numpy as np
import pytest
from PIL import Image

import nbtoolkit as nbt


def representations(states, ids, caption):
    states, n = np.asarray(states, np.float32)[:, None], len(states)
    return nbt.Representations(states, ids, [caption] * n, [1] * n, layers=[5], source=nbt.Source(token="dog"))


@pytest.mark.parametrize(("n", "n_concepts"), [(11, 5), (60, 20)])
def test_half_as_many_concepts_as_samples_and_at_most_twenty(model, tmp_path, rng, n, n_concepts):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    ids = [f"{tmp_path}/{'./' * i}a.png" for i in range(n)]
    reps = representations(rng.normal(size=(n, model.d_model)), ids, "a dog")
    assert nbt.study(model, reps, "dog", progress=False).dictionary().n_concepts == n_concepts


def test_words_occur_in_the_captions(model, tmp_path):
    """The concept reads as grass and as night, and only one of them is in a caption."""
    head, spell = model.head.weight.detach().numpy(), model.tokenizer
    grass, night = (head[spell(f" {word}", add_special_tokens=False).input_ids[0]] for word in ("grass", "night"))
    states, method = np.stack([grass + night, 0.1 * grass]), nbt.LargestNorm(1)
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    reps = representations(states, [f"{tmp_path}/a.png", f"{tmp_path}/./a.png"], "a dog at night")
    assert {"grass", "night"} <= set(nbt.ground(nbt.decompose(reps, method), model).words[0])
    assert nbt.study(model, reps, "dog", method=method, progress=False).grounding().words == [["night", "dog"]]


def test_eight_exemplars_per_concept(study):
    for layer in study.layers:
        used = (study.dictionary(layer).activations > 0).sum(0)
        assert [len(group) for group in study.grounding(layer).exemplars] == np.minimum(used, 8).tolist()
        assert used.max() > 8
