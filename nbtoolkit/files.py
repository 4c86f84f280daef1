"""Files and folders written whole or not at all: to a temporary name, fsynced, renamed; and their checksums."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .errors import DataError, NbtoolkitError


def user_path(path: str | os.PathLike[str]) -> Path:
    """Path with ``~`` and ``~name`` replaced by the home folder.

    Parameters
    ----------
    path
        A path as a user writes it.
    """
    return Path(os.path.expanduser(path))  # noqa: PTH111 - Path.expanduser raises where a user does not exist


def regular_file(path: Path, error: type[NbtoolkitError] = DataError, *, inside: Path | None = None) -> Path:
    """Give a path back if it is a regular file: nothing that blocks on opening or never ends (FIFO, device, socket).

    Parameters
    ----------
    path
        The file; a link to a regular file is one.
    error
        Class of the error.
    inside
        Folder that the file must be in once links are followed; anywhere where None.

    Raises
    ------
    NbtoolkitError
        Of the given class: there is no such file, it is of another kind, or a link leads out of the folder.
    """
    try:
        mode = path.stat().st_mode
        home = inside is None or path.resolve(strict=True).is_relative_to(inside.resolve(strict=True))
    except (OSError, ValueError, RuntimeError) as flaw:  # ValueError: a null byte; RuntimeError: links in a circle
        reason = getattr(flaw, "strerror", None) or flaw
        raise error(f"{str(path)!r} cannot be read ({reason}); expected a file.") from flaw
    if not stat.S_ISREG(mode):
        raise error(f"{str(path)!r} is a {_kind(mode)}; expected a regular file.")
    if not home:
        raise error(
            f"{str(path)!r} is a link to a file outside {str(inside)!r}; expected a file of that folder. Copy it there."
        )
    return path


def _kind(mode: int) -> str:
    kinds = {stat.S_IFDIR: "folder", stat.S_IFIFO: "named pipe", stat.S_IFCHR: "device", stat.S_IFBLK: "device"}
    return kinds.get(stat.S_IFMT(mode), "special file")


@contextlib.contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Give a temporary sibling folder that replaces the target when the block ends without an error.

    Parameters
    ----------
    target
        The folder to write; it may exist.
    """
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    old = folder.with_name(folder.name + ".old")
    try:
        yield folder
        folder.chmod(0o755)
        if target.exists():
            os.replace(target, old)
        os.replace(folder, target)
        shutil.rmtree(old, ignore_errors=True)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        if old.exists() and not target.exists():
            os.replace(old, target)
        raise


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside a path; after the block the file is fsynced and renamed to the path.

    Parameters
    ----------
    path
        The file to write; it may exist.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with temporary.open("rb") as handle:
            os.fsync(handle.fileno())
        temporary.chmod(0o644)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal.

    Parameters
    ----------
    path
        The file.
    """
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
