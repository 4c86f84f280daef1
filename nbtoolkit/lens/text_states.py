"""States of the words of captions, each at the position of its own last sub-token."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import regex
from PIL import Image

from ..data.images import read_image
from ..data.loading import captioned
from ..errors import MethodError
from ..models.adapter import Model
from ..models.generation import teacher_forced
from ..text.tokens import tokenize_response
from ..text.words import normalize, unspaced
from ..types import resolve_layers
from ..types.rules import described

GREY = Image.new("RGB", (336, 336), (128, 128, 128))
_WORD = regex.compile(r"[\p{L}\p{M}\p{N}]+(?:['’\-][\p{L}\p{M}\p{N}]+)*")


def text_states(
    model: Model, source: Any, layers: Any, *, per_word: int, batch_size: int
) -> tuple[tuple[int, ...], list[tuple[str, str, np.ndarray]]]:
    """Layers, and per word its text, its sentence and its states (n_layers, d_model).

    Parameters
    ----------
    model, source, layers, per_word, batch_size
        As for :meth:`nbtoolkit.lens.ContextualBank.of`.

    Raises
    ------
    MethodError
        A caption is no text, or there is none.
    """
    chosen = resolve_layers(layers, model.n_layers)
    counts: Counter[str] = Counter()
    results = []
    pairs = _pairs(source)
    size = 1 if model.equal_lengths else batch_size
    while batch := [pair for _, pair in zip(range(size), pairs, strict=False)]:
        ids = [tokenize_response(model.tokenizer, text) for _, text in batch]
        spans = [last_pieces(model, sequence) for sequence in ids]
        states = teacher_forced(model, model.inputs([image for image, _ in batch]), ids, chosen)
        for j, (_, sentence) in enumerate(batch):
            for piece, word in spans[j]:
                counts[word.casefold()] += 1
                if counts[word.casefold()] <= per_word:
                    # step s predicts sub-token s: the position of sub-token s is one on
                    results.append((word, sentence, states[:, piece + 1, j].cpu().numpy()))
    return chosen, results


def last_pieces(model: Model, ids: Sequence[int]) -> list[tuple[int, str]]:
    """Index of the last sub-token of every word, and the word; a sub-token where words have no spaces between them.

    Parameters
    ----------
    model
        The model.
    ids
        Ids of a caption.
    """
    texts = [normalize(model.decode(ids[: j + 1])) for j in range(len(ids))]
    ends = np.maximum.accumulate([0, *map(len, texts)]).tolist() if texts else [0]
    whole = texts[-1] if texts else ""
    results = []
    for match in _WORD.finditer(whole):
        pieces = [j for j in range(len(ids)) if ends[j] < match.end() and ends[j + 1] > match.start()]
        if not unspaced(match.group()):
            pieces = pieces[-1:]
        for j in pieces:
            start = max(ends[j], match.start())
            results.append((j, match.group() if not unspaced(match.group()) else whole[start : ends[j + 1]]))
    return results


def _pairs(source: Any) -> Iterator[tuple[Any, str]]:
    """Images and captions: those of a data set, or captions after a grey image."""
    if isinstance(source, list | tuple) and all(isinstance(caption, str) for caption in source):
        if not source:
            raise MethodError("source is []; expected captioned images, or captions.")
        yield from ((GREY, caption) for caption in source)
    elif isinstance(source, list | tuple) and not all(isinstance(row, dict) for row in source):
        raise MethodError(f"source is {described(source)}; expected captioned images, or captions.")
    else:
        for row in captioned(source):
            image = read_image(row["image"])
            yield from ((image, caption) for caption in row["captions"])
