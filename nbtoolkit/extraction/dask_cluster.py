"""The same shards on many machines: each Dask worker loads the model once and writes its shards to a shared folder."""

from __future__ import annotations

import contextlib
import ctypes
import os
import tempfile
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import torch

from ..data.loading import no_dataset_bars
from ..errors import Cancelled, ModelError, NbtoolkitError
from ..models.adapter import Model
from ..models.loading import load_model
from ..storage.provenance import weights
from .image_batches import CANCELLED
from .options import ReadingPlan
from .probe import difference, probe
from .reader import Reader
from .shards import ShardStore


@dataclass(frozen=True)
class ShardTask:
    """What a worker needs to read any shard; it is sent to the workers, so it holds names and paths, no tensors.

    Attributes
    ----------
    source, loading
        Arguments of :func:`nbtoolkit.load_model`.
    one_gpu_each
        Whether worker number i uses GPU number i of its machine.
    data
        Folder with the candidates of the missing shards.
    plan
        The token, the layers and the options.
    folder, fingerprint
        Arguments of :class:`ShardStore`.
    """

    source: str
    loading: dict[str, Any]
    one_gpu_each: bool
    data: str
    plan: ReadingPlan
    folder: str
    fingerprint: dict[str, Any]


_models: dict[str, Model] = {}  # of this worker: the last one
_readers: dict[str, Reader] = {}
_lock = threading.Lock()  # hooks are on the model: one shard at a time per process


def read_shard(task: ShardTask, index: int, rows: Sequence[int]) -> dict[str, Any]:
    """Run on a worker: read one shard, unless it is complete, and return its manifest row.

    Parameters
    ----------
    task
        What to read, and with which model.
    index
        Number of the shard.
    rows
        Its rows in the data of the task.
    """
    with _lock:
        store = ShardStore(task.folder, task.fingerprint, task.plan.layers)
        done = store.row(index)
        if done is not None:
            return done
        if task.data not in _readers:
            _readers.clear()
            _readers[task.data] = _reader(task)
        reader = _readers[task.data]
        return store.save(index, reader.shard(rows), reader.model.d_model)


def _keep_freed_memory() -> None:
    """Undo Dask's ``MALLOC_TRIM_THRESHOLD_``: glibc then returns every freed tensor to the system and faults it in again.

    On the embedded model that was 37 % of a worker's time. Without glibc there is nothing to undo.
    """
    trim, mmap = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h
    with contextlib.suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(mmap, 32 << 20)
        mallopt(trim, 512 << 20)


def _reader(task: ShardTask) -> Reader:
    from dask.distributed import get_worker  # an optional dependency

    _keep_freed_memory()
    loading = dict(task.loading)
    if task.one_gpu_each and torch.cuda.device_count() > 1:
        loading["device"] = f"cuda:{int(get_worker().name) % torch.cuda.device_count()}"
    key = f"{task.source} {loading}"
    if key not in _models:
        _models.clear()
        _models[key] = load_model(task.source, check=False, **loading)  # the sender has checked it
    if weights(_models[key].hf) != task.fingerprint["weights"]:
        raise ModelError(
            f"The worker finds other weights at {task.source!r} than this process has. Give all of them the same files."
        )
    change = difference(task.fingerprint["probe"], probe(_models[key]), task.fingerprint["number format"])
    if change:
        raise ModelError(
            f"The worker's model differs from this process's ({change}). Interventions, hooks and adapters that are not in "
            f"the files at {task.source!r} do not reach the workers: leave engine= out."
        )
    return Reader(_models[key], datasets.load_from_disk(task.data), task.plan)


def read_on_cluster(
    engine: Any,
    reader: Reader,
    store: ShardStore,
    shards: Sequence[Sequence[int]],
    advance: Callable[[int], None],
) -> list[dict[str, Any]]:
    """Have every missing shard read by a Dask cluster; return the manifest rows of all.

    Parameters
    ----------
    engine
        As for :func:`nbtoolkit.extract`.
    reader
        The model, the data, the plan and the cancel event.
    store
        Store of the shards, on a folder that all workers see.
    shards
        Rows of the data set per shard.
    advance
        Called with the number of candidates that are done.

    Raises
    ------
    ModelError
        The model was given as a loaded pair, so that a worker could not load it.
    NbtoolkitError
        Dask is not installed, or ``engine`` is of another kind.
    Cancelled
        The cancel event was set; completed shards remain.
    """
    model = reader.model
    if model.origin is None:
        raise ModelError(
            f"{model.name} was given as a loaded model; expected one of load_model('a hub id or folder'), which every worker can load too."
        )
    manifest = [store.row(index) for index in range(len(shards))]
    for row, shard in zip(manifest, shards, strict=True):
        if row is not None:
            store.check_images(row, reader.data, shard)
    missing = [index for index, row in enumerate(manifest) if row is None]
    done = sum(len(shard) for shard, row in zip(shards, manifest, strict=True) if row is not None)
    advance(done)
    if missing:
        with (
            _client(engine) as (client, is_ours),
            tempfile.TemporaryDirectory(dir=store.folder, prefix=".job-") as folder,
        ):
            with no_dataset_bars():  # the workers get the images of the missing shards as files
                reader.data.select([i for index in missing for i in shards[index]]).save_to_disk(folder)
            here = Path(folder).resolve()
            task = ShardTask(*model.origin, is_ours, str(here), reader.plan, str(here.parent), store.fingerprint)
            with contextlib.closing(_results(client, task, missing, shards, reader.cancel)) as results:
                for index, row in results:
                    manifest[index] = row
                    done += len(shards[index])
                    advance(done)
    return [row for row in manifest if row is not None]


def _results(
    client: Any,
    task: ShardTask,
    missing: Sequence[int],
    shards: Sequence[Sequence[int]],
    cancel: threading.Event | None,
) -> Generator[tuple[int, dict[str, Any]], None, None]:
    """Submit the missing shards; yield each one's number and manifest row as it completes."""
    from dask.distributed import wait  # an optional dependency

    futures, start = {}, 0
    for index in missing:
        stop = start + len(shards[index])
        futures[client.submit(read_shard, task, index, list(range(start, stop)), pure=False)] = index
        start = stop
    waiting = set(futures)
    try:
        while waiting:
            if cancel is not None and cancel.is_set():
                raise Cancelled(CANCELLED)
            try:
                finished, waiting = wait(waiting, timeout=1, return_when="FIRST_COMPLETED")
            except TimeoutError:  # nothing yet; a shard's own TimeoutError is raised below, not here
                continue
            for future in finished:
                yield futures[future], future.result()
    finally:
        client.cancel(list(futures))


@contextlib.contextmanager
def _client(engine: Any) -> Iterator[tuple[Any, bool]]:
    """Give a Dask client, and whether its cluster was started here (it then ends with the block)."""
    try:
        import dask  # an optional dependency
        from dask.distributed import Client, LocalCluster
    except ImportError as error:
        raise NbtoolkitError("engine= needs Dask; pip install 'nbtoolkit[distributed]'.") from error
    if isinstance(engine, Client):
        yield engine, False
    elif isinstance(engine, str) and "://" in engine:
        with Client(engine) as client:
            yield client, False
    elif engine == "dask":
        n = torch.cuda.device_count() or os.cpu_count() or 1
        quiet = {"distributed.worker.profile.enabled": False}  # it samples every thread a hundred times a second
        local = {"n_workers": n, "threads_per_worker": 1, "dashboard_address": None}
        with dask.config.set(quiet), LocalCluster(**local) as cluster, Client(cluster) as client:
            yield client, True
    else:
        raise NbtoolkitError(
            f"engine is {engine!r}; expected None, 'dask', a scheduler's address such as 'tcp://host:8786', or a dask.distributed.Client."
        )
