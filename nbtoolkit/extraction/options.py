"""How states are read: the options of an extraction as one dataclass, and the plan for one model and token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from ..errors import DataError
from ..types.rules import suggestion

CHOICES: Mapping[str, tuple[str, ...]] = {
    "captions": ("generate", "given"),
    "where": ("predict", "token", "visual"),
    "which": ("first", "all"),
    "dtype": ("float32", "float16"),
}


@dataclass(frozen=True)
class ReadingOptions:
    """How states are read, for :func:`nbtoolkit.extract` and all that call it.

    ``extract(…, where="token")`` and ``extract(…, options=ReadingOptions(where="token"))`` are the same.

    Attributes
    ----------
    layers
        ``"all"`` (0 … n_layers), a layer, or a list of layers to keep; negative ones count from the last.
    batch_size
        Images per batch; ``"auto"`` starts at 32. It is halved where memory runs out.
    captions
        ``"generate"``: the model captions the images greedily. ``"given"``: one teacher-forced pass over the
        data's own captions (about half the cost), the first that contains the token.
    prompt
        The question; the model's default where None. A question per image: a list with one per row of the data, a
        mapping from sample id to question, or the name of a column of the data.
    max_new_tokens
        Longest response, in sub-tokens.
    where
        ``"predict"``: the position whose output is the token (the paper's choice). ``"token"``: the position at which
        the token is the input. ``"visual"``: no response is generated; the first image position whose last layer
        unembeds to the token (Appendix G), and ``positions`` counts within the image.
    which
        ``"first"`` occurrence, or ``"all"``: then a sample has one row per occurrence.
    variants
        Further words that count as the token: ``"plural"``, or a list of words.
    stop_early
        End a response of a batch once it contains the token: captions then end there. Otherwise they are complete.
    dtype
        Number format of the stored states: ``"float32"``, or ``"float16"`` (half the disk; overflow is refused).
    max_image_tokens
        The most positions that an image may take, as for :func:`nbtoolkit.load_model`; that of the model where None.

    Raises
    ------
    DataError
        A value that is not among those above.

    Examples
    --------
    >>> ReadingOptions(where="token").captions
    'generate'
    """

    layers: str | int | Sequence[int] = "all"
    batch_size: int | str = "auto"
    captions: str = "generate"
    prompt: str | Sequence[str] | Mapping[str, str] | None = None
    max_new_tokens: int = 40
    where: str = "predict"
    which: str = "first"
    variants: str | Sequence[str] = ()
    stop_early: bool = True
    dtype: str = "float32"
    max_image_tokens: int | None = None

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise DataError(f"{name} is {getattr(self, name)!r}; expected {' or '.join(map(repr, choices))}.")
        if self.batch_size != "auto" and not _is_count(self.batch_size):
            raise DataError(f"batch_size is {self.batch_size!r}; expected 'auto' or a whole number of at least 1.")
        if not _is_count(self.max_new_tokens):
            raise DataError(f"max_new_tokens is {self.max_new_tokens!r}; expected a whole number of at least 1.")

    @property
    def decoding(self) -> str:
        """How responses are made: ``"greedy"``, ``"given captions"`` or ``"none"``."""
        if self.where == "visual":
            return "none"
        return "given captions" if self.captions == "given" else "greedy"

    @property
    def stops_early(self) -> bool:
        """Whether responses end once they contain the token."""
        return self.stop_early and self.which == "first" and self.captions == "generate"


def _is_count(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and int(value) >= 1


def reading_options(options: ReadingOptions | None, changes: Mapping[str, Any], **defaults: Any) -> ReadingOptions:
    """Options with changes given by keyword.

    Parameters
    ----------
    options
        Options to start from; those of :class:`ReadingOptions` where None.
    changes
        Field name to value.
    **defaults
        Fields that differ from the class's defaults where the caller gave neither options nor a change.

    Raises
    ------
    TypeError
        A name that is no field.
    """
    names = [f.name for f in fields(ReadingOptions)]
    for name in changes:
        if name not in names:
            hint = suggestion(name, names)
            raise TypeError(f"There is no reading option {name!r}.{hint} Known: {', '.join(names)}.")
    return replace(ReadingOptions(**defaults) if options is None else options, **changes)


@dataclass(frozen=True)
class ReadingPlan:
    """What every row of an extraction depends on, besides the model and the data.

    Attributes
    ----------
    words
        Spellings of the token.
    token_ids
        Sub-token sequences that spell it.
    layers
        The layers to keep, resolved.
    options
        The options.
    questions
        Sample id to question, where every image has its own.
    """

    words: tuple[str, ...]
    token_ids: tuple[tuple[int, ...], ...]
    layers: tuple[int, ...]
    options: ReadingOptions
    questions: Mapping[str, str] = field(default_factory=dict)

    @property
    def prompt(self) -> str | Mapping[str, str] | None:
        """The question of every image, or the questions by sample id."""
        prompt = self.options.prompt
        return self.questions or (prompt if isinstance(prompt, str) else None)
