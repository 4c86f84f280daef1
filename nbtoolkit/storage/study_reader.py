"""The one reader of study folders: regular files of the manifest's size and SHA-256, then types, shapes, ids and ranges.

Whatever is wrong, it is one :class:`nbtoolkit.errors.StudyError` that names the file and the place. Reading needs numpy,
pyarrow and safetensors, not torch; the states are memory-mapped.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..durable import recover
from ..errors import NbtoolkitError, StudyError, first_line
from ..files import regular_file, sha256, user_path
from ..strict_json import read_json
from ..types import ConceptDictionary, Grounding, Naming, Representations, Scores, Source
from .decoders import decoder_of_arrays
from .estimators import load_encoder
from .reading import map_stacked, read_table, read_tensors
from .study_json import FORMAT, MANIFEST, STUDY, untagged

FILES = ("study.json", "states.safetensors", "dictionaries.safetensors", "samples.parquet", "grounding.parquet")
SAMPLE = {
    "id": "text",
    "caption": "text",
    "captions": "texts",
    "image": "bytes",
    "pieces": "texts",
    "position": "whole",
}
_GROUNDING = {"layer": "whole", "concept": "whole", "kind": "text", "text": "text"}
KINDS = {"word": "words", "exemplar": "exemplars", "token": "tokens", "negative": "negative"}
LOGITS = {"logit": "logits", "negative logit": "negative_logits"}  # studies of earlier versions have none
_TEXTS = 1000  # per row or concept, in a table
_MANIFEST = 1 << 24  # bytes


def read_study(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Content of a study folder, by the names of the fields of :class:`nbtoolkit.storage.study.Study`.

    Parameters
    ----------
    path
        A folder of :meth:`nbtoolkit.storage.study.Study.save`, of format 1 or 2. A folder that a killed ``save`` had renamed
        is put back first.

    Returns
    -------
    dict
        The fields; ``samples`` as a list of dicts.

    Raises
    ------
    StudyError
        The folder is missing or is not a study, its format is not known, or one of its files is missing, truncated, altered,
        no regular file, or does not hold what it should.
    """
    folder = user_path(path)
    try:
        if not folder.is_dir():
            recover(folder)
        if not folder.is_dir():
            raise StudyError(f"There is no study at {str(folder)!r}. Make one with nbt.study(…).save(path).")
        return _read(folder)
    except StudyError:
        raise
    except Exception as error:  # what the rules below do not name: still one error, with the folder
        reason = (
            first_line(error) if isinstance(error, NbtoolkitError) else f"{type(error).__name__}: {first_line(error)}"
        )
        raise StudyError(f"The study {str(folder)!r} is damaged ({reason}). Copy the whole folder again.") from error


def _read(folder: Path) -> dict[str, Any]:
    _check_files(folder)
    content = _json(folder, "study.json", allow_nan=True)  # as release 0.1 wrote it
    if content.get("format") not in (1, FORMAT):
        raise StudyError(
            f"{str(folder)!r} has study format {content.get('format')!r}; this nbtoolkit reads formats 1 and {FORMAT}. "
            "Update nbtoolkit if the format is newer."
        )
    about = STUDY(untagged(content), f"study.json in {str(folder)!r}: the study")
    layers, states = map_stacked(folder / "states.safetensors", folder)
    n = len(states)
    table = read_table(folder / "samples.parquet", SAMPLE, n, _TEXTS * (n + 1), folder)
    _check_positions(table, folder)
    source = Source(**about["source"])
    reps = Representations(
        states,
        tuple(table["id"]),
        tuple(table["caption"]),
        tuple(table["position"]),
        tuple(table["captions"]),
        layers,
        about["n_layers"],
        about["skipped"],
        source,
        about.get("occurrences", ()),
    )
    if about["n_layers"] < max(layers):
        raise StudyError(
            f"study.json in {str(folder)!r} has n_layers {about['n_layers']}; expected at least {max(layers)}."
        )
    dictionaries = _read_dictionaries(folder, about["dictionaries"], reps)
    return {
        "token": about["token"],
        "dictionaries": dictionaries,
        "groundings": _read_groundings(folder, about, dictionaries),
        "samples": [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)],
        "representations": reps,
        "scores": {int(layer): _score(entry) for layer, entry in about["scores"].items()},
        "source": source,
        "labels": about.get("labels", {}),
    }


def _check_files(folder: Path) -> None:
    """Compare every file with the manifest, before any is parsed."""
    manifest = MANIFEST(_json(folder, "manifest.json", limit=_MANIFEST), f"manifest.json in {str(folder)!r}: the list")
    for name, entry in manifest.items():
        file = folder / name
        if Path(name).name != name or not file.exists():
            raise StudyError(
                f"The study {str(folder)!r} lacks {name!r}, which its manifest lists. Copy the whole folder again."
            )
        size = regular_file(file, StudyError, inside=folder).stat().st_size
        if size != entry["bytes"]:
            raise StudyError(
                f"{name!r} in {str(folder)!r} has {size} bytes; the manifest says {entry['bytes']}. Copy it again."
            )
        if sha256(file) != entry["sha256"]:
            raise StudyError(
                f"{name!r} in {str(folder)!r} was altered: its SHA-256 is not the manifest's. Copy it again."
            )
    for name in FILES:
        if name not in manifest:
            raise StudyError(f"The manifest of {str(folder)!r} does not list {name!r}: this is not a whole study.")


def _json(folder: Path, name: str, **options: Any) -> dict[str, Any]:
    if not (folder / name).exists():
        raise StudyError(f"{str(folder)!r} is not a study: it has no {name}.")
    regular_file(folder / name, StudyError, inside=folder)
    try:
        value = read_json(folder / name, StudyError, inside=folder, **options)
    except StudyError as error:
        raise StudyError(f"{name!r} in {str(folder)!r} is damaged ({error}). Copy it again.") from error
    if not isinstance(value, dict):
        raise StudyError(f"{name!r} in {str(folder)!r} is damaged (it holds no JSON object). Copy it again.")
    return value


def _check_positions(table: Mapping[str, Any], folder: Path) -> None:
    for k, (position, pieces) in enumerate(zip(table["position"], table["pieces"], strict=True)):
        if position < -1 or (pieces and position >= len(pieces)):
            raise StudyError(
                f"samples.parquet in {str(folder)!r} has position {position} in row {k}; expected one of its {len(pieces)} "
                "pieces. Copy it again."
            )


def _read_dictionaries(folder: Path, methods: Mapping[str, Any], reps: Representations) -> dict[int, ConceptDictionary]:
    tensors = read_tensors(folder / "dictionaries.safetensors", folder)
    d = reps.states.shape[2]
    dictionaries = {}
    for key, entry in methods.items():
        layer, prefix = int(key), f"layer.{int(key):03d}."
        place = f"dictionaries.safetensors in {str(folder)!r}: layer {layer}"
        arrays = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        _check_array(arrays, "concepts", (None, d), place)
        k = len(arrays["concepts"])
        _check_array(arrays, "activations", (len(reps), k), place)
        for name, shape in (("offset", (d,)), ("unexplained", (len(reps),))):
            if name in arrays:
                _check_array(arrays, name, shape, place)
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
    if not dictionaries:
        raise StudyError(f"study.json in {str(folder)!r} has no dictionary; expected one for at least one layer.")
    return dictionaries


def _check_array(arrays: Mapping[str, np.ndarray], name: str, shape: tuple[int | None, ...], place: str) -> None:
    if name not in arrays:
        raise StudyError(f"{place} lacks {name!r}. Copy the study again.")
    array = arrays[name]
    fits = array.ndim == len(shape) and all(s in (None, n) for s, n in zip(shape, array.shape, strict=True))
    if not fits or array.dtype.kind != "f" or array.size == 0:
        raise StudyError(
            f"{place} has {name!r} of shape {array.shape}, {array.dtype}; expected {shape}, a floating-point type. Copy the study again."
        )


def _read_groundings(
    folder: Path, about: Mapping[str, Any], dictionaries: Mapping[int, ConceptDictionary]
) -> dict[int, Grounding]:
    most = _TEXTS * sum(cd.n_concepts for cd in dictionaries.values())
    table = read_table(folder / "grounding.parquet", _GROUNDING, most=most, inside=folder)
    kinds = {*KINDS, *LOGITS}
    lists: dict[tuple[int, str], dict[int, list[str]]] = {}
    place = f"grounding.parquet in {str(folder)!r}"
    for row, (layer, concept, kind, word) in enumerate(zip(*(table[name] for name in _GROUNDING), strict=True)):
        if layer not in dictionaries or not 0 <= concept < dictionaries[layer].n_concepts or kind not in kinds:
            raise StudyError(
                f"{place} has the {kind!r} of concept {concept} at layer {layer} in row {row}; there is none."
            )
        lists.setdefault((layer, kind), {}).setdefault(concept, []).append(word)
    groundings = {}
    for layer, cd in dictionaries.items():
        texts = {kind: [lists.get((layer, kind), {}).get(k, []) for k in range(cd.n_concepts)] for kind in kinds}
        if str(layer) not in about["filters"]:
            raise StudyError(f"study.json in {str(folder)!r}: filters lacks layer {layer}. Copy the study again.")
        naming = Naming(**about.get("naming", {}).get(str(layer), {}))  # studies of release 0.1 had the paper's rule
        content: dict[str, Any] = {name: texts[kind] for kind, name in KINDS.items()} | _logits(texts, place)
        if not any(content["negative"]):
            content |= {"negative": [], "negative_logits": []}  # of an earlier version, or no word passed the filter
        groundings[layer] = Grounding(**content, filter=about["filters"][str(layer)], naming=naming)
    return groundings


def _logits(texts: Mapping[str, list[list[str]]], place: str) -> dict[str, list[list[float]]]:
    """Logits of the words, where the study has them: one finite number per word."""
    numbers: dict[str, list[list[float]]] = {}
    if not any(row for kind in LOGITS for row in texts[kind]):
        return numbers
    for kind, words in (("logit", "word"), ("negative logit", "negative")):
        try:
            values = [[float(text) for text in row] for row in texts[kind]]
        except ValueError:
            values = []
        if [len(row) for row in values] != [len(row) for row in texts[words]] or not all(
            np.isfinite(row).all() for row in values
        ):
            raise StudyError(f"{place} has logits that do not fit; expected one number per word. Copy the study again.")
        numbers[LOGITS[kind]] = values
    return numbers


def _score(entry: Mapping[str, Any]) -> Scores:
    per_concept = {name: np.asarray(values, np.float64) for name, values in entry["per_concept"].items()}
    return Scores(entry["values"], entry["spread"], entry["baseline"], per_concept)
