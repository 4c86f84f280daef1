"""Geometry: what is painted outside the seen region changes nothing, and a painted patch moves most at its own position."""

import functools

import datasets
import numpy as np
import pytest
import torch
from PIL import Image

import nbtoolkit as nbt
from nbtoolkit.data.loading import raw_images
from nbtoolkit.extraction.image_batches import batches
from nbtoolkit.models.geometry import MAX_PIXELS, image_geometry

from ..painting import LANDSCAPE, PORTRAIT, REAL, WITHOUT_A_GRID, as_shipped, image_states, noise, painted, real
from ..vision import why_not
from ..zoo import FAMILIES

SIZES = {"landscape": LANDSCAPE, "portrait": PORTRAIT, "square": (70, 70), "wide": (210, 60)}
CROPPED = {"llava", "llava-mistral", "llava-qwen2", "git"}


@functools.cache
def shipped(name):
    try:
        return as_shipped(name)
    except ImportError as error:
        pytest.skip(f"{why_not() or error}")


@functools.cache
def genuine(name):
    model = real(name)
    if model is None:
        pytest.skip(f"the processor of {name} is not in the folder of shared files")
    return model


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("name", [n for n in FAMILIES if n not in WITHOUT_A_GRID])
def test_painting_in_every_family(name, size):
    row = painted(shipped(name), size, 8)
    assert row.most == 1
    cropped = name in CROPPED and size[0] != size[1]
    assert row.outside == (0 if cropped else None)
    assert row.seen == pytest.approx(min(size) / max(size) if cropped else 1, abs=0.01)


@pytest.mark.parametrize("size", [(340, 224), (300, 500)], ids=["landscape", "portrait"])
@pytest.mark.parametrize("name", REAL)
def test_painting_with_real_processors(name, size):
    row = painted(genuine(name), size, 10)
    share = min(size) / max(size) if name == "llava-1.5" else 1
    assert row.most == 1 and row.seen == pytest.approx(share, abs=0.005)
    assert row.outside == (0 if name == "llava-1.5" else None)


@pytest.mark.parametrize("name", sorted(WITHOUT_A_GRID))
def test_families_without_patches_are_refused_with_the_reason(name):
    with pytest.raises(nbt.errors.ModelError, match="no grid of patches|no image positions in its decoder"):
        shipped(name).geometry(noise((64, 48)))


def test_the_centre_crop_of_llava():
    """Shortest edge to 336, then the middle 336 × 336: of 640 × 480 the columns 80 to 560."""
    geometry = genuine("llava-1.5").geometry(noise((640, 480)))
    np.testing.assert_allclose(geometry.seen, [80, 0, 560, 480], atol=0.1)
    np.testing.assert_allclose(geometry.boxes[0], [80, 0, 100, 20], atol=0.1)
    np.testing.assert_allclose(geometry.boxes[24 * 3 + 5], [180, 60, 200, 80], atol=0.1)
    assert geometry.boxes.shape == (576, 4) and geometry.grids.tolist() == [[24, 24]] and geometry.whole == 0
    assert geometry.sentence == "The model saw the middle 75 % of the image; the dimmed part was cropped."


def test_tiles_and_the_whole_image_of_granite():
    geometry = genuine("granite-docling").geometry(noise((640, 480)))
    assert geometry.whole == 12 and geometry.share == 1 and not geometry.sentence
    np.testing.assert_allclose(geometry.frames[:2], [[0, 0, 160, 160], [160, 0, 320, 160]], atol=0.5)
    np.testing.assert_allclose(geometry.boxes[64 * 12], [0, 0, 80, 60], atol=0.5)


WHOLE = {"ovis2": 0, "llava-next": 0, "llava-onevision": 0, "molmo2": 0, "idefics3": 4, "smolvlm": 4, "internvl": 2,
         "aya-vision": 2, "cohere2-vision": 2, "llama4": 2, "fuyu": 0, "qwen2-vl": 0}  # fmt: skip


@pytest.mark.parametrize("name", WHOLE)
def test_the_tile_of_the_whole_image(name):
    geometry = shipped(name).geometry(noise(LANDSCAPE))
    assert geometry.whole == WHOLE[name]
    grid = geometry.boxes[geometry.tiles == geometry.whole]
    np.testing.assert_allclose([*np.nanmin(grid[:, :2], 0), *np.nanmax(grid[:, 2:], 0)], [0, 0, *LANDSCAPE], atol=0.5)


def test_positions_that_are_no_patch():
    newlines = shipped("llava-next").geometry(
        noise(LANDSCAPE)
    )  # 4 rows of tiles after the 16 patches of the whole image
    empty = np.flatnonzero(np.isnan(newlines.boxes[:, 0]))
    assert empty.tolist() == [22, 29, 36, 43] and (newlines.tiles[empty] == -1).all()
    git = shipped("git").geometry(noise(LANDSCAPE))  # its class token is first
    assert np.flatnonzero(np.isnan(git.boxes[:, 0])).tolist() == [0]
    padding = shipped("llama4").geometry(noise((80, 64)))
    x1 = padding.boxes[padding.tiles == 1][:, 2]
    assert np.isnan(x1).any() and np.nanmax(x1) == 80


def test_patches_of_fuyu_need_no_square():
    geometry = shipped("fuyu").geometry(noise(LANDSCAPE))
    assert geometry.grids.tolist() == [[3, 4]]
    np.testing.assert_allclose(geometry.boxes[5], [24, 24, 48, 49], atol=1)


@pytest.mark.parametrize("size", [LANDSCAPE, PORTRAIT])
def test_resampled_tiles_of_llava_onevision(size):
    """More tiles than its limit: the model resamples their features, and coordinates go through the same code."""
    model = as_shipped("llava-onevision")
    grid = [[32, 32], [32, 96], [96, 32], [96, 96]]
    model.processor.image_processor.image_grid_pinpoints = model.hf.config.image_grid_pinpoints = grid
    model.hf.config.vision_aspect_ratio = model.processor.vision_aspect_ratio = "anyres_max_2"
    geometry = model.geometry(noise(size))
    assert geometry.n_positions < 16 * 10 and geometry.whole == 0 and (geometry.grids[1:] == 0).all()
    assert painted(model, size, 10).most == 1
    fine = geometry.boxes[geometry.tiles > 0]
    areas = (fine[:, 2] - fine[:, 0]) * (fine[:, 3] - fine[:, 1])
    assert areas.sum() == pytest.approx(size[0] * size[1], rel=0.2)  # whole rows and columns are cut with the padding


def test_pan_and_scan_of_gemma_3(monkeypatch):
    model = shipped("gemma3")
    settings = {"do_pan_and_scan": True, "pan_and_scan_min_crop_size": 16}
    call = type(model.processor).__call__
    monkeypatch.setattr(type(model.processor), "__call__", lambda *args, **more: call(*args, **more, **settings))
    geometry = image_geometry(model, noise((200, 60)))
    assert len(geometry.frames) > 2 and geometry.whole == 0
    np.testing.assert_allclose(geometry.frames[0], [0, 0, 200, 60], atol=0.5)
    np.testing.assert_allclose(geometry.frames[1][[0, 1, 3]], [0, 0, 60], atol=0.5)
    assert geometry.frames[-1][2] == pytest.approx(200, abs=0.5)


def test_a_size_is_measured_once_per_setting_of_the_processor(monkeypatch):
    model = as_shipped("llava")
    calls, prepare = [], model.prepare
    monkeypatch.setattr(model, "prepare", lambda *args: calls.append(1) or prepare(*args))
    first = model.geometry(noise(LANDSCAPE))
    assert model.geometry(noise(LANDSCAPE, 5)) is first and len(calls) == 4
    model.processor.image_processor.do_center_crop = False
    model.processor.image_processor.size = {"height": 32, "width": 32}
    assert model.geometry(noise(LANDSCAPE)).share == 1 and len(calls) == 8
    with pytest.raises(nbt.errors.DataError, match="image is a str; expected a PIL image"):
        model.geometry("dog.jpg")


def test_a_processor_that_turns_images_is_refused(monkeypatch):
    model = as_shipped("llava")
    prepare = model.prepare

    def turned(images):
        return prepare([i.transpose(Image.Transpose.ROTATE_90) for i in images])

    monkeypatch.setattr(model, "prepare", turned)
    with pytest.raises(nbt.errors.ModelError, match="it does more to an image than resize, crop, pad and cut it"):
        model.geometry(noise((64, 64)))


@pytest.mark.parametrize("name", ["llava", "llava-next", "qwen2-vl", "idefics3", "internvl", "fuyu", "pixtral"])
def test_images_of_any_size(name):
    model = shipped(name)
    for size in ((1, 1), (2, 3), (1, 10_000), (10_000, 1)):
        try:
            geometry = model.geometry(Image.new("RGB", size))
        except nbt.NbtoolkitError as error:
            assert "Crop" in str(error) or "no grid of patches" in str(error), error
            continue
        boxes = geometry.boxes[np.isfinite(geometry.boxes[:, 0])]
        assert (
            len(boxes) and (boxes >= 0).all() and (boxes[:, 2:] <= size).all() and (boxes[:, 2:] > boxes[:, :2]).all()
        )


def test_a_photograph_of_12_megapixels_and_a_strip():
    model = genuine("llava-1.5")
    np.testing.assert_allclose(model.geometry(Image.new("RGB", (4000, 3000))).seen, [500, 0, 3500, 3000], atol=1)
    assert model.geometry(Image.new("RGB", (1, 1))).seen.tolist() == [0, 0, 1, 1]
    strip = Image.new("RGB", (1, 10_000))
    for run in (model.geometry, lambda image: model.inputs([image])):
        with pytest.raises(
            nbt.errors.DataError, match="1 × 10000 pixels, .* would enlarge it to 336 × 3360000; expected"
        ):
            run(strip)
    assert MAX_PIXELS == 100_000_000


def test_positions_are_those_of_the_mask():
    model = shipped("ovis2")
    with torch.inference_mode():
        (states,) = image_states(model, [noise(PORTRAIT)])
    assert len(states) == model.geometry(noise(PORTRAIT)).n_positions


def test_learned_queries_mix_patches():
    """Sixteen queries would pass as a grid of 4 × 4; that the model learned them tells them apart."""
    model = as_shipped("llava")
    assert model.geometry(noise((64, 64))).grids.tolist() == [[4, 4]]
    model.hf.model.multi_modal_projector.query = torch.nn.Parameter(torch.zeros(16, 8))
    with pytest.raises(nbt.errors.ModelError, match="represents an image by 16 positions that are no grid of patches"):
        model.geometry(noise((96, 64)))


def test_a_strip_in_a_data_set_is_left_out_by_id():
    model = as_shipped("llava")
    model.processor.image_processor.size = type(model.processor.image_processor)(size={"shortest_edge": 336}).size
    model.processor.image_processor.crop_size = type(model.processor.image_processor)(
        crop_size={"height": 32, "width": 32}
    ).crop_size
    images = [noise((40, 40)), Image.new("RGB", (1, 10_000))]
    columns = {"id": ["a", "strip"], "image": images, "captions": [["a"], ["b"]]}
    cells = raw_images(datasets.Dataset.from_dict(columns).cast_column("image", datasets.Image()))
    skipped: dict[str, str] = {}
    ready = list(batches(model, cells, None, 2, skipped))
    assert [s["id"] for batch in ready for s in batch.samples] == [
        "a"
    ] and "would enlarge it to 336 × 3360000" in skipped["strip"]
