"""Ramps: planted crops, resizes and paddings are read back; what is turned or bent is refused."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from nbtoolkit.models.ramps import frames, probes

BICUBIC = Image.Resampling.BICUBIC


def read(change, size):
    """Frames of the tiles that ``change`` makes of an image."""
    arrays = [np.stack([np.asarray(t.convert("L"), np.float64) for t in change(p)]) for p in probes(*size)]
    return frames(*(a / 90 - 1.3 for a in arrays), size)  # as after a normalisation


@pytest.mark.parametrize("size", [(640, 480), (300, 800), (37, 41), (3000, 2000)])
def test_a_resized_crop_is_read_back(size):
    width, height = size
    box = (width * 0.1, height * 0.2, width * 0.8, height * 0.7)
    (place,) = read(lambda image: [image.resize((112, 96), BICUBIC, box=box)], size)
    np.testing.assert_allclose(place, box, atol=max(0.5, 0.004 * max(size)))


@pytest.mark.parametrize("size", [(640, 480), (2000, 300)])
def test_a_whole_image_is_exactly_its_size(size):
    (place,) = read(lambda image: [image.resize((56, 56), BICUBIC)], size)
    assert place.tolist() == [0, 0, *size]


def test_padding_lies_beyond_the_image():
    (place,) = read(lambda image: [ImageOps.pad(image, (100, 100), color="grey")], (200, 100))
    np.testing.assert_allclose(place, [0, -50, 200, 150], atol=0.5)


def test_tiles_are_told_apart_and_one_of_padding_has_no_place():
    def tiles(image):
        half = image.resize((64, 32), BICUBIC)
        return [half.crop((0, 0, 32, 32)), half.crop((32, 0, 64, 32)), Image.new("RGB", (32, 32))]

    place = read(tiles, (400, 300))
    np.testing.assert_allclose(place[:2], [[0, 0, 200, 300], [200, 0, 400, 300]], atol=0.5)
    assert np.isnan(place[2]).all()


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image.transpose(Image.Transpose.ROTATE_90),
        lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        lambda image: image.rotate(10, BICUBIC),
        lambda image: image.transform((96, 96), Image.Transform.AFFINE, (1, 0.3, 0, 0, 1, 0)),
    ],
    ids=["turned", "mirrored", "tilted", "sheared"],
)
def test_what_is_no_crop_resize_or_padding_is_refused(change):
    assert read(lambda image: [change(image)], (96, 96)) is None


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (2, 3)])
def test_sides_of_few_pixels(size):
    (place,) = read(lambda image: [image.resize((64, 64), BICUBIC)], size)
    np.testing.assert_allclose(place, [0, 0, *size], atol=0.5)
