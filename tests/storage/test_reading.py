"""Mapped states, and tables of others; the study reader's tests have the hostile files."""

import copy
import os
import pickle
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import nbtoolkit as nbt
from nbtoolkit.errors import StudyError
from nbtoolkit.storage.example import noise_study
from nbtoolkit.storage.files import write_stacked, write_table
from nbtoolkit.storage.reading import MappedStates, map_stacked, read_table

SIZE = 4 << 20  # bytes per layer: more than a page


@pytest.fixture
def file(tmp_path):
    rows = np.arange(SIZE // 64 // 4, dtype=np.float32)[:, None] * np.ones((1, 64), np.float32)
    write_stacked(tmp_path / "states.safetensors", {"layer.000": [rows], "layer.003": [rows + 1]})
    return tmp_path / "states.safetensors"


def test_states_are_mapped_and_behave_as_arrays(file):
    layers, states = map_stacked(file)
    assert layers == (0, 3) and isinstance(states, MappedStates) and isinstance(states[:, 1], np.memmap)
    plain = np.array(states)
    assert type(states + 1) is np.ndarray and np.array_equal(states + 1, plain + 1)
    assert np.array_equal(np.concatenate([states[:2], states[2:3]]), plain[:3]) and states.mean() == plain.mean()
    assert np.array_equal(states.astype(np.float16), plain.astype(np.float16)) and np.array_equal(
        states @ states[0, 0], plain @ plain[0, 0]
    )
    for again in (copy.copy(states), copy.deepcopy(states), pickle.loads(pickle.dumps(states))):
        assert np.array_equal(again, plain)
    out = np.empty_like(plain)
    np.add(states, 1, out=out)
    assert np.array_equal(out, plain + 1)


READS = {
    "a row": lambda states, reps: states[5],
    "one number": lambda states, reps: states[-1, -1, -1],
    "arithmetic": lambda states, reps: states * 2,
    "a sum": lambda states, reps: states.sum(),
    "a function": lambda states, reps: np.linalg.norm(states),
    "joining": lambda states, reps: np.concatenate([np.zeros((1, 2, 64), np.float32), states]),
    "a type": lambda states, reps: states.astype(np.float64),
    "a layer": lambda states, reps: reps.layer(3),
    "a hash": lambda states, reps: reps.digest(0),
    "a view of before": lambda states, reps: reps.view + 1,
    "a copy": lambda states, reps: states.copy(),
    "a list": lambda states, reps: reps.view.tolist(),
    "bytes": lambda states, reps: states.tobytes(),
    "the largest": lambda states, reps: states.argmax(),
    "a deep copy": lambda states, reps: copy.deepcopy(states),
    "a pickle": lambda states, reps: pickle.dumps(states),
}


@pytest.mark.parametrize("name", READS)
def test_a_file_that_another_process_truncates_is_an_error_and_no_crash(file, name):
    """In a process of its own: without the comparison the system ends it (SIGBUS)."""
    _, states = map_stacked(file)
    n = len(states)
    reps = nbt.Representations(states, [str(i) for i in range(n)], [""] * n, [0] * n, layers=(0, 3))
    object.__setattr__(reps, "view", reps.layer(3)[3:])
    os.truncate(file, 5000)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            READS[name](states, reps)
        except StudyError as error:
            code = 0 if "has 5,000 bytes; it had" in str(error) and "Restore the file" in str(error) else 2
        finally:
            os._exit(code)
    assert os.waitpid(pid, 0)[1] == 0


def test_a_file_that_is_replaced_by_a_rename_stays_mapped(file, tmp_path):
    """So does nbtoolkit itself write: what is open stays as it was."""
    _, states = map_stacked(file)
    before = np.array(states)
    write_stacked(file, {"layer.000": [np.zeros((1, 64), np.float32)]})
    assert np.array_equal(states, before)
    shutil.rmtree(tmp_path)
    assert np.array_equal(states[:, 0], before[:, 0])


def test_a_table_is_read_as_it_was_written(tmp_path):
    columns = {
        "id": ["a", "b", "c"],
        "captions": [("x", "y"), (), ("",)],
        "image": [b"", b"\0", b"z"],
        "position": [0, -1, 2**40],
    }
    kinds = {"id": "text", "captions": "texts", "image": "bytes", "position": "whole"}
    write_table(tmp_path / "t.parquet", columns)
    assert read_table(tmp_path / "t.parquet", kinds) == columns
    for n in (0, 3):  # lists that are all empty have no type
        write_table(tmp_path / "t.parquet", {"captions": [[]] * n})
        assert read_table(tmp_path / "t.parquet", {"captions": "texts"}) == {"captions": [()] * n}


def test_a_flipped_bit_in_a_page_is_noticed_by_its_checksum(tmp_path):
    write_table(tmp_path / "t.parquet", {"text": ["a dog on a bench", "a cat"]})
    raw = (tmp_path / "t.parquet").read_bytes()
    at = raw.index(b"dog")
    (tmp_path / "t.parquet").write_bytes(raw[:at] + b"h" + raw[at + 1 :])
    with pytest.raises(StudyError, match=r"t.parquet' is damaged .*CRC"):
        read_table(tmp_path / "t.parquet", {"text": "text"})


def test_large_types_of_other_writers_are_refused_or_read(tmp_path):
    table = pa.table({"id": pa.array(["a"], pa.large_string()), "n": pa.array([1], pa.uint64())})
    pq.write_table(table, tmp_path / "t.parquet")
    try:
        assert read_table(tmp_path / "t.parquet", {"id": "text", "n": "whole"}) == {"id": ["a"], "n": [1]}
    except StudyError as error:
        assert "large_string" in str(error)


# --- disk errors -----------------------------------------------------------------------------------------


def test_paths_that_cannot_be_written_are_one_error_and_what_was_there_stays(tmp_path):
    study = noise_study()
    path = study.save(tmp_path / "dog.study")
    before = {f.name: f.read_bytes() for f in path.iterdir()}
    (tmp_path / "file").write_text("x")
    view = nbt.explore(study)
    for target in (tmp_path / "file" / "dog.study", tmp_path / ("x" * 300), tmp_path / "file"):
        with pytest.raises(StudyError, match=r"could not be written to|is not a study"):
            study.save(target)
    for target in (tmp_path / "file" / "x.html", tmp_path / ("x" * 300), path):
        with pytest.raises(StudyError, match=r"The file could not be written to .*What was there stays. Make room"):
            view.to_html(target)
    view.close()
    assert {f.name: f.read_bytes() for f in path.iterdir()} == before and (tmp_path / "file").read_text() == "x"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["dog.study", "file"]


@pytest.mark.parametrize("limit", [100, 1000, 2500, 5000])
def test_a_full_disk_leaves_the_old_study_and_page(tmp_path, limit):
    """Files cannot grow beyond a limit, in a process of its own."""
    import resource
    import signal

    study = noise_study()
    path = study.save(tmp_path / "dog.study")
    before = {f.name: f.read_bytes() for f in path.iterdir()}
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            study.save(path)
        except StudyError as error:
            code = 0 if "What was there stays" in str(error) else 2
        finally:
            os._exit(code)
    status = os.waitpid(pid, 0)[1]
    sizes = [len(raw) for raw in before.values()]
    assert status == (0 if max(sizes) > limit else 256) or (limit == 5000 and status == 0)
    assert {f.name: f.read_bytes() for f in path.iterdir()} == before
    assert [p.name for p in tmp_path.iterdir()] == ["dog.study"]
