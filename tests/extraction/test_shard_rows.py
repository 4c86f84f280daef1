"""The JSON of shards: no flipped bit, no other shard's row and no other extraction passes for what was written."""

import dataclasses
import json
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from PIL import Image

import nbtoolkit as nbt
from nbtoolkit.errors import StudyError
from nbtoolkit.extraction.shards import ShardStore
from nbtoolkit.strict_json import with_checksum

from ..fuzz.shards import FINGERPRINT, opened, rows


@pytest.fixture
def folder(tmp_path):
    store = ShardStore(tmp_path / "out", FINGERPRINT, [0, 1])
    with store.lock():
        store.gather([store.save(k, rows(k), 4) for k in range(3)])
    return store.folder


@pytest.mark.parametrize("damage", ["removed", "emptied", "a pipe", "a list", "deep"])
def test_a_lost_description_is_written_again_but_not_for_other_settings(folder, damage):
    record = folder / "extraction.json"
    whole = record.read_bytes()
    record.unlink()
    if damage == "a pipe":
        os.mkfifo(record)
    elif damage != "removed":
        record.write_text({"emptied": "", "a list": "[1]", "deep": "[" * 10_000}[damage])
    with pytest.raises(
        StudyError, match="extraction.json' is missing or damaged, and shard-00000.json was made with other"
    ):
        opened(folder, FINGERPRINT | {"token": "cat"})
    assert all(opened(folder).row(k) for k in range(3)) and record.read_bytes() == whole


def test_rows_of_another_shard_or_extraction_are_not_taken(folder, tmp_path):
    store = opened(folder)
    for suffix in ("safetensors", "parquet", "json"):
        shutil.copy(folder / f"shard-00000.{suffix}", folder / f"shard-00001.{suffix}")
    assert store.row(0) and store.row(1) is None
    other = ShardStore(tmp_path / "other", FINGERPRINT | {"n": 50}, [0, 1])
    other.save(2, rows(2), 4)
    for file in other.folder.glob("shard-00002.*"):
        shutil.copy(file, folder / file.name)
    assert store.row(2) is None


@pytest.mark.parametrize("change", [
    {"rows": 2}, {"rows": "3"}, {"shard": True}, {"skipped": ["x"]}, {"skipped": {"x": 1}}, {"sha256": {}}, {"sha256": None},
    {"images": []}, {"extraction": "x"}, {"more": 1},
])  # fmt: skip
def test_a_row_that_somebody_wrote_with_a_checksum_is_of_the_right_kind(folder, change):
    file = folder / "shard-00001.json"
    file.write_text(json.dumps(with_checksum(json.loads(file.read_text()) | change)))
    row = opened(folder).row(1)
    if row is not None:
        with pytest.raises(StudyError, match=r"shard-00001.parquet' has 3 rows; expected 2"):
            opened(folder).gather([row])


def test_shards_of_release_0_2_in_development_are_read(folder):
    """They have no checksums; their files, number and columns are compared all the same."""
    for path in folder.glob("*.json"):
        content = json.loads(path.read_text())
        if path.name != "manifest.json":
            path.write_text(
                json.dumps({k: v for k, v in content.items() if k not in ("check", "images", "extraction")})
            )
    store = opened(folder)
    manifest = [store.row(k) for k in range(3)]
    assert len(store.gather(manifest)[0]) == 9
    store.check_images(manifest[0], None, [])  # nothing to compare with
    store.save(1, rows(1), 4)
    assert store.row(1)["check"] and opened(folder).row(0)
    (folder / "shard-00000.json").write_text(
        (folder / "shard-00000.json").read_text().replace('"shard": 0', '"shard": 2')
    )
    assert opened(folder).row(0) is None


def test_temporaries_of_killed_runs_are_swept(folder):
    for name in (".shard-00001.json.abcd_123.tmp", ".states.safetensors.abcdefgh.tmp", ".extraction.json.abcdefgh.tmp"):
        (folder / name).touch()
    (folder / ".job-abcdefgh").mkdir()
    with opened(folder).lock():
        assert not [p.name for p in folder.iterdir() if p.name.startswith(".") and p.name != ".lock"]


def unprivileged(work, place):
    """Run work in a process that may not write into a folder; return what it returns, or its error."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            if os.geteuid() == 0:  # root writes everywhere
                os.setgroups([])
                os.setuid(65534)
            result = repr(work())
        except BaseException as error:
            result = f"{type(error).__name__}: {error}"
        os.write(write, result.encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        result = pipe.read()
    os.waitpid(pid, 0)
    return result


@pytest.fixture
def read_only(folder):
    """A copy of the folder that cannot be written; outside of pytest's folders, which others may not enter."""
    place = Path(tempfile.mkdtemp())
    place.chmod(0o755)
    copy = shutil.copytree(folder, place / "out")
    (copy / ".lock").unlink(missing_ok=True)
    copy.chmod(0o555)
    yield copy
    copy.chmod(0o755)
    shutil.rmtree(place)


def read(folder):
    store = opened(folder)
    with store.lock():
        return len(store.gather([store.row(k) or store.save(k, rows(k), 4) for k in range(3)])[0])


def test_finished_shards_are_read_from_a_read_only_disk(read_only):
    assert unprivileged(lambda: read(read_only), read_only) == "9"
    (read_only / "manifest.json").chmod(0o644)
    (read_only / "shard-00001.json").write_text("{")
    assert (
        "StudyError: Shard 1 in" in (text := unprivileged(lambda: read(read_only), read_only))
        and "cannot be written" in text
    )
    (read_only / "extraction.json").write_text("{")
    result = unprivileged(lambda: read(read_only), read_only)
    assert (
        result.startswith("StudyError: The description of the extraction could not be written to")
        and "denied" in result
    )


# --- images ----------------------------------------------------------------------------------------------


@pytest.fixture
def image_files(data, tmp_path):
    """Twenty images in files, each with the token in its caption."""
    place = tmp_path / "images"
    place.mkdir()
    dogs = [row for row in data.select(range(300)) if any("dog" in c.split() for c in row["captions"])][:20]
    with (place / "captions.jsonl").open("w") as listing:
        for row in dogs:
            row["image"].save(place / f"{row['id']}.png")
            listing.write(
                json.dumps({"file_name": f"{row['id']}.png", "id": row["id"], "captions": row["captions"]}) + "\n"
            )
    return place


def test_a_changed_image_is_noticed_by_a_resumed_run(model, image_files, tmp_path, monkeypatch):
    """Also one that is not among the few that are read before a run, and one whose size and time are as before."""
    monkeypatch.setattr("nbtoolkit.extraction.representations.SHARD", 8)
    monkeypatch.setattr("nbtoolkit.storage.provenance.N_IMAGES", 1)
    out = tmp_path / "out"
    before = nbt.extract(model, nbt.load_data(image_files), "dog", out=out, progress=False)
    again = nbt.extract(model, nbt.load_data(image_files), "dog", out=out, progress=False)
    assert again.source == before.source == nbt.extract(model, nbt.load_data(image_files), "dog", progress=False).source
    files = sorted(image_files.glob("*.png"))
    names = [row["id"] for row in nbt.load_data(image_files)]
    file = image_files / f"{names[10]}.png"
    whole, times = file.read_bytes(), (file.stat().st_atime_ns, file.stat().st_mtime_ns)
    Image.new("RGB", Image.open(files[0]).size).save(file)
    file.write_bytes(file.read_bytes().ljust(len(whole), b"\0"))
    os.utime(file, ns=times)
    with pytest.raises(
        StudyError, match=f"1 of the 8 images of shard 1 in .* not those that were read .*'{names[10]}'"
    ):
        nbt.extract(model, nbt.load_data(image_files), "dog", out=out, progress=False)
    other = nbt.extract(model, nbt.load_data(image_files), "dog", progress=False)
    assert other.source.data != before.source.data  # every image is in the fingerprint of the data
    (out / "shard-00001.json").unlink()
    anew = nbt.extract(model, nbt.load_data(image_files), "dog", out=out, progress=False)
    assert anew.source.data == other.source.data and anew.sample_ids == other.sample_ids
    file.unlink()
    with pytest.raises(StudyError, match="1 of the 8 images of shard 1"):
        nbt.extract(model, nbt.load_data(image_files), "dog", out=out, progress=False)


def test_hashes_are_of_what_is_stored(image_files):
    from nbtoolkit.storage.provenance import image_digest

    file = next(image_files.glob("*.png"))
    cell, digest = image_digest({"bytes": None, "path": str(file)})
    assert cell["bytes"] == file.read_bytes() and image_digest({"bytes": cell["bytes"], "path": None})[1] == digest
    assert image_digest([cell, cell])[1] not in (digest, image_digest([cell])[1])
    os.mkfifo(image_files / "pipe.png")
    for path, reason in {"pipe.png": "named pipe", "none.png": "No such file"}.items():
        with pytest.raises(nbt.errors.DataError, match=f"{path}.*{reason}"):
            image_digest({"bytes": None, "path": str(image_files / path)})
    with pytest.raises(nbt.errors.DataError, match="the row has none"):
        image_digest({"bytes": None, "path": None})


def test_a_row_of_hostile_texts_is_written_and_read(folder):
    store = opened(folder)
    odd = dataclasses.replace(rows(0), captions=["a \ud800", "\0", "\u2028"], skipped={"\udfff": "\ud83d"})
    store.save(0, odd, 4)
    assert opened(folder).row(0)["skipped"] == {"\ufffd": "\ufffd"}
    assert opened(folder).gather([store.row(0)])[1]["caption"] == ["a \ufffd", "\0", "\u2028"]
