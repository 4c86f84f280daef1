"""The same shards on many machines: each Dask worker loads the model once and writes its shards where all can see them."""

from __future__ import annotations

import contextlib
import ctypes
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .batches import CANCELLED
from .errors import Cancelled, ModelError, NbtoolkitError
from .progress import no_bars_of_datasets
from .reading import Reader, Settings
from .shards import ShardStore

if TYPE_CHECKING:
    from .models import Model


@dataclass(frozen=True)
class Job:
    """What a worker needs to read any shard; it travels to the workers, so it is small: names and paths, no tensors."""

    source: str
    loading: dict[str, Any]
    one_gpu_each: bool
    data: str
    settings: Settings
    batch_size: int | str
    folder: str
    fingerprint: dict[str, Any]


_models: dict[str, Model] = {}  # of this worker: the last one
_readers: dict[str, Reader] = {}
_turn = threading.Lock()  # hooks are on the model: one shard at a time in a process


def read_shard(job: Job, index: int, rows: Sequence[int]) -> dict[str, Any]:
    """Run on a worker: read one shard, unless it is finished, and give its row of the manifest."""
    with _turn:
        store = ShardStore(job.folder, job.fingerprint, job.settings.layers)
        done = store.row(index)
        if done is not None:
            return done
        if job.data not in _readers:
            _readers.clear()
            _readers[job.data] = _reader(job)
        reader = _readers[job.data]
        return store.save(index, reader.shard(rows), reader.model.d_model)


def _keep_freed_memory() -> None:
    """Undo Dask's ``MALLOC_TRIM_THRESHOLD_``: glibc then gives every freed tensor back to the system and faults it in again.

    On the embedded model that was 37 % of a worker's time. Elsewhere than glibc there is nothing to undo.
    """
    trim, mmap = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h
    with contextlib.suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(mmap, 32 << 20)
        mallopt(trim, 512 << 20)


def _reader(job: Job) -> Reader:
    import datasets
    import torch
    from dask.distributed import get_worker

    from .models import load_model
    from .provenance import weights

    _keep_freed_memory()
    loading = dict(job.loading)
    if job.one_gpu_each and torch.cuda.device_count() > 1:
        loading["device"] = f"cuda:{int(get_worker().name) % torch.cuda.device_count()}"
    key = f"{job.source} {loading}"
    if key not in _models:
        _models.clear()
        _models[key] = load_model(job.source, check=False, **loading)  # the one who asks has checked it
    if weights(_models[key].hf) != job.fingerprint["weights"]:
        raise ModelError(
            f"The worker finds other weights at {job.source!r} than this process has. Give all of them the same files."
        )
    return Reader(_models[key], datasets.load_from_disk(job.data), job.settings, job.batch_size)


def run(engine: Any, model: Model, raw: Any, settings: Settings, batch_size: int | str, store: ShardStore, shards: Sequence[Sequence[int]],
        advance: Callable[[int], None], cancel: threading.Event | None) -> list[dict[str, Any]]:  # fmt: skip
    """Have every missing shard read by a Dask cluster; give all of them as rows of the manifest.

    Raises
    ------
    ModelError
        The model was given as a loaded pair, so that a worker could not load it.
    NbtoolkitError
        Dask is not installed, or ``engine`` is none.
    Cancelled
        ``cancel`` was set; shards that are finished are kept.
    """
    if model.origin is None:
        raise ModelError(
            f"{model.name} was given as a loaded model; expected one of load_model('a hub id or folder'), which every worker can load too."
        )
    manifest = [store.row(index) for index in range(len(shards))]
    missing = [index for index, row in enumerate(manifest) if row is None]
    done = sum(len(shard) for shard, row in zip(shards, manifest, strict=True) if row is not None)
    advance(done)
    if not missing:
        return [row for row in manifest if row is not None]
    with _client(engine) as (client, ours), tempfile.TemporaryDirectory(dir=store.folder, prefix=".job-") as folder:
        from dask.distributed import wait

        with no_bars_of_datasets():  # the workers get the pictures of the missing shards as files
            raw.select([i for index in missing for i in shards[index]]).save_to_disk(folder)
        here = Path(folder).resolve()
        job = Job(*model.origin, ours, str(here), settings, batch_size, str(here.parent), store.fingerprint)
        futures, start = {}, 0
        for index in missing:
            stop = start + len(shards[index])
            futures[client.submit(read_shard, job, index, list(range(start, stop)), pure=False)] = index
            start = stop
        waiting = set(futures)
        try:
            while waiting:
                if cancel is not None and cancel.is_set():
                    raise Cancelled(CANCELLED)
                try:
                    finished, waiting = wait(waiting, timeout=1, return_when="FIRST_COMPLETED")
                except TimeoutError:  # nothing yet; a shard's own TimeoutError, below, is not mistaken for it
                    continue
                for future in finished:
                    index = futures[future]
                    manifest[index] = future.result()
                    done += len(shards[index])
                    advance(done)
        finally:
            client.cancel(list(futures))
    return [row for row in manifest if row is not None]


@contextlib.contextmanager
def _client(engine: Any) -> Iterator[tuple[Any, bool]]:
    """Give a Dask client, and whether its cluster is one of ours (which ends with the block)."""
    try:
        import dask
        from dask.distributed import Client, LocalCluster
    except ImportError as error:
        raise NbtoolkitError("engine= needs Dask; pip install 'nbtoolkit[distributed]'.") from error
    import os

    import torch

    if isinstance(engine, Client):
        yield engine, False
    elif isinstance(engine, str) and "://" in engine:
        with Client(engine) as client:
            yield client, False
    elif engine == "dask":
        n = torch.cuda.device_count() or os.cpu_count() or 1
        quiet = {"distributed.worker.profile.enabled": False}  # it looks at every thread a hundred times a second
        local = {"n_workers": n, "threads_per_worker": 1, "dashboard_address": None}
        with dask.config.set(quiet), LocalCluster(**local) as cluster, Client(cluster) as client:
            yield client, True
    else:
        raise NbtoolkitError(
            f"engine is {engine!r}; expected None, 'dask', a scheduler's address such as 'tcp://host:8786', or a dask.distributed.Client."
        )
