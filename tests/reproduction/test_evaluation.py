"""The paper's evaluation in one command: the numbers, the claims, the page, and its refusals."""

import re

import numpy as np
import pandas
import pytest
from scipy import stats

import nbtoolkit as nbt
from nbtoolkit.cli import main
from nbtoolkit.data import images_by_id
from nbtoolkit.metrics import compare, dictionary_interval, holm, on_common_samples, top_words_clip_score
from nbtoolkit.models import TextEncoder
from nbtoolkit.reproduction import SYSTEMS, published, reproduce
from nbtoolkit.reproduction.claims import _claim
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
        common, left_out = on_common_samples(systems)
        expected = compare(common["SemiNMF"], common["GT-captions"])
        test = r.tests[token]["GT-captions"]
        assert (test.p, test.t_p) == (expected.p, expected.t_p) and test.p < 0.01 and test.left_out == left_out
        # the list [token] states one fact of six or seven, the captions all of them
        assert systems["Token"].std < 0.1 and systems["Token"].mean < 0.25 * systems["GT-captions"].mean
    assert set(r.layers["layer"]) == {1, 2, 3, 4, 5} and set(r.sizes["n_concepts"]) == {4, 6}
    assert {"test_clip_score", "test_error"} <= set(r.sizes.columns)


def test_baselines_and_p_values_are_what_one_computes_by_hand(found, model, scorer):
    """Random words of the captions' vocabulary; Semi-NMF of noise images; the tests on the samples where all are defined."""
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
    common, _ = on_common_samples(r.scores["dog"])
    for name in ("Rnd-Words", "PCA", "GT-captions"):
        a, b = common["SemiNMF"].defined, common[name].defined
        assert rows.loc[name, "t_p"] == pytest.approx(stats.ttest_ind(a, b).pvalue)
        assert rows.loc[name, "difference"] == pytest.approx((a - b).mean()) and rows.loc[name, "n_compared"] == len(a)
        assert rows.loc[name, "effect"] == pytest.approx((a - b).mean() / (a - b).std(ddof=1))
        assert rows.loc[name, "p"] <= rows.loc[name, "p_holm"] <= 1
    adjusted = r.adjusted()
    assert list(adjusted.values()) == holm([t.p for tests in r.tests.values() for t in tests.values()]).tolist()


def test_intervals_include_the_variance_of_the_dictionary(found):
    """Five dictionaries from random halves of the training rows; the token alone learns nothing, so it has none."""
    r = found[0]
    again = r.replicates["dog"]
    assert {name: runs.shape for name, runs in again.items()} == dict.fromkeys(SYSTEMS, (5, r.samples["dog"][1]))
    assert not np.allclose(again["SemiNMF"][0], again["SemiNMF"][1], equal_nan=True)
    for name in ("Token", "GT-captions"):
        assert r.interval("dog", name) == r.scores["dog"][name].interval()
    wide, narrow = r.interval("dog", "SemiNMF"), r.scores["dog"]["SemiNMF"].interval()
    assert wide[0] < narrow[0] and narrow[1] < wide[1]
    test = r.tests["dog"]["PCA"]
    expected = dictionary_interval(
        *(f["SemiNMF"] - f["PCA"] for f in ({n: s.values for n, s in r.scores["dog"].items()}, again))
    )
    if not test.left_out:
        assert (test.low, test.high, test.method_p) == pytest.approx(expected)


def test_claims_are_decided_by_intervals(found):
    r = found[0]
    claims = {text: holds for text, holds, n in r.claims() if n == 2}
    assert len(claims) == 12 and all(0 <= holds <= 2 for holds in claims.values())
    assert claims["Own captions fit best of all (Table 1)"] == 2
    # undecided for "bus": at the last layer half of its concepts' words are other subjects, which lower the CLIPScore
    assert claims["Concepts' words fit test images better than random words (Table 1)"] >= 1
    verdicts = {claim.text: claim for claim in r.verdicts()}
    assert verdicts["… and better than the token alone (control)"].verdict == "undecided"
    overlaps = verdicts["Semi-NMF's concepts share fewer words than K-Means' (Table 2)"]
    for token, (difference, low, high) in overlaps.words.items():
        row, again = r.overlaps[token], r.overlap_replicates[token]
        assert difference == pytest.approx(row["KMeans"] - row["SemiNMF"])
        half = stats.t.ppf(0.975, 4) * (again["KMeans"] - again["SemiNMF"]).std(ddof=1)
        assert (low, high) == pytest.approx((difference - half, difference + half))
    layers = verdicts["Words fit better at the last layer than at the first (Figure 6)"]
    assert layers.verdict == "undecided" and all(np.isnan(part[1:]).all() for part in layers.words.values())


def test_a_verdict_follows_its_interval():
    """Of three words the interval over words counts; of two, both words; a difference without an interval decides nothing."""
    part = {"holds": (1.0, 0.5, 1.5), "fails": (-1.0, -1.5, -0.5), "undecided": (1.0, -0.5, 2.5)}
    for verdict, own in part.items():
        assert _claim("x", {"a": own}).verdict == _claim("x", {"a": own, "b": own}).verdict == verdict
    assert _claim("x", {"a": part["holds"], "b": part["fails"]}).verdict == "undecided"
    points = {t: (d, np.nan, np.nan) for t, d in zip("abcd", (1.0, 1.1, 0.9, 1.05), strict=True)}
    claim = _claim("x", points)
    assert claim.verdict == "holds" and claim.count("undecided") == 4 and str(claim).startswith("holds      x: +1.0")
    assert _claim("x", points | {"e": (-9.0, np.nan, np.nan)}).verdict == "undecided"
    assert _claim("x", {"a": (np.nan,) * 3}).verdict == "undecided"


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
    assert "preserves the number of words" in text and "token alone" in text
    assert "95 % interval" in text and "Holm" in text and ">undecided<" in text and "n = " in text
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
