"""The paper's claims: a claim holds, fails or is undecided by its interval, never by a sign."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import t as student

from ..metrics import Score, compare, on_common_samples

if TYPE_CHECKING:
    from .results import Reproduction

FEWEST = 3  # words from which the mean over words has an interval
Part = tuple[float, float, float]  # difference, low, high
NOTHING: Part = (float("nan"),) * 3


@dataclass(frozen=True)
class Claim:
    """A claim as a difference that is positive where it holds.

    Attributes
    ----------
    text
        The claim.
    words
        Token to the difference with its 95 % interval, in the unit of the score; NaN where one is not defined.
    difference, low, high
        Mean over the words, with its 95 % interval over words; of one word its own. The interval is NaN for two words.
    """

    text: str
    words: Mapping[str, Part]
    difference: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """``"holds"``, ``"fails"`` or ``"undecided"``, by the interval over words; of fewer than three, by each of them."""
        if not np.isnan(self.low):
            return verdict_of(self.low, self.high)
        verdicts = {verdict_of(low, high) for _, low, high in self.words.values()}
        return verdicts.pop() if len(verdicts) == 1 else "undecided"

    def __str__(self) -> str:
        interval = "" if np.isnan(self.low) else f" [{self.low:+.3f}, {self.high:+.3f}]"
        return f"{self.verdict:9s}  {self.text}: {self.difference:+.3f}{interval}, {len(self.words)} words"

    def count(self, verdict: str) -> int:
        """Number of words with a verdict by their own interval.

        Parameters
        ----------
        verdict
            ``"holds"``, ``"fails"`` or ``"undecided"``.
        """
        return sum(verdict_of(low, high) == verdict for _, low, high in self.words.values())


def verdict_of(low: float, high: float) -> str:
    """Verdict on a difference by its interval.

    Parameters
    ----------
    low, high
        The interval; NaN where it is not defined.

    Examples
    --------
    >>> verdict_of(0.1, 0.3), verdict_of(-0.1, 0.3), verdict_of(-0.3, -0.1)
    ('holds', 'undecided', 'fails')
    """
    return "holds" if low > 0 else "fails" if high < 0 else "undecided"


def claims(results: Reproduction) -> list[Claim]:
    """The paper's claims, and the control of the token alone.

    Parameters
    ----------
    results
        Results of the evaluation.
    """
    tokens, first, last = list(results.scores), results.layers["layer"].min(), results.layers["layer"].max()
    sizes = sorted(results.sizes["n_concepts"].unique())
    error = "test_error" if "test_error" in results.sizes else "reconstruction_error"

    def better(name: str) -> list[Part]:
        return [_of(results.tests[t].get(name)) for t in tokens]

    def at(layer: int, column: str = "clip_score") -> np.ndarray:
        return _mean(results.layers, "layer", layer, column, tokens)

    def cleaner(name: str, others: Sequence[str]) -> list[Part]:
        return [_smallest([_overlap(results, t, other, name) for other in others]) for t in tokens]

    others = [m for m in results.overlaps[tokens[0]] if m != "PCA"]
    errors = [_mean(results.sizes, "n_concepts", k, error, tokens) for k in (sizes[0], sizes[-1])]
    rows: list[tuple[str, list[Part]]] = [
        ("Concepts' words fit test images better than random words (Table 1)", better("Rnd-Words")),
        ("… and better than those learnt from noise (Table 1)", better("Noise-Imgs")),
        ("… and better than the token alone (control)", better("Token")),
        ("Own captions fit best of all (Table 1)", [_captions(results, t) for t in tokens]),
        ("Semi-NMF fits better than PCA (Table 9)", better("PCA")),
        ("Semi-NMF fits better than the Simple baseline, LargestNorm (Table 1: 3 of 4 words)", better("LargestNorm")),
        ("Semi-NMF's concepts share fewer words than K-Means' (Table 2)", cleaner("SemiNMF", ["KMeans"])),
        ("… and than LargestNorm's (Table 2)", cleaner("SemiNMF", ["LargestNorm"])),
        ("PCA's concepts share the fewest words (Table 2)", cleaner("PCA", others)),
        (
            "At the last layer words fit better than random words (Figure 6)",
            _points(at(last) - at(last, "clip_score_random")),
        ),
        ("Words fit better at the last layer than at the first (Figure 6)", _points(at(last) - at(first))),
        ("More concepts rebuild test states better (Figure 11)", _points(errors[0] - errors[1])),
    ]
    return [_claim(text, dict(zip(tokens, parts, strict=True))) for text, parts in rows]


def _claim(text: str, words: Mapping[str, Part]) -> Claim:
    """The claim with the interval over its words."""
    differences = Score(np.array([part[0] for part in words.values()]))
    low, high = differences.interval() if len(differences.defined) >= FEWEST else (float("nan"),) * 2
    if len(words) == 1:
        ((_, low, high),) = words.values()
    return Claim(text, words, differences.mean, low, high)


def _of(comparison: Any) -> Part:
    return NOTHING if comparison is None else (comparison.difference, comparison.low, comparison.high)


def _smallest(parts: Sequence[Part]) -> Part:
    """Of several differences that all have to be positive: the smallest difference, and the smallest ends."""
    values = np.array(parts)
    return NOTHING if np.isnan(values[:, 0]).any() else tuple(values.min(0).tolist())


def _captions(results: Reproduction, token: str) -> Part:
    """Own captions against each system of the paper, the smallest difference."""
    systems, again = results.scores[token], results.replicates.get(token, {})
    common, _ = on_common_samples({name: s for name, s in systems.items() if name != "Token"})
    best = common.pop("GT-captions")
    pairs = {n: (again["GT-captions"], again[n]) if again else None for n in common}
    defined = [n for n, s in common.items() if min(len(s.defined), len(best.defined)) > 1]
    parts = [_of(compare(best, common[n], replicates=pairs[n], paired=True)) for n in defined]
    return _smallest(parts) if parts else NOTHING


def _overlap(results: Reproduction, token: str, a: str, b: str) -> Part:
    """Overlap of ``a`` less that of ``b``; its interval has the variance of the dictionaries."""
    row, again = results.overlaps[token], results.overlap_replicates.get(token, {})
    return spread_interval(row[a] - row[b], again[a] - again[b]) if again else (row[a] - row[b], *NOTHING[1:])


def spread_interval(value: float, replicates: np.ndarray) -> Part:
    """A number of a dictionary with its 95 % interval, by Student's t with the deviation over replicates.

    Parameters
    ----------
    value
        The number.
    replicates : (n_replicates,)
        The same of dictionaries that were learnt again; NaN where not defined.

    Examples
    --------
    >>> [round(x, 2) for x in spread_interval(1.0, np.array([0.9, 1.1, 1.0]))]
    [1.0, 0.57, 1.43]
    """
    runs = replicates[~np.isnan(replicates)]
    if len(runs) < 2 or np.isnan(value):
        return value, *NOTHING[1:]
    half = float(student.ppf(0.975, len(runs) - 1) * runs.std(ddof=1))
    return value, value - half, value + half


def _mean(table: Any, column: str, value: Any, score: str, tokens: Sequence[str]) -> np.ndarray:
    """Mean of a score per token in the rows of one value, in the order of the tokens."""
    return table[table[column] == value].groupby("token")[score].mean().reindex(tokens).to_numpy()


def _points(values: np.ndarray) -> list[Part]:
    """Differences without intervals of their own."""
    return [(float(v), *NOTHING[1:]) for v in values]
