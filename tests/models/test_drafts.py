"""Responses of an edited model behind a recorded pass are those of its own generation."""

import pytest
import torch

from nbtoolkit import interventions
from nbtoolkit.models import drafts
from nbtoolkit.models.generation import respond

from .test_zoo import load, pictures

LENGTH = 8
CONTINUED = (
    "llava",
    "qwen3-vl",
    "idefics3",
    "llama4",
    "molmo2",
)  # deepstack, thumbnails, chunked attention, a fused projection
WHOLE = ("gemma3", "mllama", "florence-2")  # earlier positions read later ones; cross-attention; an encoder


@pytest.fixture(params=CONTINUED)
def family(request):
    return load(request.param)


def recorded(model):
    prompt = model.inputs(pictures(1))
    (ids,) = respond(model, prompt, LENGTH)
    return prompt, ids, drafts.draft(model, prompt, ids, LENGTH)


def test_greedy_responses_are_those_of_the_steered_model(family):
    prompt, ids, owner = recorded(family)
    assert owner.run([], 1)[1] == [ids] and owner.limit == LENGTH
    others = set()
    for layer in (0, 1, family.n_layers):
        scale = float(owner.recording.stream[layer].float().std())
        vectors = scale * torch.randn(2, family.d_model, generator=torch.Generator().manual_seed(layer))
        for start in (0, owner.n_prompt):
            shift = drafts.Shift(layer, vectors, owner.mask(range(start, 10**6)))
            logits, rows, states = owner.run([shift], 2, family.n_layers)
            for j, vector in enumerate(vectors):
                with interventions.steer(family, layer, vector, positions=slice(start, None)):
                    assert respond(family, prompt, LENGTH) == [rows[j]]
                others.add(tuple(rows[j]))
            assert logits.shape[:2] == states.shape[:2] == (2, min(len(ids) + 1, LENGTH))
            torch.testing.assert_close(family.unembed(states), logits)
    assert len(others) > 2


@pytest.mark.parametrize("name", WHOLE)
def test_models_that_cannot_be_continued_have_no_draft(name):
    assert recorded(load(name))[2] is None


def test_a_draft_needs_ids_and_room(model, data):
    prompt = model.inputs(data["image"][:1])
    assert drafts.draft(model, prompt, [], LENGTH) is None
    assert drafts.draft(model, prompt, [5] * (LENGTH + 1), LENGTH) is None
    assert drafts.draft(model, prompt, [5], 10**6) is None  # beyond the context
