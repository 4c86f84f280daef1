"""Figures of measurements are chosen by their axes, and show the null."""

import dataclasses
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
    texts = [t.get_text() for t in figure.texts]
    assert any(r"“\$dog\$”" in t for t in texts)
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


def test_an_overlay_of_a_wide_image_is_drawn_at_the_pixels_of_its_patches():
    buffer = io.BytesIO()
    Image.new("RGB", (30, 10), "white").save(buffer, "JPEG")
    boxes = {name: ("patch", values) for name, values in zip(("x0", "y0", "x1", "y1"), np.array(
        [(60.0, 0, 90, 30), (0, 0, 30, 30), (30, 0, 60, 30), (np.nan,) * 4]).T, strict=True)}  # fmt: skip
    values = xarray.DataArray([1.0, -0.5, np.nan, 9.0], boxes, "patch", "occlusion")
    m = Measurement(values, "nats", Identity("planted", 0, 1), image=buffer.getvalue(), provenance={"size": [90, 30]})
    figure = m.plot()
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba()).astype(int)
    right = figure.axes[1]

    def colour(x, y):
        column, row = right.transData.transform((x, y))
        return pixels[len(pixels) - 1 - int(row), int(column), :3]

    (red, blue, plain) = (colour(x, 15) for x in (75, 15, 45))
    assert red[0] - red[2] > 10 and blue[2] - blue[0] > 30 and np.ptp(plain) < 3
    assert figure.axes[-1].get_ylim() == (-1, 1)
    assert [t.get_text() for t in right.texts] == ["up to 9 at positions that are no patches"]


@pytest.mark.parametrize("shape", [(5, 4), (5, 12)])
def test_heads_are_a_grid_with_dots_beyond_the_null(shape):
    m = a_measurement(shape, ("layer", "head"), null=True)
    axes = m.plot().axes[0]
    outside = (m.values > m.null.max("draw")) | (m.values < m.null.min("draw"))
    dots = axes.collections[0].get_offsets()[:, ::-1].astype(int)  # (row, column)
    assert axes.images and dots.tolist() == np.argwhere(outside.values).tolist()
    assert "dots: beyond all draws of the null" in axes.get_xlabel()


def test_zero_is_in_the_middle_of_the_colours_of_changes_and_log_probabilities_have_one_hue():
    array = -np.arange(1.0, 31).reshape(5, 6)
    for name, ends in (("attention_knockout", (-30, 30)), ("logit_lens", (-30, -1))):
        values = xarray.DataArray(array, dims=("layer", "neuron"), name=name)
        figure = Measurement(values, "nats", Identity("planted", 0, 1)).plot()
        assert figure.axes[-1].get_ylim() == ends
    values = xarray.DataArray(-array, dims=("layer", "neuron"), name="attention_knockout")
    assert Measurement(values, "nats", Identity("planted", 0, 1)).plot().axes[-1].get_ylim() == (0, 30)


def test_positions_are_named_by_their_texts():
    coords = {
        "position": range(40, 50),
        "text": ("position", ["<image>"] * 7 + ["$a", "brown", "dog"]),
        "role": ("position", ["image"] * 7 + ["response"] * 3),
    }
    values = xarray.DataArray(np.arange(10.0), coords, "position", "occlusion")
    bars = Measurement(values[7:], "nats", Identity("planted", 0, 1)).plot().axes[0]
    assert [t.get_text() for t in bars.get_yticklabels()] == ["dog", "brown", r"\$a"]
    several = values.expand_dims(layer=6).copy()
    grid = Measurement(several, "nats", Identity("planted", 0, 1)).plot().axes[0]
    ticks = dict(zip(grid.get_xticks().tolist(), (t.get_text() for t in grid.get_xticklabels()), strict=True))
    assert ticks == {3: "image", 7: r"\$a", 8: "brown", 9: "dog"}
    curves = Measurement(several[:, 7:], "nats", Identity("planted", 0, 1)).plot().axes[0].get_legend()
    assert curves.get_title().get_text() == "position"
    assert [t.get_text() for t in curves.get_texts()] == [r"\$a", "brown", "dog"]


@pytest.mark.parametrize(
    ("shape", "dims"), [((6,), ("layer",)), ((3, 2), ("layer", "head")), ((2, 3), ("baseline", "effect"))]
)
def test_texts_stay_inside_the_figure(shape, dims):
    m = a_measurement(shape, dims, null=True, note="This note is a long sentence about what the numbers are. " * 4)
    about = {"word": "dogs" * 3000, "foil": "cats and dogs", "model": "somebody/a-model-with-a-long-name-7b-hf"}
    m = Measurement(m.values.rename("direct_logit_attribution"), "nats", m.check, m.null, provenance=about
                    | {"quantity": "logit difference to 'cats and dogs'"}, note=m.note)  # fmt: skip
    figure = m.plot()
    figure.canvas.draw()
    width, height = figure.bbox.width, figure.bbox.height
    axes = figure.axes[0]
    for text in [*axes.texts, axes.xaxis.label, axes.yaxis.label, *figure.texts, *(a.yaxis.label for a in figure.axes)]:
        box = text.get_window_extent()
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height, text


def test_the_largest_level_is_the_strongest_colour_over_the_image():
    buffer = io.BytesIO()
    Image.new("RGB", (20, 10), "white").save(buffer, "JPEG")
    boxes = {
        name: ("patch", values)
        for name, values in {"x0": [0, 10], "y0": [0, 0], "x1": [10, 20], "y1": [10, 10]}.items()
    }
    values = xarray.DataArray([-9.0, -0.5], boxes, "patch", "logit_lens")
    figure = Measurement(values, "nats", Identity("planted", 0, 1), image=buffer.getvalue()).plot()
    assert [p.get_facecolor()[3] for p in figure.axes[1].patches] == pytest.approx([0, 0.85])


def test_a_level_far_from_zero_has_the_whole_figure():
    axes = ((m := a_measurement((2, 9), ("curve", "fraction"))).plot()).axes[0]
    assert axes.get_ylim()[0] <= 0
    far = Measurement(m.values + 50, "nats", m.check)
    assert far.plot().axes[0].get_ylim()[0] > 40


def test_more_than_two_axes_need_a_choice():
    m = a_measurement((3, 4, 5), ("layer", "group", "head"))
    with pytest.raises(nbt.NbtoolkitError, match="expected at most two. Choose an entry of the others: select="):
        m.plot()
    figure = plots.measurement(m, select={"group": 2})
    assert figure.axes[0].images and figure.texts[0].get_text().endswith("toy, group 2")
    for select, message in (
        ({"word": 1}, "has no axis 'word'; expected one of 'layer', 'group', 'head'"),
        ({"group": 9}, "has no {'group': 9}; expected coordinates among"),
    ):
        with pytest.raises(nbt.NbtoolkitError, match=message):
            m.plot(select=select)


@pytest.mark.parametrize("n_draws", [1, 5])
def test_a_null_of_one_draw_is_a_line_also_in_the_legend(n_draws):
    m = a_measurement((6,), ("layer",))
    null = xarray.DataArray(np.zeros((n_draws, 6)), dims=("draw", "layer"))
    axes = dataclasses.replace(m, null=null).plot().axes[0]
    styles = [line.get_linestyle() for line in (*axes.get_legend().get_lines(), *axes.lines)]
    assert ("--" in styles) == (n_draws == 1) and bool(axes.collections) == (n_draws > 1)
