"""The benchmark, whole: a method of a user in one line, floors and ceilings, streams, the page, the table, the command."""

import io
import re
from html.parser import HTMLParser

import numpy as np
import pandas
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

import nbtoolkit as nbt
from nbtoolkit.cli import main
from nbtoolkit.errors import DataError, MethodError

benchmark = nbt.toy.benchmark
Task = benchmark.Task


class Mine(TransformerMixin, BaseEstimator):
    """A method that a reader would write: the first rows, and inner products."""

    def __init__(self, n_components=10):
        self.n_components = n_components

    def fit(self, X, y=None):
        self.mean_ = X.mean(0)
        self.components_ = (X - self.mean_)[: self.n_components]
        return self

    def transform(self, X):
        return (X - self.mean_) @ np.linalg.pinv(self.components_)

    def inverse_transform(self, V):
        return V @ self.components_ + self.mean_


class Dead(Mine):
    def transform(self, X):
        return np.zeros((len(X), len(self.components_)))


SMALL = dict(n=80, n_test=80, n_concepts=12)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("states")


@pytest.fixture(scope="module")
def results(cache):
    tasks = [
        Task("second <world>", extra=("maps", "spurious"), replicated=True, **SMALL),
        Task("rotated", stream="rotated", **SMALL),
        Task("massive", stream="massive", **SMALL),
        Task("noisy", label_noise=0.3, distractor=1.0, extra=("distractors",), **SMALL),
    ]
    methods = {"mine": Mine(), "PCA": PCA(), "KMeans": KMeans(), "dead & gone": Dead()}
    return benchmark.run(methods, tasks=tasks, cache=cache, n_replicates=3)


def values(results, task, method):
    rows = results.table[(results.table.task == task) & (results.table.method == method)]
    return rows.set_index("metric").value


@pytest.mark.slow
def test_one_line_scores_a_new_method_beside_floors_and_ceilings(results):
    rows = results.table[(results.table.task == "second <world>") & (results.table.method == "mine")].set_index(
        "metric"
    )
    assert set(rows.index) == set(benchmark.METRICS) and (rows.kind == "method").all()
    own = rows.loc[
        ["naming", "coverage", "precision", "margin", "cosine", "pointing", "iou", "graded", "spurious", "level"]
    ]
    assert (own.n > 0).all() and ((own.low <= own.value + 1e-9) & (own.value <= own.high + 1e-9)).all()
    assert own.loc["naming"].n == 12 and (own.floor < own.ceiling).all()
    assert rows.loc["margin"].n_replicates == 3 and rows.loc[["senses", "selectivity"]].n.tolist() == [0, 0]


def test_the_ceilings_are_above_all_methods_and_random_directions_are_near_the_floor(results):
    table = results.table[(results.table.task == "second <world>") & (results.table.n > 0)]
    best = table[table.kind == "method"].groupby("metric").value.max()
    ceiling = table.groupby("metric").ceiling.first()
    for metric in ("naming", "coverage", "precision", "margin", "cosine", "pointing", "iou", "graded", "level"):
        assert best[metric] < ceiling[metric], metric
    random, top = (
        values(results, "second <world>", "random directions"),
        values(results, "second <world>", "supervised"),
    )
    for metric in ("naming", "coverage", "level", "precision"):
        assert random[metric] < 0.25 * top[metric], metric
    assert random["margin"] < 0.05 < top["margin"] - 0.15 and random["cosine"] < 0.3 * top["cosine"]
    assert random["iou"] < top["iou"] - 0.3


def test_a_rotation_changes_nothing_for_methods_that_no_basis_matters_to(results):
    for method in ("PCA", "KMeans", "mine"):
        plain, rotated = values(results, "second <world>", method), values(results, "rotated", method)
        for metric in ("naming", "coverage", "precision", "margin", "cosine", "graded", "level"):
            assert rotated[metric] == pytest.approx(plain[metric], abs=0.03), (method, metric)


def test_massive_coordinates_hurt_methods_that_take_them_at_face_value(results):
    plain, massive = values(results, "second <world>", "KMeans"), values(results, "massive", "KMeans")
    assert massive["naming"] < plain["naming"]
    assert (
        values(results, "massive", "supervised")["coverage"]
        == values(results, "second <world>", "supervised")["coverage"]
    )


def test_a_strong_distractor_is_named_by_raw_states_and_not_by_labels(results):
    scores = {m: values(results, "noisy", m)["distractors"] for m in ("raw states", "constant word", "supervised")}
    assert scores["supervised"] > 0.8 and scores["raw states"] < 0.6 and scores["constant word"] < 0.6
    assert values(results, "noisy", "supervised")["margin"] < values(results, "second <world>", "supervised")["margin"]


def test_a_method_whose_concepts_are_all_dead_has_no_values(results):
    rows = results.table[results.table.method == "dead & gone"]
    assert (rows.n == 0).all() and rows.value.isna().all() and rows.low.isna().all()


@pytest.mark.slow
def test_one_random_state_gives_one_table_and_stored_states_the_same(results, cache):
    assert any(cache.iterdir())
    again = benchmark.run({"PCA": PCA()}, tasks=results.tasks[1:2], cache=cache)
    rows = results.table[
        (results.table.task == "rotated") & results.table.method.isin(["PCA", "raw states", "supervised"])
    ]
    own = again.table[again.table.method.isin(["PCA", "raw states", "supervised"])]
    pandas.testing.assert_frame_equal(own.reset_index(drop=True), rows.reset_index(drop=True))


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.seen, self.addresses = [], set(), []

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        self.addresses += [v for k, v in attrs if k in ("src", "href")]
        if tag not in ("meta", "html", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag != "html":
            assert self.open.pop() == tag


def test_the_page_is_self_contained_escaped_and_closed(results, tmp_path):
    page, table = benchmark.write_report(results, html=tmp_path / "a" / "b.html", csv=tmp_path / "b.csv")
    text = page.read_text("utf-8")
    tags = Tags()
    tags.feed(text)
    assert tags.open == [] and not tags.seen & {"script", "link", "iframe"} and not tags.addresses
    assert (
        "second &lt;world&gt;" in text
        and "dead &amp; gone" in text
        and "<world>" not in text
        and "http" not in text.replace("http-equiv", "")
    )
    assert "What no method solves" in text and "n = 0" in text and len(text) < 1e6
    read = pandas.read_csv(table)
    assert list(read.columns[:9]) == ["task", "method", "metric", "value", "low", "high", "n", "floor", "ceiling"]
    pandas.testing.assert_frame_equal(read, pandas.read_csv(io.StringIO(results.table.to_csv(index=False))))
    with pytest.raises(DataError, match="html and csv are None"):
        benchmark.write_report(results)


def test_what_no_method_solves_is_listed(results):
    rows = benchmark.unsolved(results)
    assert {"pointing", "iou"} <= set(rows[rows.task == "second <world>"].metric)
    assert (rows.value < (rows.floor + rows.ceiling) / 2).all()
    assert "second <world>" in repr(results) and "naming@1" in repr(results)


@pytest.mark.slow
def test_causal_selectivity_is_high_for_the_heads_own_rows_and_nothing_for_random_directions():
    task = Task("causes", model="toy", extra=("causal",), n=40, n_test=40, n_concepts=8)
    results = benchmark.run({"PCA": PCA()}, tasks=[task])
    assert values(results, "causes", "supervised")["selectivity"] > 0.25
    assert abs(values(results, "causes", "random directions")["selectivity"]) < 0.05
    assert results.counts["causes"][:2] == (40, 40)


@pytest.mark.slow
def test_two_senses_have_a_score_where_the_word_has_two():
    task = Task("senses", token="bat", extra=("senses",), n=60, n_test=60, n_concepts=8)
    senses = benchmark.run(["PCA"], tasks=[task]).table.query("metric == 'senses'").set_index("method")
    assert senses.loc["supervised"].value > senses.loc["random directions"].value + 0.1 and senses.loc["PCA"].n == 60


def test_a_method_that_is_refused_is_noted_and_has_no_values():
    class Encoder(Mine):
        def inverse_transform(self, V):
            return np.square(V) @ self.components_

    results = benchmark.run({"square": Encoder()}, tasks=[Task("t", model="toy", n=30, n_test=30, n_concepts=4)])
    assert "refused: Encoder at layer 4 has no decoder" in results.notes["t", "square"]
    assert (results.table[results.table.method == "square"].n == 0).all()


def test_bad_input_is_one_clear_error(capsys):
    with pytest.raises(MethodError, match="n_replicates is -1"):
        benchmark.run(n_replicates=-1)
    with pytest.raises(MethodError, match="No decomposition named 'PCB'"):
        benchmark.run(["PCB"])
    assert main(["benchmark", "--tasks", "no such task"]) == 2
    assert "expected tasks among first world; second world" in capsys.readouterr().err
    assert main(["benchmark", "--methods", "PCB"]) == 2


@pytest.mark.slow
def test_the_command_writes_page_and_table(tmp_path, capsys, monkeypatch):
    small = Task("few <rows>", model="toy", n=30, n_test=30, n_concepts=4)
    monkeypatch.setattr("nbtoolkit.toy.benchmark.running.quick_tasks", lambda: (small,))
    html, out = tmp_path / "page.html", tmp_path / "out"
    methods = "PCA; Semi-NMF, λ auto"
    assert (
        main(["benchmark", "--quick", "--methods", methods, "--maps", "2", "--out", str(out), "--html", str(html)]) == 0
    )
    printed = capsys.readouterr().out
    assert html.exists() and (out / "benchmark.csv").exists() and not (out / "benchmark.html").exists()
    assert re.search(r"Semi-NMF, λ auto +0\.\d", printed) and str(html) in printed
    assert main(["benchmark", "--quick", "--tasks", "n = 20"]) == 2 and "beside --quick" in capsys.readouterr().err
