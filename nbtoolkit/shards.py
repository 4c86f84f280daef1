"""Finished shards of an extraction, on disk: what a killed run has done is kept, and what was done twice agrees.

A shard is ``shard-00000.safetensors`` (one tensor a layer), ``shard-00000.parquet`` (id, caption, position of every
row) and ``shard-00000.json``, its row of the manifest, written last: SHA-256 of the other two, number of rows, samples
left out. ``extraction.json`` says what was extracted. When all are there, ``states.safetensors`` holds them in one
piece, to be mapped into memory, and ``manifest.json`` lists everything.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .atomic import map_stacked, plain, sha256, write_json, write_stacked, write_table
from .errors import StudyError


class ShardStore:
    """Shards of one extraction.

    Parameters
    ----------
    folder
        Where they go.
    fingerprint
        What the rows depend on (model, weights, prompt, token, data); a folder made with another one is refused.
    layers
        The layers of axis 1 of the states.
    """

    def __init__(self, folder: str | os.PathLike[str], fingerprint: Mapping[str, Any], layers: Sequence[int]) -> None:
        self.folder, self.layers = Path(folder), tuple(layers)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.fingerprint: dict[str, Any] = plain(dict(fingerprint))
        record, wanted = self.folder / "extraction.json", self.fingerprint
        if not record.exists():
            write_json(record, wanted)
            return
        there = json.loads(record.read_text("utf-8"))
        changed = sorted(k for k in wanted.keys() | there.keys() if wanted.get(k) != there.get(k))
        if changed:
            difference = "; ".join(f"{k}: {there.get(k)!r} there, {wanted.get(k)!r} now" for k in changed)
            raise StudyError(
                f"{str(self.folder)!r} holds an extraction of something else ({difference}). Choose another folder with out=."
            )

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other runs out while the block lasts; a killed run leaves nothing locked."""
        from filelock import FileLock, Timeout

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
        """Give a finished shard's row of the manifest; None where it is missing, truncated or altered."""
        try:
            about = json.loads(self._file(index, "json").read_text("utf-8"))
            whole = all(
                sha256(self._file(index, suffix)) == about["sha256"][suffix] for suffix in ("safetensors", "parquet")
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return dict(about) if whole else None

    def save(self, index: int, rows: Any, width: int) -> dict[str, Any]:
        """Write one shard, and last the row of the manifest that says it is whole; give that row.

        Parameters
        ----------
        rows
            A :class:`nbtoolkit.reading.Rows`; it may be empty.
        width
            d_model, for the shape of an empty shard.
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
    def _writing(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StudyError(f"{what.capitalize()} could not be written to {str(self.folder)!r} ({error.strerror or error}). Finished shards are kept: "
                             "make room, and call extract again with the same out=.") from error  # fmt: skip

    def gather(self, manifest: Sequence[Mapping[str, Any]]) -> tuple[np.ndarray, dict[str, list[Any]], dict[str, str]]:
        """Put finished shards together.

        Parameters
        ----------
        manifest
            Their rows of the manifest, in order.

        Returns
        -------
        states : (n, n_layers, d_model)
            Mapped from one file.
        columns
            ``id``, ``caption`` and ``position`` of every row.
        skipped
            Samples left out, id to reason.
        """
        import pyarrow.parquet as pq

        filled = [m["shard"] for m in manifest if m["rows"]]
        columns: dict[str, list[Any]] = {"id": [], "caption": [], "position": []}
        for index in filled:
            table = pq.read_table(self._file(index, "parquet"))
            for name, values in columns.items():
                values += table[name].to_pylist()
        skipped = {k: v for m in manifest for k, v in m["skipped"].items()}
        return map_stacked(self._whole(filled, manifest))[1], columns, skipped

    def _whole(self, filled: Sequence[int], manifest: Sequence[Mapping[str, Any]]) -> Path:
        """Give the file with all rows: of one shard, or of all of them in one piece; one that is there and right is not made again."""
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
