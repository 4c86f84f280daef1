"""Targets are made here: one from an image, or many from a data set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..data.images import read_image
from ..data.loading import captioned
from ..errors import MethodError, NothingFoundError
from ..models.adapter import Model
from ..models.generation import respond
from ..text.tokens import find_spans, subtoken_variants, tokenize_response
from ..text.words import spellings
from ..types.arguments import checked
from ..types.rules import Count, Number
from .batches import Batch
from .responses import mentions
from .target import Target
from .targets import Targets


@checked
def target(
    model: Model,
    image: Any,
    word: str,
    question: str | None = None,
    response: str | None = None,
    foil: str | None = None,
    *,
    occurrence: Number = 0,
    quantity: str = "auto",
    max_new_tokens: Count = 40,
) -> Target:
    """A word in the response of a model to an image, to be explained.

    Parameters
    ----------
    model
        The model.
    image
        A PIL image, its bytes or a path.
    word
        A word of the response; one of several sub-tokens is the sum of its pieces.
    question
        Question or instruction; the model's default prompt where None.
    response
        Response to read; the model's own where None.
    foil
        Word that the word is compared with. Where the log-probability is saturated and none is given, the strongest competitor.
    occurrence
        Which occurrence of the word in the response, from 0.
    quantity
        ``"auto"``, ``"log_prob"``, ``"logit"`` or ``"logit_difference"``, as for
        :meth:`nbtoolkit.targets.Targets.quantity`.
    max_new_tokens
        Longest response of the model, in sub-tokens.

    Raises
    ------
    NothingFoundError
        The response lacks the word, or this occurrence of it.
    MethodError
        The foil counts as the word.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> target(nbt.load_model("toy"), nbt.load_data("toy", n=40)[3]["image"], "a", foil="the").positions[-1] > 60
    True
    """
    picture = read_image(image)
    words = spellings(word, ())
    variants = subtoken_variants(model.tokenizer, words)
    prompt = model.inputs([picture], question)
    ids = (
        respond(model, prompt, max_new_tokens)[0] if response is None else tokenize_response(model.tokenizer, response)
    )
    spans = find_spans(ids, variants, model.tokenizer.decode)
    text = model.decode(ids).strip()
    if occurrence >= len(spans):
        times = f"only {len(spans)} times" if spans else "not"
        raise NothingFoundError(
            f"{word!r} is {times} in the response {text!r}; expected occurrence {occurrence}. Choose a word of the response, or give "
            "response='…' with it."
        )
    batch = Batch(prompt, [ids], [spans[occurrence]], 0)
    one = Targets(model, word, (0,), (text,), words, (batch,), (picture,), (question,))
    return one_of(one, 0, quantity=quantity, foil=foil)


@checked
def targets(
    model: Model,
    data: Any,
    word: str,
    *,
    variants: str | Sequence[str] = (),
    question: str | Sequence[str] | None = None,
    responses: Sequence[str] | None = None,
    max_new_tokens: Count = 40,
) -> Targets:
    """The word in the responses of a model to many images; ``targets(…)[i]`` is one :class:`Target`.

    Parameters
    ----------
    model
        The model.
    data
        Captioned images, or what :func:`nbtoolkit.load_data` takes; or a list of images.
    word
        The word.
    variants
        Further words that count: ``"plural"``, or a list.
    question
        Question of all images, or one per image; the model's default prompt where None.
    responses
        Responses to read, one per image; the model's own where None.
    max_new_tokens
        Longest response of the model, in sub-tokens.

    Returns
    -------
    Targets
        Of the images whose response contains the word; ``rows`` says which.

    Raises
    ------
    NothingFoundError
        No response contains the word.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> many = nbt.targets(nbt.load_model("toy"), nbt.load_data("toy", n=40), "dog")
    >>> len(many), many[0].word
    (5, 'dog')
    """
    rows = isinstance(data, Sequence) and not isinstance(data, str | bytes)  # a column of a data set too
    listed = rows and not (len(data) and hasattr(data[0], "keys"))
    images = data if listed else captioned(data)["image"]
    return mentions(
        model, images, word, variants=variants, answers=responses, prompt=question, max_new_tokens=max_new_tokens
    )


def one_of(many: Targets, index: int, *, quantity: str = "auto", foil: str | None = None) -> Target:
    """One of several targets; ``many[index]`` is this, with the default quantity.

    Parameters
    ----------
    many
        The targets.
    index
        Which one, from 0; negative ones count from the last.
    quantity, foil
        As for :func:`target`.

    Raises
    ------
    MethodError
        There is no such target.
    """
    if not -len(many) <= index < len(many):
        raise MethodError(f"index is {index}; expected {-len(many)} … {len(many) - 1}.")
    image, question, ids, span = many.image(index % len(many))
    model, picture = many.model, read_image(image)
    prompt = model.inputs([picture], question)
    text = model.decode(ids).strip()
    alone = Targets(model, many.token, (0,), (text,), many.spellings, (Batch(prompt, [ids], [span], 0),))
    instruction = model.prompt if question is None else question
    measured = alone.quantity(quantity, foil)
    return Target(model, picture, instruction, text, span, prompt, tuple(ids), many.token, foil or "", measured)
