"""Many processes: the same rows as one, a killed worker costs its shard, and what cannot travel is refused."""

import os
import signal
import threading
import time

import numpy as np
import pytest

import nbtoolkit as nbt
from nbtoolkit.errors import Cancelled
from nbtoolkit.extraction import ReadingOptions
from nbtoolkit.extraction.dask_cluster import ShardTask
from nbtoolkit.extraction.options import ReadingPlan

from ..vision import not_inherited

distributed = pytest.importorskip(
    "dask.distributed", reason="Dask is not installed (pip install 'nbtoolkit[distributed]')"
)
pytestmark = pytest.mark.filterwarnings("ignore")  # Dask's own, on other threads


@pytest.fixture(scope="module")
def client():
    with (
        not_inherited(),
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as local,
        distributed.Client(local) as client,
    ):
        yield client


@pytest.fixture
def small_shards(monkeypatch):
    monkeypatch.setattr("nbtoolkit.extraction.representations.SHARD", 8)


@pytest.mark.usefixtures("small_shards")
def test_two_workers_give_what_one_process_gives(client, model, data, tmp_path):
    alone = nbt.extract(model, data, "dog", out=tmp_path / "one", batch_size=8, progress=False)
    seen = []
    shared = nbt.extract(
        model, data, "dog", out=tmp_path / "two", batch_size=8, engine=client, progress=lambda d, n: seen.append((d, n))
    )
    assert (shared.sample_ids, shared.captions, shared.positions) == (alone.sample_ids, alone.captions, alone.positions)
    assert dict(shared.skipped) == dict(alone.skipped)
    np.testing.assert_array_equal(shared.states, alone.states)
    assert seen[0][0] == 0 and seen[-1] == (alone.source.n_candidates,) * 2
    for name in ("shard-00001.safetensors", "states.safetensors"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert not list((tmp_path / "two").glob(".job-*"))


@pytest.mark.usefixtures("small_shards")
def test_an_address_is_enough_and_finished_shards_are_not_made_again(client, model, data, tmp_path):
    reps = nbt.extract(model, data, "cat", out=tmp_path, progress=False)
    times = {f.name: f.stat().st_mtime_ns for f in tmp_path.glob("shard-*.safetensors")}
    (tmp_path / "shard-00001.json").unlink()
    again = nbt.extract(model, data, "cat", out=tmp_path, engine=client.scheduler.address, progress=False)
    changed = {f.name for f in tmp_path.glob("shard-*.safetensors") if times[f.name] != f.stat().st_mtime_ns}
    assert changed == {"shard-00001.safetensors"}
    np.testing.assert_array_equal(again.states, reps.states)


@pytest.mark.usefixtures("small_shards")
def test_a_killed_worker_costs_its_shard(client, model, data, tmp_path):
    killed = []

    def kill(done, _):
        if done >= 8 and not killed:
            killed.append(next(iter(client.run(os.getpid).values())))
            os.kill(killed[0], signal.SIGKILL)

    shared = nbt.extract(model, data, "dog", out=tmp_path, batch_size=4, engine=client, progress=kill)
    assert killed
    alone = nbt.extract(model, data, "dog", batch_size=4, progress=False)
    assert shared.sample_ids == alone.sample_ids
    np.testing.assert_array_equal(shared.states, alone.states)


@pytest.mark.usefixtures("small_shards")
def test_cancelling_leaves_the_cluster_idle_and_shards_whole(client, model, data, tmp_path):
    cancel = threading.Event()
    with pytest.raises(Cancelled, match="completed shards remain"):
        nbt.extract(
            model,
            data,
            "dog",
            out=tmp_path,
            batch_size=2,
            engine=client,
            cancel=cancel,
            progress=lambda d, _: d >= 8 and cancel.set(),
        )
    deadline = time.monotonic() + 30
    while any(client.processing().values()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(client.processing().values())
    assert nbt.extract(model, data, "dog", out=tmp_path, progress=False).sample_ids


def test_what_cannot_travel_is_refused(model, data, tmp_path):
    with pytest.raises(nbt.NbtoolkitError, match="engine= needs out="):
        nbt.extract(model, data, "dog", engine="dask", progress=False)
    loaded = nbt.load_model(model.hf, processor=model.processor)
    with pytest.raises(nbt.NbtoolkitError, match="was given as a loaded model; expected one of load_model"):
        nbt.extract(loaded, data, "dog", engine="dask", out=tmp_path, progress=False)
    with pytest.raises(nbt.NbtoolkitError, match=r"engine is 'ray'; expected None, 'dask', a scheduler's address"):
        nbt.extract(model, data, "dog", engine="ray", out=tmp_path / "x", progress=False)


def test_other_weights_on_a_worker_are_refused(model, data, tmp_path, client):
    other = nbt.load_model("toy")
    other.blocks[0].mlp.down_proj.weight.data[0, 0] += 1
    with pytest.raises(nbt.NbtoolkitError, match="The worker finds other weights at 'toy'"):
        nbt.extract(other, data, "dog", engine=client, out=tmp_path, progress=False)


def test_a_task_is_small(model, data, tmp_path):
    import pickle

    plan = ReadingPlan(("dog",), ((1,),), (0,), ReadingOptions(batch_size=8))
    task = ShardTask("toy", {"device": "auto"}, False, str(tmp_path), plan, "x", {})
    assert len(pickle.dumps(task)) < 2000


@pytest.mark.usefixtures("small_shards")
def test_the_command_line_takes_a_cluster(client, tmp_path, monkeypatch, capsys):
    from nbtoolkit.cli import main

    monkeypatch.chdir(tmp_path)
    options = ["--n", "200", "--n-concepts", "3", "--layers", "5", "--dask-address", client.scheduler.address]
    assert main(["study", "--model", "toy", "--data", "toy", "--token", "cat", "--out", "c.study", *options]) == 0
    assert "saved in c.study" in capsys.readouterr().out
    study = nbt.open_study("c.study")
    assert study.layers == (5,) and not list(tmp_path.glob("*.shards"))
    alone = nbt.extract(nbt.load_model("toy"), nbt.load_data("toy", n=200), "cat", stop_early=False, progress=False)
    assert study.representations.captions == alone.captions
