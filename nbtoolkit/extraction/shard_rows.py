"""What the JSON of a shard holds: its row with a checksum of its own, and what its rows depend on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import StudyError, first_line
from ..storage.schema import fields, map_of, matching, text, whole
from ..strict_json import read_json, with_checksum
from .probe import difference

COLUMNS = {"id": "text", "caption": "text", "position": "whole"}
PARTS = ("safetensors", "parquet")
_sha256 = matching("[0-9a-f]{64}", "64 hexadecimal digits")
ROW = fields(
    {"shard": whole(), "rows": whole(), "skipped": map_of(text), "sha256": fields(dict.fromkeys(PARTS, _sha256))},
    {"images": map_of(text), "extraction": _sha256, "check": _sha256},  # release 0.2 in development had none of them
)


def is_of(path: Path, extraction: str) -> bool:
    """Whether the row of a shard is of an extraction; one that is damaged beyond reading is of any, as it is made again.

    Parameters
    ----------
    path
        File of the row.
    extraction
        Checksum of the description of the extraction.
    """
    try:
        row = read_json(path, StudyError, inside=path.parent)
    except StudyError:
        return True
    if not isinstance(row, dict) or "sha256" not in row:
        return True
    return bool(row == with_checksum(row) and row.get("extraction") == extraction)


def compare(old: Mapping[str, Any], new: Mapping[str, Any], folder: Path) -> None:
    """Refuse a folder of another extraction, with the difference.

    Parameters
    ----------
    old, new
        What the rows there depend on, and what those of this extraction do.
    folder
        The folder, for the message.

    Raises
    ------
    StudyError
        A setting differs, or the states of the probe image do by more than rounding.
    """
    before, now = old.get("probe"), new.get("probe")
    changed = sorted(k for k in new.keys() | old.keys() if new.get(k) != old.get(k) and k != "probe")
    if changed or (before is None) != (now is None):
        texts = [f"{k}: {old.get(k)!r} there, {new.get(k)!r} now" for k in changed] or ["it has no probe image"]
        raise StudyError(
            f"{str(folder)!r} holds an extraction of something else ({'; '.join(texts)}). Choose another folder with out=."
        )
    try:
        change = difference(before, now, new["number format"]) if before and now else ""
    except Exception as error:  # a probe that others have written, of whatever types
        change = f"what it says of the probe image is damaged: {first_line(error)}"
    if change:
        raise StudyError(
            f"The shards in {str(folder)!r} were made by a model whose states differ ({change}), because an "
            "intervention, a hook, an adapter or a setting of the processor is another one. Restore it, or choose another "
            "folder with out=."
        )
