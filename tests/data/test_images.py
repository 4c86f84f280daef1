"""Images: every mode as upright RGB, damage refused, thumbnails."""

import io

import numpy as np
import pytest
from PIL import Image

import nbtoolkit as nbt
from nbtoolkit.data import read_image, thumbnail

from .made import encoded, gradient


@pytest.mark.parametrize("mode", ["CMYK", "P", "RGBA", "L", "LA", "1", "RGB"])
def test_every_mode_is_read_as_rgb(mode):
    kind = "TIFF" if mode in ("CMYK", "LA") else "PNG"
    image = read_image(encoded(gradient(mode), kind))
    assert image.mode == "RGB" and image.size == (20, 10)
    reference = np.asarray(gradient("L" if mode in ("L", "LA") else "RGB").convert("RGB"), float)
    assert np.abs(np.asarray(image, float) - reference).mean() < (130 if mode == "1" else 15)


def test_transparency_shows_white():
    image = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    assert np.asarray(read_image(encoded(image))).min() == 255


def test_sixteen_bits_are_scaled_not_clipped():
    ramp = np.linspace(0, 65535, 64).reshape(8, 8).astype(np.uint16)
    out = np.asarray(read_image(encoded(Image.fromarray(ramp))))[..., 0]
    assert np.abs(out.astype(int) - (ramp // 257).astype(int)).max() <= 1


def test_exif_rotation_is_applied():
    image = gradient()
    exif = image.getexif()
    exif[0x0112] = 6  # rotate by 270 degrees to be upright
    turned = read_image(encoded(image, "JPEG", exif=exif, quality=95))
    assert turned.size == (10, 20)
    assert np.abs(np.asarray(turned, float) - np.asarray(image.rotate(270, expand=True), float)).mean() < 6


def test_damaged_pictures_are_refused():
    whole = encoded(Image.effect_noise((64, 64), 80), "JPEG")
    for broken in (whole[: len(whole) // 2], b"not a picture", "/nowhere/x.jpg", None):
        with pytest.raises(nbt.NbtoolkitError, match="The image cannot be read"):
            read_image(broken)


def test_thumbnails_are_small_jpegs():
    picture = Image.open(io.BytesIO(thumbnail(Image.new("RGB", (1000, 500)), 256)))
    assert picture.size == (256, 128) and picture.format == "JPEG"
