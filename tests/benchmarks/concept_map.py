"""What a map of 20,000 points costs in Chromium: ``python -m tests.benchmarks.concept_map``. Medians; machines are shared and noisy.

Milliseconds of the page's own thread: from the trait to the drawn points, and per frame as one pans.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

import nbtoolkit as nbt
from nbtoolkit.types import Sample
from nbtoolkit.widgets import ConceptMap, maps_2d

from ..browser.conftest import FLAGS

N, K, D = 20_000, 50, 16
# the time of every drawing of the canvas, and of the frames between them
WATCH = """() => { window.draws = []; const get = HTMLCanvasElement.prototype.getContext;
  let begun = 0; const image = CanvasRenderingContext2D.prototype.createImageData, put = CanvasRenderingContext2D.prototype.putImageData;
  CanvasRenderingContext2D.prototype.createImageData = function (...a) { begun = performance.now(); return image.apply(this, a); };
  CanvasRenderingContext2D.prototype.putImageData = function (...a) { put.apply(this, a); window.draws.push(performance.now() - begun); }; }"""
FRAMES = """() => new Promise((done) => { const gaps = []; let last = performance.now(); const end = last + 2500;
  const go = (now) => { gaps.push(now - last); last = now; now < end ? requestAnimationFrame(go) : done(gaps.slice(1)); };
  requestAnimationFrame(go); })"""


def synthetic() -> nbt.Study:
    """A study of random numbers with 20,000 samples."""
    rng = np.random.default_rng(0)
    ids = [f"sample-{i:05d}" for i in range(N)]
    samples = [Sample(i, f"a dog {j}", (), b"", ("a ", "dog", f" {j}"), 1) for j, i in enumerate(ids)]
    reps = nbt.Representations(
        rng.normal(size=(N, 2, D)).astype(np.float32), ids, [s.caption for s in samples], [1] * N
    )
    V = (rng.gamma(1, size=(N, K)) * (rng.random((N, K)) < 0.1)).astype(np.float32)
    cd = nbt.ConceptDictionary(rng.normal(size=(K, D)), V, ids, 1, "SemiNMF", reconstruction_error=0.1)
    top = np.argsort(-V, axis=0)[:5].T
    g = nbt.Grounding([[f"word{k}"] for k in range(K)], [[ids[i] for i in row] for row in top])
    return nbt.Study("dog", {1: cd}, {1: g}, samples, reps)


def main() -> None:
    study = synthetic()
    began = time.perf_counter()
    maps_2d.reply(study, 1)
    print(f"places of {N:,} samples and {K} concepts {time.perf_counter() - began:.2f} s")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as driver:
        path = ConceptMap(study).to_html(Path(name) / "map.html")
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), headless=True, args=FLAGS)
        page = browser.new_page(viewport={"width": 934, "height": 650})
        page.add_init_script(f"({WATCH})()")
        began = time.perf_counter()
        page.goto(path.as_uri())
        page.wait_for_function("() => window.draws.length > 0")
        print(
            f"page opened to points drawn {time.perf_counter() - began:.2f} s, first drawing {page.evaluate('draws[0]'):.1f} ms"
        )
        page.wait_for_timeout(1500)
        box = page.locator(".nbt-scatter").bounding_box()
        page.mouse.move(box["x"] + 200, box["y"] + 100)
        page.mouse.down()
        page.evaluate("() => { window.draws = []; }")
        page.evaluate(f"() => {{ window.gaps = ({FRAMES})(); }}")
        for i in range(120):
            page.mouse.move(box["x"] + 200 + i % 60, box["y"] + 100 + i % 30)
        gaps, draws = page.evaluate("() => window.gaps"), page.evaluate("draws")
        page.mouse.up()
        print(
            f"panning: drawing {statistics.median(draws):.1f} ms (95 % below {np.quantile(draws, 0.95):.1f}), "
            f"frame {statistics.median(gaps):.1f} ms, {len(draws)} drawings"
        )
        page.keyboard.press("Escape")
        began = time.perf_counter()
        page.keyboard.down("Shift")
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 40)
        page.mouse.down()
        for x, y in ((0.9, 40), (0.9, 200), (0.5, 200)):
            page.mouse.move(box["x"] + x * box["width"], box["y"] + y)
        page.mouse.up()
        page.keyboard.up("Shift")
        n = page.evaluate("nbtoolkit.get('lasso').length")
        print(f"lasso around {n:,} samples, with the table {1e3 * (time.perf_counter() - began):.0f} ms")
        browser.close()


if __name__ == "__main__":
    main()
