"""A headless Chromium, and a real JupyterLab on a free loopback port with a configuration of its own."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest

import nbtoolkit as nbt

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

READY = """async () => { const w = window.jupyterapp?.shell?.currentWidget; if (!w?.sessionContext) return false;
  await w.context.ready; await w.sessionContext.ready; return w.sessionContext.session?.kernel?.status === 'idle'; }"""
RUN = """async (i) => { const nb = window.jupyterapp.shell.currentWidget.content; nb.deselectAll(); nb.activeCellIndex = i;
  await window.jupyterapp.commands.execute('notebook:run-cell'); }"""
ASK = """async (code) => { const k = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const f = k.requestExecute({ code, store_history: false }); let out = '';
  f.onIOPub = m => { if (m.header.msg_type === 'stream') out += m.content.text;
                     if (m.header.msg_type === 'error') out += m.content.traceback.join('\\n'); };
  await f.done; return out.trim(); }"""


def arrives(page, code, expected):
    """Assert what Python prints, now or within 5 seconds: a trait waits until the kernel is idle, and may come on another of its threads."""
    for _ in range(50):
        if page.evaluate(ASK, code) == expected:
            return
        page.wait_for_timeout(100)
    assert page.evaluate(ASK, code) == expected


class Watched:
    """A page, with what its console said and every request that left for somewhere else."""

    def __init__(self, browser, base, **options):
        self.context = browser.new_context(bypass_csp=options.pop("bypass_csp", False), **options)
        self.page = self.context.new_page()
        self.errors, self.outside = [], []
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda e: self.errors.append(str(e.stack or e)))
        self.page.on(
            "request", lambda r: None if r.url.startswith((base, "blob:", "data:")) else self.outside.append(r.url)
        )

    def axe(self, node_modules, selector=".nbt", rules=None):
        """Violations that axe finds, as (rule, first element): of some rules only, where they are given."""
        self.page.add_script_tag(content=(node_modules / "axe-core" / "axe.min.js").read_text())
        return self.page.evaluate(
            """async ([selector, rules]) => (await axe.run(document.querySelector(selector), rules ? { runOnly: rules } : {}))
            .violations.map((v) => [v.id, v.nodes[0].html, v.nodes[0].failureSummary])""",
            [selector, rules],
        )

    def clean(self):
        assert not self.errors + self.outside, "\n".join(self.errors + self.outside)


@pytest.fixture(scope="session")
def maps_page(study, model, data, tmp_path_factory):
    """A page of the Explorer with heat maps, tokens and attribution of layer 4."""
    view = nbt.explore(study, model, data=data, layer=4)
    return view.to_html(tmp_path_factory.mktemp("maps") / "dog.html", maps=True, progress=False)


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


HOMES = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR",
         "XDG_CONFIG_HOME")  # fmt: skip


@contextlib.contextmanager
def served(command, ready, tmp, **variables):
    """Start ``python -m command`` on a free loopback port (``{port}``), wait until ``ready`` answers, and stop exactly that process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {name: f"{tmp}/{name.lower()}" for name in HOMES} | variables
    with (tmp / "log").open("w") as log:
        server = subprocess.Popen([sys.executable, "-m", *(part.format(port=port) for part in command)], stdout=log, stderr=subprocess.STDOUT,
                                  env=environment, cwd=tmp)  # fmt: skip
        try:
            deadline = time.monotonic() + 120
            while True:
                if server.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("the server did not start:\n" + (tmp / "log").read_text()[-3000:])
                with contextlib.suppress(OSError):
                    urllib.request.urlopen(f"http://127.0.0.1:{port}{ready}", timeout=60)
                    break
                time.sleep(0.2)
            yield f"http://127.0.0.1:{port}"
        finally:
            if server.poll() is None:
                server.send_signal(signal.SIGTERM)
                try:
                    server.wait(20)
                except subprocess.TimeoutExpired:
                    server.kill()
                    server.wait()


@contextlib.contextmanager
def jupyterlab(root, tmp, **variables):
    """Serve ``root`` with JupyterLab: its address, and its token."""
    (tmp / "app").mkdir(parents=True)
    (tmp / "app" / "overrides.json").write_text(json.dumps(OVERRIDES))
    token = secrets.token_hex(16)
    command = ["jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1", "--ServerApp.port={port}", "--ServerApp.port_retries=0",
               f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={root}", "--LabApp.expose_app_in_browser=True",
               f"--LabApp.app_settings_dir={tmp}/app", "--LabApp.news_url=None", "--LabApp.extension_manager=readonly"]  # fmt: skip
    with served(command, f"/api/status?token={token}", tmp, **variables) as base:
        yield base, token


@pytest.fixture(scope="session")
def lab_server(tmp_path_factory):
    """One JupyterLab for all tests: its address, token and folder."""
    root = tmp_path_factory.mktemp("lab")
    with jupyterlab(root, tmp_path_factory.mktemp("jupyter") / "home") as (base, token):
        yield base, token, root


@pytest.fixture
def lab(browser, lab_server):
    """Open a notebook in JupyterLab: ``lab(path)``; its kernel ends with the test."""
    base, token, root = lab_server
    with contextlib.ExitStack() as stack:

        def opener(path):
            shutil.copy(path, root)
            watched = Watched(browser, base, viewport={"width": 1440, "height": 1100}, bypass_csp=True)
            stack.callback(watched.context.close)
            watched.page.goto(f"{base}/lab/tree/{path.name}?token={token}&reset")
            watched.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=120_000)
            watched.page.wait_for_function(READY, timeout=120_000, polling=250)
            stack.callback(
                watched.page.evaluate, "() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()"
            )
            return watched

        yield opener
