"""The river: strips as high as their share, one colour per thread, and nothing without its room."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.patches import PathPatch, Rectangle

import nbtoolkit as nbt
from nbtoolkit import plots
from nbtoolkit.storage.example import noise_study
from nbtoolkit.types.colours import THREADS


def _texts(figure):
    return [t.get_text() for t in figure.axes[0].texts]


def test_the_strips_of_a_study(study):
    result = nbt.metrics.threads(study)
    figure = plots.river(study, layers=[3, 4, 5], images=False)
    part = nbt.metrics.threads(replace(study, dictionaries={i: study.dictionaries[i] for i in (3, 4, 5)}))
    strips = [p for p in figure.axes[0].patches if isinstance(p, Rectangle)]
    flows = [p for p in figure.axes[0].patches if isinstance(p, PathPatch)]
    links = sum(m.linked.sum() for m in part.matches)
    assert len(strips) == sum((n >= 0).sum() for n in part.numbers)
    # a thread that is no longer than the river has an end on either side, save at the first and the last layer
    ends = sum(layer > 3 for layer in part.births.values()) + sum(layer < 5 for layer in part.deaths.values())
    assert len(flows) == links + ends
    for x in {s.get_x() for s in strips}:
        column = [s for s in strips if s.get_x() == x]
        assert sum(s.get_height() for s in column) == pytest.approx(3.6 - 0.3 - 0.42 - 0.03 * (len(column) - 1))
    assert {f"layer {i}" for i in (3, 4, 5)} <= set(_texts(figure))
    assert any(f"{part.n_threads} threads, {links} links above the null" in t for t in _texts(figure))
    assert result.n_threads > part.n_threads


def test_a_thread_stands_out_and_carries_its_name(study):
    result = nbt.metrics.threads(study)
    thread = next(t for t in range(result.n_threads) if len(result.members(t)) > 2)
    layer, k = next(iter(result.members(thread).items()))
    figure = plots.river(replace(study, labels={f"{layer}:{k}": "MINE"}), thread=thread, height=8, images=False)
    assert _texts(figure).count("MINE") > 2
    bold = {p.get_alpha() for p in figure.axes[0].patches if isinstance(p, PathPatch)}
    assert bold == {0.65, 0.14}


def test_one_layer_unused_concepts_and_images(study):
    figure = plots.river(study, layers=[5], height=6)
    assert len(figure.axes[0].images) > 3 and figure.axes[0].get_ylim() == (6, 0)
    noise = noise_study()
    cds = {i: replace(cd, activations=np.zeros_like(cd.activations)) for i, cd in noise.dictionaries.items()}
    assert not plots.river(replace(noise, dictionaries=cds)).axes[0].patches


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_concept_without_a_number_leaves_the_others_their_shares(value):
    study = noise_study()
    broken = study.dictionary(1).activations.copy()
    broken[0, 0] = value
    cds = study.dictionaries | {1: replace(study.dictionary(1), activations=broken)}
    strips = plots.river(replace(study, dictionaries=cds), images=False).axes[0].patches
    heights = [s.get_height() for s in strips if isinstance(s, Rectangle)]
    assert heights[0] == pytest.approx(3.6 - 0.3 - 0.42) and len(heights) == 3 and np.isfinite(heights).all()


def test_what_there_is_not_is_refused(study):
    with pytest.raises(nbt.NbtoolkitError, match=r"thread is 999; expected None or 0 …"):
        plots.river(study, thread=999)
    with pytest.raises(nbt.NbtoolkitError, match="layers is empty"):
        plots.river(study, layers=[])


def test_the_colours_are_those_of_the_views():
    script = Path(nbt.__file__).parent / "widgets" / "js" / "src" / "threads.js"
    assert re.findall(r'"(#[0-9a-f]{6})"', script.read_text("utf-8")) == list(THREADS)
