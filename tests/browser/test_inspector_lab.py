"""The Inspector in a real JupyterLab: what is clicked is a trait's value, and the other way round; edits, faults, and what closed views leave."""

import re

import pytest

from .conftest import ASK, RUN, arrives, write_notebook
from .test_inspector import cell, changed, drawn, patch, ready, word

pytestmark = pytest.mark.browser

OPEN = """
import nbtoolkit as nbt
model, image = nbt.load_model("toy"), nbt.load_data("toy", n=5)[4]["image"]
view = nbt.inspect(model, image, word="hat")
view
"""
KNOCK = "{'op': 'knock_out', 'layers': None, 'heads': None, 'sources': 'image', 'targets': 'word'}"


def opened(lab, tmp_path, *cells):
    write_notebook(tmp_path / "inspector.ipynb", [text.strip() for text in cells])
    live = lab(tmp_path / "inspector.ipynb")
    live.page.evaluate(RUN, 0)
    live.page.locator(".nbt-grid-plane").first.wait_for(timeout=40_000)
    return live


def test_the_page_talks_to_python_and_python_to_the_page(lab, tmp_path, node_modules):
    live = opened(lab, tmp_path, OPEN)
    page = live.page
    ready(page, (".nbt-patch-frame", ".nbt-grid-plane", ".nbt-edit-bar"))

    def ask(code):
        return page.evaluate(ASK, code)

    # from the page to Python
    frame = page.locator(".nbt-patch-frame")
    frame.click(position=patch(page, 20))
    arrives(page, "print(view.patches)", "[20]")
    page.locator(".nbt-grid-plane").first.click(position=cell(page, 0, 2, 1, 5, 4))
    arrives(page, "print(view.layer, view.head, view.metric)", "3 1 head")
    word(page, "cat").click()
    arrives(page, "print(view.target, sorted(view.measurements))", "cat ['attention', 'lens']")
    # keys are the view's
    frame.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("b")
    page.keyboard.press(" ")
    arrives(page, "print(view.patches)", "[20, 21]")
    assert page.evaluate("window.jupyterapp.shell.currentWidget.content.widgets.length") == 1
    # from Python to the page
    page.mouse.move(2, 2)
    page.evaluate("document.activeElement.blur()")
    before = drawn(page)
    ask("view.patches = [1, 2, 3]; view.layer = 5; view.head = 0")
    page.get_by_text("attention of L5.H0").wait_for()
    assert {".nbt-patch-marks", ".nbt-patch-heat", ".nbt-grid-cells", ".nbt-grid-marks"} <= changed(before, drawn(page))
    ask("view.target = 'hat'")
    page.wait_for_function("document.querySelector('.nbt-target').textContent === 'hat'")
    for wrong, named in (
        ("view.layer = 77", "layer is 77"),
        ("view.patches = [64]", "patches is 64"),
        ("view.target = 'hats'", "did you mean"),
        ("view.edits = [{'op': 'knock_out', 'layers': [9]}]", "9"),
        ("view.question = 'why?'", "takes no question"),
    ):
        answer = ask(wrong)
        assert "TraitError" in answer and named.lower() in answer.lower(), answer
    # what is computed shows its cost before; nothing of it is there until it is asked for
    page.get_by_role("combobox", name="Map over the image").select_option("occlusion")
    page.locator(".nbt-map-head .nbt-offer button, .nbt-map-head button").locator("visible=true").first.click()
    page.locator(".nbt-map-scale").locator("visible=true").first.wait_for(timeout=20_000)
    assert ask("print('occlusion' in view.measurements)") == "True"
    ask("view.compute('contribution')")
    page.locator(".nbt-ledger-row").first.wait_for()
    assert "sum" in page.locator(".nbt-ledger-sum").inner_text()
    # an edit, its answer, undone; control
    page.evaluate("document.activeElement.blur()")
    ask("view.patches = []; view.layer = None; view.head = None; view.ticked = []")
    page.get_by_role("button", name="Knock out", exact=True).click()
    page.locator(".nbt-edit-effect").get_by_text("ginger").first.wait_for(timeout=20_000)
    arrives(page, f"print(view.edits == [{KNOCK}])", "True")
    after = float(ask("print(view.effect()['after']['probability'])"))
    assert f"→ {after:.3f}".replace("0.", ".") in page.locator(".nbt-edit-result").inner_text()
    page.get_by_role("button", name=re.compile("ontrol")).first.click()
    page.locator(".nbt-control-bar").wait_for(timeout=20_000)
    ask("view.edits = []")
    page.locator(".nbt-edit-result").wait_for(state="hidden")
    ask("view.patches = [5]")
    page.get_by_role("button", name="Mask", exact=True).click()
    arrives(page, "print(view.edits)", "[{'op': 'mask', 'patches': [5]}]")
    page.locator(".nbt-edit-effect:not(.nbt-stale) *").first.wait_for()
    # the model takes no question
    box = page.get_by_role("textbox", name="Question")
    assert box.get_attribute("readonly") is not None and "no question" in box.get_attribute("title")
    # both themes
    for theme, light in (("JupyterLab Dark", "false"), ("JupyterLab Light", "true")):
        page.evaluate("(t) => window.jupyterapp.commands.execute('apputils:change-theme', { theme: t })", theme)
        page.wait_for_function(f"document.body.dataset.jpThemeLight === '{light}'")
        page.wait_for_timeout(300)
        assert live.axe(node_modules) == [], theme
    live.clean()


@pytest.mark.slow
def test_two_views_a_word_that_vanishes_and_a_kernel_that_restarts(lab, tmp_path):
    live = opened(lab, tmp_path, OPEN, "view")
    page = live.page
    page.evaluate(RUN, 1)
    views = page.locator(".nbt-inspector")
    for i in (0, 1):
        views.nth(i).locator(".nbt-edit-bar").wait_for(timeout=30_000)
    # two views of one widget agree
    views.nth(0).locator(".nbt-chip-word").nth(1).click()
    views.nth(1).locator(".nbt-target", has_text="ginger").wait_for()
    views.nth(1).locator(".nbt-chip-word").nth(7).click()
    chosen = views.nth(0).locator('.nbt-chip-word[aria-pressed="true"]')
    page.wait_for_function("document.querySelectorAll('.nbt-target')[0].textContent !== 'ginger'")
    assert chosen.count() == 1 and views.nth(1).locator('.nbt-chip-word[aria-pressed="true"]').count() == 1
    page.evaluate(ASK, "view.target = 'hat'")
    # a word that the edited response lacks
    page.evaluate(ASK, "view.edits = [dict(op='ablate', layers=[k], part='block', how='mean') for k in (1, 2, 3)]")
    for i in (0, 1):
        views.nth(i).get_by_text("The word is gone from the response.").wait_for(timeout=20_000)
    assert page.evaluate(ASK, "print(view.effect()['present'], view.target)") == "False hat"
    page.evaluate(ASK, "view.compared = 'edited'")
    views.nth(0).locator(".nbt-compare-slot > *").first.wait_for(timeout=20_000)
    page.evaluate(ASK, "view.compared = ''; view.edits = []")
    # words that are selected faster than the kernel answers: the last one's numbers stand
    for k in (1, 2, 5, 9, 2):
        views.nth(0).locator(".nbt-chip-word").nth(k).click()
    last = views.nth(0).locator(".nbt-target").inner_text()
    arrives(page, "print(view.target)", last)
    page.wait_for_timeout(500)
    assert views.nth(1).locator(".nbt-target").inner_text() == last
    # an error in a callback is told in the view
    page.evaluate(ASK, "view.observe(lambda change: {}['nothing'], 'patches')")
    views.nth(0).locator(".nbt-patch-frame").click()
    views.nth(0).get_by_text("KeyError: 'nothing'").wait_for()
    live.errors.clear()  # the callback's own
    # the kernel restarts: what is there can still be looked at, and what needs the model says so
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    for i in (0, 1):
        views.nth(i).get_by_text("Kernel disconnected").wait_for()
    before = drawn(page)
    views.nth(0).locator(".nbt-patch-frame").click(position={"x": 20, "y": 20})
    assert ".nbt-patch-marks" in changed(before, drawn(page))
    views.nth(0).get_by_role("combobox", name="Map over the image").select_option("lens")
    views.nth(0).locator(".nbt-chip-word").nth(5).click()
    page.wait_for_timeout(300)
    assert views.nth(0).locator(".nbt-grid-plane").count() == 2
    live.clean()


CLOSED_WIDGETS = """import gc, ipywidgets
gc.collect()
print(sum(type(w).__name__ == "Inspector" for w in ipywidgets.widgets.widget._instances.values()))"""


@pytest.mark.slow
def test_50_views_that_are_closed_leave_nothing(lab, tmp_path):
    live = opened(lab, tmp_path, OPEN, "view = nbt.inspect(model, image, word='hat')\nview")
    page = live.page
    devtools = page.context.new_cdp_session(page)

    def cycles(n):
        for _ in range(n):
            page.evaluate(ASK, "view.close()")
            page.evaluate(RUN, 1)
            page.locator(".jp-Cell").nth(1).locator(".nbt-grid-plane").first.wait_for()
        page.evaluate(ASK, "view.close()")
        page.wait_for_timeout(600)
        for _ in range(3):
            devtools.send("HeapProfiler.collectGarbage")
        heap = devtools.send("Runtime.getHeapUsage")["usedSize"] / 1e6
        counters = devtools.send("Memory.getDOMCounters")
        return heap, counters["nodes"], counters["jsEventListeners"]

    first, second = cycles(10), cycles(40)
    (heap, nodes, listeners), after = first, second
    assert after[0] - heap < 6, f"the page's heap grows, in MB: {first} {second}"
    assert after[1] - nodes < 800 and after[2] - listeners < 200, f"elements or listeners stay: {first} {second}"
    assert page.evaluate(ASK, CLOSED_WIDGETS) == "0"
    live.clean()


BESIDE = """
import nbtoolkit as nbt
explorer = nbt.explore(nbt.open_study({folder!r}), nbt.load_model("toy"), layer=4)
explorer
"""


@pytest.mark.slow
def test_the_explorer_opens_and_closes_an_inspector(lab, study, tmp_path):
    write_notebook(tmp_path / "beside.ipynb", [BESIDE.format(folder=str(study.save(tmp_path / "dog.study"))).strip()])
    live = lab(tmp_path / "beside.ipynb")
    page = live.page
    page.evaluate(RUN, 0)
    page.locator(".nbt-card").first.wait_for(timeout=60_000)
    for _ in range(2):
        page.get_by_role("button", name="Inspect", exact=True).click()
        page.locator(".nbt-inspector .nbt-grid-plane").first.wait_for(timeout=30_000)
        assert page.evaluate(ASK, "print(explorer.inspector.target, explorer.inspector.layer)") == "dog 4"
        # one selection of both
        page.evaluate(ASK, "explorer.layer = 2")
        arrives(page, "print(explorer.inspector.layer)", "2")
        page.evaluate(ASK, "explorer.inspector.layer = 4")
        page.wait_for_function("document.querySelector('.nbt-explorer .nbt-layer-label strong').textContent === '4'")
        page.locator(".nbt-inspector .nbt-patch-frame").click()
        arrives(page, "print(len(explorer.inspector.patches))", "1")
        page.get_by_role("button", name="Close the Inspector").click()
        page.locator(".nbt-inspector").wait_for(state="detached")
        arrives(page, "print(explorer.inspector)", "None")
    live.clean()
