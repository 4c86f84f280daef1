"""What a machine does to a long run: it is killed, the disk fills up, bits change, two runs meet. Nothing good is lost."""

import json
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

import nbtoolkit as nbt

SHARD = 8
START = """
import os, resource, signal, sys
import nbtoolkit as nbt, nbtoolkit.extraction.representations
nbtoolkit.extraction.representations.SHARD = 8
model, data = nbt.load_model("toy"), nbt.load_data("toy", n=400)
"""


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr("nbtoolkit.extraction.representations.SHARD", SHARD)


def run(folder, code):
    """Run code in a process of its own, as a notebook kernel would."""
    return subprocess.run(
        [sys.executable, "-c", START + textwrap.dedent(code), str(folder)], capture_output=True, text=True, timeout=300
    )


def contents(folder):
    return {f.name: f.read_bytes() for f in sorted(folder.iterdir()) if f.name != ".lock"}


@pytest.fixture(scope="module")
def undisturbed(model, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nbtoolkit.extraction.representations.SHARD", SHARD)
        nbt.extract(model, data, "dog", out=folder, batch_size=4, progress=False)
    return folder


def extract(model, data, folder):
    seen = []
    reps = nbt.extract(model, data, "dog", out=folder, batch_size=4, progress=lambda done, _: seen.append(done))
    return reps, seen


@pytest.mark.slow
def test_kill_9_then_resume_gives_the_same_bytes(model, data, undisturbed, tmp_path):
    """Killed in the middle of the third shard."""
    done = run(tmp_path, """
        nbt.extract(model, data, "dog", out=sys.argv[1], batch_size=4,
                    progress=lambda done, _: os.kill(os.getpid(), signal.SIGKILL) if done > 20 else None)
    """)  # fmt: skip
    assert done.returncode == -signal.SIGKILL
    assert [f.name for f in sorted(tmp_path.glob("shard-*.json"))] == ["shard-00000.json", "shard-00001.json"]
    _, seen = extract(model, data, tmp_path)
    assert seen[:2] == [8, 16]  # not computed again
    assert contents(tmp_path) == contents(undisturbed)


@pytest.mark.slow
def test_a_full_disk_is_one_clear_error_and_finished_shards_stay(model, data, undisturbed, tmp_path):
    """The operating system refuses to let any file grow past the second shard's size."""
    size = max(f.stat().st_size for f in undisturbed.glob("shard-*.safetensors"))
    done = run(tmp_path, f"""
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        def full(done, _):
            if done > 16:
                resource.setrlimit(resource.RLIMIT_FSIZE, ({size // 2}, {size // 2}))
        nbt.extract(model, data, "dog", out=sys.argv[1], batch_size=4, progress=full)
    """)  # fmt: skip
    last = done.stderr.strip().splitlines()[-1]
    assert (
        "StudyError: Shard 2 could not be written to" in last
        and "Completed shards remain: make room, and call extract again" in last
    )
    names = {f.name for f in tmp_path.iterdir()}
    assert {"shard-00000.json", "shard-00001.json"} <= names and not any(
        "shard-00002" in n or n.endswith(".tmp") for n in names
    )
    extract(model, data, tmp_path)
    assert contents(tmp_path) == contents(undisturbed)


def flip(file, at=-9):
    raw = bytearray(file.read_bytes())
    raw[at] ^= 1
    file.write_bytes(raw)


@pytest.mark.parametrize("damage", [
    lambda folder: flip(folder / "shard-00001.safetensors"),
    lambda folder: flip(folder / "shard-00001.parquet", 40),
    lambda folder: (folder / "shard-00001.safetensors").write_bytes((folder / "shard-00001.safetensors").read_bytes()[:-4]),
    lambda folder: (folder / "shard-00001.json").write_text("{"),
    lambda folder: (folder / "shard-00001.parquet").unlink(),
])  # fmt: skip
def test_a_damaged_shard_is_found_and_only_that_one_is_made_again(model, data, undisturbed, tmp_path, damage):
    for name, raw in contents(undisturbed).items():
        (tmp_path / name).write_bytes(raw)
    damage(tmp_path)
    _, seen = extract(model, data, tmp_path)
    made = {done for done in seen if SHARD < done < 2 * SHARD}
    assert made and not any(0 < done < SHARD or 2 * SHARD < done < 3 * SHARD for done in seen)
    assert contents(tmp_path) == contents(undisturbed)


def test_a_damaged_whole_is_put_together_again(model, data, undisturbed, tmp_path):
    for name, raw in contents(undisturbed).items():
        (tmp_path / name).write_bytes(raw)
    flip(tmp_path / "states.safetensors")
    _, seen = extract(model, data, tmp_path)
    assert all(done % SHARD == 0 or done == seen[-1] for done in seen)
    assert contents(tmp_path) == contents(undisturbed)


def test_a_second_run_into_the_folder_is_refused(model, data, tmp_path):
    with (
        FileLock(tmp_path / ".lock"),
        pytest.raises(nbt.NbtoolkitError, match="Another run is writing into .*Wait for it, or choose another folder"),
    ):
        nbt.extract(model, data, "dog", out=tmp_path, progress=False)


@pytest.mark.slow
def test_two_processes_meet_in_one_folder(model, data, tmp_path):
    code = """
        import time
        def wait(done, _):
            if done > 4:
                print("busy", flush=True); time.sleep(60)
        nbt.extract(model, data, "dog", out=sys.argv[1], batch_size=4, progress=wait)
    """
    command = [sys.executable, "-c", START + textwrap.dedent(code), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as first:
        assert first.stdout.readline().strip() == "busy"
        with pytest.raises(nbt.NbtoolkitError, match="Another run is writing into"):
            nbt.extract(model, data, "dog", out=tmp_path, progress=False)
        first.kill()
    assert nbt.extract(model, data, "dog", out=tmp_path, progress=False).sample_ids  # the dead run holds nothing


@pytest.mark.parametrize(("change", "message"), [
    ({"prompt": "What is this?"}, "prompt: "),
    ({"max_new_tokens": 30}, "max_new_tokens: 40 there, 30 now"),
    ({"layers": [1]}, r"layers: \[0, 1, 2, 3, 4, 5\] there, \[1\] now"),
    ({"where": "token"}, "where: 'predict' there, 'token' now"),
    ({"dtype": "float16"}, "kept as: 'float32' there, 'float16' now"),
    ({"captions": "given"}, "decoding: 'greedy' there, 'given captions' now"),
])  # fmt: skip
def test_other_settings_are_refused_with_the_difference(model, data, undisturbed, change, message):
    if "prompt" in change:
        model = nbt.load_model("toy")
        model.processor.chat_template = None
    with pytest.raises(nbt.NbtoolkitError, match=message):
        nbt.extract(model, data, "dog", out=undisturbed, progress=False, **change)


def test_other_weights_or_other_data_are_refused(model, data, undisturbed):
    other = nbt.load_model("toy")
    other.blocks[0].mlp.down_proj.weight.data[0, 0] += 1
    with pytest.raises(nbt.NbtoolkitError, match="weights: '.*' there, '.*' now"):
        nbt.extract(other, data, "dog", out=undisturbed, progress=False)
    gone = nbt.extract(model, data, "dog", out=undisturbed, progress=False).sample_ids[0]
    with pytest.raises(nbt.NbtoolkitError, match="data: '.*' there, '.*' now"):
        nbt.extract(
            model,
            data.filter(lambda row: row["id"] != gone, keep_in_memory=True),
            "dog",
            out=undisturbed,
            progress=False,
        )
    turned = data.map(lambda row: {"image": row["image"].rotate(180)}, keep_in_memory=True)  # same ids, same captions
    with pytest.raises(nbt.NbtoolkitError, match="data: '.*' there, '.*' now"):
        nbt.extract(model, turned, "dog", out=undisturbed, progress=False)


def test_the_manifest_lists_what_is_there(undisturbed):
    from nbtoolkit.storage.files import sha256

    manifest = json.loads((undisturbed / "manifest.json").read_text())
    assert manifest["states"] == sha256(undisturbed / "states.safetensors")
    for index, hashes in enumerate(manifest["shards"]):
        for suffix, value in hashes.items():
            assert value == sha256(undisturbed / f"shard-{index:05d}.{suffix}")


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_samples(tmp_path):
    """Shards leave memory when they are written: ten times the rows, the same peak within 10 %."""
    code = """
        import numpy as np
        from nbtoolkit.extraction.reader import Rows
        from nbtoolkit.extraction.shards import ShardStore
        n = int(sys.argv[2])
        store = ShardStore(sys.argv[1], {"n": n}, range(33))
        rows = []
        for index in range(n // 200):
            states = np.full((200, 33, 256), index, np.float32)
            rows.append(store.save(index, Rows(states, [f"s{index}-{i}" for i in range(200)], ["a dog"] * 200, [1] * 200), 256))
            del states
        states, columns, _ = store.gather(rows)
        assert states.shape == (n, 33, 256) and states[-1, 7, 0] == n // 200 - 1 and len(columns["id"]) == n
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    """

    def peak(n):
        command = [
            sys.executable,
            "-c",
            "import resource, sys\n" + textwrap.dedent(code),
            str(tmp_path / str(n)),
            str(n),
        ]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    small, large = peak(400), peak(4000)  # 13 MB and 135 MB of states
    assert large < 1.35 * small and large - small < 40_000, (small, large)


def test_an_opened_study_maps_its_states(study, tmp_path):
    opened = nbt.open_study(study.save(tmp_path / "dog.study"))
    assert isinstance(opened.representations.states, np.memmap)
    assert Path(opened.representations.states.filename).name == "states.safetensors"
    np.testing.assert_array_equal(opened.representations.states, study.representations.states)


def test_shards_of_release_0_2_in_development_are_not_made_again(model, data, undisturbed, tmp_path):
    """They have no checksums of rows and no hashes of images."""
    for name, raw in contents(undisturbed).items():
        if (name.startswith("shard") and name.endswith("json")) or name == "extraction.json":
            raw = json.dumps(
                {k: v for k, v in json.loads(raw).items() if k not in ("check", "images", "extraction")}
            ).encode()
        (tmp_path / name).write_bytes(raw)
    reps, seen = extract(model, data, tmp_path)
    assert all(done % SHARD == 0 or done == seen[-1] for done in seen)
    assert np.array_equal(reps.states, nbt.extract(model, data, "dog", out=undisturbed, progress=False).states)
