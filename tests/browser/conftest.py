"""A headless Chromium, and a real JupyterLab on a free loopback port with a configuration of its own."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-default-apps", "--no-first-run", "--metrics-recording-only", "--disable-quic", "--force-color-profile=srgb",
         "--font-render-hinting=none"]  # fmt: skip
OVERRIDES = {
    "@jupyterlab/apputils-extension:notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    },
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
}


class Watched:
    """A page, with what its console said and every request that left for somewhere else."""

    def __init__(self, browser, base, **options):
        self.context = browser.new_context(bypass_csp=options.pop("bypass_csp", False), **options)
        self.page = self.context.new_page()
        self.errors, self.outside = [], []
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda e: self.errors.append(str(e)))
        self.page.on(
            "request", lambda r: None if r.url.startswith((base, "blob:", "data:")) else self.outside.append(r.url)
        )

    def axe(self, node_modules, selector=".nbt"):
        """Violations that axe finds, as (rule, first element)."""
        self.page.add_script_tag(content=(node_modules / "axe-core" / "axe.min.js").read_text())
        return self.page.evaluate(
            "async (s) => (await axe.run(document.querySelector(s))).violations.map((v) => [v.id, v.nodes[0].html, v.nodes[0].failureSummary])",
            selector,
        )

    def clean(self):
        assert self.errors == [] and self.outside == []


@pytest.fixture
def open_page(browser):
    """Open a file in a context of its own: ``open_page(path, viewport=…, color_scheme=…)``."""
    with contextlib.ExitStack() as stack:

        def opener(path, *, width=1200, height=900, theme="light", **options):
            url = Path(path).resolve().as_uri()
            watched = Watched(browser, url, viewport={"width": width, "height": height}, color_scheme=theme, **options)
            stack.callback(watched.context.close)
            watched.page.goto(url)
            return watched

        yield opener


def write_notebook(path, cells):
    """Write a notebook of code cells that starts the default kernel without asking."""
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(
        nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells], metadata=kernel), path
    )


@contextlib.contextmanager
def jupyterlab(root, tmp):
    """Serve ``root`` with JupyterLab; stop exactly the process that was started."""
    (tmp / "app").mkdir(parents=True)
    (tmp / "app" / "overrides.json").write_text(json.dumps(OVERRIDES))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    homes = (
        "JUPYTER_CONFIG_DIR",
        "JUPYTER_DATA_DIR",
        "JUPYTER_RUNTIME_DIR",
        "IPYTHONDIR",
        "JUPYTERLAB_SETTINGS_DIR",
        "JUPYTERLAB_WORKSPACES_DIR",
    )
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}",
               "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={root}", "--LabApp.expose_app_in_browser=True",
               f"--LabApp.app_settings_dir={tmp}/app", "--LabApp.news_url=None", "--LabApp.extension_manager=readonly"]  # fmt: skip
    with (tmp / "lab.log").open("w") as log:
        lab = subprocess.Popen(
            command, env=os.environ | {k: f"{tmp}/{k.lower()}" for k in homes}, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            deadline = time.monotonic() + 120
            while True:
                if lab.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("JupyterLab did not start:\n" + (tmp / "lab.log").read_text()[-3000:])
                with contextlib.suppress(OSError):
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/api/status?token={token}", timeout=2)
                    break
                time.sleep(0.2)
            yield f"http://127.0.0.1:{port}", token
        finally:
            if lab.poll() is None:
                lab.send_signal(signal.SIGTERM)
                try:
                    lab.wait(20)
                except subprocess.TimeoutExpired:
                    lab.kill()
                    lab.wait()
