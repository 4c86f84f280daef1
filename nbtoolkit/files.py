"""Paths as users write them, regular files, errors of the disk, and checksums."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from .errors import DataError, NbtoolkitError, StudyError


def user_path(path: str | os.PathLike[str], error: type[NbtoolkitError] = StudyError) -> Path:
    """Path with ``~`` and ``~name`` replaced by the home folder.

    Parameters
    ----------
    path
        A path as a user writes it.
    error
        Class of the error.

    Raises
    ------
    NbtoolkitError
        Of the given class: the path is an empty text, which would silently mean the working folder, or has a null byte.
    """
    if isinstance(path, str | bytes) and not path:
        raise error("The path is ''; expected a file or folder. Give its name; '.' is the working folder.")
    if "\0" in os.fsdecode(path):
        raise error(f"The path {os.fsdecode(path)!r} has a null byte; expected a file or folder.")
    return Path(os.path.expanduser(path))  # noqa: PTH111 - Path.expanduser raises where a user does not exist


def exists(path: str | os.PathLike[str]) -> bool:
    """Whether there is a file or folder; False also where no path can be so long, for which ``Path.exists`` raises.

    Parameters
    ----------
    path
        The path.

    Examples
    --------
    >>> exists("x" * 5000), exists(".")
    (False, True)
    """
    return os.path.exists(path)  # noqa: PTH110 - Path.exists raises for a path that is too long


def regular_file(path: Path, error: type[NbtoolkitError] = DataError, *, inside: Path | None = None) -> Path:
    """Give a path back if it is a regular file: nothing that blocks on opening or never ends (FIFO, device, socket).

    Parameters
    ----------
    path
        The file; a link to a regular file is one.
    error
        Class of the error.
    inside
        Folder that the target of the links must be in; any folder where None.

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
def disk_errors(what: str, path: Path, error: type[NbtoolkitError], advice: str) -> Iterator[None]:
    """Turn a refusal of the disk (full, read-only, no permission) into one error with the path and what to do.

    Parameters
    ----------
    what
        What is written, as the start of a sentence.
    path
        Where.
    error
        Class of the error.
    advice
        What to do, as whole sentences.

    Raises
    ------
    NbtoolkitError
        Of the given class.
    """
    try:
        yield
    except OSError as flaw:
        reason = flaw.strerror or str(flaw)
        raise error(f"{what} could not be written to {str(path)!r} ({reason}). {advice}") from flaw


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal.

    Parameters
    ----------
    path
        The file.
    """
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
