"""Roles of the positions of a target: system, image, question, response."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from PIL import Image

from ..errors import ModelError
from ..models.adapter import Model
from ..models.replay import Recording
from ..types.arguments import checked

ROLES = ("system", "image", "question", "response")
TOLERANCE = 1e-5  # of the largest entry of a state: what differs by less is the same


@dataclass(frozen=True)
class Token:
    """One position of the residual stream.

    Attributes
    ----------
    position
        Its index, from 0.
    id
        Id of the sub-token; -1 where the model puts something before the ids (GIT's image).
    text
        Its text, as it continues the text before.
    role
        ``"system"`` (marks of the chat template too), ``"image"``, ``"question"`` or ``"response"``.
    """

    position: int
    id: int
    text: str
    role: str


def image_span(model: Model, a: Recording, b: Recording) -> tuple[int, int] | None:
    """First and last position of the image, measured: where the states of two images of one size differ.

    Row ends and tile marks between the patches belong to it, as they read the patches, and so does a mark before the image
    that attends to it (a block of image positions without a causal mask).

    Parameters
    ----------
    model
        The model.
    a, b
        Passes of two prompts with images of one size, and one response; of one row.

    Returns
    -------
    (int, int) or None
        None where the image reaches the decoder in no position of its own (cross-attention, an encoder).
    """
    if a.n_positions != b.n_positions:
        raise ModelError(
            f"Two images of one size take {a.n_positions} and {b.n_positions} positions in {model.name}; expected as many. Roles of "
            "positions need that."
        )
    first = _differing(a.stream[0], b.stream[0])
    if not len(first):
        return None
    deeper = [_differing(x, y) for x, y in zip(a.stream[1:], b.stream[1:], strict=True)]
    return int(min(int(d.min()) for d in (first, *deeper) if len(d))), int(first.max())


def _differing(a: torch.Tensor, b: torch.Tensor) -> np.ndarray:
    a, b = a[0].float(), b[0].float()
    gap = (a - b).abs().amax(-1) / a.abs().amax(-1).clamp_min(1e-30)
    return (gap > TOLERANCE).nonzero()[:, 0].cpu().numpy()


@checked
def other_image(image: Image.Image) -> Image.Image:
    """An image of the same size that differs everywhere, without content: its negative, mixed with noise.

    Parameters
    ----------
    image
        An RGB image.

    Examples
    --------
    >>> other_image(Image.new("RGB", (4, 3))).size
    (4, 3)
    """
    pixels = np.asarray(image.convert("RGB")).astype(np.int64)
    noise = np.random.default_rng(0).integers(64, 192, pixels.shape)
    return Image.fromarray(((pixels + noise) % 256).astype(np.uint8))


def tokens_of(
    model: Model, ids: Sequence[int], n_positions: int, n_response: int, span: tuple[int, int] | None, question: str
) -> tuple[Token, ...]:
    """All positions of a pass, with their roles.

    Parameters
    ----------
    model
        The model.
    ids
        Ids of the pass that are positions of the residual stream.
    n_positions
        Number of positions.
    n_response
        Number of positions of the response, the last ones.
    span
        Of :func:`image_span`.
    question
        Text of the question.

    Raises
    ------
    ModelError
        More ids than positions.
    """
    before = n_positions - len(ids)
    if before < 0:
        raise ModelError(
            f"{model.name} has {n_positions} positions for {len(ids)} sub-tokens; expected at least as many positions."
        )
    ids = [-1] * before + list(ids)
    first, last = span or (n_positions, -1)
    image = [first <= i <= last for i in range(n_positions)]
    texts = ["" if image[i] or ids[i] < 0 else _text(model, ids, i) for i in range(n_positions)]
    end = n_positions - n_response
    of_question = _question_positions(texts[:end], question)
    roles = [
        "response" if i >= end else "image" if image[i] else "question" if i in of_question else "system"
        for i in range(n_positions)
    ]
    return tuple(Token(i, ids[i], texts[i], roles[i]) for i in range(n_positions))


def _text(model: Model, ids: Sequence[int], i: int) -> str:
    """Text of a sub-token as it continues the one before."""
    decode = model.tokenizer.decode
    if i and ids[i - 1] >= 0:
        before, both = (decode([*part]) for part in (ids[i - 1 : i], ids[i - 1 : i + 1]))
        if both.startswith(before) and len(both) > len(before):
            return str(both[len(before) :])
    return str(decode([ids[i]]))


def _question_positions(texts: Sequence[str], question: str) -> set[int]:
    """Positions whose text lies in the question, which is searched without its spaces, the last time that it occurs."""
    squeezed = ["".join(text.split()) for text in texts]
    ends = np.cumsum([0, *map(len, squeezed)]).tolist()
    squeezed_question = "".join(question.split())
    start = "".join(squeezed).rfind(squeezed_question) if squeezed_question else -1
    if start < 0:
        return set()
    stop = start + len(squeezed_question)
    return {i for i, (a, b) in enumerate(pairwise(ends)) if a < stop and b > start and b > a}
