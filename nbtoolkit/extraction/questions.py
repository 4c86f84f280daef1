"""A question per image: from a list, a mapping, or a column of the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import DataError

_CONTENT = ("id", "image", "captions")  # columns that hold no questions


def questions_by_id(prompt: Any, data: Any, rows: Sequence[int]) -> dict[str, str]:
    """Questions by sample id; empty where every image has the same question.

    Parameters
    ----------
    prompt
        As of :class:`nbtoolkit.extraction.ReadingOptions`. A text is the name of a column where the data have such a
        column, and a question otherwise.
    data
        The data set.
    rows
        Rows whose questions are wanted.

    Raises
    ------
    DataError
        Another number of questions than of images, an image without a question, or a question that is no text.
    """
    ids = data["id"]
    if isinstance(prompt, str) and prompt in data.column_names and prompt not in _CONTENT:
        column = data[prompt]
        result = {ids[k]: column[k] for k in rows}
    elif isinstance(prompt, Mapping):
        absent = next((ids[k] for k in rows if ids[k] not in prompt), None)
        if absent is not None:
            raise DataError(f"prompt has no question for the sample {absent!r}; expected one per image.")
        result = {ids[k]: prompt[ids[k]] for k in rows}
    elif isinstance(prompt, Sequence) and not isinstance(prompt, str):
        if len(prompt) != len(ids):
            raise DataError(
                f"prompt has {len(prompt)} questions for {len(ids)} images; expected one per image of the data."
            )
        result = {ids[k]: prompt[k] for k in rows}
    else:
        return {}
    for sample, question in result.items():
        if not isinstance(question, str) or not question.strip():
            raise DataError(f"The question of the sample {sample!r} is {question!r}; expected a text.")
    return result
