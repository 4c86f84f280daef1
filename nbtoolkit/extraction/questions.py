"""Questions: one per image from a list, a mapping, or a column of the data; checked before an image is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import DataError
from ..models.several_images import check_n_images

_CONTENT = ("id", "image", "captions")  # columns that hold no questions


def check_prompts(model: Any, prompt: str | None, questions: Mapping[str, str], n_images: Sequence[int]) -> str:
    """Rendered prompt of an extraction, once every question and number of images is one that the model can use.

    Parameters
    ----------
    model
        The model.
    prompt
        The question of every image; the model's default where None. Not used where there are questions.
    questions
        The questions by sample id, where every image has its own.
    n_images
        Number of images of every candidate.

    Returns
    -------
    str
        The prompt with as many images as the row with most has; ``{question}`` stands for the questions.

    Raises
    ------
    DataError
        The model cannot use a question, or that many images.
    """
    counts = sorted({max(1, n) for n in n_images})
    texts: list[str | None] = [*sorted(set(questions.values()))] or [prompt]
    check_n_images(model, counts[-1], texts[0])
    for question in texts:
        for n in counts:
            model.text(question, n)  # refused here, before any image is read
    return str(model.text("{question}" if questions else prompt, counts[-1]))


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
