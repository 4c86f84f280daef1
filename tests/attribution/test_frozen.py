"""Frozen maps: every kind of norm at one state is a linear map, and what is none is refused."""

import pytest
import torch
from torch import nn
from transformers.models.cohere.modeling_cohere import CohereLayerNorm
from transformers.models.gemma2.modeling_gemma2 import Gemma2RMSNorm
from transformers.models.llama.modeling_llama import LlamaRMSNorm

import nbtoolkit as nbt
from nbtoolkit.attribution.frozen import freeze, norms_in

D = 12


def random_norm(kind):
    generator = torch.Generator().manual_seed(1)
    norm = kind(D)
    with torch.no_grad():
        for parameter in norm.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return norm


@pytest.mark.parametrize("kind", [LlamaRMSNorm, Gemma2RMSNorm, nn.LayerNorm, CohereLayerNorm])
def test_parts_before_a_norm_add_up_after_it(kind):
    norm, others = random_norm(kind), [random_norm(nn.LayerNorm), random_norm(LlamaRMSNorm)]
    parts = torch.randn(5, D, dtype=torch.float64)
    x = parts.sum(0).float()
    y = norm(x).detach()
    frozen = freeze(x, y, [*others[:1], norm], 1e-5, "here")
    directions = torch.randn(3, D, dtype=torch.float64)
    total = (frozen.pull(directions) @ parts.T).sum(-1) + frozen.constant(directions)
    torch.testing.assert_close(total, directions @ y.double(), atol=1e-5, rtol=1e-5)
    assert frozen.centred == (kind in (nn.LayerNorm, CohereLayerNorm))


def test_factors_and_the_identity():
    x = torch.randn(D)
    assert freeze(x, x, [], 1e-6, "here").missed == 0
    torch.testing.assert_close(freeze(x, -0.3 * x, [], 1e-6, "here").scale, torch.full((D,), -0.3, dtype=torch.float64))
    assert freeze(x, 0 * x, [], 1e-6, "here").scale.abs().max() == 0  # a closed gate


def test_what_is_not_linear_is_refused():
    x = torch.randn(D)
    with pytest.raises(nbt.NbtoolkitError, match=r"What stands at the test is neither a norm nor a factor \(relative"):
        freeze(x, x.tanh(), [random_norm(nn.LayerNorm)], 1e-4, "at the test")


def test_norms_are_what_has_one_vector_of_weights():
    block = nn.Sequential(nn.Linear(D, D), nn.LayerNorm(D), nn.LayerNorm(D + 1), LlamaRMSNorm(D))
    assert norms_in(block, D) == [block[1], block[3]]
