"""Arguments from a page: every kind of annotation, and one sentence per refusal."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from nbtoolkit.errors import NbtoolkitError
from nbtoolkit.widgets.arguments import checked


def operation(
    session: Any,
    *,
    sample: str,
    at: int = -1,
    edits: Sequence[dict[str, Any]] = (),
    scale: float = 1.0,
    image: bytes | None = None,
    choice: int | Sequence[str] = 0,
    names: Mapping[str, str] | None = None,
    flag: bool = False,
) -> None: ...


@pytest.mark.parametrize(
    "arguments",
    [
        {"sample": "a"},
        {"sample": "a", "at": np.int64(3), "edits": [{}], "scale": 2, "image": b"", "flag": True},
        {"sample": "a", "edits": ({}, {}), "scale": 0.5, "image": None, "choice": ["x"], "names": None},
        {"sample": "x" * 1000, "choice": 3, "names": {"a": "b"}},
    ],
)
def test_arguments_that_fit_are_returned(arguments):
    assert checked("op", operation, arguments, ["session"]) == arguments


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([1], "args of op is a list; expected names and values"),
        ({}, "op was given no sample; expected sample, at, edits, scale, image, choice, names, flag"),
        ({"sample": "a", "session": 1}, "op has no argument 'session'; expected sample, at"),
        ({"sample": "a", "x" * 999: 1}, f"op has no argument '{'x' * 79}…; expected sample"),
        ({"sample": 1}, "sample is an int; expected a text"),
        ({"sample": "x" * 1001}, "sample has 1001 characters; expected at most 1000"),
        ({"sample": "a", "at": 1.0}, "at is a float; expected an integer"),
        ({"sample": "a", "at": True}, "at is a bool; expected an integer"),
        ({"sample": "a", "edits": "ab"}, "edits is a str; expected a list"),
        ({"sample": "a", "edits": [{}, 1]}, "An entry of edits is an int; expected names and values"),
        ({"sample": "a", "scale": float("nan")}, "scale is a float; expected a finite number"),
        ({"sample": "a", "scale": 10**400}, "scale is an int; expected a finite number"),
        ({"sample": "a", "scale": False}, "scale is a bool; expected a finite number"),
        ({"sample": "a", "image": "/tmp/a.jpg"}, "image is a str; expected the bytes of a JPEG or PNG"),
        ({"sample": "a", "choice": None}, "choice is a NoneType; expected an integer"),
        ({"sample": "a", "choice": [1]}, "An entry of choice is an int; expected a text"),
        ({"sample": "a", "names": 1}, "names is an int; expected names and values"),
        ({"sample": "a", "flag": 1}, "flag is an int; expected true or false"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(NbtoolkitError) as refusal:
        checked("op", operation, arguments, ["session"])
    assert message in str(refusal.value)


def test_a_function_of_anything_validates_its_arguments_itself():
    assert checked("op", lambda job, **question: None, {"x": 1}, ["job"]) == {"x": 1}
