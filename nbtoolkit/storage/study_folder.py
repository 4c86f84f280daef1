"""The folder of a study, written whole or not at all.

``study.json`` (what and how), ``states.safetensors`` (one tensor per layer), ``dictionaries.safetensors``,
``samples.parquet``, ``grounding.parquet``, and ``manifest.json`` with the SHA-256 of each. Nothing is pickled.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import StudyError
from ..files import disk_errors, user_path
from ..types import ConceptDictionary, Grounding, Scores
from .estimators import dump_encoder
from .files import new_folder, plain, sha256, write_json, write_stacked, write_table, write_tensors
from .study_json import FORMAT, tagged
from .study_reader import KINDS, LOGITS, SAMPLE


def write_study(study: Any, path: str | os.PathLike[str], *, overwrite: bool = True) -> Path:
    """Write a study as a folder; a study that is already there is replaced once the new one is complete.

    Parameters
    ----------
    study
        A :class:`nbtoolkit.storage.study.Study`.
    path
        The folder.
    overwrite
        Whether an existing study may be replaced.

    Raises
    ------
    StudyError
        ``path`` exists and is not a study, ``overwrite`` is false and it exists, or the disk is full or read-only.
    """
    target = user_path(path)
    advice = "What was there stays. Make room, or choose another path."
    _check(study)
    with disk_errors("The study", target, StudyError, advice):
        if target.exists():
            if not overwrite:
                raise StudyError(f"{str(target)!r} exists already; choose another path or pass overwrite=True.")
            if not (target / "study.json").exists():
                raise StudyError(
                    f"{str(target)!r} exists and is not a study; nothing was written. Choose another path."
                )
        target.parent.mkdir(parents=True, exist_ok=True)
        _write(study, target)
    return target


def _check(study: Any) -> None:
    """Refuse what could not be opened again."""
    n, dictionaries = len(study.representations), study.dictionaries
    if len(study.samples) != n or any(len(cd.sample_ids) != n for cd in dictionaries.values()):
        raise StudyError(
            f"The study has {n} rows of states and {len(study.samples)} samples; expected as many of each, and of activations in "
            "every dictionary. Make it with nbt.study(…)."
        )
    for layer, cd in dictionaries.items():
        words = len(study.groundings[layer].words) if layer in study.groundings else 0
        if words != cd.n_concepts:
            raise StudyError(
                f"The grounding of layer {layer} has {words} concepts; expected {cd.n_concepts}, as in its dictionary. "
                "Ground the dictionary: nbt.ground(…)."
            )
    for s in study.samples:
        if s.position < -1 or (s.pieces and s.position >= len(s.pieces)):
            raise StudyError(
                f"The sample {s.id!r} has position {s.position}; expected the index of one of its {len(s.pieces)} pieces."
            )


def _as_stored(states: np.ndarray) -> np.ndarray:
    return states if states.dtype in (np.float16, np.float32) else states.astype(np.float32)


def _floats(array: np.ndarray) -> np.ndarray:
    return array if array.dtype.kind == "f" else array.astype(np.float32)


def _write(study: Any, target: Path) -> None:
    groundings = {layer: study.groundings[layer] for layer in study.dictionaries}
    with new_folder(target) as folder:
        reps = study.representations
        states = {f"layer.{i:03d}": [_as_stored(reps.states[:, k])] for k, i in enumerate(reps.layers)}
        write_stacked(folder / "states.safetensors", states)
        methods = _write_dictionaries(folder, study.dictionaries)
        write_table(folder / "samples.parquet", _sample_columns(study))
        write_table(folder / "grounding.parquet", _grounding_columns(groundings))
        about = {
            "format": FORMAT,
            "token": study.token,
            "source": plain(asdict(study.source)),
            "n_layers": reps.n_layers,
            "filters": {layer: g.filter for layer, g in groundings.items()},
            "naming": {layer: asdict(g.naming) for layer, g in groundings.items()},
            "skipped": dict(reps.skipped),
            "occurrences": list(reps.occurrences) if any(reps.occurrences) else [],
            "dictionaries": methods,
            "scores": {layer: _score_fields(s) for layer, s in study.scores.items()},
            "labels": dict(study.labels),
        }
        write_json(folder / "study.json", tagged(about))
        files = {f.name: {"sha256": sha256(f), "bytes": f.stat().st_size} for f in sorted(folder.iterdir())}
        write_json(folder / "manifest.json", files)


def _write_dictionaries(folder: Path, dictionaries: Mapping[int, ConceptDictionary]) -> dict[int, Any]:
    """Write the arrays of all layers; the facts about each go into ``study.json``."""
    tensors: dict[str, np.ndarray] = {}
    methods: dict[int, Any] = {}
    for layer, cd in dictionaries.items():
        description, arrays = dump_encoder(cd.encoder)
        components = arrays.get("encoder.components_", np.zeros(0))
        if (
            description is not None
            and components.dtype == cd.concepts.dtype
            and np.array_equal(components, cd.concepts)
        ):
            del arrays["encoder.components_"]  # large, and the same once more
            description = {**description, "components": "concepts"}
        arrays |= {"concepts": _floats(cd.concepts), "activations": _floats(cd.activations)}
        if cd.decoder is not None:
            arrays["offset"] = _floats(np.asarray(cd.offset))  # with concepts as D, and the coding, the whole decoder
            if cd.unexplained is not None:
                arrays["unexplained"] = _floats(cd.unexplained)
        tensors |= {f"layer.{layer:03d}.{name}": value for name, value in arrays.items()}
        methods[layer] = {
            "method": cd.method,
            "parameters": plain(cd.parameters),
            "encoder": description,
            "reconstruction_error": float("nan") if cd.decoder is None else cd.reconstruction_error,
            "coding": cd.coding,
            "missing_decoder": cd.missing_decoder,
        }
    write_tensors(folder / "dictionaries.safetensors", tensors)
    return methods


def _score_fields(scores: Scores) -> dict[str, Any]:
    per_concept = {name: np.asarray(values).tolist() for name, values in scores.per_concept.items()}
    summary = {name: dict(getattr(scores, name)) for name in ("values", "spread", "baseline")}
    return summary | {"per_concept": per_concept}


def _sample_columns(study: Any) -> dict[str, list[Any]]:
    return {n: [list(v) if isinstance(v := getattr(s, n), tuple) else v for s in study.samples] for n in SAMPLE}


def _grounding_columns(groundings: Mapping[int, Grounding]) -> dict[str, list[Any]]:
    rows = [
        (layer, k, kind, text)
        for layer, g in groundings.items()
        for kind, lists in (*((kind, getattr(g, name)) for kind, name in KINDS.items()), *_logits(g))
        for k, texts in enumerate(lists)
        for text in texts
    ]
    return {name: [r[i] for r in rows] for i, name in enumerate(("layer", "concept", "kind", "text"))}


def _logits(g: Grounding) -> list[tuple[str, list[list[str]]]]:
    """Logits as texts, which the table has."""
    return [(kind, [[repr(float(v)) for v in row] for row in getattr(g, name)]) for kind, name in LOGITS.items()]
