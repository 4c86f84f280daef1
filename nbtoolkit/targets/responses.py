"""Responses of a model that contain a token, as targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..data.images import read_images
from ..errors import DataError, MethodError, NothingFoundError
from ..models.adapter import Model
from ..models.generation import respond
from ..models.several_images import check_n_images
from ..text.tokens import find_spans, subtoken_variants, tokenize_response
from ..text.words import spellings
from ..types.arguments import checked
from ..types.rules import Count
from .batches import Batch
from .targets import Targets

BATCH = 16


@checked
def mentions(
    model: Model,
    images: Sequence[Any],
    token: str,
    *,
    variants: str | Sequence[str] = (),
    answers: Sequence[str] | None = None,
    prompt: str | Sequence[str] | None = None,
    max_new_tokens: Count = 40,
) -> Targets:
    """Let a model describe images, and return the responses that contain a token as targets.

    Parameters
    ----------
    model, token
        As for :func:`nbtoolkit.extract`.
    images
        Images, or anything that a data set's image column holds: a list of images where a row has several.
    variants
        Further words that count as the token: ``"plural"``, or a list of words, as for :func:`nbtoolkit.extract`.
    answers
        Responses to read instead of the model's own, one per image.
    prompt
        The question, or a list with one per image; the model's default where None.
    max_new_tokens
        Longest response, in sub-tokens.

    Raises
    ------
    NothingFoundError
        No response contains the token.
    MethodError
        Another number of responses than of images.
    DataError
        The model cannot use a prompt, or takes one image per prompt and was given several; or there is another number of
        prompts than of images.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> targets = mentions(nbt.load_model("toy"), nbt.load_data("toy", n=40)["image"], "dog")
    >>> len(targets), targets.read([-1])[1].shape
    (5, (5, 1, 128))
    """
    if answers is not None and len(answers) != len(images):
        raise MethodError(f"There are {len(answers)} responses for {len(images)} images; expected one each.")
    if prompt is not None and not isinstance(prompt, str) and len(prompt) != len(images):
        raise DataError(f"There are {len(prompt)} prompts for {len(images)} images; expected one each.")
    check_n_images(model, max((len(i) for i in images if isinstance(i, list | tuple)), default=1))
    words = spellings(token, variants)
    sequences = subtoken_variants(model.tokenizer, words)
    size = 1 if model.equal_lengths else BATCH
    rows: list[int] = []
    captions: list[str] = []
    batches: list[Batch] = []
    responses: list[list[int]] = []
    own_questions: list[str | None] = []
    for start in range(0, len(images), size):
        part = [read_images(i) for i in images[start : start + size]]
        questions = prompt if prompt is None or isinstance(prompt, str) else list(prompt[start : start + size])
        inputs = model.inputs(part, questions)
        if answers is None:
            responses = respond(model, inputs, max_new_tokens)
        else:
            responses = [tokenize_response(model.tokenizer, text) for text in answers[start : start + size]]
        spans = [find_spans(ids, sequences, model.tokenizer.decode)[:1] for ids in responses]
        hits = [j for j, first in enumerate(spans) if first]
        if hits:
            own = inputs if len(hits) == len(part) else _inputs(model, part, questions, hits)
            batches.append(Batch(own, [responses[j] for j in hits], [spans[j][0] for j in hits], len(rows)))
            rows += [start + j for j in hits]
            own_questions += [questions[j] if isinstance(questions, list) else questions for j in hits]
            captions += [model.decode(responses[j]).strip() for j in hits]
    if not rows:
        texts = tuple(model.decode(ids).strip() for ids in responses)
        example = f" The last is {texts[-1]!r}." if texts else ""
        error = NothingFoundError(
            f"{token!r} is in none of {len(images)} responses.{example} Choose images whose response contains it."
        )
        error.responses = texts
        raise error
    its_images = tuple(images[row] for row in rows)
    return Targets(model, token, tuple(rows), tuple(captions), words, tuple(batches), its_images, tuple(own_questions))


def _inputs(model: Model, images: list[Any], prompt: str | list[str] | None, rows: Sequence[int]) -> dict[str, Any]:
    """Inputs of some rows of a batch."""
    own = [prompt[j] for j in rows] if isinstance(prompt, list) else prompt
    return model.inputs([images[j] for j in rows], own)
