"""Arguments of public functions: their kinds are those of the signature, and one sentence refuses any other."""

from __future__ import annotations

import builtins
import functools
import inspect
import math
import types
import typing
from collections.abc import Callable, Collection, Mapping, Sequence, Sized
from numbers import Integral, Real
from typing import Annotated, Any, TypeVar

import numpy as np

from ..errors import MethodError, NbtoolkitError, TokenError
from .rules import ANY, LARGEST, Rule, described, expected

LAYERS = ("layer", "layers")  # resolved in one place, with a sentence of their own
Sizes = dict[str, tuple[int, str]]  # of a call: axis to its size, and the argument that has it
F = TypeVar("F", bound=Callable[..., Any])


def checked(function: F) -> F:
    """Refuse arguments of other kinds than the signature of a function names, before it runs.

    An argument that is annotated as an array may be anything that numpy reads as numbers, and reaches the function as an
    array. ``random_state`` is an int from 0, a random generator of numpy, or None.

    Parameters
    ----------
    function
        The function. ``Annotated`` may hold a :class:`Rule`; a name that only type checkers import is not checked.

    Raises
    ------
    NbtoolkitError
        On a call: an argument of another kind, or against its rule.

    Examples
    --------
    >>> @checked
    ... def mean(values: Annotated[np.ndarray, Rule("n")], *, level: Annotated[float, Rule(least=0, most=1)] = 0.95) -> float:
    ...     return float(values.mean())
    >>> mean([1, 2])
    1.5
    >>> mean([1, 2], level=float("nan"))
    Traceback (most recent call last):
    nbtoolkit.errors.MethodError: level is nan; expected a finite number from 0 to 1.
    """
    signature = inspect.signature(function)
    variadic = {k for k, p in signature.parameters.items() if p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
    names = [name for name in signature.parameters if name not in variadic]

    @functools.cache
    def hints() -> dict[str, Any]:  # at the first call: what a module imports last is there then
        return {name: _evaluated(signature.parameters[name].annotation, inspect.unwrap(function)) for name in names}

    @functools.wraps(function)
    def checking(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        sizes: Sizes = {}
        for name, value in bound.arguments.items():
            if name == "random_state":
                _check_random_state(value, optional=hints()[name] is not int)
            elif name == "token" and not isinstance(value, str):
                raise TokenError(f"The token is {described(value)}; expected a word, such as 'dog'.")
            elif name not in variadic and name not in LAYERS and value is not signature.parameters[name].default:
                bound.arguments[name] = _checked(name, value, hints()[name], ANY, sizes)
        return function(*bound.args, **bound.kwargs)

    return typing.cast("F", checking)


def _evaluated(annotation: Any, function: Any) -> Any:
    """Type of an annotation; a name that only type checkers import stands for the classes of this name."""
    if not isinstance(annotation, str):
        return Any if annotation is inspect.Parameter.empty else annotation
    return eval(annotation, function.__globals__, _Names(function.__globals__))


class _Names(dict[str, Any]):
    """Names of a module, and classes by name for those that it does not have at run time."""

    def __missing__(self, name: str) -> Any:
        if name.startswith("__") or hasattr(builtins, name):
            raise KeyError(name)
        return _ByName(name, (), {})


class _ByName(type):
    """Class that stands for the classes of a name, so that checking imports nothing."""

    def __instancecheck__(cls, value: Any) -> bool:
        return any(base.__name__ == cls.__name__ for base in type(value).__mro__)

    def __getattr__(cls, name: str) -> Any:  # of a module, as in pandas.DataFrame
        if name.startswith("_"):
            raise AttributeError(name)
        return _ByName(name, (), {})


def _checked(name: str, value: Any, kind: Any, rule: Rule, sizes: Sizes) -> Any:
    """Give the value, as an array where one is meant; an error in one sentence where its kind is another."""
    if typing.get_origin(kind) is Annotated:
        kind, rule = typing.get_args(kind)[:2]
    if kind is Any or isinstance(kind, TypeVar):
        return value
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return _one_of(name, value, kind, sizes)
    if kind is np.ndarray:
        return _array(name, value, rule, sizes)
    if not _fits(value, kind) or (kind in (int, float) and not _inside(value, rule)):
        raise MethodError(f"{name} is {described(value)}; expected {expected(kind, rule)}.")
    if rule.axes or rule.rows:
        _check_sizes(name, (len(value),), rule, sizes)
    return _entries(name, value, kind, sizes)


def _one_of(name: str, value: Any, kind: Any, sizes: Sizes) -> Any:
    parts = typing.get_args(kind)
    if value is None and type(None) in parts:
        return None
    plain = [typing.get_args(part)[0] if typing.get_origin(part) is Annotated else part for part in parts]
    for part, bare in zip(parts, plain, strict=True):
        if bare is not np.ndarray and _fits(value, bare):
            return _checked(name, value, part, ANY, sizes)
    arrays = [part for part, bare in zip(parts, plain, strict=True) if bare is np.ndarray]
    if arrays and (_is_listed(value) or hasattr(value, "__array__")):
        return _checked(name, value, arrays[0], ANY, sizes)
    raise MethodError(f"{name} is {described(value)}; expected {expected(kind, ANY)}.")


def _fits(value: Any, kind: Any) -> bool:
    """Whether a value is of a kind; its entries are not looked at."""
    origin = typing.get_origin(kind) or kind
    if kind is Any:
        return True
    if kind is int:
        return isinstance(value, Integral) and not isinstance(value, bool)
    if kind is float:
        return isinstance(value, Real) and not isinstance(value, bool)
    if kind is bool:
        return isinstance(value, bool | np.bool_)
    if origin in (Sequence, Collection, list, tuple):
        return _is_listed(value)
    if origin is typing.get_origin(Callable[..., Any]):
        return callable(value)
    if getattr(origin, "_is_protocol", False):
        members = [m for m in vars(origin) if not m.startswith("_") or m == "__call__"]
        return all(hasattr(value, member) for member in members)
    return isinstance(value, origin) if isinstance(origin, type) else True


def _is_listed(value: Any) -> bool:
    """Whether a value is a list of things: no text, no mapping, and no single image."""
    single = isinstance(value, str | bytes | Mapping) or (isinstance(value, np.ndarray) and value.ndim == 0)
    return isinstance(value, Sized) and hasattr(value, "__iter__") and not single


def _entries(name: str, value: Any, kind: Any, sizes: Sizes) -> Any:
    """Check the entries of a list or mapping of one kind; a numpy array of entries becomes a list."""
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if isinstance(value, Mapping) and len(parts) == 2:
        for key, entry in value.items():
            _checked(f"A key of {name}", key, parts[0], ANY, sizes)
            _checked(f"{name}[{key!r}]", entry, parts[1], ANY, sizes)
    elif origin in (Sequence, Collection, list, tuple, frozenset) and parts[0] is not Any:
        fixed = origin is tuple and parts[-1] is not Ellipsis
        if fixed and len(value) != len(parts):
            raise MethodError(f"{name} has {len(value)} entries; expected {len(parts)}.")
        own = (
            value
            if isinstance(value, list | tuple | frozenset | set)
            else np.ndarray.tolist(value)
            if isinstance(value, np.ndarray)
            else list(value)
        )
        kinds = parts if fixed else [parts[0]] * len(value)
        entries = [_checked(f"An entry of {name}", e, part, ANY, sizes) for e, part in zip(own, kinds, strict=True)]
        return entries if any(isinstance(entry, np.ndarray) for entry in entries) else own
    return value


def checked_array(name: str, value: Any, rule: Rule) -> np.ndarray:
    """Give an argument as an array of numbers, by its rule.

    Parameters
    ----------
    name
        What it is called in messages.
    value
        Anything that numpy reads as numbers.
    rule
        Its rule.

    Raises
    ------
    MethodError
        No numbers, or against the rule.
    """
    return _array(name, value, rule, {})


def _array(name: str, value: Any, rule: Rule, sizes: Sizes) -> np.ndarray:
    try:
        array = np.asanyarray(None if isinstance(value, str | bytes | Mapping) else value)
    except Exception as error:  # whatever the value's own conversion raises: ragged lists, tensors that need gradients
        raise MethodError(f"{name} is {described(value)}; expected {expected(np.ndarray, rule)}.") from error
    if array.dtype.kind not in "fiub" or (rule.axes is not None and array.ndim != len(rule.axes.split())):
        raise MethodError(f"{name} is {described(value)}; expected {expected(np.ndarray, rule)}.")
    _check_sizes(name, array.shape, rule, sizes)
    numbers = array if rule.finite or rule is ANY or array.dtype.kind != "f" else array[~np.isnan(array)]
    if rule is not ANY and numbers.dtype.kind == "f" and numbers.size:
        largest = max(abs(float(numbers.min())), abs(float(numbers.max())))
        if not largest <= LARGEST:
            problem = "NaN" if math.isnan(largest) else f"values up to {largest:.3g}"
            raise MethodError(f"{name} has {problem}; expected finite numbers up to {LARGEST:g} in magnitude.")
    return array


def _check_sizes(name: str, shape: tuple[int, ...], rule: Rule, sizes: Sizes) -> None:
    entries = "entries" if len(shape) == 1 else "rows"
    if len(shape) and shape[0] < rule.rows:
        raise MethodError(f"{name} has {shape[0]} {entries}; expected at least {rule.rows}.")
    for axis, size in zip((rule.axes or "").split(), shape, strict=False):
        common, other = sizes.setdefault(axis, (size, name)) if axis != "_" else (size, name)
        if size != common:
            what = f"{size} entries" if len(shape) == 1 else f"shape {shape}"
            raise MethodError(f"{name} has {what}; expected {axis} = {common} as {other} has.")


def _inside(value: Any, rule: Rule) -> bool:
    if not math.isfinite(value):
        return not rule.finite and rule is not ANY
    return bool(rule.least <= value <= rule.most and value > rule.above)


def _check_random_state(value: Any, optional: bool) -> None:
    numbers = value if isinstance(value, list | tuple) and value else [value]
    whole = all(_fits(number, int) and number >= 0 for number in numbers)
    generators = (np.random.Generator, np.random.RandomState, np.random.SeedSequence)
    if not whole and not isinstance(value, generators) and (value is not None or not optional):
        raise NbtoolkitError(
            f"random_state is {described(value)}; expected a whole number from 0, a random generator of numpy, or None."
        )
