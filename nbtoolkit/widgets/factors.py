"""What a data set knows about the samples of a study beside images and captions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..storage.study import Study

NO_FACTORS = ("id", "image", "captions", "caption", "question", "response")
SIMPLE = ("string", "large_string", "bool", "int", "uint")  # types of the columns that are read
ABSENT = ""  # the value of a sample that has none
MAX_FACTORS = 32
MAX_VALUES = 1000  # different ones of a factor: each is an entry of a list in the page
MAX_TEXT = 200  # characters of a value


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
        Columns with one value only, with more than 1,000, or with texts of more than 200 characters are left out.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> model, data = nbt.load_model("toy"), nbt.load_data("toy", n=200)
    >>> study = nbt.study(model, data, "train", method=nbt.SemiNMF(4, random_state=0), progress=False)
    >>> "weather" in factors_of(study, data)
    True
    """
    from ..data.loading import captioned  # imports datasets

    def simple(feature: Any) -> bool:
        """Not an image, a recording or a list: reading them takes all memory."""
        if isinstance(feature, dict):
            return all(map(simple, feature.values()))
        return str(getattr(feature, "dtype", "")).startswith(SIMPLE)

    table = captioned(data)
    columns = [name for name, feature in table.features.items() if name not in NO_FACTORS and simple(feature)]
    if not columns:
        return {}
    part = table.select_columns(["id", *columns])
    row_of = {id: row for row, id in enumerate(part["id"])}
    rows = [row_of.get(s.id) for s in study.samples]
    present = part.select([row for row in rows if row is not None]).to_dict()
    values: dict[str, list[str]] = {}
    for name in columns:
        for key, texts in _texts(name, present[name]).items():
            entries = iter(texts)
            values[key] = [ABSENT if row is None else next(entries) for row in rows]
    several = {
        name: texts
        for name, texts in values.items()
        if 1 < len(set(texts)) <= MAX_VALUES and max(map(len, texts)) <= MAX_TEXT
    }
    return dict(list(several.items())[:MAX_FACTORS])


def _texts(name: str, cells: list[Any]) -> dict[str, list[str]]:
    """Factors of a column: itself, or the entries of its dicts."""
    if any(isinstance(cell, Mapping) for cell in cells):
        keys = dict.fromkeys(key for cell in cells if cell for key in cell)
        parts = {str(key): [(cell or {}).get(key) for cell in cells] for key in keys}
    else:
        parts = {name: cells}
    return {key: [ABSENT if value is None else str(value) for value in column] for key, column in parts.items()}
