"""Time from running a cell to the Explorer painted, in a real JupyterLab: ``python -m tests.benchmarks.paint STUDY``."""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

from ..browser.conftest import FLAGS, jupyterlab, write_notebook
from ..browser.test_lab import READY, RUN

REPEATS = 7


def main(study: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "root"
        root.mkdir()
        opening = (
            f"import nbtoolkit as nbt\nstudy = nbt.open_study({str(study.resolve())!r})\nnbt.explore(study).close()"
        )
        write_notebook(root / "paint.ipynb", [opening, "nbt.explore(study)"])
        with jupyterlab(root, Path(name) / "home") as (base, token), sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=shutil.which("chromium"), headless=True, args=FLAGS)
            page = browser.new_page(viewport={"width": 1440, "height": 1100})
            page.goto(f"{base}/lab/tree/paint.ipynb?token={token}&reset")
            page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=120_000)
            page.wait_for_function(READY, timeout=120_000, polling=250)
            page.evaluate(RUN, 0)
            cards, pictures = [], []
            for _ in range(REPEATS):
                page.evaluate("() => document.querySelectorAll('.nbt').forEach((e) => e.remove())")
                began = time.perf_counter()
                page.evaluate(RUN, 1)
                page.locator(".nbt-card").first.wait_for()
                cards.append(time.perf_counter() - began)
                page.locator(".nbt-thumb:not(.nbt-waiting)").first.wait_for()
                pictures.append(time.perf_counter() - began)
            print(f"cell run to words painted: median {statistics.median(cards):.2f} s (first {cards[0]:.2f}), "
                  f"to first pictures: median {statistics.median(pictures):.2f} s (first {pictures[0]:.2f}), {REPEATS} runs")  # fmt: skip
            browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
