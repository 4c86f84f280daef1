"""``inspect``: the Inspector of one word in one response of a live model."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..data.images import read_image
from ..errors import MethodError, NbtoolkitError
from ..text.tokens import find_spans, subtoken_variants
from ..types.arguments import checked as typed
from ..types.rules import described, suggestion
from ..widgets.inspector import Inspector

if TYPE_CHECKING:
    from ..storage.study import Study
    from ..targets.target import Target
    from .inspector_session import InspectorSession
    from .inspector_side import Side


@typed
def inspect(
    subject: Any,
    image: Any = None,
    *,
    word: str | None = None,
    question: str | None = None,
    response: str | None = None,
    foil: str | None = None,
    study: Study | None = None,
    other: Any = None,
    compute: Sequence[str] = ("lens", "attention"),
    steps: Sequence[Mapping[str, Any]] = (),
    **state: Any,
) -> Inspector:
    """Open the Inspector: why does the model say this word about this image?

    Parameters
    ----------
    subject
        A target from :func:`nbtoolkit.target`, or a model from :func:`nbtoolkit.load_model`.
    image
        With a model: the image, as a path, a PIL image or bytes.
    word
        With a model: the word of the response that is explained. Where None, the one whose log-probability falls most when
        the image is replaced by one without content.
    question
        With a model: the question or instruction; the model's own where None.
    response
        With a model: a response that it reads in place of its own.
    foil
        Word that the word is compared with: what is measured is the difference of their logits, else log p of the word.
    study
        A study of the model, for its concepts.
    other
        The second side of a comparison: a target (of the same model or another one), an image, or ``{"question": "…"}``.
    compute
        Instruments that are measured at once for every word; the others are offered with what they cost.
    steps
        A lesson; see :class:`nbtoolkit.widgets.Inspector`.
    **state
        Where to start: ``layer``, ``head``, ``patches``, ``edits`` and the other traits of the Inspector.

    Returns
    -------
    Inspector
        Its traits can be read, set, observed and linked.

    Raises
    ------
    NbtoolkitError
        The subject is neither, the response lacks the word, the study is of another model, or the model is refused.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> view = inspect(nbt.load_model("toy"), nbt.load_data("toy", n=1)[0]["image"], word="a")
    >>> sorted(view.measurements)
    ['attention', 'lens']
    """
    session = open_session(
        subject,
        image,
        word=word,
        question=question,
        response=response,
        foil=foil,
        study=study,
        other=other,
        compute=compute,
    )
    return Inspector(session, steps=steps, **state)


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

    _check_instruments(compute)
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
    if study is not None:
        check_study(study, side)
    second = None if other is None else _second(side, other)
    follows = second is not None and second.question == side.question
    options: dict[str, Any] = {"other": second, "follows": follows, "study": study, "compute": compute}
    session = InspectorSession(side, key, (foil or "").strip(), **options)
    if foil:
        session.target()  # refused now, where the foil counts as the word
    for name in compute:
        with contextlib.suppress(NbtoolkitError):  # the view shows why; the others are measured
            session.measurement(name)
    return session


def _check_instruments(names: Sequence[str]) -> None:
    """Refuse instruments that there are not, and those that are of something else than a word."""
    from .inspector_instruments import INSTRUMENTS

    words = [name for name, one in INSTRUMENTS.items() if one.of == "target"]
    for name in names:
        if name not in words:
            other = name in INSTRUMENTS
            advice = (
                f" For one of a {INSTRUMENTS[name].of}, call view.compute({name!r})."
                if other
                else suggestion(name, words)
            )
            raise MethodError(f"compute has {name!r}; expected some of {', '.join(map(repr, words))}.{advice}")


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
    spans = find_spans(side.ids, subtoken_variants(side.model.tokenizer, word), side.model.decode)
    return side.add(spans[0]).key if spans else side.word(word).key


def _second(side: Side, other: Any) -> Side:
    """The second side of a comparison: a target, an image, or another question."""
    from ..targets.target import Target  # needs torch
    from .inspector_side import Side

    if isinstance(other, Target):
        return side_of(other)[0]
    if isinstance(other, Mapping) and "question" in other:
        if {*other} != {"question"} or not isinstance(other["question"], str):
            raise MethodError(f"other is {described(other)}; expected a target, an image, or {{'question': '…'}}.")
        return Side(side.model, side.image, other["question"])
    return Side(side.model, read_image(other), side.question or None)


def check_study(study: Study, side: Side) -> None:
    """Refuse a study of another model.

    Parameters
    ----------
    study
        The study.
    side
        The side that is inspected.

    Raises
    ------
    MethodError
        Another width, number of layers, or other weights than those of the study.
    """
    model = side.model
    width, n_layers = study.dictionary(study.layers[-1]).concepts.shape[1], study.representations.n_layers
    if (width, n_layers) != (model.d_model, model.n_layers):
        raise MethodError(
            f"The study has {n_layers} layers of width {width}, {model.name} has {model.n_layers} of width {model.d_model}; expected a "
            "study of this model."
        )
    source = study.source
    named = (
        source.model and source.model != model.name,
        source.revision and model.revision and source.revision != model.revision,
    )
    if any(named):
        own, its = (
            " ".join(filter(None, pair)) for pair in ((source.model, source.revision), (model.name, model.revision))
        )
        raise MethodError(f"The study is of {own}, and the model is {its}; expected a study of this model.")
