"""The Inspector in a real JupyterLab: what is clicked is a trait's value, and the other way round; edits, faults, and what closed views leave."""

import re

import pytest

from .conftest import ASK, READY, RUN, arrives, write_notebook
from .test_inspector import cell, drawn, changed, patch, ready, word

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
    live.page.locator(".nbt-grid-plane").first.wait_for(timeout=90_000)
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
    assert re.search(rf"{100 * after:.0f} ?%|{after:.2f}|{after:.3f}", page.locator(".nbt-edit-result").inner_text())
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
