"""Feature files of xl-vlms, the code of the paper's authors, as representations."""

from __future__ import annotations

import os
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import StudyError, first_line
from ..files import exists, regular_file, user_path
from ..strict_json import encodable
from ..types import Representations, Source
from ..types.arguments import checked

_WIDEST = 1 << 20  # coordinates of a state
_EXTRA = 256 << 20  # bytes beyond twice the file's size
_FINAL_NORMS = ("norm", "ln_f", "final_layernorm", "final_layer_norm")
_AFTER_NORM = (
    "the last layer is the output of the final norm, as hooked by xl-vlms; l = raw output of block l otherwise"
)


@checked
def read_xl_vlms(
    path: str | os.PathLike[str], token: str = "", *, model: str = "", n_layers: int | None = None
) -> Representations:
    """Read a feature file of xl-vlms (``…/features/save_hidden_states_for_token_of_interest_….pth``) without unpickling.

    Parameters
    ----------
    path
        The ``.pth`` file.
    token, model
        The token and the checkpoint, which the file does not name.
    n_layers
        Number of blocks of the model; needed where only the final norm was hooked, or to count layers from the end.

    Returns
    -------
    Representations
        One row per sample whose ``token_of_interest_mask`` is true: ``sample_ids`` are the image files (numbered where
        they repeat), ``captions`` the model's predictions, ``positions`` -1 (not recorded). Module ``….layers.31`` is
        layer 32 here; the final norm is the last layer, and ``source.layer_convention`` says so.

    Raises
    ------
    StudyError
        The file is missing or another kind of file, holds objects that only unpickling could read, or whole sequences.

    References
    ----------
    github.com/mshukor/xl-vlms, docs/saved_feature_structure.md.

    Examples
    --------
    >>> read_xl_vlms("nowhere.pth")
    Traceback (most recent call last):
    nbtoolkit.errors.StudyError: There is no file 'nowhere.pth'.
    """
    file = user_path(path, StudyError)
    if not exists(file):
        raise StudyError(f"There is no file {str(file)!r}.")
    if n_layers is not None and n_layers < 1:
        raise StudyError(f"n_layers is {n_layers!r}; expected a whole number of at least 1, or None.")
    content = _load(file)
    rows = content["hidden_states"]
    n = len(rows)
    images = _texts(content, "image", n, file) or [str(i) for i in range(n)]
    captions = _texts(content, "model_predictions", n, file) or [""] * n
    mask = _mask(content.get("token_of_interest_mask"), n, file)
    modules = _layers(rows[0], n_layers, file)
    if n_layers is not None and n_layers < max(modules):
        raise StudyError(
            f"n_layers is {n_layers}; {str(file)!r} holds layer {max(modules)}. Give the number of blocks of the model."
        )
    masked = [i for i in range(n) if mask[i]]
    if not masked:
        raise StudyError(f"{str(file)!r} has {n} samples, none of which contains the token of interest.")
    for i in masked:
        if rows[i].keys() != rows[0].keys():
            raise StudyError(
                f"Sample {i} of {str(file)!r} has the modules {sorted(rows[i])}; expected those of the first one, {sorted(rows[0])}."
            )
    vectors = [[_vector(rows[i][m], m, file) for m in modules.values()] for i in masked]
    widths = {len(vector) for row in vectors for vector in row}
    if len(widths) != 1:
        raise StudyError(f"{str(file)!r} holds vectors of the widths {sorted(widths)}; expected one width, d_model.")
    states = np.stack([np.stack(row) for row in vectors])
    convention = (
        Source.layer_convention if not any(m.split(".")[-1] in _FINAL_NORMS for m in modules.values()) else _AFTER_NORM
    )
    source = Source(model=model, token=token, decoding="xl-vlms", layer_convention=convention, n_candidates=n)
    return Representations(
        states,
        tuple(_unique([images[i] for i in masked])),
        tuple(captions[i] for i in masked),
        (-1,) * len(masked),
        layers=tuple(modules),
        n_layers=n_layers or max(modules),
        source=source,
        skipped={images[i]: f"the token is not in the response {captions[i]!r}" for i in range(n) if not mask[i]},
    )


def _layers(row: dict[str, Any], n_layers: int | None, file: Path) -> dict[int, str]:
    """Layer in our convention to module name, ascending; a hooked final norm stands for the last layer if its block is missing."""
    modules = {int(m[1]) + 1: name for name in row if (m := re.search(r"\.(\d+)$", name))}
    norms = [name for name in row if name.split(".")[-1] in _FINAL_NORMS]
    if norms and not modules and n_layers is None:
        raise StudyError(
            f"{str(file)!r} holds {norms[0]!r}, the final norm, only; give the number of blocks of the model: read_xl_vlms(…, n_layers=32)."
        )
    if norms:
        modules.setdefault(n_layers or max(modules) + 1, norms[0])
    if not modules:
        raise StudyError(
            f"{str(file)!r} holds the modules {sorted(row)}; expected decoder blocks ('….layers.31') or the final norm ('….norm')."
        )
    return dict(sorted(modules.items()))


def _vector(tensor: Any, module: str, file: Path) -> np.ndarray:
    shape = tuple(tensor.shape)
    if tensor.ndim > 1 and int(np.prod(shape[:-1])) != 1:
        raise StudyError(
            f"{str(file)!r} holds {shape} at {module!r}; expected one position per sample (1, 1, d_model): save with the hook "
            "save_hidden_states_for_token_of_interest."
        )
    if not 0 < tensor.numel() <= _WIDEST or not tensor.is_floating_point() or tensor.layout != torch.strided:
        raise StudyError(
            f"{str(file)!r} holds {shape}, {tensor.dtype}, at {module!r}; expected up to {_WIDEST:,} floating-point numbers."
        )
    return np.asarray(tensor.detach().float().reshape(-1).numpy(), dtype=np.float32)


def _load(file: Path) -> dict[str, Any]:
    """Content of the file, with hidden states that are tensors by module name."""
    size = regular_file(file, StudyError).stat().st_size
    try:
        whole = 0
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                whole = sum(entry.file_size for entry in archive.infolist())
        if whole > _EXTRA + 2 * size:
            raise ValueError(f"it has {size:,} bytes and {whole:,} uncompressed")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch, about types of storage
            content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # pickle, zip and torch have many ways to say no
        raise StudyError(
            f"{str(file)!r} cannot be read without running code that is in it, so it is not read ({first_line(error)}). "
            "Expected tensors, lists and texts only; analysis files of xl-vlms with a fitted scikit-learn model are of another kind."
        ) from error
    rows = content.get("hidden_states") if isinstance(content, dict) else None
    if not isinstance(rows, list | tuple) or not rows:
        keys = sorted(map(str, content)) if isinstance(content, dict) else type(content).__name__
        raise StudyError(
            f"{str(file)!r} has {keys}; expected 'hidden_states', 'image', 'model_predictions', as saved by save_features.py of xl-vlms."
        )
    for i, row in enumerate(rows):
        if not isinstance(row, dict) or not all(
            isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in row.items()
        ):
            raise StudyError(f"Sample {i} of {str(file)!r} is {type(row).__name__}; expected tensors by module name.")
    return content


def _texts(content: dict[str, Any], name: str, n: int, file: Path) -> list[str]:
    """Texts of a list, each of which may be in a list of its own; none where the file has no such list."""
    values = content.get(name)
    if values is None or (isinstance(values, list) and not values):
        return []
    if not isinstance(values, list) or len(values) != n:
        count = len(values) if isinstance(values, list) else type(values).__name__
        raise StudyError(f"{str(file)!r} has {n} hidden states and {count} of {name!r}; expected as many of each.")
    texts = [value[0] if isinstance(value, list | tuple) and value else value for value in values]
    for i, value in enumerate(texts):
        if not isinstance(value, str | int | float):
            raise StudyError(f"{name!r} of sample {i} in {str(file)!r} is {type(value).__name__}; expected a text.")
    return [encodable(str(value)) for value in texts]


def _mask(values: Any, n: int, file: Path) -> list[bool]:
    """Which samples contain the token of interest; all where the file does not say."""
    if values is None:
        return [True] * n
    try:
        mask = [bool(np.asarray(value).all()) for value in values]
    except (TypeError, ValueError, RuntimeError) as error:
        raise StudyError(
            f"'token_of_interest_mask' in {str(file)!r} is no list of true and false ({first_line(error)})."
        ) from error
    if len(mask) != n:
        raise StudyError(f"{str(file)!r} has {n} hidden states and {len(mask)} masks; expected as many of each.")
    return mask


def _unique(names: list[str]) -> list[str]:
    counts: dict[str, int] = {}
    unique = []
    for name in names:
        counts[name] = counts.get(name, 0) + 1
        unique.append(name if counts[name] == 1 else f"{name}#{counts[name]}")
    return unique
