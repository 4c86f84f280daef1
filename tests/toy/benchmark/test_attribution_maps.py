"""Attribution maps against pixels: every method is above the floors, and the page and the table have them."""

import dataclasses

import numpy as np
import pandas
import pytest

import nbtoolkit as nbt
from nbtoolkit.errors import MethodError
from nbtoolkit.metrics.faithful_maps import shares_of_mask
from nbtoolkit.toy.benchmark.attribution_maps import METHODS, _boxes, _targets

benchmark = nbt.toy.benchmark


@pytest.fixture(scope="module")
def table():
    return benchmark.attribution_maps(n=3)


@pytest.mark.slow
def test_every_method_has_every_score_beside_the_floors(table):
    wide = table.pivot(index="method", columns="metric", values="value")
    assert list(dict.fromkeys(table.method)) == [*METHODS, "random maps", "centre prior", "pixels of the object"]
    assert set(wide) == set(benchmark.MAP_METRICS) and wide.loc["pixels of the object", "pointing"] == 1
    floors = wide.loc[["random maps", "centre prior"]]
    assert floors.seconds.isna().all() and (wide.seconds.loc[list(METHODS)] > 0).all()
    for method in ("occlusion", "occlusion, keep only", "integrated gradients", "gradient × input"):
        assert wide.insertion[method] > floors.insertion.max(), method
        assert wide.deletion[method] < floors.deletion.min(), method
        assert wide.pointing[method] >= floors.pointing.max(), method
    rows = table[table.n > 0]
    assert (rows.n <= 3).all() and ((rows.low <= rows.value + 1e-9) & (rows.value <= rows.high + 1e-9)).all()
    best = table[table.metric == "deletion"].floor.unique()
    assert best.tolist() == [floors.deletion.min()] and table[table.metric == "insertion"].ceiling.isna().all()


@pytest.mark.slow
def test_one_seed_gives_one_table_but_for_the_time():
    methods = {"mine": nbt.attribution.gradient_x_input}
    a, b = (benchmark.attribution_maps(n=2, methods=methods, random_state=3) for _ in range(2))
    assert a.method.unique().tolist() == ["mine", "random maps", "centre prior", "pixels of the object"]
    a, b = (t[t.metric != "seconds"].reset_index(drop=True) for t in (a, b))
    pandas.testing.assert_frame_equal(a, b)


def test_words_are_objects_that_need_the_image_and_masks_are_theirs():
    pairs = _targets(nbt.load_model("toy-plain"), 4, 0)
    for t, mask in pairs:
        assert t.word in t.response.split() and mask.shape == (128, 128) and 0 < mask.mean() < 0.5
        share = shares_of_mask(_boxes(t), mask)
        assert share.sum() * (128 * 128 / len(share)) == pytest.approx(mask.sum())
    assert any(nbt.toy.world.second.vocabulary.WORDS[t.word][0] == "prop" for t, _ in pairs)


def test_the_page_and_the_table_have_the_maps(table, tmp_path):
    task = benchmark.Task("t", model="toy", n=30, n_test=30, n_concepts=4)
    results = benchmark.run(["PCA"], tasks=[task])
    assert results.maps is None
    results = dataclasses.replace(results, maps=table)
    page, csv = benchmark.write_report(results, html=tmp_path / "a.html", csv=tmp_path / "a.csv")
    text = page.read_text("utf-8")
    assert "<h2>Attribution maps</h2>" in text and "integrated gradients" in text and "gradient × input" in text
    read = pandas.read_csv(csv)
    assert len(read) == len(results.table) + len(table) and set(table.task) < set(read.task)
    np.testing.assert_allclose(read[read.task == "words of toy-plain"].value, table.value)
    assert "attribution maps (words of toy-plain, 3 images)" in repr(results)


def test_what_cannot_be_is_one_clear_error():
    with pytest.raises(MethodError, match="model is 'toy'; expected a captioner of the second world"):
        benchmark.attribution_maps("toy")
    with pytest.raises(nbt.NbtoolkitError, match="n is 0"):
        benchmark.attribution_maps(n=0)
    with pytest.raises(nbt.NbtoolkitError, match="n_maps is -1"):
        benchmark.run(n_maps=-1)
