"""Feature files of xl-vlms, the code of the paper's authors, as representations."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import StudyError, first_line
from ..types import Representations, Source
from ..types.arguments import checked

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
    file = Path(path)
    if not file.is_file():
        raise StudyError(f"There is no file {str(file)!r}.")
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # pickle, zip and torch have many ways to say no
        raise StudyError(
            f"{str(file)!r} cannot be read without running code that is in it, so it is not read ({first_line(error)}). "
            "Expected tensors, lists and texts only; analysis files of xl-vlms with a fitted scikit-learn model are of another kind."
        ) from error
    if not isinstance(content, dict) or "hidden_states" not in content or not content["hidden_states"]:
        keys = sorted(content) if isinstance(content, dict) else type(content).__name__
        raise StudyError(
            f"{str(file)!r} has {keys}; expected 'hidden_states', 'image', 'model_predictions', as saved by save_features.py of xl-vlms."
        )
    rows = content["hidden_states"]
    n = len(rows)
    images = [_text(v) for v in content.get("image", [])] or [str(i) for i in range(n)]
    captions = [_text(v) for v in content.get("model_predictions", [])] or [""] * n
    mask = [bool(np.asarray(m).all()) for m in content.get("token_of_interest_mask", [True] * n)]
    if not len(images) == len(captions) == len(mask) == n:
        raise StudyError(
            f"{str(file)!r} has {n} hidden states, {len(images)} images, {len(captions)} predictions and {len(mask)} masks; expected as many of each."
        )
    modules = _layers(rows[0], n_layers, file)
    masked = [i for i in range(n) if mask[i]]
    if not masked:
        raise StudyError(f"{str(file)!r} has {n} samples, none of which contains the token of interest.")
    states = np.stack([np.stack([_vector(rows[i][m], m, file) for m in modules.values()]) for i in masked])
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
    return np.asarray(tensor.float().reshape(-1).numpy(), dtype=np.float32)


def _text(value: Any) -> str:
    return str(value[0] if isinstance(value, list | tuple) and value else value)


def _unique(names: list[str]) -> list[str]:
    counts: dict[str, int] = {}
    unique = []
    for name in names:
        counts[name] = counts.get(name, 0) + 1
        unique.append(name if counts[name] == 1 else f"{name}#{counts[name]}")
    return unique
