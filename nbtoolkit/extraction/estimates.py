"""What a run will take: positions per image, memory and time, measured on a few images of the data."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from ..data.images import image_size, read_images
from ..data.loading import captioned, raw_images
from ..errors import DataError, ModelError
from ..models.budget import image_positions, limited
from ..models.generation import greedy, teacher_forced
from ..models.hooks import LastPosition
from ..models.memory import SHARE, PeakMemory, available_memory, tensor_bytes, weight_bytes
from ..progress import note
from ..types.arguments import checked
from .image_batches import REFUSALS, decoding_side
from .options import ReadingOptions, reading_options
from .reader import AUTO

if TYPE_CHECKING:
    from ..models import Model

STEPS = 3  # steps of generation that are timed
PATIENCE = 10.0  # seconds that the timed batch may take, and images in it
BATCH = 8
LONG = 600.0  # seconds from which a run gets advice
SPEED = {"cpu": 3e10, "cuda": 3e13}  # operations per second, to tell which runs are worth an estimate
ANNOUNCED = 120.0  # seconds at this speed


@dataclass(frozen=True)
class Estimate:
    """What a run will take; prints as one line.

    Attributes
    ----------
    n_images
        Images of the run.
    positions
        Image positions per image: the mean of the images that were measured.
    seconds_per_image
        Time per image in a batch, with responses of full length.
    bytes_per_image
        Memory per image in a batch, beside the weights.
    bytes_of_weights
        Memory of the model's weights.
    bytes_available
        Memory that is available now; None where the system does not tell.
    batch_size
        Images per batch that fit; 0 if a single one does not.
    advice
        What to do if the run is long or does not fit; else empty.
    """

    n_images: int
    positions: int
    seconds_per_image: float
    bytes_per_image: int
    bytes_of_weights: int
    bytes_available: int | None
    batch_size: int
    advice: str = ""

    @property
    def seconds(self) -> float:
        """Time of the whole run."""
        return self.n_images * self.seconds_per_image

    def __str__(self) -> str:
        room = "" if self.bytes_available is None else f" of {_size(self.bytes_available)} available"
        line = (
            f"{self.positions:,} positions per image; at most {_time(self.seconds)} for {self.n_images:,} images "
            f"({_time(self.seconds_per_image)} each) in batches of {self.batch_size}; {_size(self.bytes_per_image)} per image{room}"
        )
        return f"{line}; {self.advice}" if self.advice else line


@checked
def estimate(model: Model, data: Any, *, options: ReadingOptions | None = None, **reading: Any) -> Estimate:
    """Measure on a few images of the data what reading all of them will take, for this model on this machine.

    One pass over one image measures memory, one over at most eight measures time.

    Parameters
    ----------
    model
        A model of :func:`nbtoolkit.load_model`.
    data
        Captioned images: what :func:`nbtoolkit.load_data` returns, or what it takes.
    options
        Reading options as one object.
    **reading
        Single reading options by name, as for :func:`nbtoolkit.extract`.

    Returns
    -------
    Estimate
        Prints as one line; ``positions``, ``seconds``, ``bytes_per_image``, ``batch_size``, ``advice``.

    Raises
    ------
    DataError
        The data hold no image that can be read.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> estimate(nbt.load_model("toy"), nbt.load_data("toy", n=20)).positions
    64
    """
    chosen = reading_options(options, reading)
    raw = raw_images(captioned(data))
    if chosen.max_image_tokens is not None:
        model = limited(model, chosen.max_image_tokens)
    return measure(model, raw, range(len(raw)), chosen)


def measure(model: Model, raw: Any, rows: Sequence[int], options: ReadingOptions) -> Estimate:
    """Estimate the reading of given rows; see :func:`estimate`.

    Parameters
    ----------
    model
        The model.
    raw
        The data set with undecoded images.
    rows
        Rows that will be read.
    options
        The reading options.
    """
    images, prepared = _images(model, raw, rows)
    inputs, positions = prepared[0], [n for one in prepared for n in image_positions(model, one)]
    with PeakMemory() as memory:
        once = _seconds(model, images[:1], options)
    taken, available = memory.peak + 2 * tensor_bytes(inputs), available_memory(model.device)
    size = AUTO if options.batch_size == "auto" else int(options.batch_size)
    size = size if available is None else min(size, int(SHARE * available / taken))
    timed = min(BATCH, len(images), max(1, size), max(1, int(PATIENCE / once))) if not model.equal_lengths else 1
    seconds = _seconds(model, images[:timed], options) / timed
    result = Estimate(
        len(rows),
        round(sum(positions) / len(positions)),
        seconds,
        taken,
        weight_bytes(model.hf),
        available,
        size,
    )
    return replace(result, advice=_advice(model, images[:timed], options, result))


def announce(model: Model, raw: Any, rows: Sequence[int], options: ReadingOptions, progress: Any) -> None:
    """Print the estimate of a long run beside its progress bar, or log it where the caller has a function for progress.

    Nothing is measured where progress is not asked for, or where the sizes of the model tell that the run is short.

    Parameters
    ----------
    model, raw, rows, options
        As for :func:`measure`.
    progress
        As for :func:`nbtoolkit.extract`.
    """
    if progress is False or not _worth(model, raw, rows, options):
        return
    note(progress, f"{model.name}: {measure(model, raw, rows, options)}")


def _worth(model: Model, raw: Any, rows: Sequence[int], options: ReadingOptions) -> bool:
    try:
        _, (inputs,) = _images(model, raw, rows, 1)
    except DataError:
        return False  # the run itself says which images cannot be read
    weights = sum(p.numel() for p in model.hf.parameters())
    length = inputs["input_ids"].shape[1] + options.max_new_tokens
    speed = SPEED.get(str(model.device.type), SPEED["cuda"])
    return 2.0 * weights * length * len(rows) / speed > ANNOUNCED


def _images(model: Model, raw: Any, rows: Sequence[int], n: int = BATCH) -> tuple[list[Any], list[dict[str, Any]]]:
    """Some images of the rows that can be read, from evenly spaced places, and the model's inputs of each."""
    images: list[Any] = []
    prepared: list[dict[str, Any]] = []
    for i in [*rows[:: max(1, len(rows) // n)], *rows]:
        try:
            cell = raw[i]["image"]
            image = read_images(cell, decoding_side(model, [image_size(cell)]))
            prepared.append(model.prepare([image]))
        except REFUSALS:
            continue
        images.append(image)
        if len(images) == n:
            break
    if not images:
        raise DataError(f"None of the {len(rows)} images can be read; expected at least one. Check the data.")
    return images, prepared


def _seconds(model: Model, images: Sequence[Any], options: ReadingOptions) -> float:
    """Time to preprocess and read images, with responses of full length: a few steps are timed, and the rest added."""
    start = time.perf_counter()
    inputs = model.inputs(images)
    prepared = time.perf_counter() - start
    if options.decoding != "greedy":
        teacher_forced(model, inputs, [[] for _ in images], [model.n_layers])
        _finish(model)
        passes = 2 if options.where == "visual" else 1
        return prepared + passes * (time.perf_counter() - start - prepared)
    steps = _Clock(model, min(STEPS, options.max_new_tokens))
    greedy(model, inputs, steps)
    first = steps.times[0] - start - prepared
    later = (steps.times[-1] - steps.times[0]) / max(1, len(steps.times) - 1)
    return prepared + first + later * (options.max_new_tokens - 1)


class _Clock(LastPosition):
    """Keeps the time at which each step of generation has passed the last block."""

    def __init__(self, model: Model, n_steps: int) -> None:
        super().__init__([model.n_layers], n_steps)
        self.model, self.times = model, list[float]()

    def __call__(self, layer: int, states: Any) -> None:
        super().__call__(layer, states)
        if layer == self.model.n_layers:
            _finish(self.model)
            self.times.append(time.perf_counter())


def _finish(model: Model) -> None:
    if model.device.type == "cuda":
        torch.cuda.synchronize(model.device)


def _advice(model: Model, images: Sequence[Any], options: ReadingOptions, now: Estimate) -> str:
    """One clause for a run that is long or does not fit: what a smaller image, or another number format, would save."""
    if now.batch_size >= 1 and now.seconds < LONG:
        return ""
    for budget in (now.positions // 4, now.positions // 2):
        try:
            smaller = limited(model, max(1, budget))
        except ModelError:
            continue
        ratio = _seconds(smaller, images, options) / len(images) / now.seconds_per_image
        if ratio < 0.9:
            return f"max_image_tokens={budget} would take {round(100 * ratio)} % of the time"
    if now.batch_size < 1:
        return "a single image does not fit: load the model with dtype='bfloat16', or choose a smaller one"
    return "take fewer images (n=), shorter responses (max_new_tokens=), or a GPU"


def _time(seconds: float) -> str:
    for limit, unit, name in ((3600, 3600, "h"), (60, 60, "min"), (1, 1, "s")):
        if seconds >= limit:
            return f"{seconds / unit:.1f} {name}"
    return f"{1000 * seconds:.0f} ms"


def _size(n: int) -> str:
    return f"{n / 1e9:.1f} GB" if n >= 1e9 else f"{n / 1e6:.1f} MB"
