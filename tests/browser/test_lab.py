"""The first notebook in a real JupyterLab: run it, click, move the layer, read the traits back, switch the theme."""

import os
import re
from pathlib import Path

import pytest

from .conftest import ASK, RUN, arrives, write_notebook

pytestmark = pytest.mark.browser

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "01_first_look.ipynb"
PICTURES = os.environ.get("NBTOOLKIT_SCREENSHOTS")  # a folder: keep the pictures of the README
CELLS = "() => window.jupyterapp.shell.currentWidget.content.widgets.map((c) => c.model.type)"


def test_the_notebook_runs_and_the_explorer_talks_to_python(lab, node_modules):
    lab = lab(NOTEBOOK)
    page = lab.page
    page.set_default_timeout(180_000)
    kinds = page.evaluate(CELLS)
    for index, kind in enumerate(kinds):
        if kind == "code":
            page.evaluate(RUN, index)
            assert (
                page.locator(".jp-Notebook .jp-Cell")
                .nth(index)
                .locator(".jp-RenderedText[data-mime-type='application/vnd.jupyter.stderr']")
                .count()
                == 0
            )
    first_cells = page.locator(".jp-Notebook .jp-Cell")
    assert any(first_cells.nth(i).locator("img").count() for i in range(3)), "no picture within the first three cells"
    page.set_default_timeout(30_000)
    page.locator(".nbt-explorer").scroll_into_view_if_needed()  # pictures are fetched once their card is near the view
    page.locator(".nbt-explorer .nbt-thumb:not(.nbt-waiting)").first.wait_for()

    def ask(code):
        return page.evaluate(ASK, code)

    # from the page to Python
    page.locator(".nbt-explorer .nbt-card").nth(2).click()
    chosen = int(page.locator('.nbt-explorer .nbt-card[aria-selected="true"]').get_attribute("data-concept"))
    arrives(page, "print(explorer.concept)", str(chosen))
    page.locator(".nbt-explorer .nbt-range").focus()
    page.keyboard.press("Home")
    arrives(page, "print(explorer.layer)", "1")
    page.locator(".nbt-explorer .nbt-card").nth(1).locator(".nbt-thumb").nth(2).click()
    clicked = page.locator(".nbt-explorer .nbt-card").nth(1).locator(".nbt-thumb").nth(2).get_attribute("data-row")
    arrives(page, f"print(explorer.sample == explorer.study.samples[{clicked}].id)", "True")
    assert ask("print(explorer.sample)").startswith("train-0-")
    assert page.evaluate("() => window.jupyterapp.shell.currentWidget.content.activeCellIndex") == len(kinds) - 1

    # keys that the views use do not reach the notebook
    page.locator('.nbt-explorer .nbt-card[tabindex="0"]').focus()
    page.keyboard.press("b")
    page.keyboard.press("ArrowDown")
    assert len(page.evaluate(CELLS)) == len(kinds)

    # from Python to the page
    ask("explorer.layer = 5; explorer.concept = 3")
    page.wait_for_function(
        "document.querySelector('.nbt-explorer .nbt-card[aria-selected=\"true\"]')?.dataset.concept === '3'"
    )
    assert page.locator(".nbt-explorer .nbt-layer-label strong").inner_text() == "5"
    ask("explorer.sample = explorer.study.samples[4].id")
    page.wait_for_function(
        "document.querySelector('.nbt-explorer .nbt-sample-head h3').textContent.startsWith('Image 5 of')"
    )
    assert "TraitError" in ask("explorer.layer = 77")

    # both themes
    ask("explorer.layer = 4; explorer.concept = 0; explorer.sample = explorer.study.grounding(4).exemplars[0][0]")
    for theme, light in (("JupyterLab Light", "true"), ("JupyterLab Dark", "false")):
        page.evaluate("(t) => window.jupyterapp.commands.execute('apputils:change-theme', { theme: t })", theme)
        page.wait_for_function(f"document.body.dataset.jpThemeLight === '{light}'")
        page.locator(".nbt-explorer .nbt-card .nbt-thumb:not(.nbt-waiting)").first.wait_for()
        page.wait_for_timeout(400)
        assert lab.axe(node_modules) == []
        if PICTURES:
            Path(PICTURES).mkdir(parents=True, exist_ok=True)
            page.mouse.move(0, 0)  # no card is pointed at, and none has the focus
            page.evaluate("() => document.activeElement.blur()")
            page.locator(".nbt-explorer").screenshot(
                path=f"{PICTURES}/explorer-{'light' if light == 'true' else 'dark'}.png"
            )
    lab.clean()


DRAWN = """() => { const c = document.querySelector('.nbt-overlay');
  const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
  return [c.width, c.height, new Set(d.filter((_, i) => i % 4 === 3)).size]; }"""
LIVE = """
import dataclasses, nbtoolkit as nbt
study, model = nbt.open_study({folder!r}), nbt.load_model("toy")
parts = {{n: {{k: v for k, v in getattr(study, n).items() if k != 3}} for n in ("dictionaries", "groundings", "scores")}}
study = dataclasses.replace(study, **parts)
explorer = nbt.explore(study, model, layer=4, tab="intervene")
explorer
"""


DRAG = """(slider, to) => { while (slider.value > to) { slider.stepDown(); slider.dispatchEvent(new Event('input', { bubbles: true })); }
    slider.dispatchEvent(new Event('change', { bubbles: true })); }"""


def test_layers_are_ablated_in_the_live_widget(lab, study, node_modules, tmp_path):
    folder = study.save(tmp_path / "dog.study")
    write_notebook(tmp_path / "live.ipynb", [LIVE.format(folder=str(folder)).strip()])
    view = lab(tmp_path / "live.ipynb")
    page = view.page
    page.evaluate(RUN, 0)
    switches = page.locator(".nbt-switch")
    page.locator(".nbt-tab[data-tab=intervene]").click(timeout=60_000)
    switches.nth(0).wait_for(timeout=60_000)
    assert switches.count() == 5 and "No edit" in page.locator(".nbt-effect").inner_text()
    switches.nth(0).click()
    page.locator(".nbt-effect del").first.wait_for(timeout=20_000)
    assert (
        "−" in page.locator(".nbt-effect strong").inner_text()
        and switches.nth(0).get_attribute("aria-pressed") == "true"
    )
    # the answer is the core's
    sample = page.evaluate(ASK, "print(explorer.sample)")
    after = float(
        page.evaluate(
            ASK,
            f"edits = [dict(op='ablate', layers=[1])]; print(explorer._session.run('ablate', dict(sample={sample!r}, edits=edits, at=4))['after'])",
        )
    )
    assert f"to −{abs(after):.3f} nats" in page.locator(".nbt-effect [title]").get_attribute("title")
    # another picture is asked about at once; a concept is taken out; reset
    page.get_by_role("button", name="next image").click()
    page.wait_for_function("!document.querySelector('.nbt-effect').classList.contains('nbt-stale')")
    page.get_by_role("button", name="Reset").click()
    page.get_by_role("checkbox").check()
    page.locator(".nbt-effect .nbt-response").first.wait_for()
    # the selected concept is steered: a slider that moves asks once at a time, and the edit is kept when it is released
    slider = page.locator(".nbt-steer input[type=range]")
    slider.focus()
    slider.press("ArrowLeft")
    assert slider.input_value() == "-0.25"
    slider.evaluate(DRAG, -2)  # in one script, for stops that are a second apart are movements of their own
    page.get_by_text("Random control").wait_for(timeout=20_000)
    assert slider.input_value() == "-2"
    assert "'strength': -2.0" in page.evaluate(ASK, "print(explorer.edits)")
    slider.press("Control+z")  # one movement, or one more where the machine was slow after the key
    if slider.input_value() != "0":
        slider.press("Control+z")
    page.wait_for_function("document.querySelector('.nbt-steer input[type=range]').value === '0'")
    assert "steer" not in page.evaluate(ASK, "print(explorer.edits)")
    page.get_by_role("button", name="Ablate each layer (this image)").click()
    page.locator(".nbt-effects svg").wait_for(timeout=20_000)
    assert page.locator(".nbt-chart-bar").count() == 5
    page.locator(".nbt-effects .nbt-hit").nth(4).click()
    assert switches.nth(4).get_attribute("aria-pressed") == "true"
    # where a concept lies, and what the word owes to it
    page.get_by_role("combobox", name="Overlay of the selected concept").select_option("heat map")
    page.get_by_text("patches, scores from").wait_for(timeout=20_000)
    drawn = page.evaluate(DRAWN)
    assert drawn[:2] == [8, 8] and drawn[2] > 2
    # every word of the answer, and a word's place
    page.get_by_role("button", name="All tokens").click()
    pieces = page.locator(".nbt-piece")
    pieces.nth(1).wait_for()
    own = page.locator(".nbt-bars").inner_text()
    assert (
        pieces.nth(1).inner_text().strip() != study.token
        and page.locator('.nbt-piece[aria-pressed="true"]').inner_text().strip() == study.token
    )
    pieces.nth(1).click()
    page.get_by_text(f"Concepts at “{pieces.nth(1).inner_text().strip()}”, layer").wait_for()
    assert page.locator(".nbt-bars").inner_text() != own
    page.get_by_text("weighted by activation").wait_for()
    page.locator(".nbt-frame").hover()
    page.wait_for_function("[...document.querySelectorAll('.nbt-piece')].some((e) => e.style.boxShadow)")
    page.get_by_role("button", name="All tokens").click()
    page.locator(".nbt-response mark").wait_for()
    page.locator(".nbt-frame").hover()
    page.get_by_text("Row 4, column").or_(page.get_by_text("Row 5, column")).first.wait_for()
    page.get_by_role("button", name="Attribution", exact=True).click()
    page.get_by_text("integrated gradients").first.wait_for(timeout=20_000)
    # a picture of one's own: one that the study has, given as a file
    (tmp_path / "mine.jpg").write_bytes(study.samples[1].image)
    page.locator(".nbt-file").set_input_files(tmp_path / "mine.jpg")
    page.get_by_role("heading", name="Your image").wait_for()
    page.locator(".nbt-response mark").get_by_text("dog").wait_for(timeout=20_000)
    page.locator(".nbt-bar").first.wait_for()
    page.get_by_role("button", name="next image").click()
    page.get_by_role("heading", name="Your image").wait_for(state="detached")
    arrives(page, "print(explorer.sample in explorer.study.rows)", "True")
    # the same by its path, from Python; it stays when the layer changes, and goes when another picture is chosen
    pieces = page.evaluate(ASK, f"print(''.join(explorer.explain({str(tmp_path / 'mine.jpg')!r})['pieces']))")
    page.get_by_role("heading", name="Your image").wait_for()
    page.locator(".nbt-sample .nbt-response", has_text=pieces).wait_for(timeout=20_000)
    before = page.locator(".nbt-bars").inner_text()
    page.get_by_role("button", name="previous layer").click()
    page.wait_for_function(
        "(before) => { const bars = document.querySelector('.nbt-bars').innerText; return bars && bars !== before; }",
        arg=before,
    )
    assert page.get_by_role("heading", name="Your image").count() == 1
    page.get_by_role("button", name="next layer").click()
    page.get_by_role("button", name="next image").click()
    page.get_by_role("heading", name="Your image").wait_for(state="detached")
    # a layer that the study lacks has its place on the slider, which steps over it, and is computed; and the layers play
    page.evaluate(ASK, "explorer.layer = 4")
    page.wait_for_function("document.querySelector('.nbt-range').value === '3'")
    page.locator(".nbt-range").press("ArrowLeft")
    assert page.locator(".nbt-range").input_value() == "1"
    page.locator(".nbt-spark").click()
    page.get_by_role("button", name="Compute layer 3").click()
    page.locator(".nbt-computing").wait_for(state="detached", timeout=20_000)
    assert page.evaluate(ASK, "print(explorer.study.layers)") == "(1, 2, 3, 4, 5)"
    page.locator(".nbt-spark").click()
    page.locator(".nbt-figure").nth(1).locator(".nbt-hit").nth(2).click()
    page.wait_for_function("document.querySelector('.nbt-layer-label strong').textContent === '3'")
    page.get_by_role("button", name="play", exact=True).click()
    page.wait_for_function("document.querySelector('.nbt-layer-label strong').textContent === '5'", timeout=10_000)
    # a sweep is cancelled while it waits for the model; how fast the machine is does not matter
    arrives(page, "print(explorer._channel._jobs)", "{}")
    page.evaluate(ASK, "_held = explorer._session.exclusive(); _held.__enter__()")
    page.get_by_role("button", name="Ablate each layer (16 images)").click()
    page.get_by_role("button", name="Cancel").click()
    page.evaluate(ASK, "_held.__exit__(None, None, None)")
    # it stops between images, or before the first where its thread has not begun
    page.get_by_text(re.compile("Stopped after|Cancelled before it started")).wait_for(timeout=20_000)
    assert view.axe(node_modules) == []
    view.clean()


LARGE = """
import dataclasses, nbtoolkit as nbt
study, model = nbt.open_study({folder!r}), nbt.load_model("toy")
cd = nbt.decompose(study.representations, nbt.TopKSAE(16_384, k=8, n_epochs=2, random_state=0), layer=4)
parts = dict(dictionaries={{4: cd}}, groundings={{4: nbt.ground(cd, model)}}, scores={{}})
rare = int((cd.activations > 0).sum(0).argsort()[: cd.n_concepts // 2].max())
explorer = nbt.explore(dataclasses.replace(study, **parts), model, layer=4)
explorer
"""


DEAD = """() => { const output = document.querySelector(".nbt").closest(".jp-OutputArea-output");
  output.replaceChildren("Error displaying widget: model not found"); output.classList.add("jupyter-widgets"); }"""


@pytest.mark.slow
def test_16384_concepts_in_the_live_widget(lab, study, node_modules, tmp_path):
    folder = study.save(tmp_path / "dog.study")
    write_notebook(tmp_path / "large.ipynb", [LARGE.format(folder=str(folder)).strip()])
    view = lab(tmp_path / "large.ipynb")
    page = view.page
    page.evaluate(RUN, 0)
    page.locator(".nbt-card .nbt-thumb:not(.nbt-waiting)").first.wait_for(timeout=60_000)
    assert "of 16384 concepts" in page.locator(".nbt-explorer").inner_text().replace(",", "")
    page.evaluate(ASK, "explorer.concept = rare")  # not among the strongest
    rare = page.evaluate(ASK, "print(rare)")
    page.locator(f'.nbt-card[data-concept="{rare}"][aria-selected="true"]').wait_for(timeout=20_000)
    page.get_by_role("combobox", name="Overlay of the selected concept").select_option("heat map")
    page.locator(".nbt-where", has_text=f"oncept {rare}").wait_for(timeout=20_000)
    low, high = page.evaluate(
        ASK,
        "maps = nbt.attribution.concept_maps.saliencies(model, explorer._session.image_of(explorer.sample), cd).whole[rare]; "
        "print(f'{maps.min():.1f} {maps.max():.1f}')",
    ).split()
    assert f"largest score {high}" in (
        text := page.locator(".nbt-where").inner_text().replace("−", "-").replace("+", "")
    ) or (f"from {low} to {high}" in text)
    page.get_by_role("button", name="All tokens").click()
    page.locator(".nbt-piece").nth(1).click()
    page.get_by_text("weighted by activation").wait_for(timeout=20_000)
    if PICTURES:
        page.locator(".nbt-explorer").screenshot(path=f"{PICTURES}/large.png")
    assert view.axe(node_modules) == []
    view.clean()
    # the picture in the notebook's file is hidden while the view is there, and takes the place of JupyterLab's error
    still = page.locator("[class^=nbt-still]")
    assert still.count() == 1 and not still.is_visible()
    page.evaluate(DEAD)
    still.locator("img").wait_for()
    assert not page.get_by_text("Error displaying widget").is_visible()
