"""Batches of images for a model: decoded in a thread, one batch ahead; an image that cannot be read is left out, with the reason."""

from __future__ import annotations

import copy
import itertools
import math
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..data.images import LARGE, fraction, image_size, read_images
from ..data.loading import image_counts
from ..errors import Cancelled, DataError
from ..models.budget import sufficient_side
from ..models.memory import available_memory
from ..storage.provenance import image_digest
from .batch_limits import chunks

if TYPE_CHECKING:
    from ..models import Model

Prompt = str | Mapping[str, str] | None
CANCELLED = "The extraction was cancelled; completed shards remain: call extract again with the same out= to continue."
REFUSALS = (ValueError, TypeError, RuntimeError, IndexError, ZeroDivisionError)  # what processors raise


@dataclass
class Batch:
    """A batch of preprocessed images.

    Attributes
    ----------
    samples
        Id and captions of each.
    images
        The decoded image of each, or a list where the rows have several.
    inputs
        The model's inputs, still on the CPU.
    """

    samples: list[dict[str, Any]]
    images: list[Any]
    inputs: dict[str, Any]


def batches(
    model: Model,
    cells: Any,
    prompt: Prompt,
    size: int,
    skipped: dict[str, str],
    cancel: threading.Event | None = None,
    digests: dict[str, str] | None = None,
) -> Iterator[Batch]:
    """Batches of images of similar size, hence of similar length; rows of a batch have equally many images.

    Parameters
    ----------
    model
        The model, for its processor.
    cells
        Rows of a data set with undecoded images.
    prompt
        The question, or the questions by sample id; the model's default where None.
    size
        Images per batch.
    skipped
        Receives the id of every image that cannot be read, with the reason.
    cancel
        When set, :class:`nbtoolkit.errors.Cancelled` is raised instead of the next batch.
    digests
        Receives the hash of the bytes of every image, by sample id; empty where they cannot be read.
    """
    digests = {} if digests is None else digests
    ahead = copy.copy(model)  # a fast tokenizer cannot be used by two threads at once
    ahead.processor = copy.deepcopy(model.processor)
    counts = image_counts(cells, range(len(cells)))
    sizes = [image_size(cells[k]["image"]) for k in range(len(cells))]
    order = sorted(range(len(cells)), key=lambda k: (counts[k], *sizes[k]))
    alike = [list(group) for _, group in itertools.groupby(order, key=lambda k: counts[k])]
    side = decoding_side(model, sizes)
    pixels = [math.prod(shape) // (1 if side is None else fraction(shape, side) ** 2) for shape in sizes]
    parts = [part for group in alike for part in chunks(group, pixels, size, available_memory("cpu"))]
    with ThreadPoolExecutor(1) as thread:
        future = thread.submit(_load, ahead, cells, parts[0], prompt, side, digests)
        for following in [*parts[1:], None]:
            if cancel is not None and cancel.is_set():
                raise Cancelled(CANCELLED)
            ready, broken = future.result()
            skipped |= broken
            if following:
                future = thread.submit(_load, ahead, cells, following, prompt, side, digests)
            yield from ready


def decoding_side(model: Model, sizes: Sequence[tuple[int, int]]) -> int | None:
    """Side that suffices for decoding images, where one of them is large and the model's processor would shrink it.

    Parameters
    ----------
    model
        The model, for its processor.
    sizes
        Width and height of each image, in pixels.
    """
    return sufficient_side(model) if any(math.prod(size) > LARGE for size in sizes) else None


def _load(
    model: Model, cells: Any, chunk: Sequence[int], prompt: Prompt, side: int | None, digests: dict[str, str]
) -> tuple[list[Batch], dict[str, str]]:
    """Decode images and run the processor; images that fail in either are excluded, with the reason."""
    samples, images, broken = [], [], {}
    for k in chunk:
        cell = cells[k]
        digests[cell["id"]] = ""
        try:
            cell["image"], digests[cell["id"]] = image_digest(cell["image"])
            images.append(read_images(cell["image"], side))
            samples.append({"id": cell["id"], "captions": cell["captions"]})
        except DataError as error:
            reason = str(error)
            broken[cell["id"]] = reason if "cannot be read" in reason else f"The image cannot be read: {reason}"
    try:
        return prepare(model, samples, images, prompt), broken
    except REFUSALS:  # some image is too small or too narrow for the processor: find which
        fit = [k for k in range(len(samples)) if _fits(model, samples[k], images[k], prompt, broken)]
    return prepare(model, [samples[k] for k in fit], [images[k] for k in fit], prompt), broken


def _fits(model: Model, sample: dict[str, Any], image: Any, prompt: Prompt, broken: dict[str, str]) -> bool:
    try:
        prepare(model, [sample], [image], prompt)
    except REFUSALS as error:
        broken[sample["id"]] = f"The image cannot be read by the model's processor ({type(error).__name__}: {error})."
    return sample["id"] not in broken


def prepare(model: Model, samples: list[dict[str, Any]], images: list[Any], prompt: Prompt) -> list[Batch]:
    """Run the processor; a family whose responses change with padding gets one batch per prompt length.

    Parameters
    ----------
    model
        The model, for its processor.
    samples
        Id and captions of each image.
    images
        The decoded images.
    prompt
        The question, or the questions by sample id; the model's default where None.
    """
    if not samples:
        return []

    def run(samples: list[dict[str, Any]], images: list[Any]) -> dict[str, Any]:
        return model.prepare(images, [prompt[s["id"]] for s in samples] if isinstance(prompt, Mapping) else prompt)

    inputs = run(samples, images)
    lengths = inputs["attention_mask"].sum(1).tolist()
    if not model.equal_lengths or len(set(lengths)) == 1:
        return [Batch(samples, images, inputs)]
    groups = [[k for k, n in enumerate(lengths) if n == length] for length in sorted(set(lengths))]
    parts = [([samples[k] for k in g], [images[k] for k in g]) for g in groups]
    return [Batch(rows, own, run(rows, own)) for rows, own in parts]
