"""Targets joined into batches, and split into single ones: what was generated once is read in another batch."""

from __future__ import annotations

from collections.abc import Sequence

from ..data.images import read_images
from .batches import Batch
from .responses import BATCH
from .targets import Targets


def joined(parts: Sequence[Targets]) -> Targets:
    """Targets of several, in batches of at most 16 responses.

    Parameters
    ----------
    parts
        Of one model and token; at least one.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> many = nbt.targets(nbt.load_model("toy"), nbt.load_data("toy", n=40), "dog")
    >>> joined(single(many))
    Targets: 'dog' in 5 responses of toy
    """
    first = parts[0]
    rows = [part.image(i) for part in parts for i in range(len(part))]
    size = 1 if first.model.equal_lengths else BATCH
    batches = tuple(_batch(first, rows[start : start + size], start) for start in range(0, len(rows), size))
    captions = tuple(caption for part in parts for caption in part.captions)
    images, questions, _, _ = zip(*rows, strict=True)
    places = tuple(range(len(rows)))
    return Targets(first.model, first.token, places, captions, first.spellings, batches, images, questions)


def single(targets: Targets) -> list[Targets]:
    """Each of several targets alone.

    Parameters
    ----------
    targets
        The targets.
    """
    alone = []
    for index, caption in enumerate(targets.captions):
        row = targets.image(index)
        batch = _batch(targets, [row], 0)
        alone.append(
            Targets(targets.model, targets.token, (0,), (caption,), targets.spellings, (batch,), (row[0],), (row[1],))
        )
    return alone


def _batch(targets: Targets, rows: Sequence[tuple], start: int) -> Batch:
    """One batch of responses: rows of image, question, ids and place of the word."""
    images, questions, ids, spans = (list(column) for column in zip(*rows, strict=True))
    default = targets.model.prompt
    prompts = None if not any(questions) else [default if question is None else question for question in questions]
    return Batch(targets.model.inputs([read_images(image) for image in images], prompts), ids, spans, start)
