"""Files and folders that appear whole or not at all, also after a kill or a power cut: synced, renamed, and swept."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # typed as the module, which Windows lacks


@contextlib.contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Give a temporary sibling folder that replaces the target when the block ends without an error.

    The two change places in one step where the system can (Linux, macOS). Elsewhere the old folder is renamed first; what
    a run leaves that is killed between, :func:`recover` puts back. Files and folders are synced to the disk before and after.

    Parameters
    ----------
    target
        The folder to write; it may exist.
    """
    target = Path(os.path.realpath(target))
    recover(target)
    folder, claim = _claimed_folder(target)
    old = folder.with_suffix(_OLD)
    try:
        yield folder
        folder.chmod(0o755)
        for path in folder.rglob("*"):
            sync(path)
        sync(folder)
        if not target.exists():
            os.replace(folder, target)
        elif not _exchange(folder, target):
            os.replace(target, old)
            os.replace(folder, target)
        sync(target.parent)
    finally:
        if old.exists() and not target.exists():
            os.replace(old, target)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
        _release(claim)


def recover(target: Path) -> None:
    """Put back the folder that a killed :func:`new_folder` had renamed, and remove what killed ones left beside it.

    Parameters
    ----------
    target
        The folder.
    """
    for stem in {Path(name).stem for name in _names(target.parent, f".{target.name}.", "", f"({_PARTIAL}|{_OLD})")}:
        partial, old = (target.with_name(stem + suffix) for suffix in (_PARTIAL, _OLD))
        with _abandoned(partial) as abandoned:
            if not abandoned:
                continue
            with contextlib.suppress(OSError):
                if old.exists() and not target.exists():
                    old.rename(target)
            for folder in (partial, old) if target.exists() else (partial,):
                shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside a path; after the block the file is synced to the disk and renamed to the path.

    Parameters
    ----------
    path
        The file to write; it may exist.
    """
    handle, name = tempfile.mkstemp(_TEMPORARY, _prefix(path.name), path.parent)
    temporary = Path(name)
    try:
        _hold(handle)
        yield temporary
        sync(temporary)
        temporary.chmod(0o644)
        os.replace(temporary, path)
        sync(path.parent)
    finally:
        os.close(handle)
        temporary.unlink(missing_ok=True)


def sweep(folder: Path, names: Iterable[str]) -> None:
    """Remove the temporary files of :func:`replacing` that killed processes left; those of running ones stay.

    Parameters
    ----------
    folder
        The folder.
    names
        Beginnings of the names of the files that were written.
    """
    for name in names:
        for temporary in _names(folder, _prefix(name).removesuffix("."), ".*", _TEMPORARY):
            with _abandoned(folder / temporary) as abandoned, contextlib.suppress(OSError):
                if abandoned:
                    (folder / temporary).unlink()


def sync(path: Path) -> None:
    """Have the system write a file, or the names in a folder, to the disk.

    Parameters
    ----------
    path
        The file or folder.
    """
    if path.is_dir():
        with contextlib.suppress(OSError):  # Windows opens no folders, and some network disks sync none
            _sync(path)
    else:
        _sync(path)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


_PARTIAL, _OLD, _TEMPORARY = ".partial", ".old", ".tmp"
_DAY = 24 * 3600  # seconds after which something temporary is abandoned where no lock tells


def _prefix(name: str) -> str:
    return f".{name[:100]}."  # a file name has at most 255 bytes


def _names(folder: Path, prefix: str, middle: str, suffix: str) -> list[str]:
    """Names in a folder of what ``tempfile`` made: prefix, eight characters, suffix; the last three are patterns."""
    pattern = re.compile(re.escape(prefix) + middle + r"[a-z0-9_]{8}" + suffix.replace(".", r"\."))
    with contextlib.suppress(OSError):
        return [entry.name for entry in os.scandir(folder) if pattern.fullmatch(entry.name)]
    return []


def _claimed_folder(target: Path) -> tuple[Path, int | None]:
    """Temporary folder beside a target, and a lock on it that ends with this process."""
    while True:
        folder = Path(tempfile.mkdtemp(_PARTIAL, f".{target.name}.", target.parent))
        try:
            claim = os.open(folder, os.O_RDONLY)
        except OSError:  # Windows
            return folder, None
        _hold(claim)
        if folder.exists():
            return folder, claim
        os.close(claim)  # another process swept it before it was locked


def _hold(handle: int) -> None:
    if fcntl is not None:
        with contextlib.suppress(OSError):  # a network disk without locks
            fcntl.flock(handle, fcntl.LOCK_SH)


def _release(claim: int | None) -> None:
    if claim is not None:
        os.close(claim)


@contextlib.contextmanager
def _abandoned(path: Path) -> Iterator[bool]:
    """Whether no process holds a temporary file or folder, which is locked meanwhile; without locks, whether it is a day old."""
    handle = None
    try:
        handle = os.open(path, os.O_RDONLY)
        if fcntl is None:
            raise OSError("no locks")
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        result = True
    except (BlockingIOError, FileNotFoundError) as error:
        result = isinstance(error, FileNotFoundError)
    except OSError:
        result = time.time() - path.stat().st_mtime > _DAY
    try:
        yield result
    finally:
        _release(handle)


def _exchange(one: Path, other: Path) -> bool:
    """Let two folders change places in one step; False where the system cannot."""
    call = _EXCHANGES.get(sys.platform)
    if call is None:
        return False
    function, before, flag = call
    try:
        rename = getattr(ctypes.CDLL(None, use_errno=True), function)
    except (AttributeError, OSError):
        return False
    paths = [os.fsencode(one), os.fsencode(other)]
    arguments = [*before, paths[0], *before, paths[1], ctypes.c_uint(flag)]
    return bool(rename(*arguments) == 0)


_EXCHANGES: dict[str, tuple[str, tuple[int, ...], int]] = {
    "linux": ("renameat2", (-100,), 2),  # AT_FDCWD, RENAME_EXCHANGE
    "darwin": ("renamex_np", (), 2),  # RENAME_SWAP
}
