"""A target within an intervention: its lens and its attention are those of the edited pass, in every family."""

import contextlib

import numpy as np
import pytest
import torch

import nbtoolkit as nbt
from nbtoolkit.attribution import attention_to_image
from nbtoolkit.interventions import ablate, knock_out, mask_patches, patch, steer
from nbtoolkit.lens import logit_lens
from nbtoolkit.models.anatomy import neuron_matrix
from nbtoolkit.models.inference import inference

from ..zoo_targets import EVERY, pair

NOT_HEARD = ("git",)  # whose attention function is its own


def edits_of(t, other):
    """Interventions by name, with what they need read before they are in force."""
    model, image, n = t.model, t.at("image"), t.model.n_layers
    whole = max(t.first_layer, n - 1)
    states = other.recording.stream[whole][:, list(image)]
    start = t.positions[0]
    made = {
        "mask": lambda: mask_patches(t, [0, 1]),
        "patch": lambda: patch(model, whole, states, image),
        "steer": lambda: steer(model, 1, np.arange(model.d_model) % 3, 0.5, slice(start, None)),
        "mlp": lambda: ablate(model, n - 1, part="mlp"),
    }
    with contextlib.suppress(nbt.errors.ModelError):
        neuron_matrix(model, n)
        made["neurons"] = lambda: ablate(model, n, part="mlp", neurons=range(8))
    return made | {"cut": lambda: knock_out(model, image, layers=n)}


@pytest.mark.parametrize(("name", "how"), EVERY)
def test_the_last_layer_of_the_lens_is_the_edited_logits(name, how):
    t, other = pair(name, how)
    last, plain = t.positions[-1], logit_lens(t, words=["dog"])
    for what, edit in edits_of(t, other).items():
        if what == "cut" and name in NOT_HEARD:
            continue
        with edit(), inference(t.model.hf):
            logits = t.model.hf(**t.inputs).logits[0, -1].float().log_softmax(-1)
            e = t.again()
            m = logit_lens(e, words=["dog"])
            rows = attention_to_image(e) if name not in NOT_HEARD else None
        own = float(logits[t.piece_ids[-1]])
        assert m.check.holds
        lens = m.values.sel(layer=t.model.n_layers, position=last).values
        assert np.abs(lens - own).min() < 2e-4, what
        if what in (
            "steer",
            "mlp",
            "neurons",
        ):  # patches of a resampler without training are equal; a window may have no image
            assert np.abs(m.values.values - plain.values.values).max() > 0, what
        if rows is not None:
            assert rows.check.holds, what
            total = rows.details["share"].sum("group").values
            assert (np.minimum(np.abs(total - 1), np.abs(total)) < 1e-4).all()
            if what == "cut":
                assert float(rows.values.sel(layer=t.model.n_layers).sum()) == 0


@pytest.mark.parametrize(("name", "how"), EVERY)
def test_without_an_edit_it_is_the_target_bit_for_bit(name, how):
    t, _ = pair(name, how)
    with mask_patches(t, []), knock_out(t.model, []) if name not in NOT_HEARD else contextlib.nullcontext():
        e = t.again()
        pairs = [(logit_lens(t, words=["dog"]), logit_lens(e, words=["dog"]))]
        if name not in NOT_HEARD:
            pairs.append((attention_to_image(t), attention_to_image(e)))
    for own, edited in pairs:
        assert np.array_equal(own.values, edited.values) and np.array_equal(own.null, edited.null)
    assert torch.equal(t.recording.stream[-1], e.recording.stream[-1])
