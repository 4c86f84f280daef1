"""Geometry as data: the whole-image tile, values on grids and over the image, the sentence."""

import copy
import pickle

import numpy as np
import pytest

from nbtoolkit.types import Geometry
from nbtoolkit.types.geometry import placed


def grid(frame, rows, columns):
    x, y = np.linspace(frame[0], frame[2], columns + 1), np.linspace(frame[1], frame[3], rows + 1)
    return [(x[c], y[r], x[c + 1], y[r + 1]) for r in range(rows) for c in range(columns)]


def tiled(frames, size, rows=2, columns=2):
    boxes = [box for frame in frames for box in grid(frame, rows, columns)]
    tiles = np.repeat(np.arange(len(frames)), rows * columns)
    cells = [(r, c) for _ in frames for r in range(rows) for c in range(columns)]
    return placed(np.array(boxes, float), tiles, size, cells, np.array(frames, float), [(rows, columns)] * len(frames))


THIRDS = [(0, 0, 40, 80), (40, 0, 80, 80), (80, 0, 120, 80)]
WHOLE = (0, 0, 120, 80)


@pytest.mark.parametrize("place", [0, 1, 3])
def test_the_whole_image_tile_is_found_wherever_it_stands(place):
    geometry = tiled([*THIRDS[:place], WHOLE, *THIRDS[place:]], WHOLE[2:])
    values = np.arange(16.0)
    maps, frames, index = geometry.stack(values)
    assert geometry.whole == place == index and maps.shape == (4, 2, 2)
    assert frames[index].tolist() == list(WHOLE)
    np.testing.assert_array_equal(maps[index].ravel(), values[4 * place : 4 * place + 4])


def test_tiles_alone_are_put_together():
    geometry = tiled(THIRDS, WHOLE[2:])
    assert geometry.whole is None
    maps, frames, index = geometry.stack(np.arange(12.0))
    assert (maps.shape, index, frames.tolist()) == ((1, 2, 6), 0, [list(WHOLE)])
    assert maps[0].tolist() == [[0, 1, 4, 5, 8, 9], [2, 3, 6, 7, 10, 11]]


def test_a_map_over_the_image_takes_the_whole_tile_or_the_finest():
    geometry = tiled([WHOLE, *THIRDS], WHOLE[2:])
    values = np.arange(16.0)
    assert geometry.map(values, 2, 6).tolist() == [[0, 0, 0, 1, 1, 1], [2, 2, 2, 3, 3, 3]]
    assert geometry.map(values, 2, 6, tiles="all").tolist() == [[4, 5, 8, 9, 12, 13], [6, 7, 10, 11, 14, 15]]
    assert geometry.map(np.stack([values, -values])).shape == (2, 80, 120)
    with pytest.raises(ValueError, match="tiles is 'thumbnail'; expected 'whole' or 'all'"):
        geometry.map(values, tiles="thumbnail")


def test_what_lies_outside_the_image_is_no_patch():
    geometry = tiled([(0, -20, 80, 60)], (80, 40), 4, 4)  # rows of 20 pixels: above, two inside, below
    assert np.isnan(geometry.boxes[:4]).all() and np.isnan(geometry.boxes[12:]).all()
    assert np.isfinite(geometry.boxes[4:12]).all() and geometry.seen.tolist() == [0, 0, 80, 40]
    half = tiled([(0, 0, 80, 50)], (80, 40), 4, 4)
    assert half.boxes[12:, 3].tolist() == [40] * 4


@pytest.mark.parametrize(
    ("frame", "sentence"),
    [
        ((0, 0, 100, 80), ""),
        ((10, 0, 90, 80), "The model saw the middle 80 % of the image; the dimmed part was cropped."),
        ((0, 0, 80, 80), "The model saw 80 % of the image; the dimmed part was cropped."),
    ],
)
def test_the_sentence_says_what_was_not_seen(frame, sentence):
    geometry = tiled([frame], (100, 80))
    assert geometry.sentence == sentence
    unseen = np.isnan(geometry.map(np.ones(4)))
    assert unseen.mean() == pytest.approx(1 - geometry.share)


def test_it_is_read_only_and_copies():
    geometry = tiled([WHOLE], WHOLE[2:])
    with pytest.raises(ValueError, match="read-only"):
        geometry.boxes[0] = 0
    for other in (pickle.loads(pickle.dumps(geometry)), copy.deepcopy(geometry)):
        assert isinstance(other, Geometry) and np.array_equal(other.boxes, geometry.boxes)
