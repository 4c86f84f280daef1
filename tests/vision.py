"""torchvision for the tests: most image processors of transformers need it, and its only builds are linked to CUDA.

Beside a CPU build of torch such a torchvision cannot be imported (it registers kernels for an operator that its own
library did not declare), and then transformers cannot either. So it is not installed in the environment: its wheel is
unpacked into pytest's cache, only this process sees it, and the two missing declarations are made first.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .pins import pins

ROOT = Path(__file__).parent.parent
_keep = []  # torch forgets the declarations of a library that is collected


def provide() -> None:
    """Make torchvision importable in this process; where it cannot be had, the tests that need it skip with the reason."""
    if importlib.util.find_spec("torchvision") is None:
        folder = _unpacked()
        if folder is None:
            return
        sys.path.append(str(folder))
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        import torch

        for name in [n for n in sys.modules if n.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "DEF")
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _keep.append(library)
        importlib.import_module("torchvision")


@contextlib.contextmanager
def not_inherited() -> Iterator[None]:
    """Keep processes that ``multiprocessing`` starts from finding it: they get this process's path, not its declarations."""
    before = list(sys.path)
    sys.path[:] = [p for p in before if ".pytest_cache" not in p]
    try:
        yield
    finally:
        sys.path[:] = before


def _unpacked() -> Path | None:
    version = pins()["torchvision"]
    folder = ROOT / ".pytest_cache" / f"torchvision-{version}"
    if not folder.exists():
        folder.parent.mkdir(exist_ok=True)
        fresh = tempfile.mkdtemp(dir=folder.parent)
        command = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--target",
            fresh,
            f"torchvision=={version}",
        ]
        done = subprocess.run(
            command, capture_output=True, text=True, env=os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        )
        if done.returncode:
            shutil.rmtree(fresh)
            return None
        try:
            os.replace(fresh, folder)
        except OSError:  # another test run was faster
            shutil.rmtree(fresh)
    return folder


def why_not() -> str:
    """Why torchvision cannot be used, or an empty string."""
    try:
        importlib.import_module("torchvision")
    except ImportError as error:
        return f"torchvision cannot be imported ({error}); its image processors are needed"
    return ""
