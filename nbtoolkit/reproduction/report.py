"""Results of a reproduction as one self-contained page and a table: no script, no network, every text escaped."""

from __future__ import annotations

import base64
import io
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas

from .. import plots
from ..html_report import page as html_page
from ..html_report import table as _table
from ..metrics import Comparison, Score
from ..storage.files import write_text
from ..types.nulls import CONSTANT_WORD, RANDOM_WORDS
from . import published
from .claims import spread_interval
from .evaluation import SYSTEMS
from .results import Reproduction

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_report(results: Reproduction, folder: Path, *, title: str) -> tuple[Path, Path]:
    """Write ``report.html`` and ``scores.csv``.

    Parameters
    ----------
    results
        Results of :func:`nbtoolkit.reproduction.reproduce`.
    folder
        Folder for both files.
    title
        Model and data, for the page's head.

    Returns
    -------
    Path, Path
        The page and the table.
    """
    page = folder / "report.html"
    write_text(page, html_page(title, _body(results)))
    table = folder / "scores.csv"
    write_text(table, results.table().to_csv(index=False))
    return page, table


def _body(results: Reproduction) -> str:
    tokens = list(results.scores)
    counts = ", ".join(f"{escape(t)} {a} / {b}" for t, (a, b) in results.samples.items())
    parts = [
        f"<p>{escape(results.model)}. The evaluation of CoX-LMM (Parekh et al., NeurIPS 2024, arXiv 2406.08074). "
        f"Samples to learn from / to test on: {counts}.</p>",
        *[f"<p class=no>{escape(t)} is left out: {escape(why)}</p>" for t, why in results.left_out.items()],
        "<h2>Do the paper's claims hold here?</h2>",
        "<p>A claim is a difference that has to be positive: it holds or fails where the 95 % interval of its mean over words "
        "is on one side of 0, and is undecided else. Words are counted by their own intervals, over test images and "
        "over dictionaries that were learnt again; for claims without such intervals, only the mean is tested.</p>",
        _claims(results),
        "<h2>Words of the top concept on test images (Tables 1 and 9)</h2>",
        "<p>CLIPScore, 0 to 2.5, higher is better: mean ± standard deviation over test images, [95 % interval of the mean "
        f"over images and dictionaries], number of images. {_replicates(results)} Bold: best of the learnt systems. "
        f"GT-captions is the upper reference. Controls: {_controls()}.</p>",
        _scores(results, "clip_score"),
        *_text_scores(results),
        "<h2>Is Semi-NMF different from the others? (Table 11)</h2>",
        "<p>Semi-NMF less the other, on the images where all systems are defined (a system that is undefined on more than "
        "half of them is not compared): difference [95 % interval over images and dictionaries], effect size d (mean over "
        "standard deviation of the paired differences), p of the two-sided paired permutation test after Holm's "
        "correction over all tests of this page, and in parentheses of the paper's independent t-test.</p>",
        _p_values(results, "clip_score"),
        *([_p_values(results, "bert_score")] if any(results.texts.values()) else []),
        "<h2>Overlap between concepts (Tables 2 and 10)</h2>",
        "<p>Share of words that concepts have in common, 0 to 1, lower is better; [95 % interval over dictionaries]. "
        "A dictionary without words has none (–).</p>",
        _overlaps(results),
        f"<h2>Words against random words (Figure 3)</h2><p>{escape(str(RANDOM_WORDS).capitalize())}.</p>",
        _image(plots.correspondence(results.grounding)),
        "<h2>Layers (Figure 6)</h2>",
        _image(plots.curves(results.layers, "layer", "clip_score", random="clip_score_random")),
        _paper_curve(),
        "<h2>Number of concepts (Figures 11 and 12)</h2>",
        *[
            _image(plots.curves(results.sizes, "n_concepts", score))
            for score in ("reconstruction_error", "test_clip_score", "overlap")
        ],
        "<h2>Interpreted test samples (Figures 5 and 17 to 21)</h2>",
        *[_panel(results, t) for t in tokens],
        "<h2>Words of every concept (Figures 13 to 16)</h2>",
        *[_words(results, t) for t in tokens],
        "<h2>The paper's own figures</h2>",
        "<p><small>Another model (DePALM, layer 31 of 32) on another data set (COCO), for reference only; "
        "the tables that could be read from the published pages.</small></p>",
        _paper(),
    ]
    return "".join(parts)


def _claims(results: Reproduction) -> str:
    rows = []
    for claim in results.verdicts():
        counts = ", ".join(f"{n} {v}" for v in ("holds", "undecided", "fails") if (n := claim.count(v)))
        own = any(not np.isnan(low) for _, low, _ in claim.words.values())
        interval = "" if np.isnan(claim.low) else f" [{claim.low:+.3f}, {claim.high:+.3f}]"
        value = "–" if np.isnan(claim.difference) else f"{claim.difference:+.3f}{interval}"
        n = sum(not np.isnan(part[0]) for part in claim.words.values())
        rows.append([escape(claim.text), claim.verdict, value, str(n), counts if own else "–"])
    return _table(["Claim", "verdict", "mean difference", "words", "by word"], rows)


def _replicates(results: Reproduction) -> str:
    n = max((len(runs) for by in results.replicates.values() for runs in by.values()), default=0)
    if not n:
        return "No dictionary was learnt again, so the intervals are over images alone."
    return f"Every dictionary was learnt again {n} times, with other seeds from random halves of the training rows."


def _controls() -> str:
    return "; ".join(
        escape(f"{name} ({null})") for name, null in (("Rnd-Words", RANDOM_WORDS), ("Token", CONSTANT_WORD))
    )


def _scores(results: Reproduction, metric: str) -> str:
    rows = []
    for token, systems in (results.scores if metric == "clip_score" else results.texts).items():
        learnt = [s for s in SYSTEMS if s not in ("Token", "GT-captions")]
        best = max(learnt, key=lambda s: np.nan_to_num(systems[s].mean, nan=-1.0))
        cells = [_score(systems[name], *results.interval(token, name, metric)) for name in SYSTEMS]
        rows.append(
            [
                escape(token),
                *(f"<span class=best>{c}</span>" if n == best else c for n, c in zip(SYSTEMS, cells, strict=True)),
            ]
        )
    return _table(["word", *SYSTEMS], rows)


def _score(score: Score, low: float, high: float) -> str:
    if not len(score.defined):
        return "–<br><small>n = 0</small>"
    interval = "" if np.isnan(low) else f"[{low:.3f}, {high:.3f}], "
    return f"{score.mean:.3f} ± {score.std:.2f}<br><small>{interval}n = {len(score.defined)}</small>"


def _text_scores(results: Reproduction) -> list[str]:
    if not any(results.texts.values()):
        return ["<p><small>BERTScore: no text encoder was given (--text-encoder).</small></p>"]
    note = (
        "<p>BERTScore F1 of the same words with the sample's captions, at most 1, higher is better. The words are scored "
        "as they are; the paper lets a language model write sentences of them first.</p>"
    )
    return [note, _scores(results, "bert_score")]


def _p_values(results: Reproduction, metric: str) -> str:
    names, adjusted = [s for s in SYSTEMS if s != "SemiNMF"], results.adjusted()
    rows = []
    for token, tests in (results.tests if metric == "clip_score" else results.text_tests).items():
        cells = [_test(tests[n], adjusted[metric, token, n]) if n in tests else "–" for n in names]
        sizes = {f"{c.n}" + (f"<br><small>{c.left_out} left out</small>" if c.left_out else "") for c in tests.values()}
        rows.append([escape(token), *cells, "".join(sizes) or "0"])
    return _table(["word", *names, "n"], rows)


def _test(comparison: Comparison, p: float) -> str:
    c = comparison
    return (
        f"{c.difference:+.3f} [{c.low:+.3f}, {c.high:+.3f}]<br>"
        f"<small>d {c.effect:+.2f}, p {p:.1g} ({c.t_p:.1g})</small>"
    )


def _overlaps(results: Reproduction) -> str:
    names = list(next(iter(results.overlaps.values())))
    rows = []
    for token, row in results.overlaps.items():
        again = results.overlap_replicates.get(token, {})
        parts = [spread_interval(row[n], again.get(n, np.zeros(0))) for n in names]
        rows.append([escape(token), *(_overlap(*part) for part in parts)])
    return _table(["word", *names], rows)


def _overlap(value: float, low: float, high: float) -> str:
    if np.isnan(value):
        return "–"
    interval = "" if np.isnan(low) else f"<br><small>[{max(0.0, low):.3f}, {min(1.0, high):.3f}]</small>"
    return f"{value:.3f}{interval}"


def _words(results: Reproduction, token: str) -> str:
    g = results.groundings[token]
    rows = [[str(k), escape(", ".join(words[:5]) or "(no word passed the filter)")] for k, words in enumerate(g.words)]
    note = f"<p><small>{escape(str(g.naming))}</small></p>"
    return f"<details><summary>{escape(token)}</summary>{note}{_table(['concept', 'words'], rows)}</details>"


def _panel(results: Reproduction, token: str) -> str:
    panel = results.panels[token]
    if not any(one.parts for one in panel.interpretations):
        return ""
    figure = plots.local(panel.interpretations, panel.images, panel.exemplars)
    return f"<details><summary>{escape(token)}</summary>{_image(figure)}</details>"


def _paper() -> str:
    systems = list(next(iter(published.TABLE_1.values())))
    one = _table(
        ["word", *systems],
        [[t, *[f"{m:.3f} ± {s:.2f}" for m, s in row.values()]] for t, row in published.TABLE_1.items()],
        "paper",
    )
    methods = list(next(iter(published.TABLE_2.values())))
    two = _table(
        ["word", *methods], [[t, *[f"{v:.3f}" for v in row.values()]] for t, row in published.TABLE_2.items()], "paper"
    )
    return f"<h3>Table 1: CLIPScore</h3>{one}<h3>Table 2: overlap</h3>{two}"


def _paper_curve() -> str:
    rows = [
        {
            "token": f"{token} (paper)",
            "layer": layer,
            "clip_score": value,
            "clip_score_random": published.FIGURE_6_RANDOM,
        }
        for token, values in published.FIGURE_6.items()
        for layer, value in enumerate(values, 1)
    ]
    figure = plots.curves(pandas.DataFrame(rows), "layer", "clip_score", random="clip_score_random")
    note = "<p><small>The paper's, digitised (± 0.003): another model, another data set.</small></p>"
    return note + _image(figure)


def _image(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    label: Any = "; ".join(f"{a.get_ylabel()} against {a.get_xlabel()}" for a in figure.axes if a.get_xlabel())
    return f"<img alt=\"{escape(label)}\" src='data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}'>"
