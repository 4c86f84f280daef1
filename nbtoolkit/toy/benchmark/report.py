"""Results of the benchmark as one self-contained page and a CSV: no script, no network, every text escaped."""

from __future__ import annotations

import os
from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np
import pandas

from ...errors import DataError
from ...html_report import page, table
from ...storage.files import write_text
from ...types.arguments import checked
from .attribution_maps import MAP_METRICS
from .results import METRICS, Results

_BLOCKS = {  # scores that stand in one table
    "Words": ("naming", "coverage", "precision", "level", "distractors"),
    "Concepts": ("margin", "cosine", "graded", "spurious", "senses"),
    "Image and response": ("pointing", "iou", "selectivity"),
}
_OVERVIEW = ("margin", "coverage", "naming", "cosine")
_SOLVED = 0.5  # share of the way from the best floor to the best ceiling
_STYLE = """
td.bar { background: linear-gradient(90deg, var(--bar) var(--share), transparent var(--share)); }
td small { display: block; font-size: .78em; } .rest { opacity: .72; font-style: italic; } dt { font-weight: 600; } dd { margin: 0 0 .5rem 1rem; }
summary { cursor: pointer; padding: .3rem 0; } td.text { text-align: left; white-space: normal; }
.overview { table-layout: fixed; width: 100%; max-width: 58rem; } .overview td, .overview th { padding: .2rem .35rem; }
.overview th { height: 9.5rem; vertical-align: bottom; font-weight: 500; }
.overview th span { writing-mode: vertical-rl; transform: rotate(180deg); line-height: 1.1; }
.overview th:first-child { width: 8.5rem; } .overview td:first-child { white-space: normal; }
@media (max-width: 46rem) {
  th, td { padding: .2rem .35rem; font-size: .85rem; } body { padding: 0 .7rem; } td small { white-space: normal; }
  .overview th:first-child { width: 6.5rem; }
}
"""


@checked
def write_report(
    results: Results, *, html: str | os.PathLike[str] | None = None, csv: str | os.PathLike[str] | None = None
) -> tuple[Path | None, Path | None]:
    """Write the page, the table, or both.

    Parameters
    ----------
    results
        Results of :func:`nbtoolkit.toy.benchmark.run`.
    html
        File of the page; None: no page.
    csv
        File of the tidy table; None: no table.

    Returns
    -------
    Path or None, Path or None
        The files.

    Raises
    ------
    DataError
        Neither file is given.
    """
    if html is None and csv is None:
        raise DataError("html and csv are None; expected the file of a page, of a table, or both.")
    tables = [results.table] if results.maps is None else [results.table, results.maps]
    return (
        None
        if html is None
        else write_text(html, page("Concept benchmark of the embedded worlds", _body(results), _STYLE)),
        None if csv is None else write_text(csv, pandas.concat(tables).to_csv(index=False)),
    )


def _body(results: Results) -> str:
    own = [m for m in METRICS if results.table[results.table.metric == m].value.notna().any()]
    parts = [
        "<p>Methods that learn concepts, on rendered scenes whose facts are known. Larger is better in every column. "
        "<b>Floors</b> know nothing about concepts: random directions, raw states (training rows as concepts), a constant "
        "word, and for maps the middle of the image. <b>Ceilings</b> know the truth: the true causal directions as a "
        "dictionary, and directions that were learnt from labels. A bar shows how far a value is from the best floor (empty) to the "
        "best ceiling (full). Bold: the whole 95 % interval is above the value of the best floor, "
        "without a correction for the number of cells. n counts concepts, facts or images, as in the list of scores.</p>",
        "<h2>What no method solves</h2>",
        _unsolved(results),
        "<h2>Overview</h2><p>One number per task and method. A floor is the best of all floors, a ceiling the best of all ceilings.</p>",
        *[_overview(results, metric) for metric in _OVERVIEW if metric in own],
        "" if results.maps is None else _maps(results.maps),
        "<h2>Every task</h2>",
        *[_task(results, i) for i in range(len(results.tasks))],
        "<h2>Scores</h2><dl>",
        *[
            f"<dt>{escape(METRICS[m].title)}</dt><dd>{escape(METRICS[m].meaning)} n: {METRICS[m].unit}.</dd>"
            for m in own
        ],
        "</dl><p>Directions of concepts are taken without their part along the mean state, and signed concepts are read in the direction "
        "of positive skewness. Intervals are Wilson's for shares and Student's t with a correction for skewness else, of jackknife "
        "pseudo-values for scores over images; where dictionaries were learnt again, they include that.</p>",
        "<h2>Notes</h2>",
        _notes(results),
    ]
    return "".join(parts)


def _cell(row: pandas.Series | None, *, interval: bool = True) -> str:
    if row is None:
        return "<td></td>"
    if not row.n:
        return "<td>–<small>n = 0</small></td>" if interval else "<td>–</td>"
    text = _number(row.value)
    if interval:
        ends = "" if np.isnan(row.low) else f"{_number(row.low)} to {_number(row.high)}, "
        text += f"<small>{ends}n = {row.n}</small>"
    if row.kind != "method":
        return f"<td class=rest>{text}</td>"
    share = (row.value - row.floor) / (row.ceiling - row.floor) if row.ceiling > row.floor else 0.0
    text = f"<b>{text}</b>" if row.low > row.floor else text
    return f"<td class=bar style='--share:{100 * min(1.0, max(0.0, share)):.0f}%'>{text}</td>"


def _task(results: Results, i: int) -> str:
    task = results.tasks[i]
    rows = results.table[results.table.task == task.name]
    n_train, n_test, n_facts = results.counts.get(task.name, (task.n, task.n_test, 0))
    again = int(rows.n_replicates.max())
    note = (
        f"<p>{escape(task.difficulty)}. Captioner {escape(task.model)}, “{escape(task.token)}”, layer {task.layer}, K = {task.n_concepts}; "
        f"{n_train} training rows, {n_test} test rows, {n_facts} facts."
        + (f" Intervals include {again} dictionaries from halves of the training rows." if again else "")
        + "</p>"
    )
    parts = []
    for title, metrics in _BLOCKS.items():
        columns = [m for m in metrics if rows[rows.metric == m].n.any()]
        if columns:
            parts.append(f"<h3>{title}</h3>" + _block(rows, columns))
    opened = " open" if i < 2 else ""
    return f"<details{opened}><summary><b>{escape(task.name)}</b></summary>{note}{''.join(parts)}</details>"


def _block(rows: pandas.DataFrame, metrics: Sequence[str]) -> str:
    lines = []
    for method in dict.fromkeys(rows.method):
        own = {row.metric: row for _, row in rows[rows.method == method].iterrows()}
        kind = next(iter(own.values())).kind
        label = escape(method) + ("" if kind == "method" else f"<small>{kind}</small>")
        if any(m in own for m in metrics):
            lines.append(
                [f"<td{'' if kind == 'method' else ' class=rest'}>{label}</td>", *(_cell(own.get(m)) for m in metrics)]
            )
    return table(["method", *(METRICS[m].title for m in metrics)], lines)


def _overview(results: Results, metric: str) -> str:
    rows = results.table[results.table.metric == metric]
    methods = list(dict.fromkeys(rows[rows.kind == "method"].method))
    lines = []
    for task in results.tasks:
        own = {row.method: row for _, row in rows[rows.task == task.name].iterrows()}
        ends = next(iter(own.values()))
        if any(row.n for row in own.values()):
            cells = [_cell(own.get(m), interval=False) for m in methods]
            lines.append(
                [
                    f"<td>{escape(task.name)}</td>",
                    *cells,
                    f"<td>{_number(ends.floor)}</td>",
                    f"<td>{_number(ends.ceiling)}</td>",
                ]
            )
    return f"<h3>{escape(METRICS[metric].title)}</h3>" + table(
        ["task", *methods, "floor", "ceiling"], lines, "overview"
    )


@checked
def unsolved(results: Results) -> pandas.DataFrame:
    """Tasks and scores where no method gets half of the way from the best floor to the best ceiling.

    Parameters
    ----------
    results
        The results.

    Returns
    -------
    pandas.DataFrame
        ``task, metric, method`` (the best one), ``value, floor, ceiling``.
    """
    rows = results.table[
        (results.table.kind == "method") & (results.table.n > 0) & (results.table.ceiling > results.table.floor)
    ]
    if not len(rows):
        return rows[["task", "metric", "method", "value", "floor", "ceiling"]]
    best = rows.loc[rows.groupby(["task", "metric"], sort=False).value.idxmax()]
    short = best.value < best.floor + _SOLVED * (best.ceiling - best.floor)
    return best[short][["task", "metric", "method", "value", "floor", "ceiling"]]


def _unsolved(results: Results) -> str:
    rows = unsolved(results)
    lines = []
    for metric, part in rows.groupby("metric", sort=False):
        n = int(
            (
                results.table[(results.table.metric == metric) & (results.table.kind == "ceiling")]
                .groupby("task")
                .n.max()
                > 0
            ).sum()
        )
        below = int((part.value <= part.floor).sum())
        text = f"{len(part)} of {n} tasks" + (f", in {below} not above the best floor" if below else "")
        lines.append([f"<td>{escape(METRICS[str(metric)].title)}</td>", f"<td class=text>{text}</td>"])
    if not lines:
        return "<p>Every score of every task has a method that gets half of the way from the best floor to the best ceiling.</p>"
    note = "<p>Scores on which no method gets half of the way from the best floor to the best ceiling:</p>"
    return note + table(["score", "tasks"], lines)


def _maps(rows: pandas.DataFrame) -> str:
    """Section of attribution maps: a row per method, a column per score."""
    lines = []
    for method in dict.fromkeys(rows.method):
        own = {row.metric: row for _, row in rows[rows.method == method].iterrows()}
        kind = next(iter(own.values())).kind
        label = escape(method) + ("" if kind == "method" else f"<small>{kind}</small>")
        shade = "" if kind == "method" else " class=rest"
        lines.append([f"<td{shade}>{label}</td>", *(_map_cell(own.get(metric)) for metric in MAP_METRICS)])
    terms = "".join(f"<dt>{escape(m.title)}</dt><dd>{escape(m.meaning)}</dd>" for m in MAP_METRICS.values())
    return (
        f"<h2>Attribution maps</h2><p>{escape(str(rows.task.iloc[0]).capitalize())} for objects whose pixels are known, the subject or "
        "the prop of a test scene, one per image. Pixels of the object are a ceiling of pointing only: patches beside an object also "
        "hold what the vision tower has read of it. Bold: the whole 95 % interval is better than the best floor. Maps that a "
        f"method's check refuses are missing from its n.</p>{table(['method', *(m.title for m in MAP_METRICS.values())], lines)}<dl>{terms}</dl>"
    )


def _map_cell(row: pandas.Series | None) -> str:
    if row is None or not row.n:
        return "<td>–</td>"
    better = row.kind == "method" and (row.high < row.floor if row.metric == "deletion" else row.low > row.floor)
    text = f"<b>{_number(row.value)}</b>" if better else _number(row.value)
    ends = "" if np.isnan(row.low) else f"{_number(row.low)} to {_number(row.high)}, "
    return f"<td{'' if row.kind == 'method' else ' class=rest'}>{text}<small>{ends}n = {row.n}</small></td>"


def _notes(results: Results) -> str:
    if not results.notes:
        return "<p>No method was refused or warned.</p>"
    rows = [
        [
            f"<td>{escape(task)}</td>",
            f"<td>{escape(method)}</td>",
            f"<td class=text>{escape(text)}</td>",
        ]
        for (task, method), text in results.notes.items()
    ]
    return table(["task", "method", "note"], rows)


def _number(value: float) -> str:
    return "–" if np.isnan(value) else f"{round(value, 2) + 0:.2f}"
