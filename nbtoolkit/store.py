"""Study folders (the shards of an extraction are in ``shards``).

A study is a folder: ``study.json`` (what and how), ``states.safetensors`` (one tensor a layer),
``dictionaries.safetensors``, ``samples.parquet``, ``grounding.parquet``, and ``manifest.json`` with the SHA-256
of each. Nothing is pickled. Opening one needs numpy, pyarrow and safetensors, not torch; the states are mapped into
memory, not read.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from .atomic import map_stacked, new_folder, plain, sha256, write_json, write_stacked, write_table, write_tensors
from .errors import StudyError
from .types import ConceptDictionary, Grounding, Representations, Sample, Scores, Source, Study

FORMAT = 2  # 1 named an estimator by the module it lived in; it stays readable


def save_study(study: Study, path: str | os.PathLike[str], *, overwrite: bool = True) -> Path:
    """Write a study as a folder; a folder that is already there is replaced only once the new one is whole.

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
    from .persist import dump_encoder

    target.parent.mkdir(parents=True, exist_ok=True)
    with new_folder(target) as folder:
        reps = study.representations
        tensors: dict[str, np.ndarray] = {}
        methods: dict[int, Any] = {}
        states = {f"layer.{i:03d}": [reps.states[:, k]] for k, i in enumerate(reps.layers)}
        write_stacked(folder / "states.safetensors", states)
        for layer, cd in study.dictionaries.items():
            description, arrays = dump_encoder(cd.encoder)
            arrays |= {"concepts": cd.concepts, "activations": cd.activations}
            if cd.unexplained is not None:
                arrays["unexplained"] = cd.unexplained
            tensors |= {f"layer.{layer:03d}.{name}": value for name, value in arrays.items()}
            methods[layer] = {"method": cd.method, "parameters": plain(cd.parameters), "encoder": description,
                              "reconstruction_error": cd.reconstruction_error}  # fmt: skip
        write_tensors(folder / "dictionaries.safetensors", tensors)
        write_table(folder / "samples.parquet", _sample_columns(study))
        write_table(folder / "grounding.parquet", _grounding_columns(study))
        scores = {layer: {"values": dict(s.values), "spread": dict(s.spread), "baseline": dict(s.baseline),
                          "per_concept": {k: np.asarray(v).tolist() for k, v in s.per_concept.items()}}
                  for layer, s in study.scores.items()}  # fmt: skip
        about = {"format": FORMAT, "token": study.token, "source": plain(asdict(study.source)), "n_layers": reps.n_layers,
                 "filters": {layer: g.filter for layer, g in study.groundings.items()}, "skipped": dict(reps.skipped),
                 "dictionaries": methods, "scores": scores, "labels": dict(study.labels)}  # fmt: skip
        write_json(folder / "study.json", about)
        write_json(folder / "manifest.json", {f.name: {"sha256": sha256(f), "bytes": f.stat().st_size}
                                               for f in sorted(folder.iterdir())})  # fmt: skip
    return target


def open_study(path: str | os.PathLike[str]) -> Study:
    """Open a study folder without torch, after checking every file against the manifest.

    Parameters
    ----------
    path
        A folder written by :meth:`nbtoolkit.types.Study.save`.

    Raises
    ------
    StudyError
        The folder is missing or is not a study, or one of its files is missing, truncated or altered.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> nbt.open_study("nowhere.study")
    Traceback (most recent call last):
    nbtoolkit.errors.StudyError: There is no study at 'nowhere.study'. Make one with nbt.study(…).save(path).
    """
    folder = Path(path)
    if not folder.is_dir():
        raise StudyError(f"There is no study at {str(folder)!r}. Make one with nbt.study(…).save(path).")
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
    for name in (
        "study.json",
        "states.safetensors",
        "dictionaries.safetensors",
        "samples.parquet",
        "grounding.parquet",
    ):
        if name not in manifest:
            raise StudyError(f"The manifest of {str(folder)!r} does not list {name!r}: this is not a whole study.")
    about = _read_json(folder, "study.json")
    if about.get("format") not in (1, FORMAT):
        raise StudyError(
            f"{str(folder)!r} has study format {about.get('format')!r}; this nbtoolkit reads formats 1 and {FORMAT}. "
            "Update nbtoolkit if the format is newer."
        )
    return _assemble(folder, about)


def _assemble(folder: Path, about: dict[str, Any]) -> Study:
    import pyarrow.parquet as pq
    from safetensors.numpy import load_file

    from .persist import load_encoder

    rows = pq.read_table(folder / "samples.parquet").to_pylist()
    samples = [
        Sample(r["id"], r["caption"], tuple(r["captions"]), r["image"], tuple(r["pieces"]), r["position"]) for r in rows
    ]
    ids = tuple(s.id for s in samples)
    versions = about["source"].pop("versions")
    source = Source(**{k: _tuples(v) for k, v in about["source"].items()}, versions=versions)
    layers, states = map_stacked(folder / "states.safetensors")
    reps = Representations(states, ids, tuple(s.caption for s in samples),
                           tuple(s.position for s in samples), tuple(s.captions for s in samples), layers,
                           about["n_layers"], about["skipped"], source)  # fmt: skip
    tensors = load_file(folder / "dictionaries.safetensors")
    dictionaries, groundings = {}, {}
    for key, entry in about["dictionaries"].items():
        prefix = f"layer.{int(key):03d}."
        arrays = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        concepts, activations = arrays.pop("concepts"), arrays.pop("activations")
        dictionaries[int(key)] = ConceptDictionary(concepts, activations, ids, int(key), entry["method"], entry["parameters"],
                                                   load_encoder(entry["encoder"], arrays), entry["reconstruction_error"], source,
                                                   arrays.get("unexplained"))  # fmt: skip
    lists: dict[tuple[int, str], dict[int, list[str]]] = {}
    for r in pq.read_table(folder / "grounding.parquet").to_pylist():
        lists.setdefault((r["layer"], r["kind"]), {}).setdefault(r["concept"], []).append(r["text"])
    for layer, cd in dictionaries.items():
        words, exemplars, tokens = (
            [lists.get((layer, kind), {}).get(k, []) for k in range(cd.n_concepts)]
            for kind in ("word", "exemplar", "token")
        )
        groundings[layer] = Grounding(words, exemplars, tokens, about["filters"][str(layer)])
    scores = {int(k): Scores(v["values"], v["spread"], v["baseline"], {n: np.asarray(x) for n, x in v["per_concept"].items()})
              for k, v in about["scores"].items()}  # fmt: skip
    return Study(about["token"], dictionaries, groundings, samples, reps, scores, source, about.get("labels", {}))


# --- columns and facts -----------------------------------------------------------------------------------


def _read_json(folder: Path, name: str) -> dict[str, Any]:
    try:
        return dict(json.loads((folder / name).read_text("utf-8")))
    except FileNotFoundError:
        raise StudyError(f"{str(folder)!r} is not a study: it has no {name}.") from None
    except ValueError as error:
        raise StudyError(f"{name!r} in {str(folder)!r} is damaged ({error}). Copy it again.") from error


def _sample_columns(study: Study) -> dict[str, list[Any]]:
    names = ("id", "caption", "captions", "image", "pieces", "position")
    return {n: [list(v) if isinstance(v := getattr(s, n), tuple) else v for s in study.samples] for n in names}


def _grounding_columns(study: Study) -> dict[str, list[Any]]:
    rows = [(layer, k, kind, text)
            for layer, g in study.groundings.items()
            for kind, lists in (("word", g.words), ("exemplar", g.exemplars), ("token", g.tokens))
            for k, texts in enumerate(lists) for text in texts]  # fmt: skip
    return {name: [r[i] for r in rows] for i, name in enumerate(("layer", "concept", "kind", "text"))}


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value
