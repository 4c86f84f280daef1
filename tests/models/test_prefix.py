"""Behind a prefix, only later positions are computed, and are those of the whole pass; in every family, sdpa and eager."""

import pytest
import torch

import nbtoolkit as nbt
from nbtoolkit.models import prefix as module
from nbtoolkit.models.prefix import read_prefix
from nbtoolkit.models.replay import record, replay
from nbtoolkit.models.taps import Cut, tap

from ..zoo_targets import EVERY, zoo_model
from .test_replay import a_pass

WHOLE = (
    "blip-2-t5",
    "mllama",
    "kosmos-2",
    "git",
    "florence-2",
)  # an encoder, cross-attention, or a function of its own
BLOCKS = ("paligemma", "molmo2")  # image positions read each other, so that no prefix ends among them


@pytest.mark.parametrize(("name", "how"), EVERY)
def test_positions_behind_a_prefix_are_those_of_the_whole_pass(name, how):
    model = zoo_model(name, how)
    recording = record(model, a_pass(model))
    prefix = read_prefix(model, recording)
    if name in WHOLE:
        assert prefix is None
        return
    assert prefix is not None
    assert (len(prefix.ends) < recording.n_positions // 2) == (name in BLOCKS)
    for layer in range(model.n_layers):
        own = recording.stream[layer]
        for end in {prefix.ends[0], prefix.start(recording.n_positions // 2) or prefix.ends[0], prefix.ends[-1]}:
            states = own.repeat(3, 1, 1)
            noise = torch.randn(own[0, end:].shape, generator=torch.Generator().manual_seed(layer))
            states[1, end:] += noise * own.std()
            whole = replay(model, recording, layer, states)
            rest = prefix.replay(model, recording, layer, states[:, end:])
            assert rest.shape == whole[:, end:].shape
            assert (rest - whole[:, end:]).abs().max() <= 2e-5 * whole.abs().max()
            assert (whole[1, :end] - recording.stream[-1][0, :end]).abs().max() <= 2e-5 * whole.abs().max()


def test_only_the_positions_from_the_edit_on_are_computed():
    t = nbt.target(nbt.load_model("toy"), nbt.load_data("toy", n=1)[0]["image"], "a", response="a dog")
    states = t.recording.stream[1].clone()
    states[:, 40:] = states[:, :1]
    whole, lengths = t.replay(1, states), []
    handle = t.model.blocks[3].register_forward_pre_hook(
        lambda _m, args, kwargs: lengths.append(args[0].shape[1]), with_kwargs=True
    )
    try:
        assert t.prefix is not None
        lengths.clear()
        assert t.replay(1, states, start=40) == pytest.approx(whole, abs=1e-4)
        assert t.replay(t.model.n_layers, t.recording.stream[-1], start=40) == pytest.approx(t.value, abs=1e-5)
    finally:
        handle.remove()
    assert lengths == [t.n_positions - 40]


def test_a_cut_holds_behind_a_prefix():
    t = nbt.target(nbt.load_model("toy"), nbt.load_data("toy", n=1)[0]["image"], "a", response="a dog")
    with tap(
        t.model, [-1], cuts=[Cut(2, t.at("last"), t.at("image")), Cut(4, t.at("last"), t.at("image")[:9], (1,))]
    ) as attention:
        whole = t.replay(0, t.recording.stream[0])
        rows = dict(attention.rows)
        rest = t.replay(0, t.recording.stream[0], start=t.positions[0])
    assert rest == pytest.approx(whole, abs=1e-4) and abs(whole - t.value) > 1e-2
    for layer, row in attention.rows.items():
        torch.testing.assert_close(row, rows[layer], rtol=0, atol=1e-5)


def test_a_prefix_that_does_not_equal_the_whole_pass_is_not_used(monkeypatch):
    model = nbt.load_model("toy")
    recording = record(model, a_toy_pass(model))
    monkeypatch.setattr(module, "_EQUAL", {})
    monkeypatch.setattr(module, "_joined", lambda call, keys, values, start: (keys * 2, values, None))
    assert read_prefix(model, recording) is None


def a_toy_pass(model):
    return model.extend(model.inputs([nbt.load_data("toy", n=1)[0]["image"]]), [[5]])
