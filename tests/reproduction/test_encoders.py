"""The text encoder of BERTScore: given, at hand, or none; nothing is downloaded for "auto"."""

import numpy as np
import pytest

import nbtoolkit as nbt
from nbtoolkit.models import TextEncoder
from nbtoolkit.reproduction import encoders
from nbtoolkit.reproduction.encoders import captions_apart, choose_encoder

from ..zoo.bert import tiny_bert

CAPTIONS = [["a dog on grass", "a brown dog"], ["a red bus", "the bus in the street"], ["a cake", "a white cake"]] * 3


def letters(texts):
    """A letter is its own direction."""
    return [(np.eye(27)[[ord(c) - 96 if c.isalpha() else 0 for c in t]], np.ones(len(t))) for t in texts]


def test_captions_apart_by_hand():
    assert captions_apart(letters, [["ab", "ab"], ["cd", "cd"]]).values.tolist() == [1, 1]
    assert captions_apart(letters, [["ab", "cd"], ["cd", "ab"]]).values.tolist() == [0, 0]
    assert captions_apart(letters, [["ab", "xy"], ["cd", "xy"]]).values.tolist() == [0.5, 0.5]
    assert np.isnan(captions_apart(letters, [["a", "b"], ["c"]]).mean)


def test_auto_takes_the_text_tower_of_the_embedded_scorer(scorer, world, monkeypatch):
    """It tells captions of both worlds apart nearly always; without such a tower there is none, and the note says so."""
    monkeypatch.setattr(encoders, "_cached", lambda: None)
    own = choose_encoder("auto", scorer, world[0]["captions"])
    assert "text tower of the scorer 'toy', layer" in own.note and "No encoder of the paper's kind" in own.note
    assert captions_apart(own.embed, world[1]["captions"]).mean > 0.95
    other = nbt.load_data("toy-second", n=100)
    assert captions_apart(own.embed, other["captions"]).mean > 0.9
    none = choose_encoder("auto", scorer, [["the same"] * 2] * 9)
    assert none.embed is None and "tells captions apart in 50% of the pairs; expected at least 75%" in none.note
    none = choose_encoder("auto", object(), CAPTIONS)
    assert none.embed is None and "no text tower" in none.note


def test_auto_takes_what_the_cache_has(scorer, monkeypatch, tmp_path):
    """The paper's encoder first, from its folder, at the layer of the reference implementation."""
    bert, tokenizer = tiny_bert([c for group in CAPTIONS for c in group], 90)
    bert.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    asked = []

    def cached(name, file):
        asked.append(name)
        return str(tmp_path / file) if name == "roberta-base" else None

    monkeypatch.setattr(encoders, "try_to_load_from_cache", cached)
    monkeypatch.setitem(encoders.DEFAULT_LAYERS, "roberta-base", 1)
    own = choose_encoder("auto", scorer, CAPTIONS)
    assert isinstance(own.embed, TextEncoder) and own.embed.layer == 1 and own.embed.name == "roberta-base"
    assert "Text encoder: roberta-base, layer 1; it tells" in own.note and asked[0] == "roberta-large"


def test_given_encoders_and_none(scorer):
    assert choose_encoder(None, scorer, CAPTIONS) == encoders.Encoder(None, "BERTScore is off.")
    own = choose_encoder(letters, scorer, CAPTIONS)
    assert own.embed is letters and own.note.startswith("Text encoder: function; it tells")
    assert choose_encoder(letters, scorer, [["one"]]).note == "Text encoder: function."
    with pytest.raises(nbt.NbtoolkitError, match="'/no/such/encoder' cannot be loaded as a text encoder"):
        choose_encoder("/no/such/encoder", scorer, CAPTIONS)
