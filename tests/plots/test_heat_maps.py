"""Heat maps as figures: on the part that the model saw, the rest dimmed with a sentence."""

import numpy as np
import pytest
from PIL import Image

import nbtoolkit as nbt
from nbtoolkit import plots
from nbtoolkit.types import ConceptMap

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
    assert heat.get_array().tolist() == [[0, 1], [2, 3]] and heat.get_extent() == [0, 120, 80, 0]
    with pytest.raises(
        nbt.NbtoolkitError, match="A map has 4 tiles, and nothing says where they lie; expected a map of"
    ):
        plots.saliency_map([image], [np.asarray(first)])


def test_padding_and_what_was_not_seen_are_transparent():
    geometry = tiled([(0, -20, 80, 60)], (80, 40), 4, 4)
    image = Image.new("RGB", (80, 40))
    heat = plots.saliency_map([image], [ConceptMap(np.ones(16), geometry)]).axes[1].images[1]
    assert heat.get_alpha()[0].max() == 0 and heat.get_alpha()[1].min() > 0.8
    over = plots.saliency_map([image], [geometry.map(np.ones(16), tiles="all")]).axes[1].images[1]
    assert over.get_extent() == [0, 80, 40, 0]
