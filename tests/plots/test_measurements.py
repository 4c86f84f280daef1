"""Figures of measurements are chosen by their axes, and show the null."""

import io

import numpy as np
import pytest
import xarray
from PIL import Image

import nbtoolkit as nbt
from nbtoolkit import plots
from nbtoolkit.types.measurement import Identity, Measurement


def a_measurement(shape, dims, null=False, **options):
    rng = np.random.default_rng(0)
    values = xarray.DataArray(
        rng.normal(size=shape), {d: list(range(n)) for d, n in zip(dims, shape, strict=True)}, dims, "example"
    )
    draws = xarray.DataArray(rng.normal(size=(5, *shape)), dims=("draw", *dims)) if null else None
    return Measurement(
        values, "nats", Identity("planted", 0, 1), draws, provenance={"word": "$dog$", "model": "toy"}, **options
    )


@pytest.mark.parametrize(
    ("shape", "dims", "expected"),
    [((6,), ("layer",), "lines"), ((6, 3), ("layer", "group"), "lines"), ((2, 9), ("curve", "fraction"), "lines"), ((6, 8), ("layer", "head"), "image"),
     ((6, 40), ("layer", "position"), "image"), ((30,), ("neuron",), "bars"), ((1,), ("layer",), "bars")],
)  # fmt: skip
@pytest.mark.parametrize("null", [False, True])
def test_the_axes_choose_the_figure(shape, dims, expected, null):
    figure = a_measurement(shape, dims, null).plot()
    axes = figure.axes[0]
    kinds = {"lines": len(axes.lines) > 1, "image": bool(axes.images), "bars": bool(axes.patches)}
    assert next(kind for kind in ("image", "bars", "lines") if kinds[kind]) == expected
    figure.savefig(io.BytesIO())
    assert any(r"“\$dog\$”" in t.get_text() for t in figure.texts)
    if null and expected != "image":
        assert "null" in [t.get_text() for t in axes.get_legend().get_texts()]


def test_an_overlay_lies_on_the_patches():
    buffer = io.BytesIO()
    Image.new("RGB", (20, 10), "white").save(buffer, "JPEG")
    m = a_measurement((2,), ("patch",), image=buffer.getvalue())
    coords = {
        "x0": ("patch", [0, 20.0]),
        "y0": ("patch", [0, 0.0]),
        "x1": ("patch", [20, 40.0]),
        "y1": ("patch", [20, 20.0]),
    }
    m = Measurement(m.values.assign_coords(coords), "nats", m.check, image=m.image, provenance={"size": [40, 20]})
    figure = m.plot()
    assert sorted(p.get_bbox().bounds for p in figure.axes[1].patches) == [(0, 0, 20, 20), (20, 0, 20, 20)]
    figure.savefig(io.BytesIO())
    with pytest.raises(nbt.NbtoolkitError, match="has no image or no places"):
        a_measurement((2,), ("patch",)).plot()


def test_more_than_two_axes_need_a_choice():
    m = a_measurement((3, 4, 5), ("layer", "group", "head"))
    with pytest.raises(nbt.NbtoolkitError, match="expected at most two. Choose an entry of the others: select="):
        m.plot()
    figure = plots.measurement(m, select={"group": 2})
    assert figure.axes[0].images and figure.texts[0].get_text().endswith(", toy, group 2")
    for select, message in (
        ({"word": 1}, "select has the axis 'word'; the measurement has layer"),
        ({"group": 9}, "select has group=9"),
    ):
        with pytest.raises(nbt.NbtoolkitError, match=message):
            m.plot(select=select)


def test_the_null_is_the_last_entry_and_numbers_are_named_by_their_axis():
    legend = a_measurement((6, 3), ("layer", "head"), null=True).plot().axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["head 0", "head 1", "head 2", "null"]


def test_a_grid_of_one_sign_has_one_colour_and_its_title_fits():
    m = a_measurement((3, 3), ("baseline", "effect"))
    below = Measurement(-abs(m.values) - 1, "no unit", m.check, provenance=m.provenance)
    figure = below.plot()
    image = figure.axes[0].images[0]
    assert image.get_cmap().name == "Blues_r" and image.get_clim()[1] == 0
    assert figure.axes[1].get_ylabel() == "example"
    figure.savefig(io.BytesIO())
    extent = figure.texts[0].get_window_extent()
    assert figure.texts[0].get_text() and extent.x1 <= figure.bbox.x1 and extent.y1 <= figure.bbox.y1
    assert figure.get_tightbbox().y1 * figure.dpi >= extent.y1 - 1  # notebooks crop figures to this box


def test_positions_without_a_text_have_their_number():
    m = a_measurement((6, 5), ("layer", "position"))
    texts = {"text": ("position", ["a", "", "", "b", ""])}
    axes = Measurement(m.values.assign_coords(texts), "nats", m.check).plot().axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "1", "2", "b", "4"]
