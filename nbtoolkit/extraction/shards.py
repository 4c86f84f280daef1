"""Shards of an extraction on disk: resumable, idempotent checkpoints.

A shard is ``shard-00000.safetensors`` (one tensor a layer), ``shard-00000.parquet`` (id, caption, position of every
row) and ``shard-00000.json``, its row of the manifest, written last: SHA-256 of the other two, number of rows, excluded
samples, a hash of every image's bytes, and a checksum of all this. ``extraction.json`` describes the extraction. Once all
shards are complete, ``states.safetensors`` joins them, to be memory-mapped, and ``manifest.json`` lists everything.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from ..durable import sweep
from ..errors import StudyError
from ..files import disk_errors, regular_file, sha256, user_path
from ..storage.files import plain, write_json, write_stacked, write_table
from ..storage.provenance import image_digests
from ..storage.reading import map_stacked, read_table
from ..strict_json import encodable, read_json, with_checksum
from .shard_rows import COLUMNS, PARTS, ROW, compare, is_of

_RECORD = "extraction.json"


class ShardStore:
    """Shards of one extraction.

    Parameters
    ----------
    folder
        The folder of the shards.
    fingerprint
        What the rows depend on (model, weights, prompt, token, data); a folder of another fingerprint is refused. Its
        entry ``probe``, from :func:`nbtoolkit.extraction.probe.probe`, is compared within a tolerance.
    layers
        The layers of axis 1 of the states.

    Raises
    ------
    StudyError
        The folder holds another extraction; the message has the difference. Or it cannot be written.
    """

    def __init__(self, folder: str | os.PathLike[str], fingerprint: Mapping[str, Any], layers: Sequence[int]) -> None:
        self.folder, self.layers = user_path(folder), tuple(layers)
        self.fingerprint: dict[str, Any] = plain(dict(fingerprint))
        self._writable = True
        record = with_checksum(self.fingerprint)
        with self._writing("the description of the extraction"):
            self.folder.mkdir(parents=True, exist_ok=True)
        stored = self._record()
        self._unchecked = stored is not None and "check" not in stored  # by release 0.2 in development
        self._key = (record if stored is None else with_checksum(stored))["check"]
        if stored is not None:
            compare({k: v for k, v in stored.items() if k != "check"}, self.fingerprint, self.folder)
            return
        self._refuse_shards_of_others()
        with self._writing("the description of the extraction"):
            write_json(self.folder / _RECORD, record)

    def _record(self) -> dict[str, Any] | None:
        """What the folder says that it holds; None where it says nothing, or what it says is damaged."""
        try:
            stored = read_json(self.folder / _RECORD, StudyError, inside=self.folder)
        except StudyError:
            return None
        if not isinstance(stored, dict):
            return None
        return stored if stored == with_checksum(stored) or stored.keys() == self.fingerprint.keys() else None

    def _refuse_shards_of_others(self) -> None:
        """Without a description, shards must be of this extraction: their rows name it."""
        path = next((p for p in sorted(self.folder.glob("shard-*.json")) if not is_of(p, self._key)), None)
        if path is not None:
            raise StudyError(
                f"{str(self.folder / _RECORD)!r} is missing or damaged, and {path.name} was made with other settings, or by a "
                "model whose states differ. Restore the file, or choose another folder with out=."
            )

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Exclude other runs while the block lasts; a killed run leaves nothing locked. On a read-only disk there is no lock.

        Raises
        ------
        StudyError
            Another run holds the lock.
        """
        lock = FileLock(self.folder / ".lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise StudyError(
                f"Another run is writing into {str(self.folder)!r}. Wait for it, or choose another folder with out=."
            ) from None
        except OSError:  # read-only: complete shards can be read all the same
            self._writable = False
            yield
            return
        try:
            sweep(self.folder, ["shard-", "states.safetensors", "manifest.json", _RECORD])
            for job in self.folder.glob(".job-*"):  # data sets of killed cluster runs
                shutil.rmtree(job, ignore_errors=True)
            yield
        finally:
            lock.release()

    def _file(self, index: int, suffix: str) -> Path:
        return self.folder / f"shard-{index:05d}.{suffix}"

    def row(self, index: int) -> dict[str, Any] | None:
        """Manifest row of a completed shard; None where it is missing, truncated, altered or of another shard.

        Parameters
        ----------
        index
            Number of the shard.

        Raises
        ------
        StudyError
            It is not complete, and the folder is read-only.
        """
        try:
            path = self._file(index, "json")
            row: dict[str, Any] = ROW(read_json(path, StudyError, inside=self.folder), path.name)
            own = row == with_checksum(row) and row.get("extraction") == self._key
            own = own or (self._unchecked and row.keys() == {"shard", "rows", "skipped", "sha256"})
            files = {s: regular_file(self._file(index, s), StudyError, inside=self.folder) for s in PARTS}
            if own and row["shard"] == index and all(sha256(files[s]) == row["sha256"][s] for s in PARTS):
                return row
        except (OSError, StudyError):
            pass
        if not self._writable:
            raise StudyError(
                f"Shard {index} in {str(self.folder)!r} is missing or damaged, and the folder cannot be written. Make it "
                "writable, or choose another folder with out=."
            )
        return None

    def check_images(self, row: Mapping[str, Any], data: Any, rows: Sequence[int]) -> None:
        """Compare the images of a completed shard with those that were read.

        Parameters
        ----------
        row
            Manifest row of the shard.
        data
            Data set with undecoded images.
        rows
            Its rows of the shard.

        Raises
        ------
        StudyError
            The bytes of an image are others.
        """
        if "images" not in row:
            return
        now = image_digests(data, rows)
        changed = [i for i, digest in now.items() if row["images"].get(i) != digest]
        if changed:
            name = self._file(row["shard"], "json").name
            raise StudyError(
                f"{len(changed)} of the {len(now)} images of shard {row['shard']} in {str(self.folder)!r} are not those that were "
                f"read (the first is {changed[0]!r}). Restore them, remove {name} to read them anew, or choose another "
                "folder with out=."
            )

    def save(self, index: int, rows: Any, width: int) -> dict[str, Any]:
        """Write one shard, and last its manifest row, which marks it as complete; return that row.

        Parameters
        ----------
        index
            Number of the shard.
        rows
            A :class:`nbtoolkit.extraction.reader.Rows`; it may be empty.
        width
            d_model, for the shape of an empty shard.

        Raises
        ------
        StudyError
            The disk is full or read-only.
        """
        states = rows.states if rows.ids else np.zeros((0, len(self.layers), width), np.float32)
        with self._writing(f"shard {index}"):
            layers = {f"layer.{i:03d}": [states[:, k]] for k, i in enumerate(self.layers)}
            write_stacked(self._file(index, "safetensors"), layers)
            write_table(
                self._file(index, "parquet"), {"id": rows.ids, "caption": rows.captions, "position": rows.positions}
            )
            about = {
                "shard": index,
                "rows": len(rows.ids),
                "skipped": dict(rows.skipped),
                "images": dict(sorted(rows.images.items())),
                "sha256": {suffix: sha256(self._file(index, suffix)) for suffix in PARTS},
                "extraction": self._key,
            }
            row = with_checksum(encodable(about))
            write_json(self._file(index, "json"), row)
        return row

    def _writing(self, part: str) -> contextlib.AbstractContextManager[None]:
        advice = "Completed shards remain: make room, and call extract again with the same out=."
        return disk_errors(part.capitalize(), self.folder, StudyError, advice)

    def gather(self, manifest: Sequence[Mapping[str, Any]]) -> tuple[np.ndarray, dict[str, list[Any]], dict[str, str]]:
        """Join completed shards.

        Parameters
        ----------
        manifest
            Their manifest rows, in order.

        Returns
        -------
        states : (n, n_layers, d_model)
            Memory-mapped from one file.
        columns
            ``id``, ``caption`` and ``position`` of every row.
        skipped
            Excluded samples, id to reason.

        Raises
        ------
        StudyError
            A shard does not hold what its row says, or the disk is full or read-only.
        """
        filled = [m["shard"] for m in manifest if m["rows"]]
        columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
        for row in manifest:
            if row["rows"]:
                table = read_table(self._file(row["shard"], "parquet"), COLUMNS, row["rows"], inside=self.folder)
                for name, values in columns.items():
                    values += table[name]
        skipped = {k: v for m in manifest for k, v in m["skipped"].items()}
        layers, states = map_stacked(self._whole(filled, manifest), self.folder)
        if layers != self.layers or len(states) != len(columns["id"]):
            raise StudyError(
                f"{str(self.folder)!r} has {len(states)} states of the layers {layers} for {len(columns['id'])} rows of the layers "
                f"{self.layers}; expected as many. Choose another folder with out=."
            )
        return states, columns, skipped

    def _whole(self, filled: Sequence[int], manifest: Sequence[Mapping[str, Any]]) -> Path:
        """File with all rows: that of the only shard, or of all joined; a file that is complete is not written again."""
        shards = [m["sha256"] for m in manifest]
        record, path = self.folder / "manifest.json", self.folder / "states.safetensors"
        try:
            about = read_json(record, StudyError, inside=self.folder)
        except StudyError:
            about = None
        if len(filled) == 1:
            path = self._file(filled[0], "safetensors")
        else:
            with contextlib.suppress(OSError, StudyError, KeyError, TypeError):
                regular_file(path, StudyError, inside=self.folder)
                if about["shards"] == shards and about["states"] == sha256(path):
                    return path
            maps = [map_stacked(self._file(i, "safetensors"), self.folder)[1] for i in filled or [0]]
            with self._writing("the states of all shards"):
                write_stacked(path, {f"layer.{i:03d}": [m[:, k] for m in maps] for k, i in enumerate(self.layers)})
        content = {"shards": shards, "states": sha256(path)}
        if about != content and self._writable:
            with self._writing("the list of shards"):
                write_json(record, content)
        return path
