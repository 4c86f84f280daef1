"""Find targets: let a model describe images, or read given responses, and keep those that contain a word."""

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
from .responses import BATCH, Batch, Targets


def mentions(
    model: Model,
    images: Sequence[Any],
    token: str,
    *,
    variants: str | Sequence[str] = (),
    answers: Sequence[str] | None = None,
    prompt: str | Sequence[str] | None = None,
    max_new_tokens: int = 40,
) -> Targets:
    """Let a model describe images, and return the responses that contain a token as targets.

    Parameters
    ----------
    model, token
        As for :func:`nbtoolkit.extract`.
    images
        Images, or anything that a data set's image column holds: a list of images where a row has several.
    variants
        Other forms that count as the token, as for :func:`nbtoolkit.extract`: ``"dogs"``.
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
    spelled = subtoken_variants(model.tokenizer, spellings(token, variants))
    size = 1 if model.equal_lengths else BATCH
    rows: list[int] = []
    captions: list[str] = []
    batches: list[Batch] = []
    complete: list[tuple[int, ...]] = []
    responses: list[list[int]] = []
    for start in range(0, len(images), size):
        part = [read_images(i) for i in images[start : start + size]]
        questions = prompt if prompt is None or isinstance(prompt, str) else list(prompt[start : start + size])
        inputs = model.inputs(part, questions)
        if answers is None:
            responses = respond(model, inputs, max_new_tokens)
        else:
            responses = [tokenize_response(model.tokenizer, text) for text in answers[start : start + size]]
        spans = [find_spans(ids, spelled, model.tokenizer.decode) for ids in responses]
        hits = [(j, *here[0]) for j, here in enumerate(spans) if here]  # the first occurrence
        if hits:
            chosen = [j for j, _, _ in hits]
            rows += [start + j for j in chosen]
            captions += [model.decode(responses[j]).strip() for j in chosen]
            complete += [tuple(responses[j]) for j in chosen]
            own = inputs if len(hits) == len(part) else _inputs(model, part, questions, chosen)
            words = [responses[j][first : last + 1] for j, first, last in hits]
            batches.append(Batch(own, [responses[j][:last] for j, _, last in hits], words))
    if not rows:
        example = f" The last is {model.decode(responses[-1]).strip()!r}." if len(images) else ""
        raise NothingFoundError(
            f"{token!r} is in none of {len(images)} responses.{example} Choose images whose response contains it."
        )
    return Targets(model, token, tuple(rows), tuple(captions), tuple(batches), tuple(complete))


def _inputs(model: Model, images: list[Any], prompt: str | list[str] | None, rows: Sequence[int]) -> dict[str, Any]:
    """Inputs of some rows of a batch."""
    own = [prompt[j] for j in rows] if isinstance(prompt, list) else prompt
    return model.inputs([images[j] for j in rows], own)
