"""JupyterLab on the first notebook, for ``nbtoolkit demo``."""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
from pathlib import Path

from ..errors import NbtoolkitError

NOTEBOOK = "01_first_look.ipynb"


def need_lab() -> None:
    """Check that JupyterLab is installed.

    Raises
    ------
    NbtoolkitError
        It is not; the message says what to do.
    """
    if importlib.util.find_spec("jupyterlab") is None:
        raise NbtoolkitError(
            "JupyterLab is not installed; pip install 'nbtoolkit[lab]', or write a page with --html FILE."
        )


def first_notebook() -> Path:
    """Path of the first notebook: in the working folder, in the source tree, or a copy of the installed one.

    Raises
    ------
    NbtoolkitError
        The notebook was not installed.
    """
    local = Path("notebooks") / NOTEBOOK
    for place in (local, Path(__file__).parents[2] / "notebooks" / NOTEBOOK):
        if place.is_file():
            return place
    installed = Path(sysconfig.get_path("data")) / "share/nbtoolkit/notebooks" / NOTEBOOK
    if not installed.is_file():
        raise NbtoolkitError(
            f"The notebook {NOTEBOOK} was not installed; expected it at {installed}. Run this in a clone of the repository."
        )
    local.parent.mkdir(exist_ok=True)
    shutil.copy(installed, local)
    return local


def serve(no_browser: bool) -> int:
    """Run JupyterLab on the first notebook until it is stopped; loopback, a free port, a token.

    Parameters
    ----------
    no_browser
        Print the address instead of opening a browser.
    """
    notebook = first_notebook().resolve()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    command = [
        *(sys.executable, "-m", "jupyterlab"),
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}",
        f"--IdentityProvider.token={token}",
        f"--ServerApp.root_dir={notebook.parent}",
        f"--LabApp.default_url=/lab/tree/{notebook.name}",
    ]
    if no_browser:
        command.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    print(
        f"JupyterLab: http://127.0.0.1:{port}/lab/tree/{notebook.name}?token={token}\nStop it with Ctrl-C.", flush=True
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # a stopped demo takes its server with it
    server = subprocess.Popen(command)
    try:
        return server.wait()
    except (KeyboardInterrupt, SystemExit):
        server.terminate()
        server.wait()
        return 0
