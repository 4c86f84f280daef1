"""The paper's evaluation in one command: the numbers, the claims, the page, and its refusals."""

import re
import warnings
from collections import Counter

import datasets
import numpy as np
import pandas
import pytest
from PIL import Image
from scipy import stats

import nbtoolkit as nbt
from nbtoolkit.cli import main
from nbtoolkit.data import images_by_id
from nbtoolkit.metrics import compare, dictionary_interval, holm, on_common_samples, top_words_clip_score
from nbtoolkit.models import Scorer, TextEncoder
from nbtoolkit.models.generation import respond
from nbtoolkit.reproduction import SYSTEMS, Settings, published, reproduce
from nbtoolkit.reproduction.report import write_report
from nbtoolkit.studies.baselines import noise_representations, random_words

from ..zoo import recipes
from ..zoo.bert import tiny_bert


def test_every_system_is_scored_on_every_test_picture(evaluation):
    r = evaluation
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


def test_baselines_and_p_values_are_what_one_computes_by_hand(evaluation, evaluation_cache, world, model, scorer):
    """Random words of the captions' vocabulary; Semi-NMF of noise images; the tests on the samples where all are defined."""
    r, cache, (data, test) = evaluation, evaluation_cache, world
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
    family = [t.p for tests in (r.tests, r.text_tests) for by in tests.values() for t in by.values()]
    assert list(adjusted.values()) == holm(family).tolist()


def test_intervals_include_the_variance_of_the_dictionary(evaluation):
    """Five dictionaries from random halves of the training rows; the token alone learns nothing, so it has none."""
    r = evaluation
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


@pytest.mark.slow
def test_a_second_run_computes_nothing_and_agrees(evaluation, evaluation_cache, world, model, scorer, monkeypatch):
    r, cache, (data, test) = evaluation, evaluation_cache, world
    calls = []
    monkeypatch.setattr("nbtoolkit.studies.sweeps.decompose", lambda *a, **k: calls.append(a))
    again = reproduce(model, data, test, ["dog", "bus"], scorer, n_concepts=6, sizes=[4, 6], n_ablations=3, cache=cache)
    assert not calls
    pandas.testing.assert_frame_equal(again.table(), r.table())


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
    r = reproduce(
        model, data, test, ["dog"], scorer, n_concepts=5, sizes=[5], n_replicates=0, n_ablations=0, encoder=encoder
    )
    assert tuple(r.texts["dog"]) == SYSTEMS and r.texts["dog"]["GT-captions"].mean > r.texts["dog"]["Rnd-Words"].mean
    assert {"Rnd-Words", "KMeans", "GT-captions"} <= set(r.text_tests["dog"]) <= set(SYSTEMS) - {"SemiNMF"}
    rows = r.table()
    assert len(rows.query("metric == 'bert_score'")) == len(SYSTEMS)
    page, _ = write_report(r, tmp_path, title="t")
    assert "F1 of the same words" in page.read_text() and "Text encoder: BertModel, layer -1" in r.encoder


@pytest.mark.slow
def test_the_command_writes_both_files(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    few = [
        "--tokens",
        "dog",
        "--n",
        "400",
        "--n-concepts",
        "5",
        "--layers",
        "1,-1",
        "--n-replicates",
        "2",
        "--n-ablations",
        "1",
    ]
    assert main(["reproduce", *few, "--settings", "paper", "--out", "r"]) == 0
    printed = capsys.readouterr().out
    assert "Concepts' words fit test images better than random words" in printed and "report: r/report.html" in printed
    assert "settings paper" in (tmp_path / "r" / "report.html").read_text()
    assert (tmp_path / "r" / "scores.csv").exists()
    assert main(["reproduce", "--tokens", "zebra", "--n", "50", "--out", "r2"]) == 2
    assert "No token could be evaluated" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["reproduce", "--settings", "mine"])


def test_layers_and_settings_that_do_not_exist(model, scorer, world):
    with pytest.raises(
        nbt.NbtoolkitError, match="settings is 'ours'; expected one of 'paper', 'released', 'nbtoolkit'"
    ):
        reproduce(model, *world, ["dog"], scorer, settings="ours")
    with pytest.raises(nbt.NbtoolkitError, match=r"layers is \[1, 9\]; expected 'all'"):
        reproduce(model, *world, ["dog"], scorer, layers=[1, 9])
    with pytest.raises(nbt.NbtoolkitError, match="No token could be evaluated: there are none"):
        reproduce(model, *world, [], scorer)


QUICK = {"n_concepts": 4, "sizes": [4], "n_replicates": 0, "n_ablations": 2, "layers": -1}


def test_one_test_sample_has_no_interval_and_no_test(model, scorer, world, tmp_path):
    """Its numbers are there with n = 1; what needs two samples is not defined, and no claim is decided by it."""
    data, test = world
    rows = [i for i, group in enumerate(test["captions"]) if any(re.search(r"\bdog\b", text) for text in group)]
    held = nbt.extract(model, test, "dog", progress=False)
    one = test.select([i for i in rows if test[i]["id"] == held.sample_ids[0]])
    r = reproduce(model, data, one, ["dog"], scorer, **QUICK)
    assert r.samples["dog"][1] == 1 and not r.tests["dog"] and np.isnan(r.interval("dog", "SemiNMF")).all()
    verdicts = {claim.text: claim.verdict for claim in r.verdicts()}
    assert verdicts["Semi-NMF fits better than PCA (Table 9)"] == "undecided"
    page, _ = write_report(r, tmp_path, title="t")
    assert "n = 1" in page.read_text() and "nan" not in page.read_text().split("<h2>Words against random")[0]


@pytest.mark.slow
def test_dead_concepts_and_concepts_without_words_are_undefined_not_zero(model, scorer, world, tmp_path):
    """λ so large that every concept is dead; a filter that no word passes."""
    nothing = nbt.WordFilter("nothing", min_length=99)
    for settings, dead in (
        (Settings("dead", 1e9, "paper", "default", 15), 4),
        (Settings("mute", 1.0, "paper", nothing, 15), 0),
    ):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*concepts are dead", UserWarning)
            r = reproduce(model, *world, ["dog"], scorer, settings=settings, **QUICK)
        score = r.scores["dog"]["SemiNMF"]
        assert r.dead["dog"]["SemiNMF"] == dead and len(score.defined) == 0 and np.isnan(score.mean)
        assert not r.causal["dog"]["SemiNMF"].concepts
        assert np.isnan(r.overlaps["dog"]["SemiNMF"]) == (settings.name == "mute")
        row = r.table().query("system == 'SemiNMF' and metric == 'clip_score'").iloc[0]
        assert row["n"] == 0 and np.isnan(row["mean"])
        decided = {claim.text for claim in r.verdicts() if claim.verdict != "undecided"}
        assert not any(text.startswith(("Concepts' words", "… and better", "Semi-NMF fits")) for text in decided)
        page, _ = write_report(r, tmp_path, title=settings.name)
        assert "n = 0" in page.read_text()


def test_images_that_the_scorer_cannot_embed_are_counted_out(model, scorer, world):
    """NaN embeddings of some test images: the same images for all systems, and n says so."""
    data, test = world

    class Holes(type(scorer)):
        def images(self, images, batch_size=64):
            values = super().images(images, batch_size).copy()
            values[::3] = np.nan
            return values

    holes = Holes(scorer.hf, scorer.processor, "holes")
    r = reproduce(model, data, test, ["dog"], holes, **QUICK)
    n, scores = r.samples["dog"][1], r.scores["dog"]
    lost = len(range(0, n, 3))
    assert {len(scores[name].defined) for name in ("Token", "GT-captions")} == {n - lost}
    assert {(c.n, c.left_out >= lost) for c in r.tests["dog"].values()} == {(r.tests["dog"]["GT-captions"].n, True)}


def test_repeated_ids_are_one_clear_error(model, scorer, world):
    data, test = world
    twice = test.select([0, 1, 0])
    with pytest.raises(
        nbt.NbtoolkitError, match=r"The id .* occurs more than once in test_data; expected one id per image"
    ):
        reproduce(model, data, twice, ["dog"], scorer, **QUICK)


def test_a_random_checkpoint_and_a_random_scorer_run_through(scorer, tmp_path):
    """Nothing is particular to the embedded world: a tiny random LLaVA, images of noise, a CLIP of random weights."""
    hf, processor = recipes.build("llava")
    model = nbt.load_model(hf, processor=processor)
    rng = np.random.default_rng(0)
    images = [Image.fromarray(rng.integers(0, 256, (40, 32, 3), dtype=np.uint8)) for _ in range(30)]
    responses = [model.decode(row) for row in respond(model, model.inputs([[i] for i in images]), 40)]
    token, n = Counter(w for r in responses for w in set(re.findall(r"[a-z]{3,}", r))).most_common(1)[0]
    assert n > 16
    captions = [[text, f"a {token} on the beach", f"{token} and snow"] for text in responses]
    table = {"id": [str(i) for i in range(30)], "image": images, "captions": captions}
    data = nbt.load_data(datasets.Dataset.from_dict(table).cast_column("image", datasets.Image()))
    config = type(scorer.hf.config).from_dict(scorer.hf.config.to_dict())
    blind = Scorer(type(scorer.hf)(config), scorer.processor, "random")
    r = reproduce(model, data, data, [token], blind, n_concepts=4, sizes=[2, 4], n_replicates=2, n_ablations=2, settings="paper",
                  cache=tmp_path / "cache")  # fmt: skip
    assert (
        r.samples[token][0] == len(r.scores[token]["SemiNMF"].values) > 16
        and len(r.stability[token]["PCA"].values.values) == 4
    )
    assert {c.verdict for c in r.verdicts()} <= {"holds", "fails", "undecided"}
    page, _ = write_report(r, tmp_path, title="random")
    assert "BERTScore" in page.read_text()
