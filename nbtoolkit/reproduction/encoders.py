"""The text encoder of BERTScore: a given one, one that is at hand, or none; and whether it tells captions apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from transformers.utils.hub import try_to_load_from_cache

from ..errors import ModelError
from ..metrics import Score, bert_score
from ..models import load_text_encoder
from ..models.scorers import DEFAULT_LAYERS, TextEncoder

CACHED = (
    *("roberta-large", "FacebookAI/roberta-large", "roberta-base", "FacebookAI/roberta-base"),
    *("bert-base-uncased", "google-bert/bert-base-uncased"),
)  # the paper's first
SOUND = 0.75  # share of pairs; 0.5 is chance
N_IMAGES, N_OTHERS = 64, 8


@dataclass(frozen=True)
class Encoder:
    """The text encoder of a run, with how well it tells captions apart.

    Attributes
    ----------
    embed
        The encoder, or None.
    note
        What it is, or why there is none, as a sentence.
    """

    embed: Any
    note: str


def choose_encoder(encoder: Any, scorer: Any, captions: Sequence[Sequence[str]]) -> Encoder:
    """Text encoder for BERTScore.

    ``"auto"`` never downloads. It takes RoBERTa or BERT from the local Hugging Face cache; else the token states of the
    scorer's text tower, at the layer that tells captions apart best, if they do so in at least 75 % of the pairs; else none.

    Parameters
    ----------
    encoder
        ``"auto"``, None, a hub id or folder, or an encoder as for :func:`nbtoolkit.metrics.bert_score`.
    scorer
        The CLIP scorer.
    captions
        Captions per image, of the training data.
    """
    if encoder is None:
        return Encoder(None, "BERTScore is off.")
    if not isinstance(encoder, str):
        return _described(encoder, captions)
    if encoder != "auto":
        return _described(load_text_encoder(encoder), captions)
    own = _cached()
    if own is not None:
        return _described(own, captions)
    try:
        n = scorer.text_encoder().hf.config.num_hidden_layers
        towers = [scorer.text_encoder(layer) for layer in range(1, n + 1)]
    except (ModelError, AttributeError, TypeError):  # a scorer of another kind
        return Encoder(None, f"BERTScore: none. {_missing()} The scorer has no text tower that gives states of tokens.")
    shares = [captions_apart(tower, captions) for tower in towers]
    best = int(np.argmax([np.nan_to_num(s.mean) for s in shares]))
    if shares[best].mean >= SOUND and shares[best].interval()[0] > 0.5:
        return Encoder(towers[best], f"{_sentence(towers[best], shares[best])} {_missing()}")
    return Encoder(
        None,
        f"BERTScore: none. {_missing()} The scorer's text tower tells captions apart in {shares[best].mean:.0%} of the pairs; "
        f"expected at least {SOUND:.0%}.",
    )


def captions_apart(embed: Any, captions: Sequence[Sequence[str]]) -> Score:
    """How often BERTScore F1 of a caption is higher with another caption of its image than with that of another image.

    Parameters
    ----------
    embed
        A text encoder.
    captions
        Captions per image; those of the first 64 images that have two count.

    Returns
    -------
    Score
        Per image, the share of 8 other images, 0 to 1, no unit; NaN without two images of two captions each.
    """
    pairs = [group[:2] for group in captions if len(group) > 1][:N_IMAGES]
    if len(pairs) < 2:
        return Score(np.array([np.nan]), "captions told apart")
    first, second = ([group[i] for group in pairs] for i in (0, 1))
    own = bert_score(first, [[text] for text in second], embed).values
    shifts = range(1, min(N_OTHERS, len(pairs) - 1) + 1)
    others = [bert_score(first, [[t] for t in second[s:] + second[:s]], embed).values for s in shifts]
    return Score(np.mean([(own > x) + 0.5 * (own == x) for x in others], 0), "captions told apart")


def _cached() -> TextEncoder | None:
    """An encoder of the local Hugging Face cache; loaded from its folder, so that nothing is asked of the network."""
    for name in CACHED:
        config = try_to_load_from_cache(name, "config.json")
        if isinstance(config, str):
            try:
                encoder = load_text_encoder(Path(config).parent, layer=DEFAULT_LAYERS.get(name))
            except ModelError:  # its weights are not there
                continue
            encoder.name = name
            return encoder
    return None


def _missing() -> str:
    return f"No encoder of the paper's kind is in the local Hugging Face cache ({CACHED[0]}, {CACHED[2]}, {CACHED[4]})."


def _described(encoder: Any, captions: Sequence[Sequence[str]]) -> Encoder:
    return Encoder(encoder, _sentence(encoder, captions_apart(encoder, captions)))


def _sentence(encoder: Any, share: Score) -> str:
    layer = getattr(encoder, "layer", None)
    name = getattr(encoder, "name", type(encoder).__name__)
    where = "" if layer is None else f", layer {layer}"
    if not len(share.defined):
        return f"Text encoder: {name}{where}."
    return (
        f"Text encoder: {name}{where}; it tells a caption of the same image from one of another image in {share.mean:.1%} of the "
        f"pairs (n = {len(share.defined)} training images)."
    )
