"""Folders of shards: bits of their files, of one row and of the description; what comes back is what was written."""

import json
from unittest.mock import patch

import numpy as np

from nbtoolkit.extraction.reader import Rows
from nbtoolkit.extraction.shards import ShardStore

from .mutate import damaged, flips, take
from .run import Silent, attack, judged

FINGERPRINT = {"model": "toy", "token": "dog", "layers": [0, 1], "n": 40, "words": ["dog", "dogs"]}


def rows(k, n=3):
    """Rows of shard k."""
    ids = [f"s{k}-{i}" for i in range(n)]
    states = np.full((n, 2, 4), k, np.float32)
    return Rows(states, ids, ["a dog"] * n, [1] * n, {f"s{k}-x": "the token is not in the response 'a cat'"}, dict.fromkeys(ids, "00ff"))  # fmt: skip


def opened(folder, fingerprint=FINGERPRINT):
    """The shards of a folder."""
    return ShardStore(folder, fingerprint, [0, 1])


def made(folder):
    """A folder with three shards."""
    resumed(folder)
    return folder


def resumed(folder):
    """What a run gives that takes whole shards from a folder and makes the others again."""
    store = opened(folder)
    with store.lock():
        states, columns, skipped = store.gather([store.row(k) or store.save(k, rows(k), 4) for k in range(3)])
    return np.array(states).tobytes(), columns, skipped


def older(folder):
    """As release 0.2 in development wrote it: without checksums of rows and description."""
    for path in folder.glob("*.json"):
        content = json.loads(path.read_text())
        if path.name != "manifest.json":
            path.write_text(
                json.dumps({k: v for k, v in content.items() if k not in ("check", "images", "extraction")})
            )
    return folder


def _files(folder):
    return {f.name: f.read_bytes() for f in folder.iterdir() if f.name != ".lock"}


def _case(folder, name, label, raw, expected, part=slice(None), files=True):
    """Case in which a file has other bytes: a resumed run gives the same, and leaves the same files."""

    def check():
        with patch("nbtoolkit.durable._sync", lambda path: None):  # thousands of times
            before = _files(folder)
            (folder / name).write_bytes(raw)
            try:
                word = judged(lambda: resumed(folder), [folder.name], lambda result: result[part] == expected[part])
                if files and (word != "same" or _files(folder) != before):
                    raise Silent(f"{word}, with other files")
            finally:
                for path in folder.iterdir():
                    if path.name not in before and path.name != ".lock":
                        path.unlink()
                for path, content in before.items():
                    (folder / path).write_bytes(content)
        return word

    return f"{name}: {label}", check


@attack("shards: bit flips, truncation, zeros in .safetensors, .parquet, states, manifest, resumed", 120, 3400)
def files_of_shards(rng, n, place):
    folder = made(place / "out")
    expected = resumed(folder)
    names = [
        "shard-00000.safetensors",
        "shard-00001.parquet",
        "shard-00002.safetensors",
        "states.safetensors",
        "manifest.json",
    ]

    def changes(name):
        for label, raw in damaged((folder / name).read_bytes(), n, rng):
            yield _case(folder, name, label, raw, expected)

    yield from take(n, *map(changes, names))


def _every_bit(folder, name, n, rng, part=slice(None), files=True):
    """Each bit: what the store takes shard 1 for; and of one in forty, what a resumed run gives."""
    expected, row, whole = resumed(folder), opened(folder).row(1), (folder / name).read_bytes()
    keys = [k for k in row if files or k in ("shard", "rows", "sha256")]

    def taking(raw):
        def check():
            (folder / name).write_bytes(raw)
            try:
                with patch("nbtoolkit.durable._sync", lambda path: None):
                    now = opened(folder).row(1)
                if now is not None and any(now.get(k) != row[k] for k in keys):
                    if files or now["rows"] == row["rows"]:
                        raise Silent(f"another row: {now}")
                    return judged(lambda: resumed(folder), [folder.name], lambda result: result[part] == expected[part])
                if name == "extraction.json" and (folder / name).read_bytes() != whole:
                    raise Silent("the description is not written again")
            finally:
                (folder / name).write_bytes(whole)
            return "same" if now else "made again"

        return check

    cases = [*flips(whole)]
    for k, (label, raw) in enumerate(cases if n >= len(cases) else rng.sample(cases, n)):
        yield _case(folder, name, label, raw, expected, part, files) if k % 40 == 39 else (label, taking(raw))


@attack("shards: every bit of one row (.json)", 10**6, 10**6)
def bits_of_a_row(rng, n, place):
    yield from _every_bit(made(place / "out"), "shard-00001.json", n, rng)


@attack("shards: every bit of one row as release 0.2 in development wrote it (states, ids, captions)", 10**6, 10**6)
def bits_of_an_older_row(rng, n, place):
    """Reasons of excluded samples have no checksum there, and a row that is made again has one."""
    folder = older(made(place / "out"))
    yield from _every_bit(folder, "shard-00001.json", n, rng, slice(2), files=False)


@attack("shards: every bit of extraction.json", 10**6, 10**6)
def bits_of_the_description(rng, n, place):
    yield from _every_bit(made(place / "out"), "extraction.json", n, rng)
