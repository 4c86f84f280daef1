"""The columns of captioned images, whatever a file calls them."""

from __future__ import annotations

from collections.abc import Iterable

from ...errors import DataError

COLUMNS = {
    "image": (
        *("image", "images", "img", "picture", "photo", "jpg"),
        *("image_path", "image_name", "file_name", "filename", "filepath", "path"),
    ),
    "captions": ("captions", "caption", "sentences", "text", "texts", "description", "comment"),
    "id": ("id", "image_id", "cocoid", "sample_id", "key"),
}


def find_column(role: str, columns: Iterable[str], name: str | None) -> str | None:
    """Column of a role: the named one, which must exist, or the first usual name; None where there is none.

    Parameters
    ----------
    role
        ``"image"``, ``"captions"`` or ``"id"``.
    columns
        Names of the columns that there are.
    name
        The column that the caller named, or None.

    Raises
    ------
    DataError
        The named column does not exist.
    """
    columns = list(columns)
    if name is not None and name not in columns:
        raise DataError(f"There is no column {name!r} for the {role}; the columns are {columns}.")
    return name or next((c for c in COLUMNS[role] if c in columns), None)
