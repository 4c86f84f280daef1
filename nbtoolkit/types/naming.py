"""Naming rule: how words are read from a direction of the residual stream."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import NbtoolkitError

RULES = {
    "paper": "without the final norm",
    "norm": "with the final norm",
    "centred": "without the final norm, about the mean concept",
    "norm-centred": "with the final norm, about the mean concept",
}


@dataclass(frozen=True)
class Naming:
    """Rule by which words are read from concepts, and the measurement that chose it.

    Attributes
    ----------
    rule
        ``"paper"`` (the concept itself is unembedded; Parekh et al. 2024, section 3.3), ``"norm"`` (after the model's
        final norm), ``"centred"`` (less the mean of the dictionary's concepts) or ``"norm-centred"``.
    evidence
        The measurement behind the choice, as a sentence; empty where the rule was given.

    Raises
    ------
    NbtoolkitError
        There is no such rule; the message lists them.

    Examples
    --------
    >>> Naming("norm").norm, Naming("norm").centred
    (True, False)
    """

    rule: str = "paper"
    evidence: str = ""

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise NbtoolkitError(f"naming is {self.rule!r}; expected 'auto' or one of {', '.join(map(repr, RULES))}.")

    @property
    def norm(self) -> bool:
        """Whether the model's final norm is applied first."""
        return self.rule.startswith("norm")

    @property
    def centred(self) -> bool:
        """Whether the mean of the dictionary's concepts is subtracted first."""
        return self.rule.endswith("centred")

    def __str__(self) -> str:
        reason = f": {self.evidence}" if self.evidence else ""
        return f"Words are read {RULES[self.rule]} (naming {self.rule!r}{reason})."


PAPER = Naming()
