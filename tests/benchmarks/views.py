"""What the Explorer costs in a real JupyterLab: ``python -m tests.benchmarks.views STUDY`` or ``… views synthetic``.

``synthetic`` makes a study of 200 concepts, 32 layers and 5,000 samples. Medians; machines are shared and noisy.
"""

from __future__ import annotations

import io
import json
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright

import nbtoolkit as nbt
from nbtoolkit.types import Sample

from ..browser.conftest import ASK, FLAGS, READY, RUN, jupyterlab, write_notebook

REPEATS = 7
RESIDENT = (
    "import gc, re; gc.collect(); print(int(re.search('VmRSS:.*?([0-9]+)', open('/proc/self/status').read())[1]) / 1e3)"
)
FRAME = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
# from an action to the moment at which a condition holds, looked at every frame
UNTIL = """([act, holds]) => new Promise((done) => { const begun = performance.now(); eval(act);
  const look = () => (eval(holds) ? done(performance.now() - begun) : requestAnimationFrame(look)); look(); })"""
# milliseconds that each key of a search takes until the list is laid out
KEYS = """async (text) => { const box = document.querySelector('.nbt-explorer input[type=search]'), times = [];
  for (const query of [...text].map((_, i) => text.slice(0, i + 1)).concat('')) { const begun = performance.now(); box.value = query;
    box.dispatchEvent(new Event('input', { bubbles: true })); document.querySelector('.nbt-list').offsetHeight;
    times.push(performance.now() - begun); await new Promise((done) => setTimeout(done, 300)); } return times; }"""
SCROLL = """() => new Promise((done) => { const list = document.querySelector('.nbt-list'); let frames = 0; const begun = performance.now();
  const go = () => { list.scrollTop += 40; frames++; performance.now() - begun < 3000 ? requestAnimationFrame(go) : done(frames / 3); }; go(); })"""


BARE = """import anywidget
class Bare(anywidget.AnyWidget):
    _esm = "export default { render({ el }) { el.className = 'bare'; el.textContent = 'a word'; } }"
view = Bare()
view"""

# from a stop of the slider to the response that it rewrites
STOPS = """async () => { const [slider, result] = ['.nbt-steer input[type=range]', '.nbt-effect'].map((at) => document.querySelector(at)); const times = [];
  const pause = () => new Promise((done) => setTimeout(done, 100));
  for (const stop of [-3, -2.5, -2, -1.5, -1, -.5, .5, 1, 1.5, 2, 2.5, 3]) {
    const begun = performance.now(); slider.value = stop; slider.dispatchEvent(new Event('input', { bubbles: true }));
    await new Promise((done) => { const look = () => (result.matches('.nbt-stale') ? requestAnimationFrame(look) : done()); look(); });
    times.push(performance.now() - begun); await pause(); }
  return times; }"""


def synthetic(n: int = 5000, n_layers: int = 32, k: int = 200, d: int = 16) -> nbt.Study:
    """A study of random numbers, of the size that the views are meant for."""
    rng = np.random.default_rng(0)
    words = [f"word{i}" for i in range(3000)]

    def jpeg() -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).resize((224, 224)).save(
            buffer, "JPEG", quality=80
        )
        return buffer.getvalue()

    ids = [f"sample-{i:05d}" for i in range(n)]
    samples = [
        Sample(i, f"a dog with {words[j % 3000]} near {words[(7 * j) % 3000]}", (), jpeg(), ("a ", "dog", ""), 1)
        for j, i in enumerate(ids)
    ]
    reps = nbt.Representations(
        rng.normal(size=(n, n_layers + 1, d)).astype(np.float32), ids, [s.caption for s in samples], [1] * n
    )
    dictionaries, groundings = {}, {}
    for layer in range(1, n_layers + 1):
        V = (rng.gamma(1, size=(n, k)) * (rng.random((n, k)) < 0.05)).astype(np.float32)
        dictionaries[layer] = nbt.ConceptDictionary(
            rng.normal(size=(k, d)), V, ids, layer, "SemiNMF", reconstruction_error=0.1
        )
        top = np.argsort(-V, axis=0)[:8].T
        groundings[layer] = nbt.Grounding(
            [rng.choice(words, 15, replace=False).tolist() for _ in range(k)], [[ids[i] for i in row] for row in top]
        )
    scores = {layer: nbt.Scores({"reconstruction_error": 0.1 + layer / 100}) for layer in dictionaries}
    return nbt.Study("dog", dictionaries, groundings, samples, reps, scores)


def memory(page: Page) -> None:
    """What 200 layer changes and 50 views that are opened and closed leave behind, in the page (after a collection) and the kernel."""
    devtools = page.context.new_cdp_session(page)

    def used() -> tuple[float, float]:
        page.wait_for_timeout(1500)
        for _ in range(3):
            devtools.send("HeapProfiler.collectGarbage")
        heap = devtools.send("Runtime.getHeapUsage")["usedSize"] / 1e6
        return heap, float(page.evaluate(ASK, RESIDENT))

    def told(what: str, before: tuple[float, float]) -> None:
        after = used()
        print(f"{what}: page {before[0]:.1f} to {after[0]:.1f} MB, kernel {before[1]:.0f} to {after[1]:.0f} MB")

    steps = page.locator(".nbt-step")
    for part in ("the first 100 layer changes", "the next 100"):
        before = used()
        for i in range(100):
            steps.nth(0 if (i // 10) % 2 else 1).click()
            page.wait_for_timeout(30)
        told(part, before)
    page.evaluate(ASK, "view.close()")
    for what, cell, shown in (("views", 1, ".nbt-card"), ("anywidgets that show a word", 2, ".bare")):
        for part in (f"the first 25 {what} opened and closed", "the next 25"):
            before = used()
            for _ in range(25):
                page.evaluate(RUN, cell)
                page.locator(shown).first.wait_for()
                page.evaluate(ASK, "view.close()")
            told(part, before)


def steering(page: Page) -> None:
    """Time per stop of the slider that steers, with the embedded model."""
    page.evaluate("() => document.querySelectorAll('.nbt').forEach((e) => e.remove())")
    page.evaluate(RUN, 3)
    page.locator(".nbt-steer input[type=range]").wait_for()
    page.evaluate(STOPS)  # the first pass over an image is recorded
    times = page.evaluate(STOPS)
    print(f"a stop of the slider that steers {statistics.median(times):.0f} ms, at most {max(times):.0f} ms")


def main(what: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "root"
        root.mkdir()
        study = synthetic().save(Path(name) / "x.study") if what == "synthetic" else Path(what)
        print(f"first message {len(json.dumps(nbt.explore(nbt.open_study(study))._meta)) / 1e3:.0f} kB")
        opening = (
            f"import nbtoolkit as nbt\nstudy = nbt.open_study({str(study.resolve())!r})\nnbt.explore(study).close()"
        )
        live = "nbt.explore(study, nbt.load_model('toy'), layer=4, concept=0, tab='intervene')"
        write_notebook(
            root / "paint.ipynb", [opening, "view = nbt.explore(study, layer=study.layers[-1])\nview", BARE, live]
        )
        with jupyterlab(root, Path(name) / "home") as (base, token), sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=shutil.which("chromium"), headless=True, args=FLAGS)
            page = browser.new_page(viewport={"width": 1440, "height": 1100})
            page.set_default_timeout(60_000)
            page.goto(f"{base}/lab/tree/paint.ipynb?token={token}&reset")
            page.wait_for_selector(".jp-Notebook .jp-Cell")
            page.wait_for_function(READY, polling=250)
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
            print(
                f"cell run to words painted {statistics.median(cards):.2f} s, to first pictures {statistics.median(pictures):.2f} s"
            )

            def median(act: str, holds: str) -> float:
                times = []
                for i in range(2, 9):
                    times.append(page.evaluate(UNTIL, [act.replace("N", str(i)), holds.replace("N", str(i))]))
                    page.wait_for_timeout(500)  # what comes after what is looked at, such as the other cards' pictures
                return statistics.median(times)

            page.wait_for_timeout(3000)  # of reading: the other layers come meanwhile
            page.evaluate(FRAME)
            # the layer before, or the next one from the first
            step = (
                "document.querySelectorAll('.nbt-step')[document.querySelector('.nbt-range').value > 0 ? 0 : 1].click()"
            )
            card = "document.querySelector('.nbt-card')"
            nth = "document.querySelectorAll('.nbt-card')[N]"
            chosen = median(f"{nth}.click()", f"{nth}.getAttribute('aria-selected') === 'true'")
            words = median(f"window.was = {card}; {step}", f"{card} !== window.was")
            shown = median(step, f"{card}.querySelector('.nbt-thumb') && !{card}.querySelector('.nbt-waiting')")
            print(
                f"click to highlight {chosen:.0f} ms, layer to words {words:.0f} ms, to the first card's pictures {shown:.0f} ms"
            )
            times = page.evaluate(KEYS, "word12")
            n = page.locator(".nbt-card").count()
            print(f"a key of a search in {n} concepts {statistics.median(times):.0f} ms, at most {max(times):.0f} ms")
            print(f"scrolling the gallery: {page.evaluate(SCROLL):.0f} frames a second")
            memory(page)
            if what != "synthetic":
                steering(page)
            browser.close()


if __name__ == "__main__":
    main(sys.argv[1])
