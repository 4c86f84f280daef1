"""Several images per prompt: a family that takes one image is refused before a run, not in the middle of it."""

from __future__ import annotations

from typing import Any

from ..errors import DataError, NbtoolkitError, first_line
from .checks import UNREADABLE, noise_images

_ADVICE = "Give one image per row: split the rows, or join the images of a row into one"


def check_n_images(model: Any, n: int, prompt: str | None = None) -> None:
    """Check that a model reads several images per prompt: the last of them changes its logits.

    Parameters
    ----------
    model
        The adapter.
    n
        Number of images; one needs no check.
    prompt
        The prompt; the default prompt if None.

    Raises
    ------
    DataError
        The model takes one image per prompt, or fewer than ``n``.
    """
    if n <= 1:
        return
    images = noise_images(n + 1, uneven=False)
    try:
        logits = [
            model.forward(model.extend(model.inputs([[*images[: n - 1], last]], prompt), [[]])).logits[0, -1]
            for last in images[n - 1 :]
        ]
    except NbtoolkitError:
        raise
    except UNREADABLE as error:
        raise DataError(
            f"{model.name} cannot read {n} images per prompt ({type(error).__name__}: {first_line(error)}). {_ADVICE}."
        ) from error
    if bool((logits[0] == logits[1]).all()):
        raise DataError(
            f"{model.name} takes fewer than {n} images per prompt: the last one changes no logit. {_ADVICE}."
        )
