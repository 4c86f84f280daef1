"""``inspect``: the Inspector of one word in one response of a live model."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..data.images import read_image
from ..errors import MethodError, NbtoolkitError
from ..types.rules import described

if TYPE_CHECKING:
    from ..storage.study import Study
    from ..targets.target import Target
    from .inspector_session import InspectorSession
    from .inspector_side import Side


def open_session(
    subject: Any,
    image: Any = None,
    *,
    word: str | None = None,
    question: str | None = None,
    response: str | None = None,
    foil: str | None = None,
    study: Study | None = None,
    other: Any = None,
    compute: Sequence[str] = (),
) -> InspectorSession:
    """The session behind an Inspector.

    Parameters
    ----------
    subject, image, word, question, response, foil, study, other, compute
        As for :func:`inspect`.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> open_session(nbt.load_model("toy"), nbt.load_data("toy", n=1)[0]["image"], word="a").key
    'a'
    """
    from ..models.adapter import Model  # needs torch
    from ..targets.target import Target
    from .inspector_session import InspectorSession
    from .inspector_side import Side

    if isinstance(subject, Target):
        for name, value in {"image": image, "word": word, "question": question, "response": response}.items():
            if value is not None:
                raise MethodError(f"{name} is given beside a target, which has its own; expected nbt.inspect(target).")
        side, key = side_of(subject)
        foil = subject.foil if foil is None else foil
    elif isinstance(subject, Model):
        if image is None:
            raise MethodError("image is None; expected the image that the model describes: nbt.inspect(model, image).")
        side = Side(subject, read_image(image), question, response)
        key = side.default_word() if word is None else _key(side, word)
    else:
        raise MethodError(
            f"subject is {described(subject)}; expected a Target of nbt.target, or a Model of nbt.load_model."
        )
    session = InspectorSession(side, key, (foil or "").strip(), study=study, compute=compute)
    if foil:
        session.target()  # refused now, where the foil counts as the word
    for name in compute:
        with contextlib.suppress(NbtoolkitError):  # the view shows why; the others are measured
            session.measurement(name)
    return session


def side_of(target: Target) -> tuple[Side, str]:
    """The side that a target is of, and the key of its word there.

    Parameters
    ----------
    target
        The target.
    """
    from .inspector_side import Side  # needs torch

    side = Side(target.model, target.image, target.question, target.response, target._ids)
    return side, side.add(target.span).key


def _key(side: Side, word: str) -> str:
    """Key of a word of a response; one of several words is added to them."""
    word = word.strip()
    if word in side.words or " " not in word:
        return side.word(word).key
    from ..text.tokens import find_spans, subtoken_variants

    spans = find_spans(side.ids, subtoken_variants(side.model.tokenizer, word), side.model.decode)
    return side.add(spans[0]).key if spans else side.word(word).key
