"""Figures: their contents and refusals, and that none opens a window."""

import dataclasses
import io
import sys
import time

import matplotlib
import numpy as np
import pandas
import pytest
from PIL import Image

import nbtoolkit as nbt
from nbtoolkit import plots
from nbtoolkit.attribution import Interpretation, Part
from nbtoolkit.plots.style import MAX_TITLE
from nbtoolkit.storage.example import noise_study


def texts(figure):
    return [t.get_text() for t in figure.findobj(match=lambda a: hasattr(a, "get_text")) if t.get_text()]


def pixels(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer)
    return np.asarray(Image.open(buffer).convert("RGB"))


def test_cards_have_words_and_exemplars(study):
    figure = plots.concept_cards(study, concepts=[0, 2], n_images=3)
    g = study.grounding(-1)
    name = study.names(-1)[0]
    assert f"0  {name}: {', '.join(g.words[0][:5])}" in texts(figure) and any(
        t.startswith("2  ") for t in texts(figure)
    )
    assert sum(bool(a.images) for a in figure.axes) == sum(len(g.exemplars[k][:3]) for k in (0, 2))
    assert pixels(figure).std() > 20
    with pytest.raises(nbt.NbtoolkitError, match=r"concepts is \[9\]; expected at least one, between 0 and 7"):
        plots.concept_cards(study, concepts=[9])


def test_a_dead_concept_is_labelled():
    s = noise_study()
    cd = s.dictionary(2)
    dead = nbt.ConceptDictionary(cd.concepts, cd.activations * [1, 0], cd.sample_ids, 2, cd.method)
    g = nbt.Grounding([["sun"], []], [s.grounding(2).exemplars[0], []])
    figure = plots.concept_cards(nbt.Study("dog", {2: dead}, {2: g}, s.samples, s.representations))
    assert "1  dead: no sample uses it" in texts(figure) and sum(bool(a.images) for a in figure.axes) == 3


def test_correspondence_has_a_point_per_concept(study):
    figure = plots.correspondence({"dog": study.scores[5], "again": study.scores[4]})
    (axes,) = figure.axes
    assert [len(c.get_offsets()) for c in axes.collections] == [8, 8]
    np.testing.assert_allclose(axes.collections[0].get_offsets()[:, 1], study.scores[5].per_concept["clip_score"])
    assert {"dog", "again"} <= set(texts(figure))
    with pytest.raises(
        nbt.NbtoolkitError,
        match=r"of 'dog' are \[\]; expected 'clip_score' and 'clip_score_random'. Evaluate with a scorer",
    ):
        plots.correspondence({"dog": nbt.Scores({"overlap": 0.1})})


def test_curves_are_means_with_bands():
    table = pandas.DataFrame(
        {
            "token": ["dog"] * 4 + ["cat"] * 4,
            "layer": [1, 1, 2, 2] * 2,
            "clip_score": [1.0, 3, 5, 5, 0, 0, 2, 4],
            "r": [0.5] * 8,
        }
    )
    figure = plots.curves(table, "layer", "clip_score", random="r")
    dog, cat, null = figure.axes[0].lines
    assert (
        dog.get_ydata().tolist() == [2, 5]
        and cat.get_ydata().tolist() == [0, 3]
        and null.get_ydata().tolist() == [0.5, 0.5]
    )
    with pytest.raises(nbt.NbtoolkitError, match="The table has no column 'bleu'; expected one of"):
        plots.curves(table, "layer", "bleu")


def test_local_panels_and_captions_that_look_like_formulas():
    parts = (Part(3, 2.0, 1.0, ("sun", "$x$"), ("s0",)), Part(1, 1.0, 0.5, (), ()))
    one = Interpretation("a", r"costs $5 and \\frac", parts, 0.1)
    figure = plots.local([one], [Image.new("RGB", (20, 10))], {s.id: s.image for s in noise_study().samples})
    widths = sorted(p.get_width() for a in figure.axes for p in a.patches)
    assert widths == [0.5, 1.0] and pixels(figure).size
    with pytest.raises(
        nbt.NbtoolkitError,
        match="The number of interpretations is 0, with 0 concepts, and that of images 1; expected one",
    ):
        plots.local([], [Image.new("RGB", (2, 2))], {})


def test_the_heat_map_is_transparent_where_the_concept_is_absent():
    image = Image.new("RGB", (40, 40), (90, 120, 60))
    grid = np.zeros((1, 4, 4))
    grid[0, 0, 0] = 2.0
    figure = plots.saliency_map([image], [grid], titles=["here"])
    heat = figure.axes[1].images[1]
    alpha = heat.get_array()[..., 3]
    assert alpha[0, 0] == pytest.approx(0.85) and alpha[1:].max() == 0 and "here" in texts(figure)
    with pytest.raises(
        nbt.NbtoolkitError, match="The number of images is 1 and that of maps 2; expected one map per image"
    ):
        plots.saliency_map([image], [grid, grid])


def test_a_concept_across_layers(study):
    figure = plots.across_layers(study, 0, layers=[2, 5], n_images=2)
    lines = [t for t in texts(figure) if t.startswith("layer ")]
    assert (
        lines[1] == f"layer 5, {study.names(5)[0]}: " + ", ".join(study.grounding(5).words[0][:5]) and len(lines) == 2
    )
    result = nbt.metrics.match_layers(study.dictionary(5), study.dictionary(2))
    assert lines[0].startswith(f"layer 2 (similarity {result.similarity[0]:.2f}, null {result.null:.2f}), ")
    given = dataclasses.replace(study, labels={"5:0": "MINE"})
    assert any(t.startswith("layer 5, MINE: ") for t in texts(plots.across_layers(given, 0, layers=[5])))


def test_figures_open_no_window():
    plots.concept_cards(noise_study())
    if "matplotlib.pyplot" in sys.modules:
        import matplotlib.pyplot as plt

        assert plt.get_fignums() == []
    assert matplotlib.rcParams["figure.max_open_warning"]


@pytest.mark.parametrize(
    "text",
    ["W" * 100_000, "a dog " * 17_000, "\n" * 100_000, "$a-b" * 25_000],
    ids=["a word", "words", "lines", "formulas"],
)
@pytest.mark.filterwarnings("ignore:constrained_layout not applied")  # 40 times W are wider than the axes
def test_the_longest_texts_are_cut_before_they_are_laid_out(text):
    """Layout takes a minute per 100,000 characters."""
    start = time.process_time()
    one = Interpretation("a", text, (Part(0, 2.0, 1.0, (text, "W" * 10_000), ()),), 0.2)
    study = noise_study()
    groundings = {
        k: nbt.Grounding([["W" * 10_000, text] for _ in g.words], g.exemplars) for k, g in study.groundings.items()
    }
    study = dataclasses.replace(study, groundings=groundings)
    image = Image.new("RGB", (8, 8))
    frame = pandas.DataFrame({text: [1, 2] * 2, "method": [text, text, "b", "b"], "clip_score": [0.1, 0.2, 0.3, 0.4]})
    values = {"clip_score": np.array([0.1, 0.3]), "clip_score_random": np.array([0.1, 0.3])}
    figures = [
        plots.local([one], [image], {}),
        plots.concept_cards(study),
        plots.across_layers(study, 0),
        plots.curves(frame, text, "clip_score", by="method"),
        plots.saliency_map([image], [np.eye(2)], titles=[text]),
        plots.correspondence({text: nbt.Scores(per_concept=values)}),
    ]
    for figure in figures:
        pixels(figure)
        assert max(map(len, texts(figure))) <= 2 * MAX_TITLE + 1
    assert time.process_time() - start < 10
