"""Study folders: damaged copies, and what a hostile or faulty writer makes of one, with a manifest that agrees."""

import functools
import json
import os
import shutil
import struct

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.numpy import load_file, save_file
from sklearn.decomposition import PCA

import nbtoolkit as nbt
from nbtoolkit.errors import NbtoolkitError, StudyError
from nbtoolkit.storage.example import noise_study
from nbtoolkit.storage.files import sha256

from .mutate import damaged, product, take, texts
from .run import Silent, attack

FILES = ("study.json", "states.safetensors", "dictionaries.safetensors", "samples.parquet", "grounding.parquet")
ALL = (*FILES, "manifest.json")


@functools.cache
def small():
    """A study of six noise images, with one encoder that has arrays and one that has none."""
    s = noise_study()
    reps = s.representations
    dictionaries = {layer: nbt.decompose(reps, PCA(2), layer=layer) for layer in (1, 2)}
    scores = {
        layer: nbt.Scores({"overlap": 0.5, "n": 2}, {}, {}, {"overlap": np.array([0.1, 0.9])}) for layer in (1, 2)
    }
    source = nbt.Source("m", token="dog", token_ids=((1, 2),), questions={"s0": "?"}, versions={"numpy": "2"})
    return nbt.Study("dog", dictionaries, s.groundings, s.samples, reps, scores, source, {"1:0": "sky"})


def rehash(folder):
    """Make the manifest agree, as a hostile or faulty writer would."""
    files = {f.name: {"sha256": sha256(f), "bytes": f.stat().st_size} for f in sorted(folder.iterdir())
             if f.name != "manifest.json" and f.is_file()}  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(files))


def content(study):
    """All that a study holds, to be compared."""
    reps = study.representations
    parts = [study.token, study.source, study.samples, dict(study.labels), reps.sample_ids, reps.layers, reps.n_layers]
    parts += [reps.captions, reps.positions, reps.occurrences, dict(reps.skipped), np.asarray(reps.states).tobytes()]
    for layer in study.layers:
        d, g, s = study.dictionary(layer), study.grounding(layer), study.scores.get(layer)
        parts += [d.concepts.tobytes(), d.activations.tobytes(), repr(d.offset), repr(d.parameters), d.coding]
        parts += [
            g.words,
            g.exemplars,
            g.tokens,
            g.naming,
            g.filter,
            None if s is None else (repr(s), repr(s.per_concept)),
        ]
    return repr(parts)


def use(study):
    """What a view, figure or live session asks of an opened study."""
    for layer in study.layers:
        d = study.dictionary(layer)
        if d.encoder is not None:
            d.encode(study.representations.layer(-1)[:2])
        if not d.missing_decoder:
            d.decode(d.activations[:2])
        assert repr(study.grounding(layer)) and repr(study.scores.get(layer))
    assert repr(study)


def outcome(folder, before=None):
    """``"refused"``, ``"refused on use"``, ``"same"`` or ``"opened"``; any other exception is a failure.

    An error must name the study's folder. Other content than before is :class:`Silent`.
    """
    try:
        study = nbt.open_study(folder)
    except StudyError as error:
        assert folder.name in str(error), f"the error names no file: {error}"
        return "refused"
    try:
        with np.errstate(all="ignore"):  # a flipped bit makes a state large or NaN
            use(study)
    except NbtoolkitError:
        return "refused on use"
    if before is None:
        return "opened"
    if content(study) != before:
        raise Silent("other content, without a word")
    return "same"


def _folder(place):
    return small().save(place / "dog.study")


def _writing(file, label, raw, folder, before=None, hashed=False):
    """Case in which a file has other bytes; the file is whole again afterwards."""

    def check():
        whole, manifest = file.read_bytes(), (folder / "manifest.json").read_bytes()
        try:
            file.write_bytes(raw if isinstance(raw, bytes) else raw.encode("utf-8", "surrogatepass"))
            if hashed:
                rehash(folder)
            return outcome(folder, before)
        finally:
            file.write_bytes(whole)
            (folder / "manifest.json").write_bytes(manifest)

    return f"{file.name}: {label}", check


def _putting(folder, name, label, make, before=None, hashed=False):
    """Case in which a file is something else, which ``make`` puts in its place."""

    def check():
        whole = folder.with_name("whole")
        shutil.copytree(folder, whole, symlinks=True)
        try:
            make(folder / name)
            if hashed and name != "manifest.json":
                rehash(folder)
            return outcome(folder, before)
        finally:
            shutil.rmtree(folder)
            whole.rename(folder)

    return f"{name}: {label}", check


def _removed(then=lambda file: None):
    def make(file):
        file.unlink()
        then(file)

    return make


@attack("study as copied: bit flips, truncation, zeros, appended bytes, swapped, deleted, emptied, folders", 120, 2300)
def copied(rng, n, place):
    folder = _folder(place)
    before = content(nbt.open_study(folder))
    others = [(name, other) for name in ALL for other in ALL if name != other]
    places = [_putting(folder, name, f"swapped with {other}", lambda file, other=other: _swap(file, other), before)
              for name, other in others]  # fmt: skip
    for name in ALL:
        places.append(_putting(folder, name, "deleted", _removed(), before))
        places.append(_putting(folder, name, "emptied", lambda file: file.write_bytes(b""), before))
        places.append(_putting(folder, name, "a folder", _removed(lambda file: file.mkdir()), before))
    rng.shuffle(places)
    changes = [_damages(folder, name, n, rng, before) for name in (*ALL, "manifest.json", "manifest.json")]
    yield from take(n, [("unchanged", lambda: outcome(folder, before))], places, *changes)


def _damages(folder, name, n, rng, before=None, hashed=False):
    """Cases in which the bytes of a file are damaged."""
    for label, raw in damaged((folder / name).read_bytes(), n, rng):
        yield _writing(folder / name, label, raw, folder, before, hashed)


def _swap(file, other):
    one, two = file.read_bytes(), file.with_name(other).read_bytes()
    file.write_bytes(two)
    file.with_name(other).write_bytes(one)


# --- with a manifest that agrees -------------------------------------------------------------------------


def header(folder, name, change):
    """Change the header of a safetensors file, and keep the bytes behind it."""
    raw = (folder / name).read_bytes()
    length = struct.unpack("<Q", raw[:8])[0]
    text = change(json.loads(raw[8 : 8 + length]))
    text = (text if isinstance(text, str) else json.dumps(text)).encode()
    (folder / name).write_bytes(struct.pack("<Q", len(text)) + text + raw[8 + length :])
    rehash(folder)


HEADERS = {
    "a layer is dropped": lambda h: {k: v for k, v in h.items() if k not in ("layer.000", "layer.001.concepts")},
    "offsets overlap": lambda h: {
        k: v | {"data_offsets": [0, v["data_offsets"][1] - v["data_offsets"][0]]} for k, v in h.items()
    },
    "beyond the end": lambda h: {k: v | {"data_offsets": [x + 4096 for x in v["data_offsets"]]} for k, v in h.items()},
    "another type": lambda h: {k: v | {"dtype": "I32"} for k, v in h.items()},
    "an unknown type": lambda h: {k: v | {"dtype": "X9"} for k, v in h.items()},
    "a huge shape": lambda h: {k: v | {"shape": [2**60, 2**60]} for k, v in h.items()},
    "a negative shape": lambda h: {k: v | {"shape": [-1, 4]} for k, v in h.items()},
    "other names": lambda h: {f"x{k}": v for k, v in h.items()},
    "one tensor twice": lambda h: json.dumps(h)[:-1] + ", " + json.dumps(h)[1:],
    "no tensors": lambda h: {},
    "no object": lambda h: "[]",
    "deep": lambda h: "[" * 100_000,
    "empty": lambda h: "",
}
LENGTHS = (0, 1, 2**40, 2**63, 10**8 + 1, 2**64 - 1)


@attack(
    "study re-hashed: study.json and manifest.json, every path: wrong types, missing, huge, NaN, deep, keys twice",
    250,
    2500,
)
def json_of_a_study(rng, n, place):
    folder = _folder(place)

    def changes(name):
        for label, text in texts(json.loads((folder / name).read_text()), n, rng):
            yield _writing(folder / name, label, text, folder, hashed=name != "manifest.json")

    yield from take(n, changes("study.json"), changes("study.json"), changes("manifest.json"))


def tensors(name):
    """Other tensors in place of one: shapes, types, NaN."""
    value = load_file_of_small()[name]
    news = [..., np.zeros((3, 3, 3), np.float32), np.zeros(0, np.float32), np.full(value.shape, np.nan, value.dtype),
            value.astype(np.int64), np.zeros(value.size + 1, np.float32), value[..., :1]]  # fmt: skip
    for k, new in enumerate(news):

        def make(file, new=new):
            changed = {a: np.ascontiguousarray(v) for a, v in (load_file(file) | {name: new}).items() if v is not ...}
            save_file(changed, file)

        yield f"tensor {name}, other {k}", make


@functools.cache
def load_file_of_small():
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as place:
        return load_file(_folder(Path(place)) / "dictionaries.safetensors")


@attack("study re-hashed: safetensors headers, offsets, shapes, bit flips", 100, 900)
def tensors_of_a_study(rng, n, place):
    folder = _folder(place)
    names = ("states.safetensors", "dictionaries.safetensors")
    flips = [_damages(folder, name, n, rng, hashed=True) for name in names]
    whole = [
        _putting(folder, name, text, lambda file, change=change: header(folder, file.name, change), hashed=True)
        for name in names for text, change in HEADERS.items()
    ]  # fmt: skip
    whole += [
        _writing(folder / name, f"a header of {length} bytes", struct.pack("<Q", length) + (folder / name).read_bytes()[8:], folder, hashed=True)
        for name in names for length in LENGTHS
    ]  # fmt: skip
    whole += [
        _putting(folder, names[1], text, make, hashed=True)
        for name in load_file_of_small()
        for text, make in tensors(name)
    ]
    rng.shuffle(whole)
    yield from take(n, whole, *flips)


def columns_of(n):
    """Columns of other types."""
    bad = pa.Array.from_buffers(
        pa.string(), n, [None, pa.py_buffer(np.arange(n + 1, dtype=np.int32)), pa.py_buffer(b"\xff" * n)]
    )
    return {
        "whole": pa.array(range(n)), "text": pa.array(["x"] * n), "null": pa.nulls(n), "real": pa.array([0.5] * n),
        "some null": pa.array([None, *["x"] * (n - 1)]), "lists": pa.array([["x"]] * n), "structs": pa.array([{"raw": "x"}] * n),
        "bytes": pa.array([b"\xff\xfe"] * n), "negative": pa.array([-5] * n), "huge": pa.array([2**62] * n), "bad text": bad,
        "deep": pa.array([[[[["x"]]]]] * n), "times": pa.array([1] * n, pa.timestamp("s")), "large": pa.array(["x"] * n, pa.large_string()),
        "dictionary": pa.array(["x"] * n).dictionary_encode(), "map": pa.array([[("a", "b")]] * n, pa.map_(pa.string(), pa.string())),
    }  # fmt: skip


def changed_tables(table):
    """Tables with a column missing, renamed, of another type, too many, and with other numbers of rows."""
    for k, column in enumerate(table.column_names):
        yield f"{column} missing", table.drop_columns([column])
        yield (
            f"{column} renamed",
            table.rename_columns([*table.column_names[:k], "other", *table.column_names[k + 1 :]]),
        )
        yield f"{column} twice", table.append_column(column, table[column])
        yield f"{column} under another name too", table.append_column("more", table[column])
        for kind, values in columns_of(len(table)).items():
            yield f"{column} is {kind}", table.set_column(k, column, values)
    yield "a row less", table.slice(0, len(table) - 1)
    yield "no row", table.slice(0, 0)
    yield "rows twice", pa.concat_tables([table, table])
    yield "rows backwards", table.take(list(range(len(table)))[::-1])


@attack("study re-hashed: Parquet columns missing, extra, mistyped", 100, 400)
def columns_of_a_study(rng, n, place):
    folder = _folder(place)
    cases = []
    for name in ("samples.parquet", "grounding.parquet"):
        for label, table in changed_tables(pq.read_table(folder / name)):
            for options in ({}, {"compression": "zstd"}):
                cases.append(
                    _putting(
                        folder, name, label, lambda file, t=table, o=options: pq.write_table(t, file, **o), hashed=True
                    )
                )
    rng.shuffle(cases)
    yield from cases[:n]


@attack("study re-hashed: Parquet bit flips, truncation, zeros", 100, 800)
def parquet_of_a_study(rng, n, place):
    folder = _folder(place)
    yield from take(
        n, *(_damages(folder, name, n, rng, hashed=True) for name in ("samples.parquet", "grounding.parquet"))
    )


ATTRIBUTES = (
    "transform",
    "components_",
    "mean_",
    "_n_features_out",
    "__class__",
    "n_components_",
    "no name",
    "whiten",
    "n_jobs",
)
CLASSES = ("os.system", "sklearn.externals", "nbtoolkit.toy.train.X", "sklearn.decomposition.PCA.fit", "", "builtins.eval",
           "numpy.load", "sklearn.pipeline.Pipeline", "__main__.X")  # fmt: skip


@attack("study re-hashed: links, pipes, devices, folders; encoders", 60, 200)
def places_of_a_study(rng, n, place):
    folder = _folder(place)
    (place / "outside").write_bytes(b"{}")
    kinds = {
        "a pipe": _removed(os.mkfifo), "/dev/zero": _removed(lambda f: f.symlink_to("/dev/zero")),
        "/dev/stdin": _removed(lambda f: f.symlink_to("/dev/stdin")), "itself": _removed(lambda f: f.symlink_to(f)),
        "a file outside": _removed(lambda f: f.symlink_to(place / "outside")), "a folder": _removed(lambda f: f.mkdir()),
        "nowhere": _removed(lambda f: f.symlink_to("nowhere")), "/etc/passwd": _removed(lambda f: f.symlink_to("/etc/passwd")),
    }  # fmt: skip
    cases = [_putting(folder, name, kind, make, hashed=True) for name in ALL for kind, make in kinds.items()]
    about = json.loads((folder / "study.json").read_text())
    values = ("x", 10**9, None, [], {"a": 1})
    for attribute, value, layer in product(rng, ATTRIBUTES, values, "12"):
        changed = json.loads(json.dumps(about))
        changed["dictionaries"][layer]["encoder"]["attributes"][attribute] = value
        cases.append(_writing(folder / "study.json", f"encoder {attribute}", json.dumps(changed), folder, hashed=True))
    for name in CLASSES:
        changed = json.loads(json.dumps(about).replace("sklearn.decomposition.PCA", name))
        cases.append(_writing(folder / "study.json", f"encoder of {name!r}", json.dumps(changed), folder, hashed=True))
    rng.shuffle(cases)
    yield from cases[:n]
