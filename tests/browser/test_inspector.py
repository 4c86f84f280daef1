"""The Inspector's page from file://: one selection in every part, by pointer and keyboard; every width and theme; hostile text; no request."""

import contextlib
import itertools
import re
import unittest.mock

import pytest
from PIL import Image

import nbtoolkit as nbt

from ..hostile import TEXTS
from ..live.large import large_llava
from ..models.test_zoo import pictures
from ..zoo_targets import RESPONSE, zoo_model

pytestmark = [pytest.mark.browser, pytest.mark.slow]  # a page has no parts of other releases

EDITS = [{"op": "knock_out", "layers": None, "heads": None, "sources": "image", "targets": "word"}]
DRAWN = """() => Object.fromEntries(['.nbt-patch-marks', '.nbt-patch-heat', '.nbt-grid-cells', '.nbt-grid-marks'].flatMap((at) =>
  [...document.querySelectorAll(at)].map((c, i) => { let hash = 0;
    if (c.width && c.height) for (const v of c.getContext('2d').getImageData(0, 0, c.width, c.height).data) hash = (31 * hash + v) | 0;
    return [at + i, hash]; })))"""
HIDDEN = """() => [...document.querySelectorAll('.nbt [hidden]')].filter((e) => getComputedStyle(e).display !== 'none')
  .map((e) => e.className)"""
PARTS = (".nbt-patch-frame", ".nbt-grid-plane", ".nbt-ledger-row", ".nbt-edit-bar", ".nbt-chip-word")


@pytest.fixture(scope="module")
def view(model, data, study):
    """An Inspector of two words of a response, with what a page can show of them."""
    view = nbt.inspect(model, data[4]["image"], word="hat", study=study, layer=4, concept=1)
    view.compute("occlusion", "contribution", "patching", "knockout", "writers", "concepts", "faithfulness:attention")
    view.effect(EDITS)
    view.target = "cat"
    view.compute("lens", "attention")
    view.target = "hat"
    return view


@pytest.fixture(scope="module")
def page_file(view, tmp_path_factory):
    return view.to_html(tmp_path_factory.mktemp("inspector") / "hat.html")


def get(page, *names):
    values = page.evaluate("(names) => names.map((n) => window.nbtoolkit.get(n))", list(names))
    return values if len(values) > 1 else values[0]


def drawn(page):
    """What is drawn on each canvas, as a number."""
    page.wait_for_timeout(120)
    return page.evaluate(DRAWN)


def changed(before, after):
    return {name.rstrip("0123456789") for name in after if after[name] != before.get(name)}


def ready(page, parts=PARTS):
    """Wait until every part stands in the page, with its maps."""
    for part in parts:
        page.locator(part).first.wait_for()
    page.wait_for_function("document.querySelectorAll('.nbt-grid-marks').length === 2")
    page.wait_for_timeout(250)
    return page


def cell(page, grid, row, column, rows, columns):
    """Position of a cell in one of the two grids."""
    box = page.locator(".nbt-grid-plane").nth(grid).bounding_box()
    return {"x": box["width"] * (column + 0.5) / columns, "y": box["height"] * (row + 0.5) / rows}


def word(page, text):
    return page.get_by_role("button", name=re.compile(f"^“{text}”"))


def patch(page, index):
    """Position of a patch of the 8 × 8 on the image."""
    box = page.locator(".nbt-patch-frame").bounding_box()
    return {"x": box["width"] * (index % 8 + 0.5) / 8, "y": box["height"] * (index // 8 + 0.5) / 8}


def test_patches_are_selected_by_click_brush_and_keyboard_and_marked_everywhere(open_page, page_file):
    watched = open_page(page_file)
    page = ready(watched.page)
    frame = page.locator(".nbt-patch-frame")
    page.get_by_role("combobox", name="Parts").select_option("patches")
    page.locator(".nbt-part-patch").first.wait_for()
    before = drawn(page)
    frame.click(position=patch(page, 36))
    page.mouse.move(2, 2)
    assert get(page, "patches") == [36]
    after = drawn(page)
    assert {".nbt-patch-marks", ".nbt-grid-cells", ".nbt-grid-marks"} <= changed(before, after)
    assert page.get_by_text("to one patch").count() == 1
    while page.locator(".nbt-more").is_visible():
        page.locator(".nbt-more").click()
    selected = page.locator(".nbt-ledger-row.nbt-selected")
    assert selected.count() == 1 and "36" in selected.inner_text()
    frame.click(position=patch(page, 45), modifiers=["Shift"])
    assert get(page, "patches") == [36, 45] and selected.count() == 2
    # a rectangle
    box, (a, b) = frame.bounding_box(), (patch(page, 9), patch(page, 27))
    page.mouse.move(box["x"] + a["x"], box["y"] + a["y"])
    page.mouse.down()
    page.mouse.move(box["x"] + b["x"], box["y"] + b["y"], steps=4)
    page.mouse.up()
    assert get(page, "patches") == [9, 10, 11, 17, 18, 19, 25, 26, 27] and selected.count() == 9
    # by keyboard alone
    frame.focus()
    page.keyboard.press("Escape")
    assert get(page, "patches") == [] and selected.count() == 0
    page.keyboard.press("ArrowRight")
    page.keyboard.press(" ")
    (first,) = get(page, "patches")
    page.keyboard.press("Shift+ArrowDown")
    assert get(page, "patches") == [first, first + 8]
    assert "selected" in page.locator(".nbt-patch-image .nbt-spoken").text_content()
    # from the ledger and the ribbon
    page.locator(".nbt-part-patch .nbt-ledger-part").first.click()
    assert len(get(page, "patches")) in (1, 3)
    page.locator(".nbt-chip-image").click()
    assert get(page, "patches") == []
    watched.clean()


def test_cells_words_maps_and_grids(open_page, page_file):
    watched = open_page(page_file)
    page = ready(watched.page)
    planes = page.locator(".nbt-grid-plane")
    planes.nth(0).click(position=cell(page, 0, 2, 1, 5, 4))  # rows are layers
    layer, head, metric = get(page, "layer", "head", "metric")
    assert (layer, head, metric) in [(3, 1, "head")], "a head that is selected shows what it reads"
    assert page.get_by_text("attention of L3.H1").count() == 1
    # by keyboard
    planes.nth(0).focus()
    for key in ("ArrowRight", "ArrowUp", "Enter"):
        page.keyboard.press(key)
    assert get(page, "head") == 2 and get(page, "layer") in (2, 4)
    assert "L" in page.locator(".nbt-grid .nbt-spoken").first.text_content()
    page.mouse.move(2, 2)
    page.evaluate("document.activeElement.blur()")  # what has the focus is previewed
    before = drawn(page)
    page.evaluate("nbtoolkit.set('layer', 5); nbtoolkit.set('head', 0)")
    assert {".nbt-patch-heat", ".nbt-grid-marks"} <= changed(before, drawn(page))
    # layers × positions: the last column is the word
    box = planes.nth(1).bounding_box()
    planes.nth(1).click(position={"x": box["width"] - 3, "y": box["height"] - 3})
    token = get(page, "token")
    assert isinstance(token, int)
    # maps
    choice = page.get_by_role("combobox", name="Map over the image")
    maps = {}
    for metric in ("lens", "attention", "occlusion", "concept"):
        choice.select_option(metric)
        assert get(page, "metric") == metric
        maps[metric] = drawn(page)[".nbt-patch-heat0"]
    choice.select_option("attention")
    assert "deletion" in page.locator(".nbt-faith").inner_text() and "random" in page.locator(".nbt-faith").inner_text()
    choice.select_option("gradients")
    page.get_by_text("This page was saved without it.").locator("visible=true").first.wait_for()
    assert len({*maps.values()}) >= 3, "maps look the same"
    # grids
    seen = []
    for grid in ("attention", "contribution", "knockout"):
        page.get_by_role("combobox", name="Grid of layers and heads").select_option(grid)
        assert get(page, "grid") == grid
        seen.append(drawn(page)[".nbt-grid-cells0"])
    assert len({*seen}) == 3
    page.get_by_role("combobox", name="Grid of layers and positions").select_option("patching")
    assert get(page, "positions") == "patching"
    # a word is the target, with its own results; one that was not measured says so
    page.get_by_role("combobox", name="Grid of layers and heads").select_option("attention")
    before = drawn(page)
    word(page, "cat").click()
    assert get(page, "target") == "cat" and page.locator(".nbt-target").inner_text() == "cat"
    assert ".nbt-grid-cells" in changed(before, drawn(page))
    word(page, "beach").click()
    assert get(page, "target") == "beach"
    assert page.get_by_text("This page was saved without it.").locator("visible=true").count() >= 2
    watched.clean()


def test_an_edit_that_the_page_has_and_its_address(open_page, page_file):
    watched = open_page(page_file)
    page = ready(watched.page)
    assert page.locator(".nbt-edit-tools").count() == 0  # what needs the model is not offered
    page.locator(".nbt-edits button").first.click()
    assert get(page, "edits") == EDITS
    page.locator(".nbt-edit-effect").get_by_text("ginger").first.wait_for()
    page.evaluate("nbtoolkit.set('patches', [3, 4])")
    word(page, "cat").click()
    page.wait_for_function("location.hash.includes('target=cat')")
    page.reload()
    ready(page, (".nbt-grid-plane", ".nbt-edit-bar"))  # its contribution was not measured
    assert get(page, "target") == "cat" and page.locator(".nbt-target").inner_text() == "cat"
    page.goto(page.url.partition("#")[0] + "#layer=2&head=3&target=hat&patches=[1,2]&head_=1&metric=nothing&_kind=x")
    page.reload()
    ready(page)
    assert get(page, "layer", "head", "target", "_kind") == [2, 3, "hat", "inspector"]
    page.goto(page.url.partition("#")[0] + "#layer=99&head=-3&target=%3Cb%3E")
    page.reload()
    ready(page)
    assert get(page, "layer", "target") == [4, "hat"]
    watched.clean()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_widths_and_themes(open_page, page_file, node_modules, theme):
    watched = open_page(page_file, width=934, height=650, theme=theme, bypass_csp=True)
    page = ready(watched.page)
    page.evaluate("nbtoolkit.set('patches', [3, 4])")
    page.locator(".nbt-edits button").first.click()
    page.evaluate("nbtoolkit.set('ledger', 'heads')")
    for width in (934, 700, 390):
        page.set_viewport_size({"width": width, "height": 650})
        page.wait_for_timeout(200)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, width
        assert watched.axe(node_modules) == [], width
        small = page.evaluate(
            "() => [...document.querySelectorAll('.nbt button, .nbt select')].filter((e) => e.offsetParent && e.getBoundingClientRect().height < 23.5)"
            ".map((e) => e.outerHTML.slice(0, 120))"
        )
        assert small == [], width
        assert page.evaluate(HIDDEN) == [], width
    watched.clean()


def test_a_chinese_page(open_page, page_file, tmp_path):
    watched = open_page(page_file, locale="zh-CN")
    page = ready(watched.page)
    page.get_by_text("检查器").first.wait_for()
    text = page.locator(".nbt-root").inner_text()
    left = [w for w in ("Ledger", "Edits", "deletion", "not computed", "layers × heads", "target") if w in text]
    assert left == [], "not in Chinese"
    watched.clean()


def test_hostile_texts_stay_text(open_page, view, tmp_path):
    write, page_of = type(view)._write_page, []
    with unittest.mock.patch.object(type(view), "_write_page", lambda own, *parts: page_of.extend(parts)):
        view.to_html(tmp_path / "evil.html")
    path, _, meta, data = page_of
    poison = itertools.cycle(TEXTS)
    side = meta["sides"]["a"]
    side |= {"question": TEXTS[0], "response": TEXTS[1], "label": TEXTS[3]}
    side["tokens"] = [[text if role == "image" else next(poison), role] for text, role in side["tokens"]]
    for one in side["words"]:
        one |= {"text": next(poison), "runner_up": [next(poison), 0.1]}
    meta["model"], meta["checks"] = TEXTS[1], TEXTS[2]
    meta["study"]["names"] = {layer: [next(poison) for _ in names] for layer, names in meta["study"]["names"].items()}
    for result in data["results"].values():
        result |= {"strings": [next(poison) for _ in result["strings"]]}
        result |= {"note": next(poison), "title": next(poison), "null": next(poison)}
    for reply in data["edits"].values():
        for part in (reply["before"], reply["after"]):
            part["response"] = next(poison)
        reply["difference"] = [[next(poison), kind] for _, kind in reply["difference"]]
    watched = open_page(write(view, path, TEXTS[0], meta, data))
    page = ready(watched.page)
    root = page.locator(".nbt-root")
    intruders = ".nbt script, .nbt iframe, .nbt a, .nbt [onerror], .nbt [onmouseover], .nbt [onfocus], .nbt [autofocus], .nbt img[src=x], .nbt svg[onload]"

    def is_safe():
        assert page.evaluate("() => window.owned ?? null") is None and page.locator(intruders).count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= 1200, "a long word widens the page"
        assert root.evaluate("(e) => e.scrollWidth <= e.clientWidth + 1"), "a long word widens the view"

    is_safe()
    assert root.locator(".nbt-chip-word").first.is_visible()
    for word in root.locator(".nbt-chip-word").all()[:6]:
        word.hover()
    for plane in root.locator(".nbt-grid-plane").all():
        plane.hover()
    page.locator(".nbt-edits button").first.click()
    for ledger in ("concepts", "heads", "patches"):
        page.evaluate("(v) => nbtoolkit.set('ledger', v)", ledger)
        page.wait_for_timeout(50)
    page.locator(".nbt-patch-frame").hover()
    page.wait_for_timeout(200)
    is_safe()
    watched.clean()


ODD = ("git", "mllama", "instructblip", "a response of 500 words", "an image of one pixel", "an image of 1 × 4000")


def odd(name, model):
    """Inspectors that a page may not expect, by name."""
    if name.startswith("an image"):
        return nbt.inspect(model, Image.new("RGB", (1, 1) if "one" in name else (4000, 1), "red"))
    if name.startswith("a response"):
        words = " ".join(["a red dog sits near"] * 100)
        return nbt.inspect(large_llava(), pictures()[0], word="dog#50", response=words)
    return nbt.inspect(zoo_model(name), pictures()[0], word="dog", response=RESPONSE)


@pytest.mark.parametrize("name", ODD)
def test_odd_subjects_are_laid_out(open_page, model, node_modules, tmp_path, name):
    view = odd(name, model)
    with contextlib.suppress(nbt.NbtoolkitError):
        view.compute("contribution")
    watched = open_page(view.to_html(tmp_path / "odd.html"), width=934, height=650, bypass_csp=True)
    page = ready(watched.page, (".nbt-edit-bar", ".nbt-chip-word", ".nbt-patch-image img"))
    assert page.locator(".nbt-chip-word").count() == len(view._sides["a"]["words"])
    assert page.locator('.nbt-chip-word[aria-pressed="true"]').count() == 1
    shown = page.locator('.nbt-chip-word[aria-pressed="true"]').bounding_box()
    row = page.locator(".nbt-ribbon-row").bounding_box()
    assert row["height"] < 200 and row["y"] - 1 <= shown["y"] <= row["y"] + row["height"], "the word is out of sight"
    if not view._n_patches:
        assert page.locator(".nbt-patch-frame").get_attribute("role") is None
        assert page.locator(".nbt-patch-image .nbt-note:visible").count()
    image = page.locator(".nbt-patch-frame img").bounding_box()
    assert image["width"] >= 1 and image["height"] >= 1 and image["height"] < 500
    for width in (934, 390):
        page.set_viewport_size({"width": width, "height": 650})
        page.wait_for_timeout(150)
        assert page.evaluate("document.documentElement.scrollWidth") <= width and watched.axe(node_modules) == []
    text = page.locator(".nbt-root").inner_text()
    assert not re.search(r"NaN|undefined|Infinity|\[object", text), text
    watched.clean()
