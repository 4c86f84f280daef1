"""Masked patches: the numbers of occlusion, in whole passes and in what is generated, in every family."""

import pytest
import torch

import nbtoolkit as nbt
from nbtoolkit.attribution import occlusion
from nbtoolkit.interventions import mask_patches
from nbtoolkit.models.inference import inference
from nbtoolkit.models.replay import record
from nbtoolkit.targets.axes import patch_positions

from ..zoo_targets import EVERY, pair, zoo_target
from .test_knockout_context import cached, last_logits, prompt_of

N = 4


def patches_of(t):
    """Patches in the order of the geometry, or of the image's positions, and where a mark between patches is none."""
    try:
        return list(t.patches[0])
    except nbt.errors.ModelError:
        return list(t.at("image"))


@pytest.mark.parametrize(("name", "how"), EVERY)
def test_a_mask_gives_the_number_of_occlusion(name, how):
    t, _ = pair(name, how)
    m, every = occlusion(t, null="none"), patches_of(t)
    for i in {0, len(every) // 2, len(every) - 1}:
        with mask_patches(t, [i]):
            value = t.again().value
        lost = float(m.values.values[m.values.position.values == every[i]][0])
        assert t.value - value == pytest.approx(lost, abs=3e-5)


@pytest.mark.parametrize(("name", "how"), EVERY)
def test_all_patches_are_one_state_in_every_pass_and_step(name, how):
    t, _ = pair(name, how)
    every, pool = patches_of(t), patch_positions(t)
    plain, inputs = record(t.model, t.inputs).stream[0], prompt_of(t)
    _, before = cached(t.model, inputs, N)
    with mask_patches(t, range(len(every))):
        states = record(t.model, t.inputs).stream[0]
        ids, logits = cached(t.model, inputs, N)
        for k in range(N):  # steps with a cache are whole passes
            whole = last_logits(t.model, inputs, ids[:k]).float()
            torch.testing.assert_close(logits[k].cpu(), whole.cpu(), atol=2e-4, rtol=2e-4)
    mean = plain[0, pool].mean(0)
    torch.testing.assert_close(states[0, every], mean.expand(len(every), -1), atol=1e-6, rtol=1e-5)
    rest = [p for p in range(t.n_positions) if p not in every]
    assert torch.equal(states[0, rest], plain[0, rest])
    differ = float((plain[0, pool] - mean).abs().max()) > 1e-5  # not so of a resampler's states without training
    assert differ == bool((logits - before).abs().max() > 1e-5)
    assert torch.equal(cached(t.model, inputs, N)[1], before)


@pytest.mark.parametrize(("name", "how"), EVERY)
def test_no_patch_changes_no_bit(name, how):
    t, _ = pair(name, how)
    plain = record(t.model, t.inputs).stream[-1]
    with mask_patches(t, []), inference(t.model.hf):
        assert torch.equal(record(t.model, t.inputs).stream[-1], plain)


def test_what_cannot_be_masked_is_refused():
    with pytest.raises(nbt.errors.ModelError, match="needs image positions"), mask_patches(zoo_target("mllama"), [0]):
        pass
    t, _ = pair("llava")
    n = len(t.patches[0])
    for patches, message in (([n], f"from 0 to {n - 1}"), ([-1], "patches is"), ("x", "patches is 'x'")):
        with pytest.raises(nbt.NbtoolkitError, match=message), mask_patches(t, patches):
            pass
