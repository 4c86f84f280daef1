"""The page: whole, escaped, without script or network, n in every cell; and the table beside it."""

import re
from html import escape

import pandas
import pytest

from nbtoolkit.reproduction import METHODS, SYSTEMS
from nbtoolkit.reproduction.disagreements import disagreements
from nbtoolkit.reproduction.report import write_report


@pytest.fixture(scope="module")
def files(evaluation, tmp_path_factory):
    return write_report(evaluation, tmp_path_factory.mktemp("report"), title="<script>alert(1)</script> & more")


@pytest.mark.slow
def test_the_page_is_whole_and_runs_nothing(evaluation, files):
    r, text = evaluation, files[0].read_text()
    assert "<script" not in text and "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in text
    assert "Content-Security-Policy" in text and not re.search(r"(?:src|href)=(?!'data:image/png;base64,)", text)
    for heading in (
        "claims hold here",
        "disagrees with the paper",
        "Settings",
        "Tables 1 and 9",
        "BERTScore",
        "Table 11",
        "Tables 2 and 10",
        "cause its words",
        "Stability",
        "How many concepts",
        "Figure 3",
        "Figure 6",
        "Figures 11 and 12",
        "Figures 5 and 17",
        "paper's own",
    ):
        assert heading in text, heading
    assert "preserves the number of words" in text and "token alone" in text and "as much as the ablation" not in text
    assert "95 % interval" in text and "Holm" in text and ">undecided<" in text
    assert f"{r.scores['dog']['SemiNMF'].mean:.3f} ±" in text and "0.610 ± 0.09" in text and "zebra is left out" in text
    assert "settings “nbtoolkit”" in text and "text tower of the scorer" in text
    assert disagreements(r) and all(escape(sentence) in text for sentence in disagreements(r))
    assert ">nan" not in text and "[nan" not in text


def test_every_cell_of_every_table_of_scores_has_its_n(files):
    tables = re.findall(r"<table class=''>.*?</table>", files[0].read_text(), re.S)
    assert len(tables) == 8  # two scores, two tests, overlap, causes, stability, sizes
    for one in tables:
        for row in re.findall(r"<tr>(.*?)</tr>", one, re.S)[1:]:
            cells = re.findall(r"<td>(.*?)</td>", row, re.S)[1:]
            for cell in cells[:-3] if "chosen K" in one else cells:
                assert re.search(r"n (=|&lt;) \d+", cell), cell


def test_the_table_has_every_number(evaluation, files):
    rows = pandas.read_csv(files[1])
    assert set(rows["system"]) == set(SYSTEMS) and rows.query("metric == 'clip_score'")["n"].min() > 0
    metrics = {"clip_score", "bert_score", "overlap", "held_out_error", "centred_stability", "causal_selectivity"}
    assert set(rows["metric"]) == metrics
    dog = rows.query("token == 'dog' and system == 'SemiNMF'").set_index("metric")
    assert dog.loc["clip_score", "mean"] == pytest.approx(evaluation.scores["dog"]["SemiNMF"].mean)
    assert dog.loc["centred_stability", "null"] == pytest.approx(
        evaluation.stability["dog"]["SemiNMF"].centred_null.mean
    )
    assert dog.loc["held_out_error", "n_concepts"].tolist() == [4, 6]
    assert dog.loc["overlap", "n"] == 6
    assert set(rows.query("metric == 'causal_selectivity'")["system"]) == set(METHODS)
