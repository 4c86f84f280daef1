"""Guided steps for teaching: the instruction, traits that are set at the start, and the state that the reader has to reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import NbtoolkitError

PARTS = ("say", "set", "check")


def checked(steps: Sequence[Mapping[str, Any]], traits: Sequence[str]) -> list[dict[str, Any]]:
    """Validate the steps of a lesson and bring them into one form.

    Parameters
    ----------
    steps
        Dicts with ``say``, and optionally ``set`` and ``check``.
    traits
        Names of traits that steps may set and check.

    Raises
    ------
    NbtoolkitError
        A step has no text, an unknown part, or names an unknown trait.
    """
    out = []
    for i, step in enumerate(steps):
        unknown = [part for part in step if part not in PARTS]
        if unknown or not str(step.get("say", "")).strip():
            raise NbtoolkitError(
                f"Step {i} has {f'the part {unknown[0]!r}' if unknown else 'no text'}; expected 'say' (a text), "
                "and optionally 'set' and 'check' (traits and values)."
            )
        for part in ("set", "check"):
            wrong = [name for name in step.get(part, {}) if name not in traits]
            if wrong:
                raise NbtoolkitError(
                    f"Step {i} names {wrong[0]!r} in {part!r}; expected some of {', '.join(map(repr, traits))}."
                )
        out.append({"say": str(step["say"]), "set": dict(step.get("set", {})), "check": dict(step.get("check", {}))})
    return out


def holds(check: Mapping[str, Any], state: Mapping[str, Any]) -> bool:
    """Whether every trait has the value of the check, or one of its list of values. An empty check never passes.

    Parameters
    ----------
    check
        Names of traits, and a value or a list of values each.
    state
        Names and values of the view's traits.
    """

    def matches(value: Any, target: Any) -> bool:
        one_of = isinstance(target, list | tuple) and not isinstance(value, list)
        return bool(value in target if one_of else value == target)

    return bool(check) and all(matches(state[name], target) for name, target in check.items())
