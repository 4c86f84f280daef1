"""Results of the evaluation: scores, and tables of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas

from ..interventions import Selectivity
from ..metrics import Comparison, Score, Stability, dictionary_interval, holm, overlap
from ..types import Grounding, Scores
from .claims import Claim, claims, spread_interval
from .panels import Panel as Panel
from .settings import SETTINGS, Settings
from .sizes import HeldOut
from .systems import CONTROLS

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Reproduction:
    """Results of the evaluation.

    Attributes
    ----------
    scores
        Token to system to its CLIPScore on test images, a value per image (Tables 1 and 9).
    overlaps
        Token to method to its overlap (Tables 2 and 10).
    tests
        Token to system to the comparison of Semi-NMF with it (Table 11), on the samples where all systems are defined.
    texts, text_tests
        The same for BERTScore, where a text encoder was given; else empty for every token.
    grounding
        Token to the scores of its Semi-NMF dictionary, for Figure 3.
    layers, sizes
        Tables of :func:`nbtoolkit.sweep` over layers (Figure 6) and numbers of concepts (Figures 11 and 12).
    groundings, panels, samples
        Token to its Semi-NMF grounding, to interpreted test samples (Figure 5), and to (train, test) numbers of samples
        (Table 7).
    model, left_out
        The model, and the tokens that could not be evaluated, with the reason.
    replicates, overlap_replicates
        Token to system to CLIPScores (n_replicates, n_test), and to method to overlaps (n_replicates,), of dictionaries
        that were learnt again; empty for a token with too few samples.
    settings
        λ, words and naming.
    encoder
        The text encoder of BERTScore, or why there is none.
    n_concepts, layer, random_state
        K, L and the seed.
    words, n_vocabulary
        Token to method to the words of its concepts, and number of words of the captions.
    random_overlaps, centred_overlaps
        Token to the overlap of as many random words per concept as Semi-NMF has, and of the words of Semi-NMF's concepts read
        about their mean.
    stability
        Token to method to the stability over dictionaries that were learnt again; empty for a token with too few samples.
    held_out
        Token to the reconstruction of held-out training rows per number of concepts.
    causal
        Token to method to the causal selectivity of its concepts; empty where none was ablated.
    dead, lambdas
        Token to method to the number of concepts that no training sample uses, and to the λ of its Semi-NMF.
    """

    scores: Mapping[str, Mapping[str, Score]]
    overlaps: Mapping[str, Mapping[str, float]]
    tests: Mapping[str, Mapping[str, Any]]
    texts: Mapping[str, Mapping[str, Score]]
    text_tests: Mapping[str, Mapping[str, Any]]
    grounding: Mapping[str, Scores]
    layers: pandas.DataFrame
    sizes: pandas.DataFrame
    groundings: Mapping[str, Grounding]
    panels: Mapping[str, Panel]
    samples: Mapping[str, tuple[int, int]]
    model: str = ""
    left_out: Mapping[str, str] = field(default_factory=dict)
    replicates: Mapping[str, Mapping[str, Array]] = field(default_factory=dict)
    overlap_replicates: Mapping[str, Mapping[str, Array]] = field(default_factory=dict)
    settings: Settings = SETTINGS["nbtoolkit"]
    encoder: str = ""
    n_concepts: int = 20
    layer: int = -1
    random_state: int = 0
    words: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    n_vocabulary: int = 0
    random_overlaps: Mapping[str, float] = field(default_factory=dict)
    centred_overlaps: Mapping[str, float] = field(default_factory=dict)
    stability: Mapping[str, Mapping[str, Stability]] = field(default_factory=dict)
    held_out: Mapping[str, HeldOut] = field(default_factory=dict)
    causal: Mapping[str, Mapping[str, Selectivity]] = field(default_factory=dict)
    dead: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    lambdas: Mapping[str, float] = field(default_factory=dict)

    def interval(self, token: str, system: str, metric: str = "clip_score") -> tuple[float, float]:
        """95 % interval of a system's mean score: over test samples, and dictionaries where they were learnt again.

        Parameters
        ----------
        token, system
            Token and name of the system.
        metric
            ``"clip_score"`` or ``"bert_score"``.
        """
        score = (self.scores if metric == "clip_score" else self.texts)[token][system]
        again = self.replicates.get(token, {}).get(system) if metric == "clip_score" else None
        if again is None or system in CONTROLS:
            return score.interval()
        return dictionary_interval(score.values, again)[:2]

    def adjusted(self) -> dict[tuple[str, str, str], float]:
        """Holm's p-value of every paired test of the report, by (metric, token, system): they are one family."""
        family = {
            (metric, token, system): comparison.p
            for metric, tests in (("clip_score", self.tests), ("bert_score", self.text_tests))
            for token, by_system in tests.items()
            for system, comparison in by_system.items()
        }
        return dict(zip(family, holm(list(family.values())).tolist(), strict=True))

    def table(self) -> pandas.DataFrame:
        """Every score as a row.

        ``token, system, metric, n_concepts, mean, std, low, high, n``; of Semi-NMF less it, on the ``n_compared`` samples
        where all systems are defined: ``difference, difference_low, difference_high, effect``, ``p`` of the paired
        permutation test, ``p_holm`` over all tests, and ``t_p`` of the paper's independent t-test. ``metric`` is
        ``clip_score`` or ``bert_score`` (n test images), ``overlap`` (n concepts with words), ``held_out_error`` (n training
        rows), ``centred_stability`` (n pairs of concepts) or ``causal_selectivity`` (n concepts); the last two have their
        ``null``.
        """
        rows = [row for token in self.scores for row in (*self._score_rows(token), *self._overlap_rows(token))]
        return pandas.DataFrame([*rows, *(row for token in self.scores for row in self._dictionary_rows(token))])

    def _score_rows(self, token: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        adjusted = self.adjusted()
        for metric, systems, tests in (
            ("clip_score", self.scores[token], self.tests[token]),
            ("bert_score", self.texts[token], self.text_tests[token]),
        ):
            for name, score in systems.items():
                low, high = self.interval(token, name, metric)
                row = _row(
                    token, name, metric, self.n_concepts, score.mean, low, high, len(score.defined), std=score.std
                )
                if name in tests:
                    row |= _columns(tests[name]) | {"p_holm": adjusted[metric, token, name]}
                rows.append(row)
        return rows

    def _overlap_rows(self, token: str) -> list[dict[str, Any]]:
        rows = []
        for name, value in self.overlaps[token].items():
            again = self.overlap_replicates.get(token, {}).get(name, np.zeros(0))
            _, low, high = spread_interval(value, again)
            rows.append(_row(token, name, "overlap", self.n_concepts, value, low, high, self.n_named(token, name)))
        return rows

    def _dictionary_rows(self, token: str) -> list[dict[str, Any]]:
        rows, k = [], self.n_concepts
        own = self.held_out.get(token)
        for size in sorted(own.errors) if own else ():
            score = own.score(size) if own else Score(np.zeros(0))
            bounds = score.interval()
            rows.append(_row(token, "SemiNMF", "held_out_error", size, score.mean, *bounds, len(score.defined)))
        for name, result in self.stability.get(token, {}).items():
            values, null = result.centred, result.centred_null.mean
            nothing = float("nan"), float("nan")  # pairs of the same runs are not independent
            rows.append(
                _row(token, name, "centred_stability", k, values.mean, *nothing, len(values.defined), null=null)
            )
        for name, effect in self.causal.get(token, {}).items():
            score = effect.score
            bounds = score.interval()
            row = _row(token, name, "causal_selectivity", k, score.mean, *bounds, len(score.defined))
            rows.append(row | {"null": effect.null.mean})
        return rows

    def n_named(self, token: str, method: str) -> int:
        """Number of concepts of a dictionary that have words.

        Parameters
        ----------
        token, method
            Token and name of the method.
        """
        return len(overlap(self.words[token][method]).defined) if token in self.words else self.n_concepts

    def verdicts(self) -> list[Claim]:
        """The paper's claims: each holds, fails or is undecided by its interval."""
        return claims(self)

    def claims(self) -> list[tuple[str, int, int]]:
        """The paper's claims, for how many words they hold by the word's own interval, and the number of words.

        A claim without intervals per word counts for all of them where it holds by the interval over words, else for none.
        """
        rows = []
        for claim in claims(self):
            n, own = len(claim.words), any(not np.isnan(low) for _, low, _ in claim.words.values())
            rows.append((claim.text, claim.count("holds") if own else n * (claim.verdict == "holds"), n))
        return rows


def _row(
    token: str, system: str, metric: str, k: int, mean: float, low: float, high: float, n: int, **more: float
) -> dict[str, Any]:
    row: dict[str, Any] = {"token": token, "system": system, "metric": metric, "n_concepts": k, "mean": mean}
    return row | {"std": more.pop("std", float("nan")), "low": low, "high": high, "n": n} | more


def _columns(comparison: Comparison) -> dict[str, Any]:
    return {
        "difference": comparison.difference,
        "difference_low": comparison.low,
        "difference_high": comparison.high,
        "effect": comparison.effect,
        "n_compared": comparison.n,
        "p": comparison.p,
        "t_p": comparison.t_p,
    }
