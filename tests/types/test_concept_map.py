"""Concept maps: arrays that keep their place in the image through arithmetic, copies and pickles, and lose it when reshaped."""

import copy
import pickle

import numpy as np

from nbtoolkit.types import ConceptMap

from .test_geometry import THIRDS, WHOLE, tiled

GEOMETRY = tiled([*THIRDS, WHOLE], WHOLE[2:])


def test_arithmetic_copies_and_pickles_keep_the_place():
    one = ConceptMap(np.arange(16.0), GEOMETRY)
    assert one.shape == (4, 2, 2) and one.whole.tolist() == [[12, 13], [14, 15]]
    for other in (
        2 * one,
        np.abs(one),
        one.copy(),
        copy.copy(one),
        copy.deepcopy(one),
        pickle.loads(pickle.dumps(one)),
    ):
        assert other.tile == 3 and other.frames[3].tolist() == list(WHOLE) and other.geometry.n_positions == 16
        assert np.array_equal(other, 2 * one if other[0, 0, 1] == 2 else one)
    many = ConceptMap(np.arange(32.0).reshape(2, 16), GEOMETRY)
    assert many.shape == (2, 4, 2, 2) and many[1].geometry is GEOMETRY and many[1].whole[0, 0] == 28


def test_other_shapes_lose_the_place():
    one = ConceptMap(np.arange(16.0), GEOMETRY)
    for other in (one.ravel(), one.reshape(2, 8), one.reshape(1, 2, 8)):
        assert other.geometry is None and len(other.frames) == 0
    for other in (one[3], one[-1, 0], one.max(), one.mean(0), one.sum((1, 2)), one == one.max(), one[one > 3]):
        assert type(other) is not ConceptMap or other.shape == one.shape
    assert one.max() == 15 and isinstance(one.max(), np.floating) and one.mean(0).tolist() == [[6, 7], [8, 9]]


def test_padding_is_not_part_of_the_whole_image():
    padded = tiled([(0, -20, 80, 60)], (80, 40), 4, 4)
    one = ConceptMap(np.ones(16), padded)
    assert np.isfinite(np.asarray(one)).all() and np.isnan(one.whole).sum() == 8
