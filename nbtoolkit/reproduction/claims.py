"""The paper's claims: a claim holds, fails or is undecided by its interval, never by a sign."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student

from ..metrics import Score, compare, holm, on_common_samples
from .systems import METHODS

if TYPE_CHECKING:
    from .results import Reproduction

LEVEL = 0.05
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
    p
        Two-sided p-value by the same interval: 1 less the level at which it ends at 0. For fewer than three words the
        largest of their own, 1 where their signs differ. NaN without an interval.
    p_holm
        The same after Holm's correction over the claims of a report; NaN for a claim by itself.
    """

    text: str
    words: Mapping[str, Part]
    difference: float
    low: float
    high: float
    p: float = float("nan")
    p_holm: float = float("nan")

    @property
    def verdict(self) -> str:
        """``"holds"``, ``"fails"`` or ``"undecided"``, by the interval over words; of fewer than three, by each of them.

        Among the claims of a report it is decided only where Holm's p-value is at most 0.05, too.
        """
        if self.p_holm > LEVEL:
            return "undecided"
        if not np.isnan(self.low):
            return verdict_of(self.low, self.high)
        verdicts = {verdict_of(low, high) for difference, low, high in self.words.values() if not np.isnan(difference)}
        return verdicts.pop() if len(verdicts) == 1 else "undecided"

    @property
    def n_words(self) -> int:
        """Number of words for which the difference is defined."""
        return sum(not np.isnan(part[0]) for part in self.words.values())

    def __str__(self) -> str:
        interval = "" if np.isnan(self.low) else f" [{self.low:+.3f}, {self.high:+.3f}]"
        p = "" if np.isnan(self.p_holm) else f", p {self.p_holm:.2g}"
        return f"{self.verdict:9s}  {self.text}: {self.difference:+.3f}{interval}{p}, {self.n_words} words"

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
    """The paper's claims, comparisons with a sparse autoencoder, and controls; Holm's correction is over all of them.

    Parameters
    ----------
    results
        Results of the evaluation.
    """
    rows = [_claim(text, dict(zip(results.scores, parts, strict=True))) for text, parts in _parts(results)]
    adjusted = holm([claim.p for claim in rows]).tolist()
    return [replace(claim, p_holm=p) for claim, p in zip(rows, adjusted, strict=True)]


def _parts(results: Reproduction) -> list[tuple[str, list[Part]]]:
    """Every claim with its difference per word."""
    tokens = list(results.scores)

    def better(name: str) -> list[Part]:
        return [_of(results.tests[t].get(name)) for t in tokens]

    def cleaner(name: str, *others: str) -> list[Part]:
        return [_smallest([_overlap(results, t, other, name) for other in others]) for t in tokens]

    others = [m for m in METHODS if m not in ("PCA", "TopKSAE")]
    return [
        ("Concepts' words fit test images better than random words (Table 1)", better("Rnd-Words")),
        ("… and better than those learnt from noise (Table 1)", better("Noise-Imgs")),
        ("… and better than the token alone (control)", better("Token")),
        ("Own captions fit best of all (Table 1)", [_captions(results, t) for t in tokens]),
        ("Semi-NMF fits better than PCA (Table 9)", better("PCA")),
        ("Semi-NMF fits better than the Simple baseline, LargestNorm (Table 1: 3 of 4 words)", better("LargestNorm")),
        ("Semi-NMF fits better than K-Means (comparison; the paper: often not)", better("KMeans")),
        ("Semi-NMF fits better than a TopKSAE (comparison)", better("TopKSAE")),
        ("Semi-NMF's concepts share fewer words than K-Means' (Table 2)", cleaner("SemiNMF", "KMeans")),
        ("… and than LargestNorm's (Table 2)", cleaner("SemiNMF", "LargestNorm")),
        ("… and than a TopKSAE's (comparison)", cleaner("SemiNMF", "TopKSAE")),
        ("PCA's concepts share the fewest words (Table 2)", cleaner("PCA", *others)),
        ("At the last layer words fit better than random words (Figures 3 and 6)", _at_last_layer(results)),
        ("Words fit better at the last layer than at the first (Figure 6)", _over_layers(results)),
        ("More concepts rebuild held-out states better (Figure 11)", [_sizes(results, t) for t in tokens]),
        ("Concepts recur in halves of the data more than random mixtures (control)", [_recur(results, t) for t in tokens]),
        ("An ablated concept's word goes rather than others, against random directions (control)", [_causal(results, t) for t in tokens]),
    ]  # fmt: skip


def _claim(text: str, words: Mapping[str, Part]) -> Claim:
    """The claim with the interval over its words."""
    differences = Score(np.array([part[0] for part in words.values()]))
    if len(differences.defined) >= FEWEST:
        low, high = differences.interval()
        return Claim(text, words, differences.mean, low, high, _p_over_words(differences))
    parts = [part for part in words.values() if not np.isnan(part[0])]
    low, high = parts[0][1:] if len(parts) == 1 else (float("nan"),) * 2
    same = len({np.sign(part[0]) for part in parts}) == 1
    p = max((_p_of(*part) for part in parts), default=float("nan"))
    return Claim(text, words, differences.mean, low, high, p if same or np.isnan(p) else 1.0)


def _p_over_words(differences: Score) -> float:
    """Two-sided p-value of a mean of 0: 1 less the level at which the interval over words ends at 0, by bisection."""
    inside, outside = 1.0, 0.0  # 1 − level
    for _ in range(40):
        level = (inside + outside) / 2
        low, high = differences.interval(1 - level)
        if low <= 0 <= high:
            outside = level
        else:
            inside = level
    return inside


def _p_of(difference: float, low: float, high: float) -> float:
    """p-value of a difference of 0 by its 95 % interval: normal, with the half-width on the side of 0."""
    half = difference - low if difference > 0 else high - difference
    if np.isnan(half):
        return float("nan")
    return float(2 * norm.sf(norm.ppf(0.975) * abs(difference) / half)) if half > 0 else float(difference == 0)


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


def _at_last_layer(results: Reproduction) -> list[Part]:
    """CLIPScore of exemplars with their concept's words, less that with random words: interval over concepts."""
    parts = []
    for scores in results.grounding.values():
        own, random = (scores.per_concept.get(name) for name in ("clip_score", "clip_score_random"))
        parts.append(NOTHING if own is None or random is None else _over(Score(own - random)))
    return parts


def _over_layers(results: Reproduction) -> list[Part]:
    """CLIPScore at the last layer less that at the first, without intervals per word."""
    table, layer = results.layers, results.layers["layer"]
    if layer.min() == layer.max() or "clip_score" not in table:
        return [NOTHING] * len(results.scores)
    means = [
        table[layer == index].groupby("token")["clip_score"].mean().reindex(list(results.scores)).to_numpy()
        for index in (layer.max(), layer.min())
    ]
    return [(float(d), *NOTHING[1:]) for d in means[0] - means[1]]


def _sizes(results: Reproduction, token: str) -> Part:
    """Error of the fewest concepts less that of the most, on held-out training rows: interval over rows."""
    own = results.held_out[token]
    sizes = sorted(own.means)
    return _over(Score(own.errors[sizes[0]] - own.errors[sizes[-1]])) if len(sizes) > 1 else NOTHING


def _recur(results: Reproduction, token: str) -> Part:
    """Centred stability of Semi-NMF less that of random mixtures: interval by the null."""
    result = results.stability[token].get("SemiNMF")
    if result is None or np.isnan(result.centred.mean):
        return NOTHING
    mean, null = result.centred.mean, result.centred_null.values
    low, high = np.quantile(null, [0.025, 0.975])
    return mean - float(null.mean()), mean - float(high), mean - float(low)


def _causal(results: Reproduction, token: str) -> Part:
    """Causal selectivity of Semi-NMF's concepts less that of random directions: interval over concepts."""
    result = results.causal[token].get("SemiNMF")
    return NOTHING if result is None else _over(Score(result.score.values - result.null.values))


def _over(score: Score) -> Part:
    """A mean with its interval."""
    return (score.mean, *score.interval()) if len(score.defined) else NOTHING
