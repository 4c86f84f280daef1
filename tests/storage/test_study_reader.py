"""Hostile and damaged study folders: each opens as it was, or is one StudyError; nothing blocks, grows or is written outside."""

import json
import os
import random
import resource
import shutil
import struct
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file, save_file
from sklearn.decomposition import PCA

import nbtoolkit as nbt
from nbtoolkit.errors import NbtoolkitError, StudyError
from nbtoolkit.storage.example import noise_study
from nbtoolkit.storage.files import sha256

FILES = ("study.json", "states.safetensors", "dictionaries.safetensors", "samples.parquet", "grounding.parquet")


@pytest.fixture(scope="module")
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


@pytest.fixture
def folder(small, tmp_path):
    return small.save(tmp_path / "dog.study")


def rehash(folder):
    """Make the manifest agree, as a hostile or faulty writer would."""
    files = {f.name: {"sha256": sha256(f), "bytes": f.stat().st_size} for f in sorted(folder.iterdir())
             if f.name != "manifest.json" and f.is_file()}  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(files))


def content(study):
    """All that a study holds, to be compared."""
    reps = study.representations
    parts = [study.token, study.source, study.samples, dict(study.labels), reps.sample_ids, reps.layers, reps.n_layers]
    parts += [dict(reps.skipped), np.asarray(reps.states).tobytes()]
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
    """``"refused"``, ``"same"``, ``"opened"`` or, for what must not happen, the error."""
    try:
        study = nbt.open_study(folder)
    except StudyError:
        return "refused"
    except BaseException as error:
        return f"open leaks {type(error).__name__}: {error}"
    try:
        with np.errstate(all="ignore"):  # a flipped bit makes a state large or NaN
            use(study)
    except NbtoolkitError:
        return "refused on use"
    except BaseException as error:
        return f"use leaks {type(error).__name__}: {error}"
    return "same" if before is not None and content(study) == before else "opened"


def mutations(raw, n, rng):
    """Bit flips, truncation, zeroed pages, appended bytes."""
    for _ in range(n):
        i = rng.randrange(len(raw))
        yield raw[:i] + bytes([raw[i] ^ (1 << rng.randrange(8))]) + raw[i + 1 :]
    for _ in range(n // 8):
        i = rng.randrange(len(raw))
        yield raw[:i]
        yield raw[:i] + bytes(min(512, len(raw) - i)) + raw[i + 512 :]
        yield raw + rng.randbytes(1 + i % 9)


def copied(folder, before, n):
    counts = {}
    rng = random.Random(0)
    for name in (*FILES, "manifest.json"):
        file = folder / name
        raw = file.read_bytes()
        for changed in mutations(raw, n * (3 if name == "manifest.json" else 1), rng):
            file.write_bytes(changed)
            result = outcome(folder, before)
            counts[result] = counts.get(result, 0) + 1
            assert result in ("refused", "same"), (name, result)
        file.write_bytes(raw)
    return counts


def test_a_damaged_copy_is_refused_or_the_same(small, folder):
    counts = copied(folder, content(nbt.open_study(folder)), 16)
    assert counts["refused"] > 150, counts


@pytest.mark.slow
def test_a_damaged_copy_is_refused_or_the_same_thousands_of_times(small, folder):
    counts = copied(folder, content(nbt.open_study(folder)), 250)
    assert sum(counts.values()) > 2000 and counts["refused"] > 2000, counts


def rehashed(folder, names, n):
    counts = {}
    rng = random.Random(1)
    for name in names:
        file = folder / name
        raw = file.read_bytes()
        for changed in mutations(raw, n, rng):
            file.write_bytes(changed)
            rehash(folder)
            result = outcome(folder)
            counts[result] = counts.get(result, 0) + 1
            assert result in ("refused", "refused on use", "opened"), (name, result)
        file.write_bytes(raw)
    return counts


def test_a_damaged_and_rehashed_study_opens_or_is_refused(folder):
    rehashed(folder, FILES, 24)


@pytest.mark.slow
def test_a_damaged_and_rehashed_study_opens_or_is_refused_thousands_of_times(folder):
    assert sum(rehashed(folder, FILES, 500).values()) > 3000


VALUES = [None, True, -1, 10**30, 1.5, "x", "", [], {}, [[]], {"a": 1}, [1, "a", None], {"not finite": "inf"}, "\ud800"]


def paths(value, at=()):
    yield at
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from paths(item, (*at, key))


def replaced(value, at, new):
    """The value with another one at a path; with ``...`` the entry is removed."""
    if not at:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    if len(at) == 1 and new is ...:
        del copy[at[0]]
    else:
        copy[at[0]] = replaced(value[at[0]], at[1:], new)
    return copy


def test_every_place_of_study_json_takes_only_its_kind(folder):
    about = json.loads((folder / "study.json").read_text())
    manifest = json.loads((folder / "manifest.json").read_text())
    rng = random.Random(2)
    leaks = {}
    for at in list(paths(about))[1:]:
        for new in [..., *rng.sample(VALUES, 3)]:
            text = json.dumps(replaced(about, at, new))
            (folder / "study.json").write_text(text)
            entry = {"sha256": sha256(folder / "study.json"), "bytes": len(text)}
            (folder / "manifest.json").write_text(json.dumps(manifest | {"study.json": entry}))
            result = outcome(folder)
            if "leaks" in result:
                leaks[(at, repr(new))] = result
    assert not leaks
    for new in VALUES:
        (folder / "manifest.json").write_text(json.dumps(new))
        assert outcome(folder) == "refused", new


@pytest.mark.parametrize("name", ["samples.parquet", "grounding.parquet"])
def test_columns_of_other_names_types_and_lengths_are_refused(folder, name):
    file = folder / name
    table = pq.read_table(file)
    n = len(table)
    others = {
        "whole": pa.array(range(n)), "text": pa.array(["x"] * n), "null": pa.nulls(n), "real": pa.array([0.5] * n),
        "some null": pa.array([None, *["x"] * (n - 1)]), "lists": pa.array([["x"]] * n), "structs": pa.array([{"raw": "x"}] * n),
        "bytes": pa.array([b"\xff\xfe"] * n), "negative": pa.array([-5] * n), "huge": pa.array([2**62] * n),
        "bad text": pa.Array.from_buffers(
            pa.string(), n, [None, pa.py_buffer(np.arange(n + 1, dtype=np.int32)), pa.py_buffer(b"\xff" * n)]),
    }  # fmt: skip
    counts = {}
    for k, column in enumerate(table.column_names):
        changed = [
            table.drop_columns([column]),
            table.rename_columns([*table.column_names[:k], "other", *table.column_names[k + 1 :]]),
        ]
        changed += [table.set_column(k, column, values) for values in others.values()]
        changed += [table.append_column("more", table[column]), table.slice(0, n - 1), pa.concat_tables([table, table])]
        for one in changed:
            pq.write_table(one, file)
            rehash(folder)
            result = outcome(folder)
            counts[result] = counts.get(result, 0) + 1
            assert "leaks" not in result, (column, one.schema, result)
    assert counts["refused"] > counts.get("opened", 0)


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


@pytest.mark.parametrize("name", ["states.safetensors", "dictionaries.safetensors"])
@pytest.mark.parametrize("change", HEADERS.values(), ids=HEADERS)
def test_safetensors_have_the_promises_of_their_library(folder, name, change):
    header(folder, name, change)
    assert outcome(folder) == "refused"


def test_a_header_longer_than_the_file_takes_no_memory(folder):
    for length in (2**40, 2**63, 10**8 + 1):
        raw = (folder / "states.safetensors").read_bytes()
        (folder / "states.safetensors").write_bytes(struct.pack("<Q", length) + raw[8:])
        rehash(folder)
        assert outcome(folder) == "refused"


def test_tensors_of_other_shapes_and_names_are_refused(folder):
    tensors = load_file(folder / "dictionaries.safetensors")
    counts = {}
    for name, value in tensors.items():
        news = [
            ...,
            np.zeros((3, 3, 3), np.float32),
            np.zeros(0, np.float32),
            np.full(value.shape, np.nan, value.dtype),
        ]
        news += [value.astype(np.int64), np.zeros(value.size + 1, np.float32), value[..., :1]]
        for new in news:
            changed = {k: np.ascontiguousarray(v) for k, v in (tensors | {name: new}).items() if v is not ...}
            save_file(changed, folder / "dictionaries.safetensors")
            rehash(folder)
            result = outcome(folder)
            counts[result] = counts.get(result, 0) + 1
            assert "leaks" not in result, (name, result)
    assert counts["refused"] > 20, counts


@pytest.mark.parametrize("name", [*FILES, "manifest.json"])
def test_pipes_devices_folders_and_links_out_of_the_folder_are_refused(folder, name, tmp_path):
    file, whole = folder / name, (folder / name).read_bytes()
    (tmp_path / "outside").write_bytes(whole)
    file.unlink()
    for make in (lambda: os.mkfifo(file), lambda: file.symlink_to("/dev/zero"), lambda: file.symlink_to(tmp_path / "outside"),
                 lambda: file.symlink_to(file), lambda: file.symlink_to("/dev/stdin")):  # fmt: skip
        make()
        start = time.monotonic()
        assert outcome(folder) == "refused" and time.monotonic() - start < 2
        file.unlink()
    file.mkdir()
    assert outcome(folder) == "refused"
    file.rmdir()
    shutil.copy(tmp_path / "outside", folder / "moved")
    file.symlink_to("moved")
    assert outcome(folder) == "opened"  # a link within the folder is a file of it


@pytest.mark.parametrize(
    "attribute",
    [
        "transform",
        "components_",
        "mean_",
        "_n_features_out",
        "__class__",
        "n_components_",
        "no name",
        "whiten",
        "n_jobs",
    ],
)
def test_an_encoder_of_other_values_is_refused_on_use(folder, attribute):
    about = json.loads((folder / "study.json").read_text())
    for layer, value in (("1", "x"), ("2", 10**9)):
        about["dictionaries"][layer]["encoder"]["attributes"][attribute] = value
    (folder / "study.json").write_text(json.dumps(about))
    rehash(folder)
    assert "leaks" not in outcome(folder)
    if attribute in ("transform", "_n_features_out", "__class__", "no name"):
        with pytest.raises(
            StudyError, match=rf"gives the estimator 'sklearn.decomposition.PCA' the attribute '{attribute}'"
        ):
            nbt.open_study(folder).dictionary(1).encode(np.zeros((1, 4)))


def write_samples(folder, n, **columns):
    """A study with one-dimensional states, so that the table is all there is."""
    rows = {"id": [f"s{i}" for i in range(n)], "caption": ["a dog"] * n, "captions": [["a dog"]] * n, "image": [b""] * n,
            "pieces": [["a ", "dog"]] * n, "position": [1] * n}  # fmt: skip
    pq.write_table(pa.table(rows | columns), folder / "samples.parquet", compression="zstd")
    save_file(
        {"layer.001": np.zeros((n, 4), np.float32), "layer.002": np.zeros((n, 4), np.float32)},
        folder / "states.safetensors",
    )
    tensors = load_file(folder / "dictionaries.safetensors")
    for layer in (1, 2):
        tensors |= {
            f"layer.00{layer}.activations": np.zeros((n, 2), np.float32),
            f"layer.00{layer}.unexplained": np.zeros(n, np.float32),
        }
    save_file(tensors, folder / "dictionaries.safetensors")
    rehash(folder)


BOMBS = {
    "300 MB of one caption": lambda folder: write_samples(folder, 3000, caption=["x" * 100_000] * 3000),
    "300 MB in lists": lambda folder: write_samples(folder, 3000, captions=[["x" * 10_000] * 10] * 3000),
    "1 GB of zeros as images": lambda folder: write_samples(folder, 100, image=[bytes(10_000_000)] * 100),
    "1 GB of different zeros": lambda folder: write_samples(folder, 100, image=[bytes(10_000_000 + i) for i in range(100)]),
    "10 million texts of one row": lambda folder: write_samples(folder, 2, captions=[["x"] * 10_000_000, []]),
    "10 million words": lambda folder: (pq.write_table(pa.table({"layer": pa.array([1] * 10**7), "concept": pa.array([0] * 10**7),
        "kind": pa.array(["word"] * 10**7), "text": pa.array(["x"] * 10**7)}), folder / "grounding.parquet"), rehash(folder)),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", BOMBS)
def test_bombs_stay_under_one_gigabyte_and_ten_seconds(folder, name):
    pid = os.fork()
    if pid == 0:  # a process of its own writes the bomb, so that its memory does not count
        BOMBS[name](folder)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    pid = os.fork()
    if pid == 0:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.process_time()
        result = outcome(folder)
        seconds, peak = time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        os.write(2, f"{name}: {result}, {seconds:.1f} s, {peak / 1000:.0f} MB\n".encode())
        os._exit(0 if "leaks" not in result and seconds < 10 and peak < 1_000_000 else 1)
    assert os.waitpid(pid, 0)[1] == 0


def test_lone_surrogates_not_a_number_and_infinity_go_through_a_file(small, tmp_path):
    import dataclasses

    scores = {1: nbt.Scores({"a": float("nan"), "b": float("-inf")}, {}, {}, {"c": np.array([np.nan, np.inf])})}
    samples = [dataclasses.replace(small.samples[0], caption="a \ud800"), *small.samples[1:]]
    cd = dataclasses.replace(small.dictionary(1), parameters={"tol": float("inf")})
    odd = dataclasses.replace(small, scores=scores, samples=samples, labels={"1:0": "\udfff"}, dictionaries={1: cd})
    path = odd.save(tmp_path / "odd.study")
    json.loads((path / "study.json").read_text("utf-8"), parse_constant=pytest.fail)
    opened = nbt.open_study(path)
    assert opened.samples[0].caption == "a \ufffd" and dict(opened.labels) == {"1:0": "\ufffd"}
    assert repr(opened.scores[1].values) == repr({"a": float("nan"), "b": float("-inf")})
    np.testing.assert_array_equal(opened.scores[1].per_concept["c"], [np.nan, np.inf])
    assert opened.dictionary(1).parameters == {"tol": float("inf")}


def test_json_of_release_0_1_with_nan_still_opens(small, folder):
    about = json.loads((folder / "study.json").read_text())
    about["dictionaries"]["1"]["reconstruction_error"] = float("nan")
    (folder / "study.json").write_text(json.dumps(about))
    rehash(folder)
    assert "NaN" in (folder / "study.json").read_text()
    assert np.isnan(nbt.open_study(folder).dictionary(1).reconstruction_error)


def test_a_killed_save_is_recovered_on_opening(folder):
    folder.rename(folder.with_name(".dog.study.abcd1234.old"))
    assert nbt.open_study(folder).token == "dog"
    assert [p.name for p in folder.parent.iterdir()] == ["dog.study"]


def test_paths_begin_at_home(small, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert small.save("~/x.study") == tmp_path / "x.study" and nbt.open_study("~/x.study").token == "dog"
