"""Guided steps for teaching: the instruction, traits that are set at the start, and the state that the reader has to reach."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import NbtoolkitError

PARTS = ("say", "set", "check", "at", "hint")
PLACES = ("search", "image", "tab:")  # that a step may point at, beside the controls of traits
ELSE = "else"


def checked(steps: Sequence[Mapping[str, Any]], traits: Sequence[str]) -> list[dict[str, Any]]:
    """Validate the steps of a lesson and bring them into one form.

    Parameters
    ----------
    steps
        Dicts with ``say``, and optionally ``set`` and ``check``; ``at``, the control that is outlined: the name of a trait,
        ``"search"``, ``"image"`` or a tab, such as ``"tab:river"``; and ``hint``, what a wrong choice is answered with: a
        text, or a text per value of a trait, with ``"else"`` for all others.
    traits
        Names of traits that steps may set, check and point at.

    Raises
    ------
    NbtoolkitError
        A step has no text, an unknown part, names an unknown trait or place, or has a hint without a check.
    """
    out = []
    for i, step in enumerate(steps):
        parts = (step, *(step.get(part, {}) for part in ("set", "check"))) if isinstance(step, Mapping) else (step,)
        for part in parts:
            if not isinstance(part, Mapping):
                raise NbtoolkitError(f"Step {i} has {part!r}; expected a dict, as are its 'set' and 'check'.")
        unknown = [part for part in step if part not in PARTS]
        if unknown or not str(step.get("say", "")).strip():
            raise NbtoolkitError(
                f"Step {i} has {f'the part {unknown[0]!r}' if unknown else 'no text'}; expected 'say' (a text), "
                "and optionally 'set' and 'check' (traits and values), 'at' (a control) and 'hint' (what a wrong choice is answered)."
            )
        for part in ("set", "check"):
            wrong = [name for name in step.get(part, {}) if name not in traits]
            if wrong:
                raise NbtoolkitError(
                    f"Step {i} names {wrong[0]!r} in {part!r}; expected some of {', '.join(map(repr, traits))}."
                )
        one = {"say": str(step["say"]), "set": dict(step.get("set", {})), "check": dict(step.get("check", {}))}
        out.append(one | _place(i, step, traits) | _hint(i, step))
    return out


def _place(i: int, step: Mapping[str, Any], traits: Sequence[str]) -> dict[str, str]:
    at = step.get("at", "")
    if not at:
        return {}
    is_tab = isinstance(at, str) and at.startswith("tab:") and len(at) > 4
    if not is_tab and at not in (*traits, *PLACES[:2]):
        raise NbtoolkitError(
            f"Step {i} points at {at!r}; expected 'search', 'image', a tab such as 'tab:concepts', or one of "
            f"{', '.join(map(repr, traits))}."
        )
    return {"at": at}


def _hint(i: int, step: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """What wrong choices are answered with: JSON of a value to a text."""
    hint = step.get("hint")
    if hint is None:
        return {}
    answers = {ELSE: hint} if isinstance(hint, str) else hint
    if (
        not step.get("check")
        or not isinstance(answers, Mapping)
        or not all(isinstance(v, str) for v in answers.values())
    ):
        raise NbtoolkitError(
            f"Step {i} has the hint {hint!r}; expected a text, or a text per value, in a step with 'check'. "
            "Only what is checked can be wrong."
        )
    return {"hint": {k if isinstance(k, str) else json.dumps(k): v for k, v in answers.items()}}


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
