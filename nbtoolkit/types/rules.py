"""Rules of arguments, in annotations and in words."""

from __future__ import annotations

import difflib
import math
import types
import typing
from collections.abc import Callable, Collection, Mapping, Sequence, Sized
from dataclasses import dataclass
from numbers import Real
from typing import Annotated, Any

import numpy as np

LARGEST = 1e15  # the sum of a hundred million squares of it is a float32


@dataclass(frozen=True)
class Rule:
    """Rule of an argument, beside its kind, in ``Annotated``.

    Attributes
    ----------
    axes
        Names of the axes of an array, or of the one of a list, as in ``"n d"``: those of one name have one size in all
        arguments of a call. ``"_"`` stands for any size; any array where None.
    finite
        Whether NaN is refused. Infinity is refused in any case, and entries of arrays above 1e15 in magnitude.
    rows
        Fewest rows of an array, or entries of a list.
    least, most, above
        Smallest and largest value of a number, and what it must exceed.
    """

    axes: str | None = None
    finite: bool = True
    rows: int = 0
    least: float = -math.inf
    most: float = math.inf
    above: float = -math.inf


# of an annotation without a rule, compared by identity: numbers are finite, and entries of arrays are not looked at
ANY = Rule(finite=False)
Count = Annotated[int, Rule(least=1)]
Number = Annotated[int, Rule(least=0)]
Values = Annotated[np.ndarray, Rule("n", finite=False)]
Replicates = Annotated[np.ndarray, Rule("r n", finite=False)]
Share = Annotated[float, Rule(least=0, most=1)]
MaybeNaN = Annotated[float, Rule(finite=False)]

MADE_BY = {
    "ConceptDictionary": "nbt.decompose",
    "Contributions": "nbtoolkit.attribution.contributions",
    "Grounding": "nbt.ground",
    "Measurement": "an instrument, such as nbtoolkit.attribution.occlusion",
    "Model": "nbt.load_model",
    "Representations": "nbt.extract",
    "Results": "nbtoolkit.toy.benchmark.run",
    "Score": "a function of nbtoolkit.metrics",
    "Scorer": "nbt.load_scorer",
    "Scores": "nbt.evaluate",
    "Study": "nbt.study or nbt.open_study",
    "Target": "nbt.target",
    "Targets": "nbtoolkit.attribution.mentions",
    "TextEncoder": "nbtoolkit.models.load_text_encoder",
}
KINDS: dict[Any, str] = {
    int: "a whole number",
    float: "a finite number",
    bool: "True or False",
    str: "a text",
    bytes: "bytes",
    np.ndarray: "an array of numbers",
    type(None): "None",
}


def described(value: Any) -> str:
    """A value in a few words, for messages.

    Parameters
    ----------
    value
        Any value.

    Examples
    --------
    >>> described(np.zeros((2, 3))), described("dog"), described(object())
    ('an array of shape (2, 3)', "'dog'", 'an object')
    """
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}" + (
            " of other things than numbers" if value.dtype.kind not in "fiub" else ""
        )
    name = type(value).__name__
    kind = f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"
    if not isinstance(value, str | bytes | Real | list | tuple | Mapping | type(None)):
        return kind
    text = repr(value)
    return (
        text if len(text) <= 80 else f"{kind} of {len(value)} entries" if isinstance(value, Sized) else f"{text[:80]}…"
    )


def suggestion(name: str, names: Collection[str], cutoff: float = 0.6) -> str:
    """The name that was probably meant, as the end of a message; empty where none is close.

    Parameters
    ----------
    name
        An unknown name.
    names
        The names that there are.
    cutoff
        Least similarity, 0 to 1, no unit.

    Examples
    --------
    >>> suggestion("kmeans", ["PCA", "KMeans"]), suggestion("x", ["PCA"])
    (" Did you mean 'KMeans'?", '')
    """
    lower = {one.lower(): one for one in names}
    close = difflib.get_close_matches(name.lower(), lower, 1, cutoff)
    return f" Did you mean {lower[close[0]]!r}?" if close else ""


def expected(kind: Any, rule: Rule) -> str:
    """Give what an argument has to be, in words.

    Parameters
    ----------
    kind
        Its type.
    rule
        Its rule beside the type; that of ``Annotated`` counts instead.

    Examples
    --------
    >>> expected(int, Rule(least=1)), expected(list[str] | None, ANY)
    ('a whole number from 1', 'a list of texts or None')
    """
    if typing.get_origin(kind) is Annotated:
        kind, rule = typing.get_args(kind)[:2]
    origin = typing.get_origin(kind) or kind
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(expected(part, rule) for part in typing.get_args(kind)))
    if kind is np.ndarray and rule.axes is not None:
        return f"an array of numbers with axes ({', '.join(rule.axes.split())})"
    if kind in KINDS:
        bounds = "" if rule.least == -math.inf else f" from {rule.least:g}"
        bounds += "" if rule.most == math.inf else f" to {rule.most:g}"
        return KINDS[kind] + bounds + ("" if rule.above == -math.inf else f" above {rule.above:g}")
    if origin in (Sequence, Collection, list, tuple):
        entry = typing.get_args(kind)[0] if typing.get_args(kind) else Any
        many = {int: " of whole numbers", float: " of numbers", str: " of texts"}.get(entry, "")
        return f"a list{many}"
    name = getattr(origin, "__name__", str(origin))
    if origin is typing.get_origin(Callable[..., Any]):
        return "a function"
    if name in MADE_BY:
        return f"a {name} of {MADE_BY[name]}"
    return {"Mapping": "a mapping of names to values", "PathLike": "a path"}.get(
        name, f"{'an' if name[0] in 'AEIO' else 'a'} {name}"
    )
