"""Which images are opened: formats, regular files, the limit of pixels; Pillow's own limit warns nobody."""

import io
import os
import warnings

import pytest
from PIL import Image

import nbtoolkit as nbt
from nbtoolkit.data import image_files, image_size, read_image

from .bombs import bomb_png, measured
from .made import encoded, gradient


def test_no_format_starts_another_program(tmp_path, monkeypatch):
    """Pillow hands EPS to Ghostscript; a program of that name on the PATH would leave a file."""
    gs, trace = tmp_path / "gs", tmp_path / "started"
    gs.write_text(f"#!/bin/sh\ntouch {trace}\n")
    gs.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    eps = encoded(Image.new("RGB", (9, 9)), "EPS")
    (tmp_path / "a.jpg").write_bytes(eps)
    for cell in (eps, tmp_path / "a.jpg", {"bytes": eps}, {"bytes": None, "path": str(tmp_path / "a.jpg")}):
        with pytest.raises(nbt.NbtoolkitError, match="The image cannot be read"):
            read_image(cell)
        assert image_size(cell) == (0, 0)
    assert not trace.exists()


@pytest.mark.parametrize("kind", ["PDF", "ICO", "PCX", "SGI", "TGA", "XBM", "DDS"])
def test_other_formats_are_refused(kind):
    with pytest.raises(nbt.NbtoolkitError, match="The image cannot be read"):
        read_image(encoded(Image.new("1" if kind == "XBM" else "RGB", (16, 16)), kind))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000"])
def test_formats_of_images_are_read(kind):
    assert read_image(encoded(gradient(), kind)).size == image_size(encoded(gradient(), kind)) == (20, 10)


def test_only_regular_files_are_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    (tmp_path / "folder.jpg").mkdir()
    kinds = (("pipe.jpg", "is a named pipe"), ("/dev/zero", "is a device"), ("folder.jpg", "is a folder"))
    for name, reason in (*kinds, ("loop.jpg", "loop.jpg"), ("a\0.jpg", "null")):
        with pytest.raises(nbt.NbtoolkitError, match=f"The image cannot be read: .*{reason}"):
            read_image(tmp_path / name)
        assert image_size(str(tmp_path / name)) == (0, 0)


def test_a_path_may_begin_with_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    gradient().save(tmp_path / "a.png")
    assert read_image("~/a.png").size == image_size("~/a.png") == (20, 10)


def test_the_number_of_pixels_is_limited(tmp_path):
    for side in (9_000, 13_000, 50_000):  # below, between and above the limits at which Pillow warns and refuses
        path = bomb_png(tmp_path / "a.png", side)
        for cell in (path, path.read_bytes()):
            with pytest.raises(nbt.NbtoolkitError, match="expected at most 67,108,864 pixels. Shrink it"):
                read_image(cell)
            assert image_size(cell) == (0, 0)
    with pytest.raises(nbt.NbtoolkitError, match="it has 9000 × 9000 pixels"):
        read_image(Image.new("1", (9_000, 9_000)))


@pytest.mark.slow
def test_the_largest_images_take_less_than_a_gigabyte(tmp_path):
    path = bomb_png(tmp_path / "a.png", 8192, 8, 6)  # just within the limit: 256 MB once decoded
    out, _, _ = measured("out = read_image(sys.argv[1]).size, thumbnail(read_image(sys.argv[1], 512))[:2]", path)
    assert out == r"((8192, 8192), b'\xff\xd8')"


@pytest.mark.parametrize("limit", [10, 3 * 10])  # above twice the first, between the second and twice the second
def test_the_limit_of_pillow_neither_warns_nor_refuses(tmp_path, monkeypatch, limit):
    """Of a large image that is within our limit, whatever Pillow's is; a filter of warnings would be one for all threads."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    image = gradient(size=(8, 5))
    image.save(tmp_path / "a.png")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for cell in (encoded(image), encoded(image, "JPEG"), tmp_path / "a.png", io.BytesIO(encoded(image, "GIF"))):
            assert read_image(cell).size == image_size(cell) == (8, 5)
    assert not caught


def test_a_refused_image_is_named_once_and_warns_nobody(tmp_path):
    path = bomb_png(tmp_path / "a.png", 10_000)  # above the limit at which Pillow warns
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(
            nbt.errors.DataError, match="it has 10000 × 10000 pixels; expected at most 67,108,864 pixels"
        ):
            read_image(path)
    assert not caught and Image.MAX_IMAGE_PIXELS < 10_000**2 and image_files.MAX_PIXELS == 2**26


def test_open_files_and_streams_that_cannot_go_back_are_read():
    class Stream(io.RawIOBase):
        def __init__(self, content):
            self.content = io.BytesIO(content)

        def read(self, n=-1):
            return self.content.read(n)

        seek = property()

    assert read_image(io.BytesIO(b"" + encoded(gradient()))).size == (20, 10)
    assert read_image(Stream(encoded(gradient()))).size == (20, 10)
    for wrong, what in (5, "of type int"), (None, "none"):
        with pytest.raises(
            nbt.errors.DataError, match=f"The image cannot be read: it is {what}; expected a path, a PIL image"
        ):
            read_image(wrong)
