"""Guided steps for teaching: what is said, what is set before, and what the reader has to find."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import NbtoolkitError

PARTS = ("say", "set", "check")


def checked(steps: Sequence[Mapping[str, Any]], traits: Sequence[str]) -> list[dict[str, Any]]:
    """Bring steps into one form.

    Raises
    ------
    NbtoolkitError
        A step has no text, a part that is not known, or names what is no trait of the view.
    """
    out = []
    for i, step in enumerate(steps):
        unknown = [part for part in step if part not in PARTS]
        if unknown or not str(step.get("say", "")).strip():
            raise NbtoolkitError(
                f"Step {i} has {f'the part {unknown[0]!r}' if unknown else 'no text'}; expected 'say' (a text), "
                "and where wanted 'set' and 'check' (traits and values)."
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
    """Whether every trait has the value that is asked for, or one of a list of values. Without a question there is nothing to hold."""
    return bool(check) and all(
        state[name] in wanted if isinstance(wanted, list | tuple) and not isinstance(state[name], list) else state[name] == wanted
        for name, wanted in check.items()
    )  # fmt: skip
