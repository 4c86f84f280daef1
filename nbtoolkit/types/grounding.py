"""Grounding of concepts: their words and exemplars."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import NbtoolkitError
from .naming import PAPER, Naming


@dataclass(frozen=True, eq=False)
class Grounding:
    """Grounding of concepts: words by unembedding, exemplars by activation.

    Attributes
    ----------
    words
        Per concept, its words that pass the filter, best first.
    exemplars
        Per concept, the ids of its most activating samples, strongest first.
    tokens
        Per concept, its top tokens before the filter.
    filter
        Name of the word filter.
    naming
        Rule by which the words were read, with the measurement that chose it.
    logits
        Per concept, the logit of each of its words, read by the same rule; empty where they were not kept.
    negative, negative_logits
        Per concept, the words of the most negative logits, the lowest first, and these; empty where they were not kept.

    Examples
    --------
    >>> Grounding(words=[["sun", "day"]], exemplars=[["photo-7"]])
    Grounding of 1 concepts
      0  sun, day
    """

    words: tuple[tuple[str, ...], ...] | list[list[str]]
    exemplars: tuple[tuple[str, ...], ...] | list[list[str]]
    tokens: tuple[tuple[str, ...], ...] | list[list[str]] = ()
    filter: str = "default"
    naming: Naming = PAPER
    logits: tuple[tuple[float, ...], ...] | list[list[float]] = ()
    negative: tuple[tuple[str, ...], ...] | list[list[str]] = ()
    negative_logits: tuple[tuple[float, ...], ...] | list[list[float]] = ()

    def __post_init__(self) -> None:
        if len(self.words) != len(self.exemplars):
            raise NbtoolkitError(
                f"Grounding has words for {len(self.words)} concepts but exemplars for {len(self.exemplars)}; expected the same number."
            )
        if self.negative and len(self.negative) != len(self.words):
            raise NbtoolkitError(
                f"Grounding has negative words for {len(self.negative)} concepts but words for {len(self.words)}; expected the same number."
            )
        for name, numbers, words in (
            ("logits", self.logits, self.words),
            ("negative_logits", self.negative_logits, self.negative),
        ):
            if numbers and [len(row) for row in numbers] != [len(row) for row in words]:
                raise NbtoolkitError(f"Grounding has {name} of other lengths than its words; expected one per word.")
        for name in ("words", "exemplars", "tokens", "logits", "negative", "negative_logits"):
            object.__setattr__(self, name, [list(row) for row in getattr(self, name)])

    def __repr__(self) -> str:
        lines = [
            f"{k:3d}  {', '.join(words[:5]) or '(no word passed the filter)'}" for k, words in enumerate(self.words)
        ]
        return "\n".join([f"Grounding of {len(self.words)} concepts", *lines])
