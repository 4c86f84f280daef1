"""Where a run disagrees with the paper: in words, from the run's own numbers, with what explains it or what stays open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..metrics import overlap
from . import published
from .claims import FEWEST
from .systems import SYSTEMS

if TYPE_CHECKING:
    from .results import Reproduction

_LEVEL = 0.05
_ALMOST_ALWAYS = ("Rnd-Words", "Noise-Imgs", "PCA")  # appendix D: Semi-NMF differs from these
_OFTEN_NOT = ("LargestNorm", "KMeans")


def disagreements(results: Reproduction) -> list[str]:
    """What differs from the paper, and why as far as the run shows it, a sentence or two each.

    Parameters
    ----------
    results
        Results of the evaluation.
    """
    parts = (_failures(results), _overlaps(results), _order(results), _significance(results), _token(results))
    return [sentence for part in parts for sentence in part]


def _failures(results: Reproduction) -> list[str]:
    """Claims of the paper that fail."""
    return [
        f"Fails here: “{_whole(claim.text)}” The difference is {claim.difference:+.3f} [{claim.low:+.3f}, {claim.high:+.3f}] over "
        f"{claim.n_words} words; the paper has the opposite sign."
        for claim in results.verdicts()
        if claim.verdict == "fails" and ("(Table" in claim.text or "(Figure" in claim.text)
    ]


def _whole(text: str) -> str:
    return text.replace("… and", "Semi-NMF's concepts, and").rstrip(".") + "."


def _overlaps(results: Reproduction) -> list[str]:
    """Semi-NMF's overlap against the paper's range, chance, the length of the lists, and what all concepts have in common."""
    own = _defined(row["SemiNMF"] for row in results.overlaps.values())
    paper = [row["SemiNMF"] for row in published.TABLE_2.values()]
    if not own or min(own) <= max(paper):
        return []
    lists = [by["SemiNMF"] for by in results.words.values()]
    chance = _defined(results.random_overlaps.values())
    five = _defined(overlap([words[:5] for words in one]).mean for one in lists)
    centred = _defined(results.centred_overlaps.values())
    length = np.mean([len(words) for one in lists for words in one])
    text = (
        f"Semi-NMF's concepts share {_range(own)} of their words; the paper has {_range(paper)} (Table 2). A concept has {length:.1f} "
        f"words on average, of {results.n_vocabulary} words in the captions; the first five share {_range(five)}, and as many random "
        f"words by the same filter {_range(chance)}.{_common(lists)} Read about the mean of the dictionary's concepts, the words of "
        f"the same concepts share {_range(centred)}"
    )
    if not centred:
        return [f"{text}. The difference is left open."]
    excess, left = (float(np.mean(values) - np.mean(paper)) for values in (own, centred))
    share = 1 - max(0.0, left) / excess
    rest = (
        "why the paper's concepts, which are read without subtracting it, share so little is left open"
        if left <= 0
        else "the rest is left open"
    )
    return [
        f"{text}: what all concepts have in common, as the token and the words of its place in the sentence, accounts for {share:.0%} of "
        f"the difference of the means; {rest} (another model, other data, and a vocabulary of tens of thousands of words)."
    ]


def _common(lists: Sequence[Sequence[Sequence[str]]]) -> str:
    """The words that at least half of a dictionary's concepts have, as a sentence."""
    per = [
        {word for word, n in Counter(w for words in one for w in set(words)).items() if n >= max(2, len(one) / 2)}
        for one in lists
    ]
    count = Counter(word for words in per for word in sorted(words))
    if not count:
        return ""
    examples = ", ".join(f"“{word}”" for word, _ in count.most_common(4))
    return f" At least half of a dictionary's concepts have {np.mean([len(w) for w in per]):.1f} words in common, such as {examples}."


def _order(results: Reproduction) -> list[str]:
    """Pairs of systems whose order by mean CLIPScore is not that of Table 1."""
    paper = {name: np.mean([row[name][0] for row in published.TABLE_1.values()]) for name in published.TABLE_1["dog"]}
    own = {name: np.mean(_defined(by[name].mean for by in results.scores.values()) or [np.nan]) for name in paper}
    names = [name for name in SYSTEMS if name in paper]
    reversed_pairs = [
        f"{a} ({own[a]:.3f}) above {b} ({own[b]:.3f}), the paper {paper[a]:.3f} and {paper[b]:.3f}"
        for a in names
        for b in names
        if paper[a] < paper[b] and own[a] > own[b]
    ]
    if not reversed_pairs:
        return []
    return [
        "The order by mean CLIPScore over words is not that of Table 1: "
        + "; ".join(reversed_pairs)
        + ". Whether such a difference "
        "is decided is in the table of claims; levels are those of another scorer and other data."
    ]


def _significance(results: Reproduction) -> list[str]:
    """Tests after Holm's correction, where the paper found almost always or often no difference."""
    adjusted = results.adjusted()
    texts = []
    for names, expected in ((_ALMOST_ALWAYS, True), (_OFTEN_NOT, False)):
        for name in names:
            p = [
                v for (metric, _, s), v in adjusted.items() if metric == "clip_score" and s == name and not np.isnan(v)
            ]
            n = sum(v <= _LEVEL for v in p)
            if len(p) >= FEWEST and (n <= len(p) / 2 if expected else n == len(p)):
                says = "almost always significant" if expected else "often not significant"
                texts.append(f"{name} in {n} of {len(p)} words (the paper: {says})")
    if not texts:
        return []
    return [
        "Semi-NMF differs significantly, after Holm's correction, from "
        + "; ".join(texts)
        + ". The paper's tests are independent t-tests "
        "without correction, on about 160 test images per word; ours are paired."
    ]


def _token(results: Reproduction) -> list[str]:
    """The control that the paper does not have: the token alone."""
    rows = [(by["Token"].mean, by["SemiNMF"].mean) for by in results.scores.values()]
    rows = [row for row in rows if not np.isnan(row).any()]
    n = sum(token > own for token, own in rows)
    if not n:
        return []
    token, own = np.mean(rows, 0)
    return [
        f"The paper has no control by the token alone. Here the list of that one word has a CLIPScore of {token:.3f}, "
        f"Semi-NMF's words {own:.3f}; it is higher in {n} of {len(rows)} words. So CLIPScore of a word list rewards what all images "
        "share, and does not show that a concept's further words fit: BERTScore, overlap and the causal column have to be read beside it."
    ]


def _range(values: Sequence[float]) -> str:
    """Smallest and largest of values."""
    if not values:
        return "no defined share"
    low, high = min(values), max(values)
    return f"{low:.2f}" if f"{low:.2f}" == f"{high:.2f}" else f"{low:.2f} to {high:.2f}"


def _defined(values: Iterable[float]) -> list[float]:
    return [float(v) for v in values if not np.isnan(v)]
