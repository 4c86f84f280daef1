"""Results of a reproduction as one self-contained page and a table: no script, no network, every text escaped."""

from __future__ import annotations

from html import escape
from pathlib import Path

import numpy as np
import pandas

from .. import plots
from ..html_report import page, table
from ..storage.files import write_text
from ..types.nulls import CONSTANT_WORD, RANDOM_DIRECTION, RANDOM_MIXTURES, RANDOM_WORDS
from . import published, tables
from .cells import image
from .disagreements import disagreements
from .results import Reproduction
from .settings import MEANING


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
    report, scores = folder / "report.html", folder / "scores.csv"
    write_text(report, page(title, _body(results)))
    write_text(scores, results.table().to_csv(index=False))
    return report, scores


def _body(results: Reproduction) -> str:
    parts = [*_summary(results), *_scores(results), *_dictionaries(results), *_figures(results)]
    return "".join(parts)


def _summary(results: Reproduction) -> list[str]:
    """Model, data, claims, disagreements and settings."""
    counts = ", ".join(f"{escape(t)} {a} / {b}" for t, (a, b) in results.samples.items())
    name = results.settings.name
    differences = "".join(f"<li>{escape(text)}</li>" for text in disagreements(results))
    return [
        f"<p>{escape(results.model)}. The evaluation of CoX-LMM (Parekh et al., NeurIPS 2024, arXiv 2406.08074), with the settings "
        f"“{escape(name)}” ({escape(MEANING.get(name, 'of one’s choice'))}), {results.n_concepts} concepts, layer {results.layer}, "
        f"random state {results.random_state}. Samples to learn from / to test on: {counts}.</p>",
        *[f"<p class=no>{escape(t)} is left out: {escape(why)}</p>" for t, why in results.left_out.items()],
        "<h2>Do the paper's claims hold here?</h2>",
        "<p>A claim is a difference that has to be positive: it holds or fails where the 95 % interval of its mean over words "
        "is on one side of 0 and its p-value, after Holm's correction over all claims, is at most 0.05; it is undecided else. Words "
        "are counted by their own intervals, without correction: over test images and over dictionaries that were learnt again, or "
        "over concepts (Figures 3 and 6, causal control), held-out rows (Figure 11) or draws of the null (recurrence).</p>",
        tables.claims_table(results),
        "<h2>Where this disagrees with the paper</h2>",
        f"<ul>{differences}</ul>" if differences else "<p>No disagreement in what is compared.</p>",
        "<h2>Settings</h2>",
        "<p>The other methods have the same K and the same rules for words; K-Means and PCA have the defaults of scikit-learn, "
        "TopKSAE lets a sample use one in four concepts and trains for 100 epochs.</p>",
        tables.settings_table(results),
    ]


def _scores(results: Reproduction) -> list[str]:
    """CLIPScore, BERTScore and their tests."""
    left_out = {t: max((c.left_out for c in tests.values()), default=0) for t, tests in results.tests.items()}
    rest = ", ".join(f"{escape(t)} {n}" for t, n in left_out.items() if n) or "none"
    bert = any(results.texts.values())
    controls = "; ".join(f"{name} ({null})" for name, null in (("Rnd-Words", RANDOM_WORDS), ("Token", CONSTANT_WORD)))
    return [
        "<h2>Words of the top concept on test images (Tables 1 and 9)</h2>",
        "<p>CLIPScore, 0 to 2.5, higher is better: mean ± standard deviation over test images, [95 % interval of the mean "
        f"over images and dictionaries], number of images. {_replicates(results)} Bold: best of the learnt systems. "
        f"GT-captions is the upper reference. Controls: {escape(controls)}.</p>",
        tables.score_table(results, "clip_score"),
        "<h3>BERTScore</h3>",
        f"<p>F1 of the same words with the sample's captions, at most 1, higher is better; the interval is over images. The words "
        f"are scored as they are; the paper lets a language model write sentences of them first. {escape(results.encoder)}</p>"
        if bert
        else f"<p>{escape(results.encoder)} Give one with encoder= (--text-encoder), such as roberta-large, the paper's.</p>",
        tables.score_table(results, "bert_score") if bert else "",
        "<h2>Is Semi-NMF different from the others? (Table 11)</h2>",
        "<p>Semi-NMF less the other, on the images where all systems are defined (a system that is undefined on more than "
        f"half of them is not compared; images left out: {rest}): difference, [95 % interval over images and dictionaries], effect "
        "size d (mean over standard deviation of the paired differences), p of the two-sided paired permutation test after Holm's "
        "correction over all tests of this page, and in parentheses of the paper's independent t-test.</p>",
        tables.comparison_table(results, "clip_score"),
        f"<h3>BERTScore</h3>{tables.comparison_table(results, 'bert_score')}" if bert else "",
    ]


def _dictionaries(results: Reproduction) -> list[str]:
    """Overlap, causes, stability, and the number of concepts."""
    dead = {f"{escape(t)} {m} {n}" for t, by in results.dead.items() for m, n in by.items() if n}
    return [
        "<h2>Overlap between concepts (Tables 2 and 10)</h2>",
        "<p>Share of words that concepts have in common, 0 to 1, lower is better; [95 % interval over dictionaries], n concepts with "
        "words. A dictionary without words has none (–). “About the mean”: the words of the same concepts, read less their mean; "
        "Rnd-Words: as many random words.</p>",
        tables.overlap_table(results),
        "<h2>Does a concept cause its words?</h2>",
        "<p>A concept's direction is projected out of the states after its layer, and the responses to test images are generated "
        "again. Selectivity: share of the concept's own words (its first five, without the token) that leave the response, less "
        "the share of its other content words; mean over concepts, [95 % interval over concepts], −1 to 1; 0 where no word goes, "
        f"or all. Random: {escape(RANDOM_DIRECTION.name)}, which preserves {escape(RANDOM_DIRECTION.preserves)}. At the last layer "
        "no block follows, so an ablation acts on the logits alone.</p>",
        tables.causal_table(results) if any(results.causal.values()) else "<p class=no>No concept was ablated.</p>",
        "<h2>Stability</h2>",
        "<p>Cosine of matched concepts of dictionaries that were learnt again, −1 to 1, after their mean is subtracted; n pairs of "
        f"concepts. {escape(str(RANDOM_MIXTURES).capitalize())}. Below it the same of the raw concepts, which a common mean raises. "
        f"Dead concepts, which no training sample uses: {', '.join(sorted(dead)) or 'none'}.</p>",
        tables.stability_table(results)
        if any(results.stability.values())
        else "<p class=no>No dictionary was learnt again.</p>",
        "<h2>How many concepts?</h2>",
        "<p>Error of Semi-NMF on training rows that it was not learnt from, in three parts; no test sample is used. 1 is the mean "
        "state, 0 is perfect: mean ± standard deviation over rows, [95 % interval], n rows. Chosen: the smallest K within one "
        "standard error of the lowest error. Elbow: the K farthest below the line between the ends of the curve. The paper's rule: "
        f"the smallest K with an error at most half of that without concepts, about zero. The tables above have K = {results.n_concepts}. "
        f"{escape(_choice(results))}</p>",
        tables.size_table(results),
    ]


def _choice(results: Reproduction) -> str:
    """The chosen K over words, as a sentence."""
    chosen = [own.chosen for own in results.held_out.values() if own.chosen is not None]
    elbows = [own.elbow for own in results.held_out.values() if own.elbow is not None]
    if not chosen:
        return "No K could be chosen."
    text = f"Chosen over words: median {np.median(chosen):.0f}, {min(chosen)} to {max(chosen)}"
    text += f"; elbow: median {np.median(elbows):.0f}, {min(elbows)} to {max(elbows)}" if elbows else ""
    largest = max(k for own in results.held_out.values() for k in own.errors)
    n = sum(k == largest for k in chosen)
    return f"{text}." + (f" In {n} of {len(chosen)} words it is the largest K that was tried." if n else "")


def _figures(results: Reproduction) -> list[str]:
    """Figures, words, and the paper's own."""
    tokens = list(results.scores)
    return [
        f"<h2>Words against random words (Figure 3)</h2><p>{escape(str(RANDOM_WORDS).capitalize())}.</p>",
        _correspondence(results),
        "<h2>Layers (Figure 6)</h2>",
        f"<p>CLIPScore of exemplars with their concept's words, mean over concepts; {len(tokens)} words, one curve each.</p>",
        _curve(results.layers, "layer", "clip_score", "clip_score_random"),
        _paper_curve(),
        "<h2>Number of concepts (Figures 11 and 12)</h2>",
        *[
            _curve(results.sizes, "n_concepts", score)
            for score in ("reconstruction_error", "test_clip_score", "overlap")
        ],
        "<h2>Interpreted test samples (Figures 5 and 17 to 21)</h2>",
        *[_panel(results, t) for t in tokens],
        "<h2>Words of every concept (Figures 13 to 16)</h2>",
        *[_words(results, t) for t in tokens],
        "<h2>The paper's own figures</h2>",
        "<p><small>Another model (DePALM, layer 31 of 32) on another data set (COCO), for reference only; "
        "the tables that could be read from the published pages.</small></p>",
        tables.paper_tables(),
    ]


def _curve(data: pandas.DataFrame, x: str, y: str, random: str | None = None) -> str:
    """A curve, where the score is defined for some dictionary."""
    if y not in data or data[y].isna().all():
        return "<p class=no>No concept has words, so there is no curve.</p>"
    return image(plots.curves(data, x, y, random=random if random in data else None))


def _replicates(results: Reproduction) -> str:
    n = max((len(runs) for by in results.replicates.values() for runs in by.values()), default=0)
    if not n:
        return "No dictionary was learnt again, so the intervals are over images alone."
    return f"Every dictionary was learnt again {n} times, with other seeds from random halves of the training rows."


def _correspondence(results: Reproduction) -> str:
    """Figure 3 of the words that have concepts with words."""
    defined = {
        t: s for t, s in results.grounding.items() if np.isfinite(s.per_concept.get("clip_score", np.zeros(0))).any()
    }
    n = sum(int(np.isfinite(s.per_concept["clip_score"]).sum()) for s in defined.values())
    note = f"<p><small>n = {n} concepts.</small></p>"
    return note + (image(plots.correspondence(defined)) if defined else "")


def _words(results: Reproduction, token: str) -> str:
    g = results.groundings[token]
    rows = [[str(k), escape(", ".join(words[:5]) or "(no word passed the filter)")] for k, words in enumerate(g.words)]
    note = f"<p><small>{escape(str(g.naming))}</small></p>"
    return f"<details><summary>{escape(token)}</summary>{note}{table(['concept', 'words'], rows, 'text')}</details>"


def _panel(results: Reproduction, token: str) -> str:
    panel = results.panels[token]
    if not any(one.parts for one in panel.interpretations):
        return ""
    figure = plots.local(panel.interpretations, panel.images, panel.exemplars)
    return f"<details><summary>{escape(token)}</summary>{image(figure)}</details>"


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
    return note + image(figure)
