"""Seconds until the kernel answers after 10,000 malformed messages, in a real JupyterLab: ``python -m tests.benchmarks.flood``.

A widget that ignores malformed messages gives the floor, which is the time of JupyterLab, ipykernel and ipywidgets alone.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from ..browser.conftest import ASK, FLAGS, READY, RUN, jupyterlab, write_notebook
from ..browser.flood import FLOOD

N = 10_000
LIMIT = 60  # seconds
BARE = """import anywidget
class Bare(anywidget.AnyWidget):
    _esm = "export default { render({ el }) { el.className = 'bare'; } }"
    def _handle_msg(self, message):
        request = message["content"]["data"].get("content")
        if isinstance(request, dict) and request.get("op") == "ids" and not request.get("args"):
            self.send({"kind": "reply", "id": request["id"], "data": {"ids": []}})
view = Bare()
view"""
EXPLORER = """import nbtoolkit as nbt
samples = nbt.load_data("toy", n=200)
study = nbt.study(nbt.load_model("toy"), samples, "train", method=nbt.SemiNMF(4, random_state=0), progress=False)
view = nbt.explore(study)
view"""
CPU = "import time; print(time.process_time())"


def flooded(page: Page, cell: int, shown: str, n: int) -> str:
    """One line about one widget."""
    page.evaluate(RUN, cell)
    page.locator(shown).first.wait_for(state="attached")
    model = page.evaluate(ASK, "print(view.model_id)")
    before = float(page.evaluate(ASK, CPU))
    result = page.evaluate(FLOOD, [model, n, True, LIMIT])
    cpu = float(page.evaluate(ASK, CPU)) - before
    page.evaluate(ASK, "view.close()")
    return (
        f"{n} messages sent in {result['sent']:.1f} s; the kernel answers after {_seconds(result['kernel'])}, the view after "
        f"{_seconds(result['view'])}; {cpu:.1f} s of the kernel's CPU; messages of the kernel: {result['counts']}"
    )


def _seconds(value: float | None) -> str:
    return f"more than {LIMIT} s" if value is None else f"{value:.1f} s"


def main(n: int = N, repeats: int = 2) -> None:
    """Print the seconds, with the load of the machine."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "root"
        root.mkdir()
        write_notebook(root / "flood.ipynb", [BARE, EXPLORER])
        with jupyterlab(root, Path(name) / "home") as (base, token), sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=shutil.which("chromium"), headless=True, args=FLAGS)
            page = browser.new_page(viewport={"width": 1440, "height": 1100})
            page.set_default_timeout(180_000)
            page.goto(f"{base}/lab/tree/flood.ipynb?token={token}&reset")
            page.wait_for_selector(".jp-Notebook .jp-Cell")
            page.wait_for_function(READY, polling=250)
            for _ in range(repeats):
                for what, cell, shown in (("bare widget", 0, ".bare"), ("Explorer", 1, ".nbt-card")):
                    print(f"{what}: {flooded(page, cell, shown, n)} (load {os.getloadavg()[0]:.1f})", flush=True)
            browser.close()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
