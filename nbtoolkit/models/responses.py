"""Responses as token ids: appended to a model's inputs for a teacher-forced pass, and cut where they end."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from .decoding import end_ids
from .families import COMPANIONS

_PLACEHOLDERS = ("image_token_id", "image_token_index", "image_patch_id", "video_token_id", "video_token_index")


def append(model: Any, inputs: dict[str, Any], sequences: Sequence[Sequence[int]]) -> dict[str, Any]:
    """Append responses to the inputs, padded on the right; :meth:`nbtoolkit.models.Model.extend` is this function.

    Parameters
    ----------
    model
        The adapter.
    inputs
        From :meth:`nbtoolkit.models.Model.inputs`.
    sequences
        Ids of each row's response.
    """
    longest = max(map(len, sequences), default=0)
    shape, kind = (len(sequences), longest), {"dtype": torch.long, "device": inputs["input_ids"].device}
    tail = torch.tensor([[*row, *[model.pad] * (longest - len(row))] for row in sequences], **kind).reshape(shape)
    live = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in sequences], **kind).reshape(shape)
    if model.encoder_decoder:
        start = model.hf.generation_config.decoder_start_token_id
        start = model.hf.config.get_text_config(decoder=True).decoder_start_token_id if start is None else start
        return inputs | {"decoder_input_ids": torch.cat([torch.full((len(sequences), 1), start, **kind), tail], 1)}
    full = inputs | {
        "input_ids": torch.cat([inputs["input_ids"], tail], 1),
        "attention_mask": torch.cat([inputs["attention_mask"], live], 1),
    }
    for name in COMPANIONS:
        if name in inputs:
            fill = model.family.get("fill", {}).get(name, 0)
            full[name] = torch.cat([inputs[name], torch.full_like(tail, fill).to(inputs[name].dtype)], 1)
    for name in model.family.get("repeat", ()):
        if name in inputs:
            rows = inputs[name]
            full[name] = torch.cat([rows, rows[:, -1:].expand(-1, longest, *rows.shape[2:])], 1)
    return full


@contextlib.contextmanager
def padding_side(model: Any) -> Iterator[None]:
    """Pad prompts on the side from which responses do not go on; the tokenizer has the caller's side again after the block.

    Parameters
    ----------
    model
        The adapter.
    """
    side = model.tokenizer.padding_side
    model.tokenizer.padding_side = "right" if model.encoder_decoder else "left"
    try:
        yield
    finally:
        model.tokenizer.padding_side = side


def until_end(model: Any, ids: Sequence[int]) -> list[int]:
    """Cut generated ids before the first end or padding id.

    Parameters
    ----------
    model
        The adapter; its generation settings and tokenizer name the end ids.
    ids : (n,)
        Generated ids.
    """
    stop = end_ids(model)
    return list(itertools.takewhile(lambda i: i not in stop, ids))


def until_placeholder(model: Any, ids: Sequence[int]) -> list[int]:
    """Cut generated ids before the first placeholder of an image or video, which no family can be teacher-forced over.

    Parameters
    ----------
    model
        The adapter; its configuration names the placeholders.
    ids : (n,)
        Generated ids.
    """
    stop = {getattr(model.hf.config, key, None) for key in _PLACEHOLDERS}
    return list(itertools.takewhile(lambda i: i not in stop, ids))
