"""Heat maps as figures: on the part that the model saw, the rest dimmed with a sentence."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import nbtoolkit as nbt
from nbtoolkit import plots, widgets
from nbtoolkit.plots.colour_scales import scale
from nbtoolkit.types import ConceptMap
from nbtoolkit.types.colours import ABOVE, BELOW, OPACITY, colours

from ..types.test_geometry import THIRDS, WHOLE, tiled


def texts(figure):
    return [t.get_text() for axes in figure.axes for t in axes.texts]


def test_a_map_lies_on_what_the_model_saw():
    image = Image.new("RGB", (100, 80), (90, 120, 60))
    one = ConceptMap(np.arange(4.0), tiled([(10, 0, 90, 80)], (100, 80)))
    figure = plots.saliency_map([image], [one])
    plain, mapped, _ = figure.axes
    assert mapped.images[1].get_extent() == [10, 90, 80, 0]
    assert (mapped.get_xlim(), mapped.get_ylim()) == ((0, 100), (80, 0))
    dimmed = [patch.get_bbox().bounds for patch in mapped.patches]
    assert sorted(dimmed) == [(0, 0, 10, 80), (90, 0, 10, 80)] and not plain.patches
    (text,) = texts(figure)
    assert text.replace("\n", " ") == "The model saw the middle 80 % of the image; the dimmed part was cropped."


def test_a_thumbnail_takes_the_map_of_the_full_image():
    one = ConceptMap(np.arange(4.0), tiled([(10, 0, 90, 80)], (100, 80)))
    figure = plots.saliency_map([Image.new("RGB", (50, 40))], [one])
    assert figure.axes[1].images[1].get_extent() == [5, 45, 40, 0]


def test_the_whole_image_tile_is_drawn_and_tiles_without_places_are_refused():
    image, values = Image.new("RGB", WHOLE[2:]), np.arange(16.0)
    first = ConceptMap(values, tiled([WHOLE, *THIRDS], WHOLE[2:]))
    heat = plots.saliency_map([image], [first]).axes[1].images[1]
    np.testing.assert_allclose(heat.get_array(), colours(np.array([[0, 1], [2, 3]]) / 3))
    assert heat.get_extent() == [0, 120, 80, 0]
    with pytest.raises(
        nbt.NbtoolkitError, match="A map has 4 tiles, and nothing says where they lie; expected a map of"
    ):
        plots.saliency_map([image], [np.asarray(first)])


def test_padding_and_what_was_not_seen_are_transparent():
    geometry = tiled([(0, -20, 80, 60)], (80, 40), 4, 4)
    image = Image.new("RGB", (80, 40))
    heat = plots.saliency_map([image], [ConceptMap(np.ones(16), geometry)]).axes[1].images[1]
    alpha = heat.get_array()[..., 3]
    assert alpha[0].max() == 0 and alpha[1].min() > 0.8
    over = plots.saliency_map([image], [geometry.map(np.ones(16), tiles="all")]).axes[1].images[1]
    assert over.get_extent() == [0, 80, 40, 0]


def test_zero_is_clear_and_each_sign_has_its_colour():
    low, zero, high = colours([-1, 0, 1])
    np.testing.assert_allclose(low, [*np.divide(BELOW[1], 255), OPACITY])
    np.testing.assert_allclose(high, [*np.divide(ABOVE[1], 255), OPACITY])
    assert zero[3] == 0 and colours(np.nan)[3] == 0
    assert colours(0.25)[3] == OPACITY / 2  # by the square root
    bar = scale(4.0, signed=True)
    assert bar.to_rgba(0.0) == pytest.approx((1, 1, 1, 1), abs=0.01)  # a grid is white at zero
    assert scale(4.0, signed=False).get_clim() == (0, 4)


def test_lightness_falls_from_zero_to_either_end():
    """So the scale is read without colours too."""
    for shares in (np.linspace(0, 1, 20), np.linspace(0, -1, 20)):
        rgba = np.array([scale(1.0, signed=True).to_rgba(v) for v in shares])
        assert (np.diff(rgba[:, :3] @ [0.2126, 0.7152, 0.0722]) < 0).all()


def test_the_views_have_the_colours_of_the_figures():
    source = (Path(widgets.__file__).parent / "js" / "src" / "colour_scale.js").read_text("utf-8")
    constants = {name: ast.literal_eval(value) for name, value in re.findall(r"export const (\w+) = ([^;]+);", source)}
    assert constants == {"BELOW": [list(c) for c in BELOW], "ABOVE": [list(c) for c in ABOVE], "OPACITY": OPACITY}
