"""What a model does: told by its states for a fixed image, within rounding, and compared before stored shards are given back."""

import copy

import numpy as np
import pytest
import torch

import nbtoolkit as nbt
from nbtoolkit.extraction import dask_cluster
from nbtoolkit.extraction.probe import HALF, TOLERANCE, difference, probe
from nbtoolkit.extraction.shards import ShardStore

from ..models.test_zoo import load
from ..zoo import FAMILIES, build

FLOAT = "torch.float32"


@pytest.fixture
def llava():
    hf, processor = build("llava")
    return nbt.load_model(hf, processor=processor)


@pytest.mark.parametrize("name", list(FAMILIES))
def test_every_family_has_a_probe_that_repeats(name):
    model = load(name)
    one = probe(model)
    assert one == probe(model) and difference(one, probe(model), FLOAT) == ""
    assert len(one["states"][0]) == model.n_layers + 2 and one["inputs"]["input_ids"][0][0] == 1


def test_shards_of_the_plain_model_are_not_given_back_inside_an_intervention(model, data, tmp_path):
    """In memory the ablated model has other rows; from disk it must not have the plain model's."""
    plain = nbt.extract(model, data, "dog", out=tmp_path, progress=False)
    vector = np.ones(model.d_model, np.float32)
    for change in (
        nbt.interventions.ablate(model, 2),
        nbt.interventions.ablate(model, 3, part="attention", heads=[1]),
        nbt.interventions.ablate(model, 3, direction=vector),
        nbt.interventions.steer(model, 5, vector, scale=0.05),
        nbt.interventions.steer(model, 1, vector, scale=0.05),
    ):
        with (
            change,
            pytest.raises(nbt.NbtoolkitError, match="were made by a model whose states differ .*the states at layer"),
        ):
            nbt.extract(model, data, "dog", out=tmp_path, progress=False)
    again = nbt.extract(model, data, "dog", out=tmp_path, progress=False)
    assert np.array_equal(again.states, plain.states)


@pytest.mark.parametrize(("name", "value"), [("image_mean", [0.4, 0.4, 0.4]), ("rescale_factor", 1 / 200)])
def test_the_processor_is_a_part_of_what_a_model_does(llava, name, value):
    before = probe(llava)
    setattr(llava.processor.image_processor, name, value)
    assert "gives other pixel_values for the same image" in difference(before, probe(llava), FLOAT)


def test_a_limit_that_only_large_images_reach_is_seen():
    hf, processor = build("qwen2-vl")
    model = nbt.load_model(hf, processor=processor)
    limits, probes = [2**16, 2**15], []
    for longest in limits:  # the small image has 96 × 64 pixels
        size = processor.image_processor.size
        processor.image_processor.size = type(size)(shortest_edge=size["shortest_edge"], longest_edge=longest)
        probes.append(probe(model))
    before, after = probes
    assert before["states"] == after["states"] and "the processor gives other" in difference(before, after, FLOAT)


def test_a_hook_on_cached_steps_or_on_the_head_is_seen(llava):
    before = probe(llava)

    def cached_only(_module, _args, output):
        states = output[0] if isinstance(output, tuple) else output
        new = states + 1 if states.shape[1] == 1 else states
        return (new, *output[1:]) if isinstance(output, tuple) else new

    handle = llava.blocks[1].register_forward_hook(cached_only)
    seen = difference(before, probe(llava), FLOAT)
    handle.remove()
    assert "the states at layer 2" in seen
    handle = llava.head.register_forward_hook(lambda _module, _args, out: out * 1.1)
    assert "the logits of a probe image" in difference(before, probe(llava), FLOAT)
    handle.remove()
    assert difference(before, probe(llava), FLOAT) == ""


def test_another_choice_of_tokens_is_seen_unless_they_tie(llava):
    one = probe(llava)
    other = copy.deepcopy(one)
    other["tokens"][0] += 1
    one["margins"] = [1e3, 1e3]
    assert "token " in difference(one, other, FLOAT)
    one["margins"] = [0.0, 0.0]
    assert difference(one, other, FLOAT) == ""


@pytest.mark.parametrize(("number_format", "limit"), [(FLOAT, TOLERANCE[FLOAT]), ("torch.bfloat16", HALF)])
def test_rounding_is_no_difference(number_format, limit, llava):
    """Noise below the tolerance, relative to the typical coordinate, is none; massive coordinates do not hide a change."""
    rng, one = np.random.default_rng(0), probe(llava)
    for factor, same in ((0.5, True), (2.0, False)):
        other = copy.deepcopy(one)
        row = np.asarray(other["states"][0][2])
        noise = rng.choice([-1.0, 1.0], len(row)) * np.median(np.abs(row)) * limit * factor
        other["states"][0][2] = (row + noise).tolist()
        assert (difference(one, other, number_format) == "") is same
    massive, other = copy.deepcopy(one), copy.deepcopy(one)
    massive["states"][0][2][0] = other["states"][0][2][0] = 1000 * max(map(abs, one["states"][0][2]))
    changed = np.asarray(other["states"][0][2])
    changed[1:] *= 1 + 4 * limit
    other["states"][0][2] = changed.tolist()
    assert difference(massive, other, number_format) != ""


@pytest.mark.parametrize("name", list(FAMILIES))
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_another_attention_kernel_is_rounding(name, dtype):
    """Its rounding differs as that of another machine does; a random BLIP-2 (T5) amplifies it to 88 % in bfloat16."""
    load(name)
    hf, processor = build(name)
    if dtype != hf.dtype:
        if name == "llama4":
            pytest.skip("its rotations are complex numbers, which no half precision holds")
        hf = hf.to(dtype)
    model = nbt.models.Model(hf, processor)
    one = probe(model)
    hf.set_attn_implementation("eager")
    assert difference(one, probe(model), str(dtype)) == ""


def test_half_precision_and_another_number_of_threads_are_rounding():
    hf, processor = build("llava")
    model = nbt.load_model(hf.to(torch.bfloat16), processor=processor)
    one = probe(model)
    torch.set_num_threads(2)
    try:
        assert difference(one, probe(model), str(model.hf.dtype)) == ""
    finally:
        torch.set_num_threads(1)


def test_a_folder_without_a_probe_is_another_extraction(model, tmp_path):
    ShardStore(tmp_path, {"number format": FLOAT}, [0])
    with pytest.raises(nbt.NbtoolkitError, match="it has no probe image"):
        ShardStore(tmp_path, {"probe": probe(model), "number format": FLOAT}, [0])


def test_a_worker_that_has_other_states_is_refused(model, data, tmp_path, monkeypatch):
    """An intervention in this process does not reach a worker, which loads the model from its files."""
    task = dask_cluster.ShardTask(
        "toy", {}, False, str(tmp_path), None, "", {"weights": dask_cluster.weights(model.hf), "number format": FLOAT}
    )
    with nbt.interventions.ablate(model, 2):
        task.fingerprint["probe"] = probe(model)
    pytest.importorskip("dask.distributed", reason="Dask is not installed")
    monkeypatch.setattr(dask_cluster, "_models", {})
    monkeypatch.setattr(dask_cluster, "_keep_freed_memory", lambda: None)
    with pytest.raises(
        nbt.NbtoolkitError, match="The worker's model differs .*do not reach the workers: leave engine= out"
    ):
        dask_cluster._reader(task)
