"""What the Inspector costs in a real JupyterLab with Chromium: ``python -m tests.benchmarks.inspector [toy|llava] [--tiny]``.

``toy`` is the embedded model; ``llava`` a random, narrow LLaVA of 24 layers of 16 heads over 576 image tokens. Two numbers stand for
what a selection costs: work, which is the handlers, microtasks and callbacks of animation frames that it starts, and the time until
the frame after it is drawn, which includes the wait for the display. Medians; machines are shared and noisy.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from ..browser.conftest import ASK, FLAGS, READY, RUN, jupyterlab, write_notebook
from .views import RESIDENT

WIDTH = 64  # characters of a name
ROOT = Path(__file__).parents[2]
OPENINGS = {
    "toy": """import nbtoolkit as nbt
model, image = nbt.load_model("toy"), nbt.load_data("toy", n=5)[4]["image"]
options = dict(word="hat")
nbt.inspect(model, image, **options).close()""",
    "llava": """import nbtoolkit as nbt
from tests.live.large import large_llava
from tests.models.test_zoo import pictures
model, image = large_llava(), pictures()[0]
options = dict(word="dog", response="a red dog sits on a bus with two white cats and one black bear")
nbt.inspect(model, image, **options).close()""",
}
COMPUTED = {"toy": ("occlusion", "contribution", "knockout"), "llava": ("contribution",)}
VIEW = "view = nbt.inspect(model, image, **options)\nview"
# runs a cell: milliseconds from it to the first message of the widget, the frame that has the view, and that which has its maps
PAINT = """async (i) => { const { sessionContext, content } = window.jupyterapp.shell.currentWidget; const times = {};
  const begun = performance.now(), note = (name) => { times[name] ??= performance.now() - begun; };
  const hear = (_, m) => { if (m.header.msg_type === 'comm_open') note('sent'); };
  sessionContext.iopubMessage.connect(hear);
  content.deselectAll(); content.activeCellIndex = i;
  window.jupyterapp.commands.execute('notebook:run-cell');
  const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  const drawn = (at) => { const c = document.querySelector(at);
    return c?.width && c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(Boolean); };
  while (!times.maps) { await frame();
    if (document.querySelector('.nbt-inspector .nbt-chip-word')) note('view');
    if (drawn('.nbt-patch-heat') && drawn('.nbt-grid-cells') && document.querySelector('.nbt-edit-bar')) note('maps');
    if (performance.now() - begun > 60000) throw new Error('the view does not paint'); }
  sessionContext.iopubMessage.disconnect(hear); return times; }"""
# the work of an action, and the time until the frame after it is drawn
WORK = """async (code) => { const raf = window.requestAnimationFrame, act = new Function('at', 'press', code); let work = 0;
  const timed = (f) => (time) => { const begun = performance.now(); f(time); work += performance.now() - begun; };
  window.requestAnimationFrame = (f) => raf(timed(f));
  const at = (el, x, y) => { const { left, top, width, height } = el.getBoundingClientRect();
    return { clientX: left + x * width, clientY: top + y * height, bubbles: true, isPrimary: true, pointerType: 'pen', button: 0 }; };
  const press = (el, x, y) => { for (const type of ['pointerdown', 'pointerup']) el.dispatchEvent(new PointerEvent(type, at(el, x, y))); };
  await new Promise((done) => raf(() => setTimeout(done, 3)));
  const begun = performance.now(); act(at, press); for (let i = 0; i < 20; i++) await null;
  work += performance.now() - begun;
  await new Promise((done) => raf(() => setTimeout(done)));
  const frame = performance.now() - begun; window.requestAnimationFrame = raf;
  return [work, frame]; }"""
UNTIL = """([act, holds]) => new Promise((done, fail) => { const begun = performance.now(); eval(act); let frames = 0;
  const look = () => (performance.now() - begun > 60000 ? fail(new Error(holds)) : ++frames > 2 && eval(holds)
    ? done(performance.now() - begun) : requestAnimationFrame(look)); look(); })"""
FRAME = "document.querySelector('.nbt-patch-frame')"
PLANES = "document.querySelectorAll('.nbt-grid-plane')"
CLICK = f"const el = {PLANES}[GRID]; el.dispatchEvent(new MouseEvent('click', at(el, X, Y)))"
OVER = f"const el = {PLANES}[GRID]; el.dispatchEvent(new PointerEvent('pointermove', at(el, X, Y)))"
WORDS = "[...document.querySelectorAll('.nbt-chip-word:not([aria-disabled])')]"
BUSY = "[...document.querySelectorAll('.nbt-offer progress')].some((e) => e.offsetParent)"
SETTLED = f"!{BUSY} && [...document.querySelectorAll('.nbt-grid')].every((e) => !e.hidden)"
ANSWERED = "document.querySelector('.nbt-edit-effect:not(.nbt-stale) .nbt-edit-numbers')"
TOOLS = "[...document.querySelectorAll('.nbt-edit-tools button')]"
BUTTON = f"{TOOLS}.find((b) => b.textContent === 'Mask').click()"
MASK = f"window.was = document.querySelector('.nbt-edit-numbers'); {BUTTON}"


def report(what: str, value: float, unit: str, goal: str = "") -> None:
    """Print one line per figure."""
    print(f"{what:<{WIDTH}} {value:9.1f} {unit}" + (f"  (goal {goal})" if goal else ""), flush=True)


class Bench:
    """A page of JupyterLab with an Inspector in its second cell."""

    def __init__(self, page: Page, name: str, repeats: int) -> None:
        self.page, self.name, self.repeats = page, name, repeats
        self.largest, self.word = 0, "hat" if name == "toy" else "dog"
        page.on("websocket", lambda socket: socket.on("framereceived", self.weigh))

    def weigh(self, payload: str | bytes) -> None:
        self.largest = max(self.largest, len(payload))

    def paint(self) -> None:
        """From the cell, and from its first message, to the view and its maps."""
        all_times = []
        for _ in range(self.repeats):
            self.page.evaluate(ASK, "globals().get('view') and view.close()")
            all_times.append(self.page.evaluate(PAINT, 1))
            self.page.wait_for_timeout(500)
        middle = {name: statistics.median(t[name] for t in all_times) for name in ("sent", "view", "maps")}
        report("cell to its first message (Python)", middle["sent"], "ms")
        report("message to the first paint", middle["view"] - middle["sent"], "ms", "500 ms")
        report("message to maps, grids and edit bar", middle["maps"] - middle["sent"], "ms")

    def select(self) -> None:
        """Work and next frame of selections in the page."""
        n, page = 2 * self.repeats, self.page
        side, rows, columns = (8, 5, 4) if self.name == "toy" else (24, 24, 16)

        def turn(what: str, goal: str, code: Callable[[int], str]) -> None:
            times = []
            for i in range(n):
                times.append(page.evaluate(WORK, code(i)))
                page.wait_for_timeout(60)
            work, frame = ([t[k] for t in times[1:]] for k in (0, 1))
            report(f"{what}: work", statistics.median(work), "ms", goal)
            report(f"{what}: work, the longest", max(work), "ms")
            report(f"{what}: to the next frame", statistics.median(frame), "ms")

        def at(code: str, grid: int, x: float, y: float) -> str:
            return code.replace("GRID", str(grid)).replace("X", f"{x:.4f}").replace("Y", f"{y:.4f}")

        goal = "16 ms" if self.name == "toy" else "two frames, 33 ms"
        layer = "50 ms" if self.name == "toy" else goal
        turn("nothing", "", lambda i: "")
        turn(
            "select a patch",
            goal,
            lambda i: f"press({FRAME}, {(i % side + 0.5) / side}, {(3 * i % side + 0.5) / side})",
        )
        turn("select a head", goal, lambda i: at(CLICK, 0, (i % columns + 0.5) / columns, (i % rows + 0.5) / rows))
        turn(
            "preview a head", goal, lambda i: at(OVER, 0, ((i + 1) % columns + 0.5) / columns, (i % rows + 0.5) / rows)
        )
        page.evaluate(f"() => {PLANES}[0].dispatchEvent(new PointerEvent('pointerleave'))")
        page.evaluate(ASK, "view.metric = 'lens'")
        page.wait_for_timeout(300)
        turn(
            "select a layer, with the map of the lens",
            layer,
            lambda i: at(CLICK, 1, 0.999, (i % (rows + 1) + 0.5) / (rows + 1)),
        )
        page.evaluate(ASK, "view.metric = 'attention'; view.head = None; view.patches = []")
        page.wait_for_timeout(300)
        enter = f"const el = {FRAME}; el.dispatchEvent(new PointerEvent('pointermove', at(el, X, Y)))"
        turn(
            "preview a patch in the grid of heads",
            goal,
            lambda i: at(enter, 0, (i % side + 0.5) / side, (5 * i % side + 0.5) / side),
        )
        page.evaluate(f"() => {FRAME}.dispatchEvent(new PointerEvent('pointerleave'))")
        turn("a word that was selected before", goal, lambda i: f"{WORDS}[{i % 3}].click()")

    def answers(self) -> None:
        """Another word, and edits: what Python has a share in."""
        page, goal = self.page, "300 ms" if self.name == "toy" else ""
        n = min(self.repeats, page.evaluate(f"() => {WORDS}.length"))
        times = []
        for i in range(n):
            times.append(page.evaluate(UNTIL, [f"{WORDS}[{i}].click()", SETTLED]))
            page.wait_for_timeout(150)
        page.evaluate(ASK, f"view.target = {self.word!r}")
        report("another word, with lens and attention", statistics.median(times), "ms", goal)
        times = []
        for i in range(self.repeats):
            page.evaluate(ASK, f"view.edits = []; view.patches = [{i}, {i + 9}]")
            page.wait_for_timeout(250)
            times.append(page.evaluate(UNTIL, [MASK, f"{ANSWERED} && {ANSWERED} !== window.was"]))
        report("an edit's answer", statistics.median(times), "ms", goal)
        page.evaluate(ASK, "view.edits = []")

    def used(self) -> tuple[float, float, float, float]:
        """MB of the page after a collection and of the kernel; elements and listeners."""
        devtools = self.page.context.new_cdp_session(self.page)
        self.page.wait_for_timeout(1000)
        for _ in range(3):
            devtools.send("HeapProfiler.collectGarbage")
        counters = devtools.send("Memory.getDOMCounters")
        heap = devtools.send("Runtime.getHeapUsage")["usedSize"] / 1e6
        resident = float(self.page.evaluate(ASK, RESIDENT))
        return heap, resident, counters["nodes"], counters["jsEventListeners"]

    def cycles(self, n: int) -> None:
        """What views that are opened and closed leave, in two halves: the first has what is cached."""
        self.page.evaluate(ASK, "view.close()")
        for part in ("first", "next"):
            before = self.used()
            for _ in range(n // 2):
                self.page.evaluate(RUN, 1)
                self.page.locator(".nbt-inspector .nbt-grid-plane").first.wait_for()
                self.page.evaluate(ASK, "view.close()")
            after = self.used()
            what = f"the {part} {n // 2} views, opened and closed"
            goal = "flat" if part == "next" else ""
            names = (("MB of the page", goal), ("MB of the kernel", ""), ("elements", goal), ("listeners", goal))
            for (unit, limit), old, new in zip(names, before, after, strict=True):
                report(what, new - old, f"{unit} more ({old:.0f} to {new:.0f})", limit)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", default="toy", choices=OPENINGS)
    parser.add_argument("--tiny", action="store_true", help="two repetitions, two views: whether it runs")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name, sync_playwright() as driver:
        root = Path(name) / "root"
        root.mkdir()
        write_notebook(root / "inspector.ipynb", [OPENINGS[options.model], VIEW])
        with jupyterlab(root, Path(name) / "home", PYTHONPATH=str(ROOT)) as (base, token):
            browser = driver.chromium.launch(executable_path=shutil.which("chromium"), headless=True, args=FLAGS)
            page = browser.new_page(viewport={"width": 1366, "height": 768})
            page.set_default_timeout(120_000)
            bench = Bench(page, options.model, 2 if options.tiny else 9)
            page.goto(f"{base}/lab/tree/inspector.ipynb?token={token}&reset")
            page.wait_for_selector(".jp-Notebook .jp-Cell")
            page.wait_for_function(READY, polling=250)
            page.evaluate(RUN, 0)
            bench.paint()
            computed = page.evaluate(ASK, f"_ = view.compute(*{COMPUTED[options.model]!r})")
            if computed:
                raise RuntimeError(computed)
            page.wait_for_timeout(1500)
            bench.answers()
            bench.select()
            report("the largest message", bench.largest / 1e6, "MB", "2 MB")
            bench.cycles(2 if options.tiny else 50 if options.model == "toy" else 10)
            browser.close()


if __name__ == "__main__":
    main()
