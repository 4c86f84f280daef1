"""Small files that become large: each in a process of its own, with its seconds and its memory."""

import functools
import json
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.numpy import load_file, save_file

import nbtoolkit as nbt

from ..data.bombs import LIMIT_MB, LIMIT_S, bomb_png, measure
from .run import ATTACKS, Attack
from .studies import rehash, small

DATA = """
data = nbt.load_data(sys.argv[1])
nbt.extract(nbt.load_model("toy"), data, "dog", progress=False)
"""
VIEW = """
view = nbt.explore(nbt.open_study(sys.argv[1]))
view.to_html(sys.argv[1] + ".html")
out = "shown"
"""
OPEN = "study = nbt.open_study(sys.argv[1])\nout = 'opened'"
READ = "out = len(nbt.load_data(sys.argv[1]))"


def _listing(place, *sides, depth=1, colour=0):
    folder = place / "images"
    folder.mkdir()
    for k, side in enumerate(sides):
        bomb_png(folder / f"{k}.png", side, depth, colour)
    lines = [json.dumps({"file_name": f"{k}.png", "caption": "a dog"}) for k in range(len(sides))]
    (folder / "captions.jsonl").write_text("\n".join(lines))
    return folder


def _pictured(place, side, depth=1, colour=0):
    import dataclasses

    content = bomb_png(place / "x.png", side, depth, colour).read_bytes()
    samples = [dataclasses.replace(s, image=content) for s in small().samples]
    return dataclasses.replace(small(), samples=samples).save(place / "dog.study")


def _study(place, n, **columns):
    """A study with one-dimensional states, so that the table is all there is."""
    folder = small().save(place / "dog.study")
    rows = {"id": [f"s{i}" for i in range(n)], "caption": ["a dog"] * n, "captions": [["a dog"]] * n, "image": [b""] * n,
            "pieces": [["a ", "dog"]] * n, "position": [1] * n}  # fmt: skip
    pq.write_table(pa.table(rows | columns), folder / "samples.parquet", compression="zstd")
    states = {f"layer.00{k}": np.zeros((n, 4), np.float32) for k in (1, 2)}
    save_file(states, folder / "states.safetensors")
    tensors = load_file(folder / "dictionaries.safetensors")
    for layer in (1, 2):
        tensors[f"layer.00{layer}.activations"] = np.zeros((n, 2), np.float32)
        tensors[f"layer.00{layer}.unexplained"] = np.zeros(n, np.float32)
    save_file(tensors, folder / "dictionaries.safetensors")
    rehash(folder)
    return folder


def _words(place):
    folder, n = small().save(place / "dog.study"), 10**7
    columns = {
        "layer": pa.array([1] * n),
        "concept": pa.array([0] * n),
        "kind": pa.array(["word"] * n),
        "text": pa.array(["x"] * n),
    }
    pq.write_table(pa.table(columns), folder / "grounding.parquet")
    rehash(folder)
    return folder


def repeated(value, n):
    """A column that holds one value n times, and stores it once."""
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), pa.array([value]))


def _table(place, **columns):
    pq.write_table(pa.table(columns), place / "x.parquet")
    return place / "x.parquet"


BOMBS = {
    "data: 13,000 x 13,000 of one bit (20 kB)": (lambda p: _listing(p, 13_000), DATA),
    "data: four of 13,000 x 13,000 of one bit": (lambda p: _listing(p, *[13_000] * 4), DATA),
    "data: four of 8,192 x 8,192 of one bit, within the limit": (lambda p: _listing(p, *[8_192] * 4), DATA),
    "data: 13,000 x 13,000 RGBA (657 kB)": (lambda p: _listing(p, 13_000, depth=8, colour=6), DATA),
    "data: 8,192 x 8,192 RGBA, within the limit": (lambda p: _listing(p, 8_192, depth=8, colour=6), DATA),
    "data: 50,000 x 50,000 of one bit": (lambda p: _listing(p, 50_000), DATA),
    "thumbnail: 13,000 x 13,000 of one bit": (lambda p: _pictured(p, 13_000), VIEW),
    "thumbnail: 13,000 x 13,000 RGBA": (lambda p: _pictured(p, 13_000, 8, 6), VIEW),
    "thumbnail: 8,192 x 8,192 of one bit, within the limit": (lambda p: _pictured(p, 8_192), VIEW),
    "thumbnail: 50,000 x 50,000 of one bit": (lambda p: _pictured(p, 50_000), VIEW),
    "data: Parquet, 300 MB of one caption": (lambda p: _table(p, image=repeated("a.jpg", 10**5), captions=repeated("a dog " * 500, 10**5)), READ),
    "data: Parquet, 3 GB of one caption": (lambda p: _table(p, image=repeated("a.jpg", 10**6), captions=repeated("a dog " * 500, 10**6)), READ),
    "data: Parquet, 3 GB of zeros as images": (lambda p: _table(p, image=repeated(bytes(30_000), 10**5), captions=["a"] * 10**5), READ),
    "study: 300 MB of one caption": (lambda p: _study(p, 3000, caption=["x" * 100_000] * 3000), OPEN),
    "study: 300 MB in lists": (lambda p: _study(p, 3000, captions=[["x" * 10_000] * 10] * 3000), OPEN),
    "study: 1 GB of zeros as images": (lambda p: _study(p, 100, image=[bytes(10_000_000)] * 100), OPEN),
    "study: 1 GB of different zeros": (lambda p: _study(p, 100, image=[bytes(10_000_000 + i) for i in range(100)]), OPEN),
    "study: 10 million texts of one row": (lambda p: _study(p, 2, captions=[["x"] * 10_000_000, []]), OPEN),
    "study: 10 million words": (_words, OPEN),
}  # fmt: skip


def tried(name, place):
    """Outcome, MB and CPU seconds of one bomb; it is made in a process of its own, so that its memory is none of ours."""
    place.mkdir()
    write, program = BOMBS[name]
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            (place / "path").write_text(str(write(place)))
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0
    out, memory, seconds = measure(program, (place / "path").read_text())
    what = "refused" if out.startswith(("DataError", "StudyError")) else "read"
    return what, memory, seconds


def _cases(name, rng, n, place):
    def check():
        what, memory, seconds = tried(name, place / "bomb")
        MEASURED[name] = memory, seconds
        assert memory < LIMIT_MB and seconds < LIMIT_S, f"{what}, {memory:.0f} MB, {seconds:.1f} s"
        return what

    yield name, check


MEASURED = {}  # name to MB and CPU seconds, both beyond the imports
for _name in BOMBS:
    ATTACKS[_name] = Attack(_name, functools.partial(_cases, _name), 0, 1, 3, 120)
_ = nbt
