"""The tables of the report, with n in every cell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import Any

import numpy as np

from ..html_report import table
from ..interventions import Selectivity
from ..metrics import Comparison, Score, Stability
from . import published
from .cells import cell
from .claims import spread_interval
from .results import Reproduction
from .settings import SETTINGS, changes
from .systems import CONTROLS, METHODS, SYSTEMS

NOTHING = "–"


def settings_table(results: Reproduction) -> str:
    """What the settings of the run are, beside those of the paper, the authors' code and nbtoolkit.

    Parameters
    ----------
    results
        Results of the evaluation.
    """
    rows = [[escape(what), *map(escape, values)] for what, values in changes(results.settings)]
    lambdas = list(results.lambdas.values())
    if lambdas and results.settings.alpha == "auto":
        rows[0][1] += f" = {min(lambdas):.2f} to {max(lambdas):.2f}"
    rules = sorted({g.naming.rule for g in results.groundings.values()})
    rows[1][1] = escape(", ".join(rules)) + ("" if results.settings.naming == rules[0] else f" ({rows[1][1]})")
    rows.append(["number of concepts K", str(results.n_concepts), *["20"] * 3])
    rows.append(["layer L", str(results.layer), *["the last one"] * 3])
    return table(["Setting", f"this run ({results.settings.name})", *SETTINGS], rows, "text")


def claims_table(results: Reproduction) -> str:
    """The claims with their verdicts.

    Parameters
    ----------
    results
        Results of the evaluation.
    """
    rows = []
    for claim in results.verdicts():
        counts = ", ".join(f"{n} {v}" for v in ("holds", "undecided", "fails") if (n := claim.count(v)))
        own = any(not np.isnan(low) for _, low, _ in claim.words.values())
        interval = "" if np.isnan(claim.low) else f"[{claim.low:+.3f}, {claim.high:+.3f}]"
        value = NOTHING if np.isnan(claim.difference) else f"{claim.difference:+.3f}"
        p = NOTHING if np.isnan(claim.p_holm) else _p(claim.p_holm)
        verdict = f"<span class={claim.verdict}>{claim.verdict}</span>"
        rows.append(
            [escape(claim.text), verdict, cell(value, interval), p, str(claim.n_words), counts if own else NOTHING]
        )
    return table(["Claim", "verdict", "mean difference", "p (Holm)", "words", "by word"], rows, "text")


def score_table(results: Reproduction, metric: str) -> str:
    """CLIPScores or BERTScores of all systems.

    Parameters
    ----------
    results
        Results of the evaluation.
    metric
        ``"clip_score"`` or ``"bert_score"``.
    """
    rows = []
    for token, systems in (results.scores if metric == "clip_score" else results.texts).items():
        learnt = {n: s.mean for n, s in systems.items() if n not in CONTROLS and not np.isnan(s.mean)}
        best = max(learnt, key=lambda n: learnt[n], default="")
        cells = [_score(systems[n], *results.interval(token, n, metric)) for n in SYSTEMS]
        marked = [f"<div class=best>{c}</div>" if n == best else c for n, c in zip(SYSTEMS, cells, strict=True)]
        rows.append([escape(token), *marked])
    return table(["word", *SYSTEMS], rows)


def _score(score: Score, low: float, high: float) -> str:
    if not len(score.defined):
        return cell(NOTHING, "n = 0")
    interval = "" if np.isnan(low) else f"[{low:.3f}, {high:.3f}]"
    return cell(f"{score.mean:.3f} ± {score.std:.2f}", interval, f"n = {len(score.defined)}")


def comparison_table(results: Reproduction, metric: str) -> str:
    """Semi-NMF against every other system.

    Parameters
    ----------
    results
        Results of the evaluation.
    metric
        ``"clip_score"`` or ``"bert_score"``.
    """
    names, adjusted = [s for s in SYSTEMS if s != "SemiNMF"], results.adjusted()
    rows = []
    for token, tests in (results.tests if metric == "clip_score" else results.text_tests).items():
        cells = [
            _test(tests[n], adjusted[metric, token, n]) if n in tests else cell(NOTHING, "n &lt; 2") for n in names
        ]
        rows.append([escape(token), *cells])
    return table(["word", *names], rows)


def _test(c: Comparison, p: float) -> str:
    interval = "" if np.isnan(c.low) else f"[{c.low:+.3f}, {c.high:+.3f}]"
    rest = f", {c.left_out} left out" if c.left_out else ""
    effect = NOTHING if np.isnan(c.effect) else f"{c.effect:+.2f}"
    return cell(f"{c.difference:+.3f}", interval, f"d {effect}", f"p {_p(p)} ({_p(c.t_p)})", f"n = {c.n}{rest}")


def _p(p: float) -> str:
    return NOTHING if np.isnan(p) else f"{p:.2f}" if p >= 0.1 else f"{p:.3f}" if p >= 0.001 else f"{p:.0e}"


def overlap_table(results: Reproduction) -> str:
    """Overlap of every method, of Semi-NMF's words about their mean, and of random words.

    Parameters
    ----------
    results
        Results of the evaluation.
    """
    rows = []
    for token, row in results.overlaps.items():
        again = results.overlap_replicates.get(token, {})
        cells = []
        for name in METHODS:
            value, low, high = spread_interval(row[name], again.get(name, np.zeros(0)))
            interval = "" if np.isnan(low) else f"[{max(0.0, low):.3f}, {min(1.0, high):.3f}]"
            n = f"n = {results.n_named(token, name)}"
            cells.append(cell(NOTHING if np.isnan(value) else f"{value:.3f}", interval, n))
        n = f"n = {results.n_named(token, 'SemiNMF')}"
        controls = (results.centred_overlaps.get(token, np.nan), results.random_overlaps.get(token, np.nan))
        rows.append([escape(token), *cells, *(cell(NOTHING if np.isnan(v) else f"{v:.3f}", n) for v in controls)])
    return table(["word", *METHODS, "SemiNMF, about the mean", "Rnd-Words"], rows)


def causal_table(results: Reproduction) -> str:
    """Causal selectivity of every method.

    Parameters
    ----------
    results
        Results of the evaluation.
    """
    return _by_method(results.causal, _causal)


def _causal(result: Selectivity) -> str:
    score = result.score
    n = f"n = {len(score.defined)} concepts, {int(result.n_images.sum())} responses"
    if not len(score.defined):
        return cell(NOTHING, n)
    low, high = score.interval()
    varies = len(score.defined) > 1 and np.ptp(score.defined) > 0
    interval = f"[{max(-1.0, low):+.2f}, {min(1.0, high):+.2f}]" if varies else ""
    parts = f"own {np.nanmean(result.named):.2f}, others {np.nanmean(result.others):.2f}"
    return cell(f"{score.mean:+.2f}", interval, parts, f"random {result.null.mean:+.2f}", n)


def stability_table(results: Reproduction) -> str:
    """Stability of every method over the dictionaries that were learnt again.

    Parameters
    ----------
    results
        Results of the evaluation.
    """
    return _by_method(results.stability, _stability)


def _by_method(values: Mapping[str, Mapping[str, Any]], show: Callable[[Any], str]) -> str:
    """A table with a row per word and a column per method; of a method without a value, n = 0."""
    rows = [
        [escape(token), *(show(by[m]) if m in by else cell(NOTHING, "n = 0") for m in METHODS)]
        for token, by in values.items()
    ]
    return table(["word", *METHODS], rows)


def _stability(result: Stability) -> str:
    floor = "" if result.floor is None else f"raw random rows {result.floor.mean:.2f}"
    return cell(
        f"{result.centred.mean:.2f}",
        f"mixtures {result.centred_null.mean:.2f}, p {_p(result.centred_p)}",
        f"raw {result.values.mean:.2f}, mixtures {result.null.mean:.2f}",
        floor,
        f"n = {len(result.centred.defined)} pairs",
    )


def size_table(results: Reproduction) -> str:
    """Reconstruction of held-out training rows, and the number of concepts that follows.

    Parameters
    ----------
    results
        Results of the evaluation.
    """
    sizes = sorted({k for own in results.held_out.values() for k in own.errors})
    rows = []
    for token, own in results.held_out.items():
        cells = [_score(own.score(k), *own.score(k).interval()) if k in own.errors else NOTHING for k in sizes]
        chosen = [NOTHING if k is None else str(k) for k in (own.chosen, own.elbow, own.paper)]
        rows.append([escape(token), *cells, *chosen])
    return table(["word", *(f"K = {k}" for k in sizes), "chosen K", "elbow", "paper's rule"], rows)


def paper_tables() -> str:
    """The published figures that could be read."""
    systems = list(next(iter(published.TABLE_1.values())))
    one = [[t, *[f"{m:.3f} ± {s:.2f}" for m, s in row.values()]] for t, row in published.TABLE_1.items()]
    methods = list(next(iter(published.TABLE_2.values())))
    two = [[t, *[f"{v:.3f}" for v in row.values()]] for t, row in published.TABLE_2.items()]
    return (
        f"<h3>Table 1: CLIPScore</h3>{table(['word', *systems], one, 'paper')}"
        f"<h3>Table 2: overlap</h3>{table(['word', *methods], two, 'paper')}"
    )
