"""Images: every mode as upright RGB, damage, other formats and too many pixels refused, reduced decoding, thumbnails."""

import io

import numpy as np
import pytest
from PIL import Image, ImageOps

import nbtoolkit as nbt
from nbtoolkit.data import image_size, images, raw_images, read_image, thumbnail

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


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1"])
def test_large_images_are_decoded_at_a_fraction(kind, mode, monkeypatch):
    monkeypatch.setattr(images, "LARGE", 1000)
    monkeypatch.setattr(images, "_STRIP", 3000)  # several strips per image
    small = Image.fromarray(np.random.default_rng(0).integers(0, 255, (4, 6, 3), dtype=np.uint8))
    large = small.resize((400, 240), Image.Resampling.BICUBIC)
    if kind == "JPEG":
        mode = {"RGBA": "CMYK", "P": "RGB", "1": "L"}.get(mode, mode)
    content = encoded(large.convert(mode), kind)
    full, reduced = read_image(content), read_image(content, 40)
    assert full.size == (400, 240) and reduced.size == ((200, 120) if kind == "JPEG" else (134, 80))  # JPEG: by 2, 4, 8
    assert images.fraction((400, 240), 40) == 3 and read_image(content, 200).size == (400, 240)
    at_once, expected = (np.asarray(i.resize((40, 24), Image.Resampling.BICUBIC), float) for i in (reduced, full))
    assert np.abs(at_once - expected).mean() < 3


def test_a_fraction_keeps_rotation_and_strips_keep_every_pixel(monkeypatch):
    whole = [np.asarray(read_image(encoded(gradient(m, (37, 53))))) for m in ("RGB", "RGBA", "P", "L", "1")]
    ramp = encoded(Image.fromarray(np.linspace(0, 65535, 37 * 53).reshape(53, 37).astype(np.uint16)))
    whole.append(np.asarray(read_image(ramp)))
    image = gradient(size=(80, 40))
    exif = image.getexif()
    exif[0x0112] = 6
    turned = encoded(image, "JPEG", exif=exif, quality=95)
    monkeypatch.setattr(images, "LARGE", 1000)
    monkeypatch.setattr(images, "_STRIP", 100)
    contents = [encoded(gradient(m, (37, 53))) for m in ("RGB", "RGBA", "P", "L", "1")] + [ramp]
    for content, expected in zip(contents, whole, strict=True):
        np.testing.assert_array_equal(np.asarray(read_image(content)), expected)
    small = read_image(turned, 10)
    assert small.size == (20, 40)
    upright = image.rotate(270, expand=True).resize((20, 40), Image.Resampling.BOX)
    assert np.abs(np.asarray(small, float) - np.asarray(upright, float)).mean() < 6


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000"])
@pytest.mark.filterwarnings("ignore")
def test_damaged_images_are_read_or_are_one_error(kind):
    rng, whole = np.random.default_rng(0), encoded(Image.effect_noise((64, 64), 80).convert("RGB"), kind)
    for k in range(80):
        damaged = bytearray(whole)
        damaged[int(rng.integers(min(len(whole), 300) if k % 2 else len(whole)))] ^= 1 << int(rng.integers(8))
        content = bytes(damaged) if k % 4 else whole[: int(rng.integers(len(whole)))]
        try:
            assert read_image(content).mode == "RGB"
        except nbt.errors.DataError as error:
            assert str(error).startswith("The image cannot be read")
        assert len(image_size(content)) == 2


def test_numbers_that_are_none_are_black_and_white():
    for value, expected in ((np.nan, 0), (np.inf, 255), (-np.inf, 0), (-5.0, 0)):
        image = read_image(encoded(Image.fromarray(np.full((4, 4), value, np.float32)), "TIFF"))
        assert np.asarray(image).tolist() == [[[expected] * 3] * 4] * 4


def test_photographs_are_decoded_as_pillow_does(photos, monkeypatch):
    raw = raw_images(photos.select(range(30)))["image"]
    for cell in raw:
        expected = ImageOps.exif_transpose(Image.open(io.BytesIO(cell["bytes"]))).convert("RGB")
        np.testing.assert_array_equal(np.asarray(read_image(cell)), np.asarray(expected))
    monkeypatch.setattr(images, "LARGE", 1000)
    for cell in raw[:]:
        full, reduced = read_image(cell), read_image(cell, 40)
        assert min(reduced.size) >= 80 and reduced.size != full.size
        full, reduced = (np.asarray(i.resize((40, 40), Image.Resampling.BICUBIC), float) for i in (full, reduced))
        assert np.abs(full - reduced).mean() < 4  # of 255
