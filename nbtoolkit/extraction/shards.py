"""Shards of an extraction on disk: resumable, idempotent checkpoints.

A shard is ``shard-00000.safetensors`` (one tensor a layer), ``shard-00000.parquet`` (id, caption, position of every
row) and ``shard-00000.json``, its row of the manifest, written last: SHA-256 of the other two, number of rows, excluded
samples. ``extraction.json`` describes the extraction. Once all shards are complete, ``states.safetensors`` joins them,
to be memory-mapped, and ``manifest.json`` lists everything.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from ..errors import StudyError
from ..storage.files import map_stacked, plain, sha256, write_json, write_stacked, write_table
from .probe import difference


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
        The folder holds another extraction; the message has the difference.
    """

    def __init__(self, folder: str | os.PathLike[str], fingerprint: Mapping[str, Any], layers: Sequence[int]) -> None:
        self.folder, self.layers = Path(folder), tuple(layers)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.fingerprint: dict[str, Any] = plain(dict(fingerprint))
        record, new = self.folder / "extraction.json", self.fingerprint
        if not record.exists():
            write_json(record, new)
            return
        old = json.loads(record.read_text("utf-8"))
        before, now = old.get("probe"), new.get("probe")
        changed = sorted(k for k in new.keys() | old.keys() if new.get(k) != old.get(k) and k != "probe")
        if changed or (before is None) != (now is None):
            texts = [f"{k}: {old.get(k)!r} there, {new.get(k)!r} now" for k in changed] or ["it has no probe image"]
            raise StudyError(
                f"{str(self.folder)!r} holds an extraction of something else ({'; '.join(texts)}). Choose another folder with out=."
            )
        change = difference(before, now, new["number format"]) if before and now else ""
        if change:
            raise StudyError(
                f"The shards in {str(self.folder)!r} were made by a model whose states differ ({change}), because an "
                "intervention, a hook, an adapter or a setting of the processor is another one. Restore it, or choose another "
                "folder with out=."
            )

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Exclude other runs while the block lasts; a killed run leaves nothing locked.

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
        try:
            yield
        finally:
            lock.release()

    def _file(self, index: int, suffix: str) -> Path:
        return self.folder / f"shard-{index:05d}.{suffix}"

    def row(self, index: int) -> dict[str, Any] | None:
        """Manifest row of a completed shard; None where it is missing, truncated or altered.

        Parameters
        ----------
        index
            Number of the shard.
        """
        try:
            about = json.loads(self._file(index, "json").read_text("utf-8"))
            whole = all(
                sha256(self._file(index, suffix)) == about["sha256"][suffix] for suffix in ("safetensors", "parquet")
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return dict(about) if whole else None

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
            hashes = {suffix: sha256(self._file(index, suffix)) for suffix in ("safetensors", "parquet")}
            about = {"shard": index, "rows": len(rows.ids), "skipped": dict(rows.skipped), "sha256": hashes}
            write_json(self._file(index, "json"), about)
        return about

    @contextlib.contextmanager
    def _writing(self, part: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StudyError(
                f"{part.capitalize()} could not be written to {str(self.folder)!r} ({error.strerror or error}). "
                "Completed shards remain: make room, and call extract again with the same out=."
            ) from error

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
        """
        filled = [m["shard"] for m in manifest if m["rows"]]
        columns: dict[str, list[Any]] = {"id": [], "caption": [], "position": []}
        for index in filled:
            table = pq.read_table(self._file(index, "parquet"))
            for name, values in columns.items():
                values += table[name].to_pylist()
        skipped = {k: v for m in manifest for k, v in m["skipped"].items()}
        return map_stacked(self._whole(filled, manifest))[1], columns, skipped

    def _whole(self, filled: Sequence[int], manifest: Sequence[Mapping[str, Any]]) -> Path:
        """File with all rows: that of the only shard, or of all joined; a file that is complete is not written again."""
        shards = [m["sha256"] for m in manifest]
        record, path = self.folder / "manifest.json", self.folder / "states.safetensors"
        if len(filled) == 1:
            path = self._file(filled[0], "safetensors")
        else:
            try:
                about = json.loads(record.read_text("utf-8"))
                if about["shards"] == shards and about["states"] == sha256(path):
                    return path
            except (OSError, ValueError, KeyError):
                pass
            maps = [map_stacked(self._file(i, "safetensors"))[1] for i in filled or [0]]
            with self._writing("the states of all shards"):
                write_stacked(path, {f"layer.{i:03d}": [m[:, k] for m in maps] for k, i in enumerate(self.layers)})
        write_json(record, {"shards": shards, "states": sha256(path)})
        return path
