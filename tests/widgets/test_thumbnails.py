"""Thumbnails as pages get them: encoded again; a damaged, huge or missing one costs itself, and so does an unknown exemplar."""

import base64
import dataclasses
import io
import re
import time

import numpy as np
import pytest
from PIL import Image

import nbtoolkit as nbt
from nbtoolkit import plots
from nbtoolkit.storage.example import noise_study
from nbtoolkit.widgets import DictionaryComparison, Explorer, page_images, payloads, thumbnails

from ..data.bombs import bomb_png
from ..data.made import encoded

NOISE = b"<script>window.hostile = 1</script>"


def damaged(tmp_path, name):
    """A study whose first thumbnail is of one kind of harm, and whose first concept names an exemplar that is no sample."""
    whole = noise_study()
    eps, jpeg = encoded(Image.new("RGB", (9, 9)), "EPS"), whole.samples[0].image
    content = {
        "no image": NOISE,
        "truncated": jpeg[:-100],
        "another format": eps,
        "bomb": bomb_png(tmp_path / "bomb.png", 13_000).read_bytes(),
        "larger bomb": bomb_png(tmp_path / "bomb.png", 50_000).read_bytes(),
        "none": b"",
    }[name]
    samples = [dataclasses.replace(whole.samples[0], image=content), *whole.samples[1:]]
    groundings = {
        layer: dataclasses.replace(g, exemplars=[["nobody", *g.exemplars[0]], ["nobody"]])
        for layer, g in whole.groundings.items()
    }
    return dataclasses.replace(whole, samples=samples, groundings=groundings)


@pytest.mark.parametrize("name", ["no image", "truncated", "another format", "bomb", "larger bomb", "none"])
def test_one_thumbnail_costs_itself(tmp_path, name):
    study, start = damaged(tmp_path, name), time.process_time()
    view = Explorer(study, layer=2, concept=0)
    assert view.sample == "s0" and view._meta["pictured"]
    sheet = Image.open(io.BytesIO(thumbnails.strip(study.samples))).convert("RGB")
    tiles = np.asarray(sheet).reshape(112, 6, 112, 3).std((0, 2, 3))
    assert sheet.size == (6 * 112, 112) and tiles[0] < 1 and tiles[1:].min() > 10  # grey, then noise
    data = payloads.embedded(study)
    page_images.add_images(study, data, 10, 0)
    assert sorted(data["images"]) == ["1", "2", "3", "4", "5"] and data["lacks"] is None
    assert [f["pictured"] for f in data["facts"]] == [name == "truncated"] + [True] * 5
    page = view.to_html(tmp_path / "page.html").read_text()
    assert base64.b64encode(study.samples[0].image[:30]).decode() not in page or name in ("truncated", "none")
    assert "data:image/jpeg" in view._repr_mimebundle_()[0]["text/html"]
    concepts = payloads.one_layer(study, 2)["concepts"]
    assert [c["exemplars"] for c in concepts] == [[0, 1, 2], []]
    assert payloads.exemplar_rows(study, 2) == [0, 1, 2]
    figures = plots.concept_cards(study, layer=2, n_images=4), plots.across_layers(study, 0, n_images=4)
    assert all(sum(bool(a.images) for a in figure.axes) >= 4 for figure in figures)
    if name == "bomb":
        assert DictionaryComparison(study, study).to_html(tmp_path / "pair.html").exists()
    assert time.process_time() - start < 8


def test_thumbnails_are_encoded_again():
    """What follows the image in a file, or is a comment in it, does not reach a page; the pixels do."""
    study = noise_study()
    jpeg = encoded(Image.open(io.BytesIO(study.samples[0].image)), "JPEG", comment=NOISE, quality=95) + NOISE
    sample = dataclasses.replace(study.samples[0], image=jpeg)
    again = thumbnails.encoded(sample)
    assert NOISE not in again and re.match(rb"\xff\xd8\xff", again)
    before, after = (np.asarray(Image.open(io.BytesIO(i)).convert("L"), float) for i in (jpeg, again))
    assert np.abs(before - after).mean() < 10 and before.shape == after.shape
    wide = dataclasses.replace(sample, image=encoded(Image.new("RGB", (3000, 60)), "PNG"))
    assert Image.open(io.BytesIO(thumbnails.encoded(wide))).size == (1024, 20)
    assert thumbnails.aspect(wide) == 50 and thumbnails.aspect(dataclasses.replace(sample, image=NOISE)) == 1


def test_a_budget_counts_what_it_leaves_out():
    data, side = {}, page_images.SIZES[-1][0]
    with pytest.warns(UserWarning, match=f"max_mb=0; 0 of 6 are left out. Exemplars have at most {side} pixels a side"):
        page_images.add_images(noise_study(), data, 0.0, 0)
    assert sorted(data["images"]) == ["0", "1", "2", "3", "4", "5"]  # all are exemplars
    assert data["lacks"] == [6, 6, side]
    study = noise_study()
    few = {layer: nbt.Grounding(g.words, [["s0"], ["s1"]]) for layer, g in study.groundings.items()}
    with pytest.warns(UserWarning, match="max_mb=0; 4 of 6 are left out"):
        page_images.add_images(dataclasses.replace(study, groundings=few), data, 0.0, 0)
    assert sorted(data["images"]) == ["0", "1"] and data["lacks"] == [2, 6, side]
