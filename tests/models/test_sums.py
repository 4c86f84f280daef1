"""Residual sums: where branches enter the residual stream, for the ways in which blocks write their sums."""

import pytest
import torch
from torch import nn
from torch.overrides import _get_current_function_mode_stack

from nbtoolkit.errors import ModelError
from nbtoolkit.models.reports import Check, Report
from nbtoolkit.models.sums import PARTS_SUM, PartSums, residual_sums


class Branch(nn.Linear):
    pass


class Block(nn.Module):
    """A block of two branches, and a way to write its sums."""

    def __init__(self, way, width=4):
        super().__init__()
        self.self_attn, self.mlp = Branch(width, width), Branch(width, width)
        self.norm, self.way = nn.LayerNorm(width), way
        nn.init.uniform_(self.norm.bias)

    def forward(self, hidden_states):
        return self.way(self, hidden_states)


def serial(block, x):
    x = x + block.self_attn(x)
    return x + block.mlp(block.norm(x))


def normed(block, x):
    x = x + block.norm(block.self_attn(x))
    return 0.5 * torch.tanh(block.mlp(x)) + x


def parallel(block, x):
    return (block.self_attn(x) + block.mlp(x)) + x


def in_place(block, x):
    a = block.self_attn(x)
    a += x
    m = block.mlp(a).view(-1, 4)
    return torch.add(a.view(-1, 4), m).view(x.shape)


def post_norm(block, x):
    x = block.norm(x + block.self_attn(x))
    return block.norm(x + block.mlp(x))


def scaled(block, x):
    return 0.999 * serial(block, x)


def apart(block, x):
    return x + block.self_attn(x) * block.mlp(x)


def multiplied(block, x):
    return x * block.self_attn(x) * block.mlp(x)


def failing(block, x):
    block.self_attn(x)
    raise KeyError("inside")


@pytest.fixture
def states():
    return torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))


def contributions(block, parts, states):
    added = []
    with (
        torch.no_grad(),
        residual_sums(block, parts, lambda order, x: added.append((order, x.reshape(2, 3, 4).clone()))),
    ):
        block(states)
    assert [order for order, _ in added] == list(range(len(parts)))
    return [x for _, x in added]


@pytest.mark.parametrize("way", [serial, normed, parallel, in_place])
def test_parts_sum_to_what_a_block_adds_however_it_writes_its_sums(way, states):
    block = Block(way)
    with torch.no_grad():
        total = block(states) - states
        attention, mlp = contributions(block, [block.self_attn, block.mlp], states)
        torch.testing.assert_close(attention + mlp, total)
        expected = block.norm(block.self_attn(states)) if way is normed else block.self_attn(states)
        torch.testing.assert_close(attention, expected)
        with residual_sums(
            block, [block.self_attn], lambda _, x: 2 * x
        ):  # what enters is replaced, and the MLP reads it
            doubled = block(states.clone())
        with residual_sums(block, [block.mlp], lambda _, x: torch.zeros_like(x)), \
                residual_sums(block, [block.self_attn], lambda _, x: 2 * x):  # fmt: skip
            torch.testing.assert_close(block(states.clone()) - states, 2 * attention)
        if way is not parallel:
            assert not torch.allclose(doubled - states, total + attention)


@pytest.mark.parametrize("way", [serial, normed, parallel, in_place, post_norm, scaled, apart])
def test_the_check_says_whether_parts_sum_within_rounding(way, states):
    """A factor of 0.999 is no rounding in float32; in bfloat16 the true sums pass although they round a thousand times more."""
    for dtype in (torch.float32, torch.bfloat16):
        blocks = [Block(serial).to(dtype), Block(way).to(dtype)]
        sums = PartSums(blocks)
        with torch.no_grad(), sums.reading():
            for block in blocks:
                states = block(states.to(dtype))
        check = sums.check()
        assert check.what == PARTS_SUM and check.note
        if dtype == torch.float32 or way is not scaled:
            assert check.ok is (way not in (post_norm, scaled, apart)), check
        assert check.ok or "at 1 of 2 blocks; at layer 2 they differ by" in check.detail


def test_a_block_without_parts_of_a_known_name_is_a_note():
    sums = PartSums([nn.Sequential(nn.Linear(4, 4))])
    with sums.reading():
        pass
    assert not sums.check().ok and sums.check().detail.startswith(
        "layer 1: Sequential has no attention under a known name"
    )


def test_a_note_does_not_make_a_report_fail():
    note, fault = (Check("parts sum", False, "no", note=note) for note in (True, False))
    assert Report("model", (note,)).ok and not Report("model", (note, fault)).ok
    lines = repr(Report("model", (note, fault))).splitlines()
    assert lines[2].startswith("  -    parts sum") and lines[3].startswith("  NO   parts sum")


def test_a_branch_that_enters_no_sum_is_an_error_in_the_pass(states):
    block = Block(multiplied)
    with (
        pytest.raises(ModelError, match="The output of Branch, Branch enters no sum within Block; .* Use part='block'"),
        residual_sums(block, [block.self_attn, block.mlp], lambda _, x: None),
    ):
        block(states)


def test_an_error_inside_a_block_leaves_no_mode_and_no_hook(states):
    block = Block(failing)
    with pytest.raises(KeyError, match="inside"), residual_sums(block, [block.self_attn], lambda _, x: None):
        block(states)
    assert not _get_current_function_mode_stack()
    assert not block._forward_hooks and not block._forward_pre_hooks and not block.self_attn._forward_hooks


def test_gradients_pass_through_what_enters(states):
    block = Block(serial)
    with residual_sums(block, [block.mlp], lambda _, x: 3 * x):
        block(states).sum().backward()
    tripled = block.mlp.bias.grad.clone()
    block.zero_grad()
    block(states).sum().backward()
    torch.testing.assert_close(tripled, 3 * block.mlp.bias.grad)
