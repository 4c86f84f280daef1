"""Processes that are killed, stopped or run side by side, full and read-only disks, files that change: all leaves one whole result."""

import contextlib
import copy
import dataclasses
import functools
import json
import os
import pickle
import resource
import shutil
import signal
import time
from unittest.mock import patch

import numpy as np
from sklearn.decomposition import PCA

import nbtoolkit as nbt
from nbtoolkit.errors import NbtoolkitError
from nbtoolkit.extraction import representations
from nbtoolkit.storage.files import write_stacked
from nbtoolkit.storage.reading import map_stacked

from ..extraction.test_shard_rows import unprivileged
from .run import Silent, attack, judged
from .studies import content, small

SHARD = 4


@functools.cache
def _model():
    return nbt.load_model("toy")


@functools.cache
def _data():
    return nbt.load_data("toy", n=250)


def extract(out, data=None):
    """An extraction in shards of four rows."""
    with patch.object(representations, "SHARD", SHARD):
        return nbt.extract(_model(), _data() if data is None else data, "dog", out=out, progress=False)


def _files(folder):
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.name != ".lock"
    }


def child(work):
    """Start work in a process of its own; its exit status is 0, 3 for one of our errors, 4 for any other."""
    pid = os.fork()
    if pid:
        return pid
    status = 4
    try:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        work()
        status = 0
    except NbtoolkitError:
        status = 3
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}\n".encode()) if not isinstance(error, KeyboardInterrupt) else None
    finally:
        os._exit(status)


def status(pid):
    """Exit status of a process; negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _stopped(pid, seconds, how):
    time.sleep(seconds)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, how)
    return status(pid)


def _left(folder, expected):
    """Fail if more is in a folder than what is expected."""
    more = {p.name: p.stat().st_size for p in folder.iterdir() if p.name not in expected}
    if more:
        raise AssertionError(f"{sum(more.values()):,} bytes left: {more}")


@functools.cache
def _larger():
    """The small study with other words and 200 kB of captions, so that writing takes a while."""
    study = small()
    samples = [dataclasses.replace(s, caption=f"{k} " * 20_000) for k, s in enumerate(study.samples)]
    return dataclasses.replace(study, samples=samples, labels={"1:0": "sea"})


@attack("kill -9 of study.save: the old or the new study, 0 bytes left by the next", 6, 40, 2, seconds=60)
def kills_of_save(rng, n, place):
    path, pair = place / "dog.study", (small(), _larger())

    def save():
        while True:
            for study in pair:
                study.save(path)

    small().save(path)
    contents = [content(nbt.open_study(small().save(path))), content(nbt.open_study(_larger().save(path)))]

    def check(seconds, recovered):
        assert _stopped(child(save), seconds, signal.SIGKILL) == -signal.SIGKILL
        if recovered:
            assert content(nbt.open_study(path)) in contents
        small().save(path)
        _left(place, {"dog.study"})
        assert content(nbt.open_study(path)) == contents[0]
        return "whole, 0 bytes left"

    for k in range(n):
        seconds = rng.uniform(0.005, 0.15)
        yield f"after {seconds:.3f} s", functools.partial(check, seconds, k % 4 != 3)


@functools.cache
def _reference(place):
    started = time.monotonic()
    reps = extract(place / "reference")
    return _files(place / "reference"), reps, time.monotonic() - started


def _same(place, out, reps):
    files, reference, _ = _reference(place)
    if (
        reps.sample_ids != reference.sample_ids
        or reps.captions != reference.captions
        or not np.array_equal(reps.states, reference.states)
    ):
        raise Silent("other rows")
    if _files(out) != files:
        raise Silent(f"other files: {sorted(_files(out).items() ^ files.items())[:3]}"[:300])


def _resuming(place, seconds, how, expected):
    out = place / "out"
    shutil.rmtree(out, ignore_errors=True)
    assert _stopped(child(lambda: extract(out)), seconds, how) in expected
    _same(place, out, extract(out))
    return "same bytes, 0 left"


@attack("kill -9 of extract(out=): the next run gives the same bytes, 0 left", 8, 20, 2, seconds=60)
def kills_of_extract(rng, n, place):
    duration = _reference(place)[2]
    for _ in range(n):
        seconds = rng.uniform(0, 1.1 * duration)
        yield (
            f"after {seconds:.2f} s",
            functools.partial(_resuming, place, seconds, signal.SIGKILL, (0, -signal.SIGKILL)),
        )


@attack("SIGTERM and Ctrl-C of extract(out=)", 1, 5, 2, seconds=60)
def stops_of_extract(rng, n, place):
    duration = _reference(place)[2]
    for k in range(n):
        how = signal.SIGINT if k % 2 == 0 else signal.SIGTERM
        seconds = rng.uniform(0.1, 0.9) * duration
        yield (
            f"{how.name} after {seconds:.2f} s",
            functools.partial(_resuming, place, seconds, how, (0, 4, -signal.SIGTERM)),
        )


@attack("two and three runs at once into one folder, the folder renamed or deleted meanwhile", 2, 8, 2, seconds=60)
def runs_at_once(rng, n, place):
    duration = _reference(place)[2]

    def together(number):
        out = place / "out"
        shutil.rmtree(out, ignore_errors=True)
        ends = [status(pid) for pid in [child(lambda: extract(out)) for _ in range(number)]]
        assert 0 in ends and {*ends} <= {0, 3}, ends
        _same(place, out, extract(out))
        return "one runs, the others are refused"

    def meanwhile(change):
        out = place / "out"
        shutil.rmtree(out, ignore_errors=True)
        shutil.rmtree(place / "elsewhere", ignore_errors=True)
        pid = child(lambda: extract(out))
        time.sleep(0.5 * duration)
        if out.exists():
            change(out)
        assert status(pid) in (0, 3)
        shutil.rmtree(out, ignore_errors=True)
        _same(place, out, extract(out))
        return "one error, or whole"

    cases = [("two", lambda: together(2)), ("renamed", lambda: meanwhile(lambda out: out.rename(place / "elsewhere"))),
             ("deleted", lambda: meanwhile(lambda out: shutil.rmtree(out, ignore_errors=True))), ("three", lambda: together(3))]  # fmt: skip
    for k in range(n):
        yield cases[k % 4]


@attack("disk full (RLIMIT_FSIZE): save, to_html, extract; what was there stays", 6, 24, 2, seconds=60)
def full_disk(rng, n, place):
    study, path, page = small(), place / "dog.study", place / "page.html"
    study.save(path)
    nbt.explore(study).to_html(page)
    _reference(place)

    def limited(work, limit):
        def run():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            work()

        return status(child(run))

    def check(name, limit):
        before = _files(path), page.read_bytes()
        out = place / "out"
        shutil.rmtree(out, ignore_errors=True)
        end = limited({"save": lambda: _larger().save(path), "to_html": lambda: nbt.explore(_larger()).to_html(page),
                       "extract": lambda: extract(out)}[name], limit)  # fmt: skip
        assert end in (0, 3), end
        if end == 3:
            assert (_files(path), page.read_bytes()) == before
        _left(place, {"dog.study", "page.html", "reference", "out"})
        if name == "extract":
            _same(place, out, extract(out))
        study.save(path)
        return "refused, what was there stays" if end else "room enough"

    cases = [
        (name, limit)
        for limit in (0, 100, 1_000, 2_500, 5_000, 20_000, 100_000, 300_000)
        for name in ("save", "to_html", "extract")
    ]
    for name, limit in cases[:n] if n >= len(cases) else rng.sample(cases, n):
        yield f"{name}, {limit:,} bytes", functools.partial(check, name, limit)


@attack("read-only disk: open_study, save, to_html, finished and unfinished shards", 5, 6, 2, seconds=60)
def read_only(rng, n, place):
    home = place / "disk"
    home.mkdir()
    path = small().save(home / "dog.study")
    expected = extract(home / "out")
    shutil.copytree(home / "out", home / "half")
    (home / "half" / "shard-00000.json").unlink()
    for folder in (home, path, home / "out", home / "half"):
        (folder / ".lock").unlink(missing_ok=True)
        folder.chmod(0o555)
    whole = content(nbt.open_study(path))
    works = {
        "open_study": (lambda: content(nbt.open_study(path)) == whole, "True"),
        "finished shards": (lambda: np.array_equal(extract(home / "out").states, expected.states), "True"),
        "save": (lambda: small().save(path), "StudyError"), "to_html": (lambda: nbt.explore(small()).to_html(home / "x.html"), "StudyError"),
        "new shards": (lambda: extract(home / "new"), "StudyError"), "unfinished shards": (lambda: extract(home / "half"), "StudyError"),
    }  # fmt: skip

    def check(name):
        work, beginning = works[name]
        result = unprivileged(work, home)
        assert result.startswith(beginning), result[:300]
        return "read" if beginning == "True" else "refused"

    for name in [*works][:n]:
        yield name, functools.partial(check, name)
    for folder in (home, path, home / "out", home / "half"):
        folder.chmod(0o755)


@attack("images that change under a resumed run; times of 1970 and 2242", 2, 6, 2, seconds=60)
def changed_images(rng, n, place):
    folder = place / "images"
    folder.mkdir()
    rows = [row for row in _data() if any("dog" in c.split() for c in row["captions"])][:16]
    lines = []
    for row in rows:
        row["image"].save(folder / f"{row['id']}.png")
        lines.append(json.dumps({"file_name": f"{row['id']}.png", "caption": "a dog"}))
    (folder / "captions.jsonl").write_text("\n".join(lines))
    extract(place / "out", nbt.load_data(folder))
    files = sorted(folder.glob("*.png"))

    def check(k, stamp):
        file = files[k % len(files)]
        whole = file.read_bytes()
        times = file.stat()
        try:
            if stamp is None:
                changed = bytearray(whole)
                changed[-20] ^= 1
                file.write_bytes(bytes(changed))
                os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
            else:
                os.utime(file, (stamp, stamp))
            word = judged(lambda: extract(place / "out", nbt.load_data(folder)), [str(place / "out")])
        finally:
            file.write_bytes(whole)
        if word != ("refused" if stamp is None else "read"):
            raise Silent(f"{word}: one bit of {file.name}")
        return word

    for k in range(n):
        stamp = (None, 0, None, 8_589_934_591)[k % 4]
        yield (
            f"image {k}, {'a bit' if stamp is None else f'time {stamp}'}",
            functools.partial(check, rng.randrange(16), stamp),
        )


READS = {
    "a layer": lambda study, reps: reps.layer(-1),
    "a row": lambda study, reps: reps.states[3],
    "statistics": lambda study, reps: reps.states.mean(0),
    "a function": lambda study, reps: np.linalg.norm(reps.states),
    "decompose": lambda study, reps: nbt.decompose(reps, nbt.LargestNorm(2)),
    "decompose with scikit-learn": lambda study, reps: nbt.decompose(reps, PCA(2)),
    "save": lambda study, reps: study.save(study.labels["place"]),
    "a copy": lambda study, reps: copy.deepcopy(reps),
    "a pickle": lambda study, reps: pickle.dumps(reps),
    "a hash": lambda study, reps: reps.digest(0),
    "a sum": lambda study, reps: reps.states + 1,
    "rows of several": lambda study, reps: np.concatenate([reps.states, reps.states]),
}


@attack("states truncated by another process while they are mapped", 6, 48, 2, seconds=60)
def truncated(rng, n, place):
    file = place / "states.safetensors"
    rows = np.random.default_rng(0).normal(size=(6, 200_000)).astype(np.float32)

    def check(name, size):
        write_stacked(file, {"layer.000": [rows]})

        def read():
            layers, states = map_stacked(file)
            ids = small().representations.sample_ids
            reps = nbt.Representations(states, ids, [""] * len(ids), [0] * len(ids), layers=layers)
            study = dataclasses.replace(small(), representations=reps, labels={"place": str(place / "x.study")})
            os.truncate(file, size)
            try:
                READS[name](study, reps)
            except NbtoolkitError as error:
                assert "bytes; it had" in str(error), error
                return
            raise Silent("states of a file that is not there")

        assert status(child(read)) == 0
        return "refused"

    for k in range(n):
        name = [*READS][k % len(READS)]
        yield name, functools.partial(check, name, rng.randrange(4_000_000))
