"""How many images of a batch fit in memory, measured where the sizes of the model do not settle it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..models.memory import SHARE, PeakMemory, available_memory, rough_bytes, tensor_bytes

if TYPE_CHECKING:
    from ..models import Model

MARGIN = 3  # the rough bound is trusted if so many times of it fit
LONGER = 1.25  # a measurement holds for prompts that are at most so much longer
DECODED = 24  # bytes per pixel: the image, and a processor's copies of it as numbers


class BatchLimit:
    """The number of images of a batch that fit in the memory that is available now.

    A rough bound by the model's sizes settles most runs. Where it does not, the first image of a batch is read alone, its
    memory is measured, and the following batches are as large as fits.

    Parameters
    ----------
    model
        The model.
    max_new_tokens
        Length limit of a response, in tokens.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> model = nbt.load_model("toy")
    >>> BatchLimit(model, 40).images(model.prepare(nbt.load_data("toy", n=1)["image"]), 32)
    32
    """

    def __init__(self, model: Model, max_new_tokens: int) -> None:
        self.model, self.max_new_tokens = model, max_new_tokens
        self._bytes, self._length = 0, 0

    def images(self, inputs: dict[str, Any], most: int) -> int:
        """Images per batch: ``most`` or fewer, and 1 where memory is to be measured first.

        Parameters
        ----------
        inputs
            Inputs of the batch, from :meth:`nbtoolkit.models.Model.prepare`.
        most
            Images per batch that the caller wants.
        """
        available = available_memory(self.model.device)
        n, length = inputs["input_ids"].shape
        if (
            available is None
            or most == 1
            or MARGIN * rough_bytes(self.model, inputs, self.max_new_tokens) <= available * most / max(n, most)
        ):
            return most
        if not self._bytes or length > LONGER * self._length:
            return 1
        needed = self._bytes * max(1.0, length / self._length)
        return max(1, min(most, int(SHARE * available / needed)))

    @contextlib.contextmanager
    def reading(self, inputs: dict[str, Any], measured: bool) -> Iterator[None]:
        """Measure the memory of the pass in the block, if it reads a single image whose memory matters.

        Parameters
        ----------
        inputs
            Inputs of the pass.
        measured
            Whether the limit was below the batch size that was asked for.
        """
        n, length = inputs["input_ids"].shape
        if not measured or n != 1 or length <= LONGER * self._length:
            yield
            return
        with PeakMemory() as memory:
            yield
        self._bytes, self._length = memory.peak + 2 * tensor_bytes(inputs), length


def chunks(order: Sequence[int], pixels: Sequence[int], size: int, available: int | None) -> list[list[int]]:
    """Rows of each batch: at most ``size``, and no more decoded images than a quarter of the memory holds.

    Parameters
    ----------
    order
        Rows in the order of reading.
    pixels
        Number of pixels of each row's image.
    size
        Images per batch.
    available
        Bytes that are available; None where the system does not tell.

    Examples
    --------
    >>> chunks([0, 1, 2], [10, 10, 30], 2, 40 * DECODED * 4)
    [[0, 1], [2]]
    """
    room = float("inf") if available is None else available / 4 / DECODED
    result: list[list[int]] = []
    held = 0
    for k in order:
        held += pixels[k]
        if not result or len(result[-1]) == size or held > room:
            result.append([])
            held = pixels[k]
        result[-1].append(k)
    return result
