"""The decorator that checks arguments by a signature: kinds, shapes that arguments share, bounds, and names of type checkers."""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import pandas
import pytest
import torch

import nbtoolkit as nbt
from nbtoolkit.errors import LayerError, MethodError
from nbtoolkit.types.arguments import checked, checked_array
from nbtoolkit.types.rules import LARGEST, Count, MaybeNaN, Number, Rule, Share, described, expected

if TYPE_CHECKING:
    import threading

    from nbtoolkit.storage.study import Study


@checked
def mean(
    values: Annotated[np.ndarray, Rule("n d", rows=1)],
    weights: Annotated[np.ndarray, Rule("n")] | None = None,
    ids: Annotated[Sequence[str], Rule("n")] = (),
    *,
    words: Sequence[Sequence[str]] = (),
    k: Count = 1,
    level: Share = 0.95,
    score: MaybeNaN = 0.0,
    flag: bool = False,
    table: Mapping[str, float] | None = None,
    pair: tuple[int, str] = (1, "a"),
    f: Callable[[], None] | None = None,
    study: Study | None = None,
    cancel: threading.Event | None = None,
    layer: int = 0,
    random_state: Any = 0,
    **more: Any,
) -> tuple[Any, ...]:
    """Give what it was given."""
    return values, weights, ids, words


GOOD = [
    {"values": [[1, 2], [3, 4]], "weights": [1, 2], "ids": ["a", "b"]},
    {"values": torch.ones(2, 3), "words": [["a"], []], "k": np.int64(3), "level": 1, "score": float("nan")},
    {
        "values": np.ones((2, 2)),
        "table": {"x": 1.5},
        "pair": (2, "b"),
        "f": print,
        "random_state": np.random.default_rng(),
    },
    {"values": np.ones((2, 2)), "random_state": None, "more": object(), "layer": "whatever", "flag": np.True_},
    {"values": np.ones((2, 2)), "random_state": [1, 2], "ids": np.array(["a", "b"]), "words": np.full((2, 2), "x")},
]
BAD = [
    ({"values": [1, 2]}, r"values is \[1, 2\]; expected an array of numbers with axes \(n, d\)"),
    ({"values": "x"}, "values is 'x'; expected an array of numbers"),
    ({"values": [[1], [1, 2]]}, "values is .* expected an array of numbers"),
    ({"values": np.ones((0, 2))}, "values has 0 rows; expected at least 1"),
    ({"values": [[np.nan]]}, "values has NaN; expected finite numbers up to 1e"),
    ({"values": np.full((2, 2), 3e38, np.float32)}, r"values has values up to 3e\+38; expected finite numbers"),
    ({"weights": [1, 2, 3]}, "weights has 3 entries; expected n = 2 as values has"),
    ({"weights": 3}, "weights is 3; expected an array of numbers .* or None"),
    ({"ids": ["a"]}, "ids has 1 entries; expected n = 2 as values has"),
    ({"ids": "ab"}, "ids is 'ab'; expected a list of texts"),
    ({"ids": ["a", 2]}, "An entry of ids is 2; expected a text"),
    ({"words": ["sun"]}, "An entry of words is 'sun'; expected a list of texts"),
    ({"k": 0}, "k is 0; expected a whole number from 1"),
    ({"k": True}, "k is True; expected a whole number"),
    ({"level": 1.5}, "level is 1.5; expected a finite number from 0 to 1"),
    ({"level": float("inf")}, "level is inf; expected a finite number"),
    ({"flag": 1}, "flag is 1; expected True or False"),
    ({"table": {"x": "y"}}, r"table\['x'\] is 'y'; expected a finite number"),
    ({"table": {1: 1.0}}, "A key of table is 1; expected a text"),
    ({"pair": (1, 2)}, "An entry of pair is 2; expected a text"),
    ({"pair": (1,)}, "pair has 1 entries; expected 2"),
    ({"f": 3}, "f is 3; expected a function or None"),
    ({"study": "a.study"}, "study is 'a.study'; expected a Study of nbt.study or nbt.open_study or None"),
    ({"cancel": 3}, "cancel is 3; expected an Event or None"),
    ({"random_state": -1}, "random_state is -1; expected a whole number from 0"),
    ({"random_state": "x"}, "random_state is 'x'"),
]


@pytest.mark.parametrize("arguments", GOOD)
def test_what_fits_reaches_the_function(arguments):
    values, weights, _, words = mean(**arguments)
    assert isinstance(values, np.ndarray) and (weights is None or isinstance(weights, np.ndarray))
    assert all(isinstance(entry, list) for entry in words)


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_what_does_not_fit_is_one_sentence(arguments, message):
    with pytest.raises(MethodError if "random_state" not in arguments else nbt.NbtoolkitError, match=message):
        mean(**{"values": np.ones((2, 2))} | arguments)


def test_wrong_numbers_of_arguments_are_pythons_own_error():
    with pytest.raises(TypeError, match="missing a required argument: 'values'"):
        mean()


def test_the_function_keeps_its_name_and_pickles():
    assert mean.__name__ == "mean" and mean.__doc__.startswith("Give")
    assert pickle.loads(pickle.dumps(nbt.metrics.overlap)) is nbt.metrics.overlap


def test_a_context_is_checked_when_it_is_made_and_layers_keep_their_own_error(model):
    @checked
    @contextlib.contextmanager
    def context(n: Number) -> Iterator[int]:
        yield n

    with context(2) as n:
        assert n == 2
    with pytest.raises(MethodError, match="n is -1; expected a whole number from 0"):
        context(-1)
    with pytest.raises(LayerError), nbt.interventions.ablate(model, [1.5]):
        pass


def test_an_array_of_a_subclass_keeps_its_class_and_nan_passes_where_the_rule_says_so():
    assert isinstance(checked_array("x", np.ma.masked_array([1.0]), Rule("n")), np.ma.MaskedArray)
    assert np.isnan(checked_array("x", [np.nan, 1], Rule("n", finite=False))[0])
    with pytest.raises(MethodError, match="x has values up to inf"):
        checked_array("x", [np.nan, np.inf], Rule("n", finite=False))
    assert checked_array("x", [LARGEST], Rule("n"))[0] == LARGEST
    assert np.isfinite(np.square(np.full(10**6, LARGEST, np.float32)).sum())


def test_what_messages_say():
    assert described(np.full(2, "x")) == "an array of shape (2,) of other things than numbers"
    assert described(list(range(1000))) == "a list of 1000 entries" and described(pandas.DataFrame()) == "a DataFrame"
    assert (
        expected(int | None, Rule()) == "a whole number or None"
        and expected(Sequence[int], Rule()) == "a list of whole numbers"
    )
    assert expected(Annotated[float, Rule(above=0)], Rule()) == "a finite number above 0"


def test_a_study_by_path_is_refused_by_explore():
    with pytest.raises(
        nbt.NbtoolkitError, match=r"study is 'a\.study'; expected a Study of nbt\.study or nbt\.open_study"
    ):
        nbt.explore("a.study")
