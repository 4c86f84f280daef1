"""Conversations about images, as LLaVA is trained on: the question and the response of the first exchange."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ...errors import DataError
from .captions import identifier
from .listings import ImageFolder, Rows, first_image_exists

_ROLES = {"human": "question", "user": "question", "gpt": "response", "assistant": "response"}
_PLACEHOLDER = re.compile(r"\s*<image>\s*")


def is_conversation(entry: Any) -> bool:
    """Whether an entry of a JSON file is a conversation.

    Parameters
    ----------
    entry
        The entry.
    """
    return isinstance(entry, Mapping) and isinstance(entry.get("conversations"), list)


def read_conversations(path: Path, entries: Iterable[Any], images: Path | None) -> Rows:
    """Rows of a conversation file: images, the first question, and as caption the first response.

    Entries without an image, which such files have for training on text, are left out. An id that occurs again gets the
    suffix ``#2``, ``#3``, ….

    Parameters
    ----------
    path
        The file.
    entries
        Its entries: ``{"id", "image", "conversations": [{"from": "human", "value": …}, {"from": "gpt", "value": …}]}``;
        ``image`` may be a list.
    images
        Folder of the images; the file's own folder where not given.

    Raises
    ------
    DataError
        An entry is no conversation, or names an image outside the folder; or no entry has an image.
    """
    folder, rows, occurrences = ImageFolder(images or path.parent), Rows(), Counter[str]()
    for number, entry in enumerate(entries):
        place = f"{path}, conversation {number}"
        if not is_conversation(entry):
            raise DataError(f"{place} has no list 'conversations'; expected one per image, as in the others.")
        names = entry.get("image", entry.get("images"))
        if not names:
            continue
        files, _ = folder.files(names, place)
        question, response = _first_exchange(entry["conversations"], place)
        key = name = identifier(entry.get("id"), place) or str(number)
        occurrences[name] += 1
        while key in rows:
            key = f"{name}#{occurrences[name]}"
            occurrences[name] += key in rows
        rows[key] = {"image": files, "captions": [response], "question": question}
    if not rows:
        raise DataError(
            f"{path} has no conversation about an image; expected entries with 'image' and 'conversations'."
        )
    first_image_exists(rows, path)
    return rows


def _first_exchange(turns: list[Any], place: str) -> tuple[str, str]:
    parts: dict[str, str] = {}
    for turn in turns:
        if isinstance(turn, Mapping):
            role = _ROLES.get(str(turn.get("from", turn.get("role"))))
            text = turn.get("value", turn.get("content"))
            if role is not None and isinstance(text, str):
                parts.setdefault(role, _PLACEHOLDER.sub(" ", text).strip())
    if len(parts) < 2:
        raise DataError(
            f"{place} lacks a turn; expected one from 'human' and one from 'gpt', each with a text as 'value'."
        )
    return parts["question"], parts["response"]
