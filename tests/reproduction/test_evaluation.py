"""The paper's evaluation in one command: the numbers, the claims, the page, and its refusals."""

import re

import numpy as np
import pandas
import pytest
from scipy import stats

import nbtoolkit as nbt
from nbtoolkit.cli import main
from nbtoolkit.data import images_by_id
from nbtoolkit.metrics import compare, top_words_clip_score
from nbtoolkit.models import TextEncoder
from nbtoolkit.reproduction import SYSTEMS, published, reproduce
from nbtoolkit.reproduction.report import write_report
from nbtoolkit.studies.baselines import noise_representations, random_words

from ..zoo.bert import tiny_bert


@pytest.fixture(scope="module")
def found(model, scorer, tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    data, test = nbt.load_data("toy", n=500), nbt.load_data("toy", split="test", n=200)
    return (
        reproduce(model, data, test, ["dog", "bus", "zebra"], scorer, n_concepts=6, sizes=[4, 6], cache=cache),
        cache,
        data,
        test,
    )


def test_every_system_is_scored_on_every_test_picture(found):
    r = found[0]
    assert set(r.scores) == {"dog", "bus"} and "No sample's caption contains 'zebra'" in r.left_out["zebra"]
    for token, systems in r.scores.items():
        assert tuple(systems) == SYSTEMS
        assert all(len(s.values) == r.samples[token][1] for s in systems.values())
        assert systems["Rnd-Words"].mean < systems["SemiNMF"].mean < systems["GT-captions"].mean
        assert systems["Noise-Imgs"].mean < systems["SemiNMF"].mean
        expected = compare(systems["SemiNMF"], systems["GT-captions"])
        assert r.tests[token]["GT-captions"].t_p == expected.t_p < 0.01
    assert set(r.layers["layer"]) == {1, 2, 3, 4, 5} and set(r.sizes["n_concepts"]) == {4, 6}
    assert {"test_clip_score", "test_error"} <= set(r.sizes.columns)


def test_baselines_and_p_values_are_what_one_computes_by_hand(found, model, scorer):
    """Random words of the captions' vocabulary; Semi-NMF of noise images; the independent t-test of the paper."""
    r, cache, data, test = found
    train, held = (
        nbt.extract(model, source, "dog", progress=False, out=cache / f"dog-{name}")
        for source, name in ((data, "train"), (test, "test"))
    )
    vocabulary = set(re.findall(r"[a-z]+", " ".join(text for group in data["captions"] for text in group).lower()))
    images = scorer.images(images_by_id(test, held.sample_ids))
    noise = noise_representations(model, data, train, progress=False)
    own, of_noise = (nbt.decompose(reps, nbt.SemiNMF(6, random_state=0)) for reps in (train, noise))
    g, noise_words = (nbt.ground(cd, model, vocabulary=vocabulary) for cd in (own, of_noise))
    systems = {
        "Rnd-Words": (own, random_words(model, g, vocabulary=vocabulary).words),
        "Noise-Imgs": (of_noise, noise_words.words),
        "SemiNMF": (own, g.words),
    }
    for name, (cd, words) in systems.items():
        expected = top_words_clip_score(cd.encode(held.layer(-1)), words, images, scorer.texts)
        np.testing.assert_allclose(r.scores["dog"][name].values, expected.values, atol=1e-6)
    rows = r.table().query("token == 'dog' and metric == 'clip_score'").set_index("system")
    for name in ("Rnd-Words", "PCA", "GT-captions"):
        samples = [r.scores["dog"][system].defined for system in ("SemiNMF", name)]
        assert rows.loc[name, "p"] == pytest.approx(stats.ttest_ind(*samples).pvalue)


def test_claims_are_counted_from_the_scores(found):
    claims = {text: holds for text, holds, n in found[0].claims() if n == 2}
    assert len(claims) == 11 and all(0 <= holds <= 2 for holds in claims.values())
    assert claims["Concepts' words fit test images better than random words (Table 1)"] == 2
    r = found[0]
    by_hand = sum(r.overlaps[t]["SemiNMF"] < r.overlaps[t]["KMeans"] for t in r.scores)
    assert claims["Semi-NMF's concepts share fewer words than K-Means' (Table 2)"] == by_hand


def test_a_second_run_computes_nothing_and_agrees(found, model, scorer, monkeypatch):
    r, cache, data, test = found
    calls = []
    monkeypatch.setattr("nbtoolkit.studies.sweeps.decompose", lambda *a, **k: calls.append(a))
    again = reproduce(model, data, test, ["dog", "bus"], scorer, n_concepts=6, sizes=[4, 6], cache=cache)
    assert not calls and again.table().equals(r.table())


def test_the_page_is_whole_and_runs_nothing(found, tmp_path):
    r = found[0]
    page, table = write_report(r, tmp_path, title="<script>alert(1)</script> & more")
    text = page.read_text()
    assert "<script" not in text and "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in text
    assert "Content-Security-Policy" in text and not re.search(r"(?:src|href)=(?!'data:image/png;base64,)", text)
    for heading in (
        "claims hold here",
        "Tables 1 and 9",
        "Table 11",
        "Tables 2 and 10",
        "Figure 3",
        "Figure 6",
        "Figures 11 and 12",
        "Figures 5 and 17",
        "paper's own",
    ):
        assert heading in text
    assert f"{r.scores['dog']['SemiNMF'].mean:.3f} ±" in text and "0.610 ± 0.09" in text and "zebra is left out" in text
    rows = pandas.read_csv(table)
    assert set(rows["system"]) == set(SYSTEMS) and rows.query("metric == 'clip_score'")["n"].min() > 0
    dog = rows.query("token == 'dog' and system == 'SemiNMF' and metric == 'clip_score'").iloc[0]
    assert dog["mean"] == pytest.approx(r.scores["dog"]["SemiNMF"].mean)


def test_the_papers_figures_are_as_recovered():
    assert np.mean([row["SemiNMF"][0] for row in published.TABLE_1.values()]) == pytest.approx(0.629, abs=1e-3)
    assert np.mean([row["GT-captions"][0] for row in published.TABLE_1.values()]) == pytest.approx(0.761, abs=1e-3)
    assert np.mean([row["SemiNMF"] for row in published.TABLE_2.values()]) == pytest.approx(0.129, abs=1e-3)
    assert all(len(row) == 31 for row in published.FIGURE_6.values())


def test_too_few_pictures_are_said(model, scorer):
    data, test = nbt.load_data("toy", n=60), nbt.load_data("toy", split="test", n=40)
    with pytest.raises(nbt.NbtoolkitError, match="No token could be evaluated: .*expected at least 50"):
        reproduce(model, data, test, ["dog"], scorer, n_concepts=20)


def test_a_text_encoder_adds_bert_scores(model, scorer, tmp_path):
    texts = [c for g in nbt.load_data("toy", n=200)["captions"] for c in g]
    encoder = TextEncoder(*tiny_bert(texts, 300))
    data, test = nbt.load_data("toy", n=300), nbt.load_data("toy", split="test", n=150)
    r = reproduce(model, data, test, ["dog"], scorer, n_concepts=5, sizes=[5], encoder=encoder)
    assert tuple(r.texts["dog"]) == SYSTEMS and r.texts["dog"]["GT-captions"].mean > r.texts["dog"]["Rnd-Words"].mean
    assert {"Rnd-Words", "KMeans", "GT-captions"} <= set(r.text_tests["dog"]) <= set(SYSTEMS) - {"SemiNMF"}
    rows = r.table()
    assert len(rows.query("metric == 'bert_score'")) == len(SYSTEMS)
    page, _ = write_report(r, tmp_path, title="t")
    assert "BERTScore F1 of the same words" in page.read_text()


def test_the_command_writes_both_files(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["reproduce", "--tokens", "dog", "--n", "400", "--n-concepts", "5", "--out", "r"]) == 0
    said = capsys.readouterr().out
    assert "Concepts' words fit test images better than random words" in said and "report: r/report.html" in said
    assert (tmp_path / "r" / "scores.csv").exists()
    assert main(["reproduce", "--tokens", "zebra", "--n", "50", "--out", "r2"]) == 2
    assert "No token could be evaluated" in capsys.readouterr().err
