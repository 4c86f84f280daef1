"""What the live operations of the Explorer cost in a real JupyterLab: ``python -m tests.benchmarks.live_views [STUDY]``.

Overlays of the cards, a sweep over the layers, a step of the layer slider, and a page with maps; of the study of ``"dog"`` in the
embedded world where none is given. Machines are shared and noisy.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

import nbtoolkit as nbt

from ..browser.conftest import FLAGS, READY, RUN, jupyterlab, write_notebook
from .views import UNTIL

N = 2000  # images of the embedded world
OVERLAY = """const s = [...document.querySelectorAll('.nbt-gallery select')].find((s) => s.textContent.includes('heat map'));
  s.value = 'heat map'; s.dispatchEvent(new Event('change'))"""
PAINTED = "document.querySelectorAll('.nbt-thumb[data-state=somewhere], .nbt-thumb[data-state=nowhere]').length"
LOADING = "document.querySelector('.nbt-thumb[data-state=loading]')"
SWEEP = r"[...document.querySelectorAll('button')].find((b) => /\(16 /.test(b.textContent))"
CANCEL = "[...document.querySelectorAll('button')].find((b) => b.textContent === 'Cancel' && !b.hidden)"
BARS = "/layer (\\d+)/.exec(document.querySelector('.nbt-bars-head').textContent)?.[1]"
WAITING = "[...document.querySelectorAll('.nbt-card')].slice(0, 3).some((card) => card.querySelector('.nbt-waiting'))"


def measure(page: Page) -> None:
    """Print milliseconds from an action to what it shows."""
    page.wait_for_timeout(3000)
    step = "document.querySelectorAll('.nbt-layer-steps .nbt-step')[0].click()"
    before = page.evaluate(BARS)
    first = page.evaluate(UNTIL, [step, f"{BARS} !== '{before}'"])
    blank = page.evaluate(UNTIL, ["0", f"!{WAITING}"])
    print(f"first step of the slider to bars {first:.0f} ms, images of the first cards {blank:.0f} ms later")
    begin = page.evaluate(UNTIL, [OVERLAY, f"{PAINTED} > 0"])
    rest = page.evaluate(UNTIL, ["0", f"!{LOADING}"])
    print(f"overlay: first tile {begin:.0f} ms, all {page.evaluate(PAINTED)} tiles {begin + rest:.0f} ms")
    page.locator(".nbt-tab[data-tab=intervene]").click()
    page.wait_for_timeout(1000)
    swept = page.evaluate(UNTIL, [f"{SWEEP}.click()", "document.querySelector('.nbt-effects svg')"])
    print(f"sweep over the layers, 16 images: {swept:.0f} ms")
    page.evaluate(f"() => {SWEEP}.click()")
    page.wait_for_timeout(100)
    stopped = page.evaluate(UNTIL, [f"{CANCEL}?.click()", f"!{CANCEL}"])
    print(f"its cancellation: {stopped:.0f} ms")


def main(study: str | None = None) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "root"
        root.mkdir()
        model = nbt.load_model("toy")
        if study is None:
            made = nbt.study(model, nbt.load_data("toy", n=N), "dog", scorer=nbt.load_scorer("toy"), progress=False)
            study = str(made.save(Path(name) / "dog.study"))
        view = nbt.explore(nbt.open_study(study), model)
        began, cpu = time.perf_counter(), time.process_time()
        path = view.to_html(Path(name) / "maps.html", maps=[view.layer], progress=False)
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
        print(f"page with maps of one layer: {wall:.1f} s ({cpu:.1f} s of CPU), {path.stat().st_size / 1e6:.1f} MB")
        code = f"import nbtoolkit as nbt\nnbt.explore(nbt.open_study({study!r}), nbt.load_model('toy'))"
        write_notebook(root / "live.ipynb", [code])
        with jupyterlab(root, Path(name) / "home") as (base, token), sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=shutil.which("chromium"), headless=True, args=FLAGS)
            page = browser.new_page(viewport={"width": 1366, "height": 768})
            page.set_default_timeout(120_000)
            page.goto(f"{base}/lab/tree/live.ipynb?token={token}&reset")
            page.wait_for_selector(".jp-Notebook .jp-Cell")
            page.wait_for_function(READY, polling=250)
            page.evaluate(RUN, 0)
            page.locator(".nbt-card").first.wait_for()
            measure(page)
            browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
