"""Folders and files that killed processes leave: the old one or the new one is there, and nothing else."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from nbtoolkit import durable
from nbtoolkit.durable import new_folder, recover, replacing, sweep


def write(target, text):
    with new_folder(target) as folder:
        (folder / "text").write_text(text)


def names(folder):
    return sorted(p.name for p in folder.iterdir())


@pytest.fixture(params=["exchange", "two renames"])
def renaming(request, monkeypatch):
    if request.param == "two renames":
        monkeypatch.setattr(durable, "_EXCHANGES", {})
    elif sys.platform not in durable._EXCHANGES:
        pytest.skip("this system has no exchange of folders")


@pytest.mark.usefixtures("renaming")
def test_a_folder_is_replaced_and_nothing_else_is_left(tmp_path):
    write(tmp_path / "a.study", "old")
    write(tmp_path / "a.study", "new")
    assert names(tmp_path) == ["a.study"] and (tmp_path / "a.study" / "text").read_text() == "new"


@pytest.mark.usefixtures("renaming")
def test_an_error_in_the_block_leaves_the_old_folder(tmp_path):
    write(tmp_path / "a.study", "old")
    with pytest.raises(ZeroDivisionError), new_folder(tmp_path / "a.study") as folder:
        (folder / "text").write_text("new")
        raise ZeroDivisionError
    assert names(tmp_path) == ["a.study"] and (tmp_path / "a.study" / "text").read_text() == "old"


def test_this_system_exchanges_in_one_step(tmp_path):
    if sys.platform not in durable._EXCHANGES:
        pytest.skip("this system has no exchange of folders")
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    assert durable._exchange(tmp_path / "a", tmp_path / "b")
    assert names(tmp_path / "a") == ["b"] and names(tmp_path / "b") == ["a"]


def test_a_link_to_a_folder_stays_a_link(tmp_path):
    write(tmp_path / "real", "old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real" / "text").read_text() == "new"
    assert names(tmp_path) == ["link", "real"]


KILL = """
import os, signal, sys
from pathlib import Path
from nbtoolkit import durable
durable._EXCHANGES = {}
real = os.replace
def replace(source, target):
    real(source, target)
    if str(target).endswith(".old"):
        os.kill(os.getpid(), signal.SIGKILL)
os.replace = replace
with durable.new_folder(Path(sys.argv[1])) as folder:
    (folder / "text").write_text("new")
"""


def test_a_kill_between_two_renames_is_recovered(tmp_path):
    write(tmp_path / "a.study", "old")
    write(tmp_path / "a", "other")  # its name begins alike
    done = subprocess.run([sys.executable, "-c", KILL, str(tmp_path / "a.study")])
    assert done.returncode == -signal.SIGKILL and not (tmp_path / "a.study").exists()
    recover(tmp_path / "a")
    assert len(names(tmp_path)) == 3
    recover(tmp_path / "a.study")
    assert names(tmp_path) == ["a", "a.study"] and (tmp_path / "a.study" / "text").read_text() == "old"


HOLD = """
import sys, time
from pathlib import Path
from nbtoolkit.durable import new_folder, replacing
with new_folder(Path(sys.argv[1], "a.study")) as folder, replacing(Path(sys.argv[1], "shard-1.json")) as file:
    file.write_text("x")
    print("ready", flush=True)
    time.sleep(60)
"""


def test_what_a_running_process_writes_stays_and_what_a_killed_one_left_goes(tmp_path):
    (tmp_path / ".a.study.backup").mkdir()  # of the user
    (tmp_path / ".shard-notes.tmp").touch()
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        recover(tmp_path / "a.study")
        sweep(tmp_path, ["shard-"])
        assert len(names(tmp_path)) == 4
        process.kill()
    recover(tmp_path / "a.study")
    sweep(tmp_path, ["other-"])
    assert len(names(tmp_path)) == 3
    sweep(tmp_path, ["shard-"])
    assert names(tmp_path) == [".a.study.backup", ".shard-notes.tmp"]


def test_files_and_the_names_of_their_folder_are_synced_before_the_rename_and_after(tmp_path, monkeypatch):
    """Between the two, a power cut leaves the old file, and after the second one the new one."""
    if not Path("/proc/self/fd").exists():
        pytest.skip("this system does not name open files")
    events = []
    fsync, replace = os.fsync, os.replace

    def record(event, call, *arguments):
        events.append(event or Path(f"/proc/self/fd/{arguments[0]}").readlink().name)
        call(*arguments)

    monkeypatch.setattr(os, "fsync", lambda handle: record("", fsync, handle))
    monkeypatch.setattr(os, "replace", lambda *pair: record("rename", replace, *pair))
    with replacing(tmp_path / "a.json") as file:
        file.write_text("1")
    assert events == [file.name, "rename", tmp_path.name]
    events.clear()
    write(tmp_path / "a.study", "new")
    assert events[0] == "text" and events[-2:] == ["rename", tmp_path.name]


@pytest.mark.usefixtures("renaming")
def test_kills_at_random_moments_leave_one_whole_folder(tmp_path):
    code = textwrap.dedent("""
        import os, random, signal, sys, threading, time
        from pathlib import Path
        from nbtoolkit import durable
        if sys.argv[2] == "0":
            durable._EXCHANGES = {}
        print("ready", flush=True)
        sys.stdin.readline()
        for i in range(10 ** 6):
            with durable.new_folder(Path(sys.argv[1])) as folder:
                for name in "abc":
                    (folder / name).write_text(str(i) * 1000)
    """)
    target = tmp_path / "a.study"
    with new_folder(target) as folder:
        for name in "abc":
            (folder / name).touch()
    for k in range(6):
        command = [sys.executable, "-c", code, str(target), str(len(durable._EXCHANGES))]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            process.stdout.readline()
            process.stdin.write("\n")
            process.stdin.flush()
            try:
                process.wait(0.05 + 0.0137 * k)
            except subprocess.TimeoutExpired:
                process.kill()
        recover(target)
        assert names(tmp_path) == ["a.study"]
        assert len({(target / name).read_text() for name in "abc"}) == 1
