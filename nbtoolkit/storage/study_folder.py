"""The folder of a study: written whole or not at all, and read after every file was checked.

``study.json`` (what and how), ``states.safetensors`` (one tensor per layer), ``dictionaries.safetensors``,
``samples.parquet``, ``grounding.parquet``, and ``manifest.json`` with the SHA-256 of each. Nothing is pickled. Reading
needs numpy, pyarrow and safetensors, not torch; the states are memory-mapped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from safetensors.numpy import load_file

from ..errors import NbtoolkitError, StudyError
from ..types import ConceptDictionary, Grounding, Naming, Representations, Scores, Source
from .decoders import decoder_of_arrays
from .estimators import dump_encoder, load_encoder
from .files import map_stacked, new_folder, plain, sha256, write_json, write_stacked, write_table, write_tensors

FORMAT = 2  # 1 named an estimator by the module it lived in; it stays readable
FILES = ("study.json", "states.safetensors", "dictionaries.safetensors", "samples.parquet", "grounding.parquet")
SAMPLE = ("id", "caption", "captions", "image", "pieces", "position")


# --- writing ---------------------------------------------------------------------------------------------


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
        ``path`` exists and is not a study, or ``overwrite`` is false and it exists.
    """
    target = Path(path)
    if target.exists():
        if not overwrite:
            raise StudyError(f"{str(target)!r} exists already; choose another path or pass overwrite=True.")
        if not (target / "study.json").exists():
            raise StudyError(f"{str(target)!r} exists and is not a study; nothing was written. Choose another path.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with new_folder(target) as folder:
        reps = study.representations
        states = {f"layer.{i:03d}": [reps.states[:, k]] for k, i in enumerate(reps.layers)}
        write_stacked(folder / "states.safetensors", states)
        methods = _write_dictionaries(folder, study.dictionaries)
        write_table(folder / "samples.parquet", _sample_columns(study))
        write_table(folder / "grounding.parquet", _grounding_columns(study.groundings))
        about = {
            "format": FORMAT,
            "token": study.token,
            "source": plain(asdict(study.source)),
            "n_layers": reps.n_layers,
            "filters": {layer: g.filter for layer, g in study.groundings.items()},
            "naming": {layer: asdict(g.naming) for layer, g in study.groundings.items()},
            "skipped": dict(reps.skipped),
            "occurrences": list(reps.occurrences) if any(reps.occurrences) else [],
            "dictionaries": methods,
            "scores": {layer: _score_fields(s) for layer, s in study.scores.items()},
            "labels": dict(study.labels),
        }
        write_json(folder / "study.json", about)
        files = {f.name: {"sha256": sha256(f), "bytes": f.stat().st_size} for f in sorted(folder.iterdir())}
        write_json(folder / "manifest.json", files)
    return target


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
        arrays |= {"concepts": cd.concepts, "activations": cd.activations}
        if cd.decoder is not None:
            arrays["offset"] = np.asarray(cd.offset)  # with concepts as D, and the coding, the whole decoder
            if cd.unexplained is not None:
                arrays["unexplained"] = cd.unexplained
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
        for kind, lists in (("word", g.words), ("exemplar", g.exemplars), ("token", g.tokens))
        for k, texts in enumerate(lists)
        for text in texts
    ]
    return {name: [r[i] for r in rows] for i, name in enumerate(("layer", "concept", "kind", "text"))}


# --- reading ---------------------------------------------------------------------------------------------


def read_study(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Content of a study folder, by the names of the fields of :class:`nbtoolkit.storage.study.Study`.

    Parameters
    ----------
    path
        A folder written by :func:`write_study`, of format 1 or 2.

    Returns
    -------
    dict
        The fields; ``samples`` as a list of dicts.

    Raises
    ------
    StudyError
        The folder is missing or is not a study, its format is not known, or one of its files is missing, truncated or altered.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise StudyError(f"There is no study at {str(folder)!r}. Make one with nbt.study(…).save(path).")
    _check_files(folder)
    about = _read_json(folder, "study.json")
    if about.get("format") not in (1, FORMAT):
        raise StudyError(
            f"{str(folder)!r} has study format {about.get('format')!r}; this nbtoolkit reads formats 1 and {FORMAT}. "
            "Update nbtoolkit if the format is newer."
        )
    samples = [_sample(row) for row in pq.read_table(folder / "samples.parquet").to_pylist()]
    versions = about["source"].pop("versions")
    source = Source(**{k: _tuples(v) for k, v in about["source"].items()}, versions=versions)
    layers, states = map_stacked(folder / "states.safetensors")
    reps = Representations(
        states,
        tuple(s["id"] for s in samples),
        tuple(s["caption"] for s in samples),
        tuple(s["position"] for s in samples),
        tuple(s["captions"] for s in samples),
        layers,
        about["n_layers"],
        about["skipped"],
        source,
        tuple(about.get("occurrences", ())),
    )
    dictionaries = _read_dictionaries(folder, about["dictionaries"], reps)
    return {
        "token": about["token"],
        "dictionaries": dictionaries,
        "groundings": _read_groundings(folder, about, dictionaries),
        "samples": samples,
        "representations": reps,
        "scores": {int(layer): _scores(fields) for layer, fields in about["scores"].items()},
        "source": source,
        "labels": about.get("labels", {}),
    }


def _check_files(folder: Path) -> None:
    manifest = _read_json(folder, "manifest.json")
    for name, entry in manifest.items():
        file = folder / name
        if Path(name).name != name or not file.is_file():
            raise StudyError(
                f"The study {str(folder)!r} lacks {name!r}, which its manifest lists. Copy the whole folder again."
            )
        if file.stat().st_size != entry["bytes"]:
            raise StudyError(
                f"{name!r} in {str(folder)!r} has {file.stat().st_size} bytes; the manifest says {entry['bytes']}. Copy it again."
            )
        if sha256(file) != entry["sha256"]:
            raise StudyError(
                f"{name!r} in {str(folder)!r} was altered: its SHA-256 is not the manifest's. Copy it again."
            )
    for name in FILES:
        if name not in manifest:
            raise StudyError(f"The manifest of {str(folder)!r} does not list {name!r}: this is not a whole study.")


def _read_dictionaries(folder: Path, methods: Mapping[str, Any], reps: Representations) -> dict[int, ConceptDictionary]:
    tensors = load_file(folder / "dictionaries.safetensors")
    dictionaries = {}
    for key, entry in methods.items():
        layer, prefix = int(key), f"layer.{int(key):03d}."
        arrays = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        concepts, decoder = decoder_of_arrays(layer, entry, arrays)
        dictionaries[layer] = ConceptDictionary(
            concepts,
            arrays["activations"],
            reps.sample_ids,
            layer,
            entry["method"],
            entry["parameters"],
            load_encoder(entry["encoder"], arrays),
            entry["reconstruction_error"],
            reps.source,
            arrays.get("unexplained"),
            **decoder,
            occurrences=reps.occurrences,
        )
    return dictionaries


def _read_groundings(
    folder: Path, about: Mapping[str, Any], dictionaries: Mapping[int, ConceptDictionary]
) -> dict[int, Grounding]:
    lists: dict[tuple[int, str], dict[int, list[str]]] = {}
    for r in pq.read_table(folder / "grounding.parquet").to_pylist():
        lists.setdefault((r["layer"], r["kind"]), {}).setdefault(r["concept"], []).append(r["text"])
    groundings = {}
    for layer, cd in dictionaries.items():
        words, exemplars, tokens = (
            [lists.get((layer, kind), {}).get(k, []) for k in range(cd.n_concepts)]
            for kind in ("word", "exemplar", "token")
        )
        groundings[layer] = Grounding(words, exemplars, tokens, about["filters"][str(layer)], _naming(about, layer))
    return groundings


def _naming(about: Mapping[str, Any], layer: int) -> Naming:
    """The naming rule of a layer; studies of release 0.1 have none, and had the paper's."""
    try:
        return Naming(**about.get("naming", {}).get(str(layer), {}))
    except (TypeError, NbtoolkitError) as error:
        raise StudyError(f"The naming rule of layer {layer} is damaged ({error}). Copy the study again.") from error


def _read_json(folder: Path, name: str) -> dict[str, Any]:
    try:
        return dict(json.loads((folder / name).read_text("utf-8")))
    except FileNotFoundError:
        raise StudyError(f"{str(folder)!r} is not a study: it has no {name}.") from None
    except ValueError as error:
        raise StudyError(f"{name!r} in {str(folder)!r} is damaged ({error}). Copy it again.") from error


def _sample(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(row[name]) if isinstance(row[name], list) else row[name] for name in SAMPLE}


def _scores(fields: Mapping[str, Any]) -> Scores:
    per_concept = {name: np.asarray(values) for name, values in fields["per_concept"].items()}
    return Scores(fields["values"], fields["spread"], fields["baseline"], per_concept)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value
