"""What a data set knows about the samples of a study beside images and captions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..storage.study import Study

NO_FACTORS = ("id", "image", "captions", "caption", "question", "response")
ABSENT = ""  # the value of a sample that has none
MAX_FACTORS = 32


def factors_of(study: Study, data: Any) -> dict[str, list[str]]:
    """Texts, numbers and dicts of texts in the further columns of a data set, for the samples of a study.

    Parameters
    ----------
    study
        The study.
    data
        Its data set, as :func:`nbtoolkit.load_data` gives it.

    Returns
    -------
    dict
        At most 32 names, each with one text per sample, in the order of ``study.samples``; empty where a sample has none.
        Columns with one value only are left out.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> model, data = nbt.load_model("toy"), nbt.load_data("toy", n=200)
    >>> study = nbt.study(model, data, "train", method=nbt.SemiNMF(4, random_state=0), progress=False)
    >>> "weather" in factors_of(study, data)
    True
    """
    from ..data.loading import captioned  # imports datasets

    table = captioned(data)
    columns = [name for name in table.column_names if name not in NO_FACTORS]
    if not columns:
        return {}
    part = table.select_columns(["id", *columns])
    row_of = {id: row for row, id in enumerate(part["id"])}
    rows = [row_of.get(s.id) for s in study.samples]
    present = part.select([row for row in rows if row is not None]).to_dict()
    n = sum(row is not None for row in rows)
    values: dict[str, list[str]] = {}
    for name in columns:
        for key, texts in _texts(name, present[name], n).items():
            entries = iter(texts)
            values[key] = [ABSENT if row is None else next(entries) for row in rows]
    several = {name: texts for name, texts in values.items() if len(set(texts)) > 1}
    return dict(list(several.items())[:MAX_FACTORS])


def _texts(name: str, cells: list[Any], n: int) -> dict[str, list[str]]:
    """Factors of a column: itself, the entries of its dicts, or none."""
    if any(isinstance(cell, Mapping) for cell in cells):
        keys = dict.fromkeys(key for cell in cells if cell for key in cell)
        parts = {str(key): [(cell or {}).get(key) for cell in cells] for key in keys}
    else:
        parts = {name: cells}
    plain = (str, int, bool, type(None))
    return {
        key: [ABSENT if value is None else str(value) for value in column]
        for key, column in parts.items()
        if len(column) == n and all(isinstance(value, plain) for value in column)
    }
