"""BERTScore equals the reference package."""

from collections import defaultdict

import numpy as np
import pytest
import torch

import nbtoolkit as nbt
from nbtoolkit.metrics import (
    bert_score,
)
from nbtoolkit.models import Scorer, TextEncoder, load_text_encoder

from ..zoo.bert import tiny_bert

TEXTS = [
    "a dog on the grass",
    "two cats near a red bus",
    "a white cake on the table with a baby",
    "dog, grass, white, running",
]


@pytest.fixture(scope="module")
def encoder():
    bert, tokenizer = tiny_bert(TEXTS * 20, 140)
    for p in bert.parameters():
        if p.ndim > 1:
            p.data *= 6
    return bert, tokenizer


@pytest.mark.filterwarnings("ignore")
def test_bert_score_equals_the_reference_package(encoder):
    reference = pytest.importorskip("bert_score.utils", reason="bert-score is not installed")
    bert, tokenizer = encoder
    candidates, references = ["dog, grass, running", "cat, bus", "a baby with cake", "table"], [*TEXTS[:3], "two cats"]
    idf = defaultdict(lambda: 1.0, {tokenizer.sep_token_id: 0, tokenizer.cls_token_id: 0})
    theirs = reference.bert_cos_score_idf(bert, references, candidates, tokenizer, idf, device="cpu", all_layers=False)[
        :, 2
    ]
    ours = bert_score(candidates, [[r] for r in references], TextEncoder(bert, tokenizer))
    np.testing.assert_allclose(ours.values, theirs.numpy(), atol=1e-5)
    several = bert_score(candidates, [references] * 4, TextEncoder(bert, tokenizer))
    assert (several.values >= ours.values - 1e-9).all()
    scaled = bert_score(candidates, [[r] for r in references], TextEncoder(bert, tokenizer), baseline=0.5)
    np.testing.assert_allclose(scaled.values, (ours.values - 0.5) / 0.5)


def test_an_encoder_is_loaded_from_a_folder(encoder, tmp_path):
    bert, tokenizer = encoder
    bert.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    loaded = load_text_encoder(tmp_path, layer=1)
    assert loaded(["a dog"])[0][0].shape[1] == 32 and loaded(["a dog"])[0][1].tolist()[0] == 0
    with pytest.raises(nbt.NbtoolkitError, match="layer is 7; expected one between 0 and 2"):
        load_text_encoder(tmp_path, layer=7)
    with pytest.raises(nbt.NbtoolkitError, match="cannot be loaded as a text encoder"):
        load_text_encoder(tmp_path / "nowhere")


def test_a_sample_without_references_has_no_score(encoder):
    assert np.isnan(bert_score(["dog"], [[]], TextEncoder(*encoder)).values[0])
    assert bert_score([""], [["dog"]], TextEncoder(*encoder)).values[0] == 0


def test_the_text_tower_of_a_scorer_is_a_text_encoder(scorer):
    """States of the tower's own layer, of unit length; its begin and end tokens do not count."""
    encoder = scorer.text_encoder(1)
    assert encoder.name == "text tower of the scorer 'toy'" and encoder.layer == 1
    ((rows, weights),) = encoder(["a dog"])
    ids = scorer.processor.tokenizer(["a dog"], return_tensors="pt")
    with torch.no_grad():
        states = scorer.hf.text_model(**ids, output_hidden_states=True).hidden_states[1][0].numpy()
    np.testing.assert_allclose(rows, states / np.linalg.norm(states, axis=1, keepdims=True), atol=1e-6)
    assert weights.tolist() == [0.0, *[1.0] * (len(weights) - 2), 0.0]
    with pytest.raises(nbt.NbtoolkitError, match="layer is 9; expected one between 0 and 2"):
        scorer.text_encoder(9)


def test_a_scorer_without_a_text_tower_is_no_text_encoder():
    scorer = Scorer(torch.nn.Linear(1, 1), None, "mine")
    with pytest.raises(nbt.NbtoolkitError, match="The scorer 'mine' .* has no text tower .* Give a text encoder"):
        scorer.text_encoder()
