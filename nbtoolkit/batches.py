"""Batches of pictures for a model: decoded and preprocessed in a thread, one batch ahead of the model."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .data import picture_size, read_image
from .errors import Cancelled, DataError

if TYPE_CHECKING:
    from .models import Model

CANCELLED = "The extraction was cancelled; finished shards are kept: call extract again with the same out= to go on."
REFUSALS = (ValueError, TypeError, RuntimeError, IndexError, ZeroDivisionError)  # what processors raise


@dataclass
class Batch:
    """Pictures that the processor has seen: ``inputs`` are still on the CPU."""

    samples: list[dict[str, Any]]
    pictures: list[Any]
    inputs: dict[str, Any]


def batches(model: Model, cells: Any, prompt: str | None, size: int, skipped: dict[str, str],
            cancel: threading.Event | None = None) -> Iterator[Batch]:  # fmt: skip
    """Make batches of pictures of like size, hence of like length.

    Parameters
    ----------
    cells
        Rows of a data set with undecoded pictures.
    prompt, size
        What the model is asked, and pictures a batch.
    skipped
        Gets the id of every picture that cannot be read, with the reason.
    cancel
        When set, :class:`nbtoolkit.errors.Cancelled` is raised instead of the next batch.
    """
    ahead = copy.copy(model)  # a fast tokenizer cannot be used by two threads at once
    ahead.processor = copy.deepcopy(model.processor)
    order = sorted(range(len(cells)), key=lambda k: picture_size(cells[k]["image"]))
    chunks = [order[i : i + size] for i in range(0, len(order), size)]
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(_load, ahead, cells, chunks[0], prompt)
        for following in [*chunks[1:], None]:
            if cancel is not None and cancel.is_set():
                raise Cancelled(CANCELLED)
            ready, broken = coming.result()
            skipped |= broken
            if following:
                coming = thread.submit(_load, ahead, cells, following, prompt)
            yield from ready


def _load(model: Model, cells: Any, chunk: Sequence[int], prompt: str | None) -> tuple[list[Batch], dict[str, str]]:
    """Decode pictures and run the processor; pictures that one of them refuses are left out, with the reason."""
    samples, pictures, broken = [], [], {}
    for k in chunk:
        cell = cells[k]
        try:
            pictures.append(read_image(cell["image"]))
            samples.append({"id": cell["id"], "captions": cell["captions"]})
        except DataError as error:
            broken[cell["id"]] = str(error)
    try:
        return prepare(model, samples, pictures, prompt), broken
    except REFUSALS:  # some picture is too small or too narrow for the processor: find out which
        fit = [k for k in range(len(samples)) if _fits(model, samples[k], pictures[k], prompt, broken)]
    return prepare(model, [samples[k] for k in fit], [pictures[k] for k in fit], prompt), broken


def _fits(model: Model, sample: dict[str, Any], picture: Any, prompt: str | None, broken: dict[str, str]) -> bool:
    try:
        prepare(model, [sample], [picture], prompt)
    except REFUSALS as error:
        broken[sample["id"]] = f"The picture cannot be read by the model's processor ({type(error).__name__}: {error})."
    return sample["id"] not in broken


def prepare(model: Model, samples: list[dict[str, Any]], pictures: list[Any], prompt: str | None) -> list[Batch]:
    """Run the processor; a family whose answers change with padding gets a batch for each length."""
    if not samples:
        return []
    inputs = model.prepare(pictures, prompt)
    lengths = inputs["attention_mask"].sum(1).tolist()
    if not model.equal_lengths or len(set(lengths)) == 1:
        return [Batch(samples, pictures, inputs)]
    groups = [[k for k, n in enumerate(lengths) if n == length] for length in sorted(set(lengths))]
    parts = [([samples[k] for k in g], [pictures[k] for k in g]) for g in groups]
    return [Batch(some, seen, model.prepare(seen, prompt)) for some, seen in parts]
