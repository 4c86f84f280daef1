"""Views inside the containers of ipywidgets, in a real JupyterLab: each has a width, and shows its cards."""

import pytest

from .conftest import ASK, RUN, write_notebook

pytestmark = pytest.mark.browser

SETUP = """
import ipywidgets as w, nbtoolkit as nbt
from nbtoolkit.widgets import ConceptGallery, Explorer, LayerSlider
study = nbt.open_study({folder!r})
model, image = nbt.load_model("toy"), nbt.load_data("toy", n=5)[4]["image"]
def gallery():
    return ConceptGallery(study, layer=4)
def inspector():
    return nbt.inspect(model, image, word="hat")
"""
CONTAINERS = {
    "two in a row": ("w.HBox([gallery(), gallery()])", 2),
    "beside a slider": ("w.HBox([gallery(), w.IntSlider()])", 1),
    "below each other": ("w.VBox([LayerSlider(study), gallery()])", 2),
    "in a tab": ("w.Tab([gallery()], titles=['Concepts'])", 1),
    "in a grid": ("w.GridBox([gallery(), gallery()], layout=w.Layout(grid_template_columns='1fr 1fr'))", 2),
    "in a grid of automatic columns": (
        "w.GridBox([gallery(), gallery()], layout=w.Layout(grid_template_columns='auto auto'))",
        2,
    ),
    "in the second tab": ("tab = w.Tab([w.IntSlider(), Explorer(study, layer=4)]); tab", 1),
    "in an accordion": ("accordion = w.Accordion([Explorer(study, layer=4)]); accordion", 1),
    "in an app": ("w.AppLayout(left_sidebar=gallery(), center=gallery(), pane_widths=[1, 1, 0])", 2),
    "an Inspector beside a slider": ("w.HBox([inspector(), w.IntSlider()])", 1),
    "Inspectors below each other": ("w.VBox([inspector(), inspector()])", 2),
    "two Inspectors in a row": ("w.HBox([inspector(), inspector()])", 2),
    "an Inspector in the second tab": ("tab = w.Tab([w.IntSlider(), inspector()]); tab", 1),
    "an Inspector in an accordion": ("accordion = w.Accordion([inspector()]); accordion", 1),
    "an Explorer beside a slider": ("w.HBox([Explorer(study, layer=4), w.IntSlider()])", 1),
}
OPENED = {
    name: f"{opened}"
    for name in CONTAINERS
    for end, opened in (("second tab", "tab.selected_index = 1"), ("an accordion", "accordion.selected_index = 0"))
    if name.endswith(end)
}
READY = ":is(.nbt-card, .nbt-grid-plane)"
CANVASES = """(i) => [...document.querySelectorAll('.jp-Notebook .jp-Cell')[i].querySelectorAll('.nbt-patch-heat, .nbt-grid-cells')]
  .map((c) => [c.getBoundingClientRect().width, c.width])"""
BOXES = """(i) => [...document.querySelectorAll('.jp-Notebook .jp-Cell')[i].querySelectorAll('.nbt')].map((e) => {
  const box = e.getBoundingClientRect(), outer = e.closest('.jp-OutputArea-output').getBoundingClientRect();
  return [Math.round(box.width), Math.round(box.height), Math.round(outer.width)]; })"""


@pytest.mark.slow
def test_every_container_gives_a_view_its_width(lab, study, tmp_path):
    cells = [SETUP.format(folder=str(study.save(tmp_path / "dog.study"))).strip(), *(c for c, _ in CONTAINERS.values())]
    cells.append("half = gallery(); half.layout.width = '50%'; w.HBox([half])")
    write_notebook(tmp_path / "containers.ipynb", cells)
    view = lab(tmp_path / "containers.ipynb")
    view.page.evaluate(RUN, 0)
    for cell, (name, (_, n)) in enumerate(CONTAINERS.items(), 1):
        view.page.evaluate(RUN, cell)
        place = view.page.locator(".jp-Notebook .jp-Cell").nth(cell)
        place.locator(READY).first.wait_for(state="attached", timeout=60_000)
        if opened := OPENED.get(name):  # what was laid out while it was hidden
            view.page.evaluate(ASK, opened)
            place.locator(READY).first.wait_for()
        if "Inspector" in name:
            view.page.wait_for_timeout(500)
            canvases = view.page.evaluate(CANVASES, cell)
            assert canvases and all(width > 100 and drawn >= width - 1 for width, drawn in canvases), (name, canvases)
        boxes = view.page.evaluate(BOXES, cell)
        assert len(boxes) == n, name
        for width, height, outer in boxes:
            share = 1 if n == 1 or "below" in name else 2
            assert 280 <= width <= outer + 1 and width > outer / share - 330 and height > 100, (name, boxes)
        if name.startswith(("two", "in a grid")) and n == 2:
            assert abs(boxes[0][0] - boxes[1][0]) < 4, (name, boxes)
    view.page.evaluate(RUN, len(cells) - 1)
    view.page.locator(".jp-Notebook .jp-Cell").nth(len(cells) - 1).locator(".nbt-card").first.wait_for()
    ((width, _, outer),) = view.page.evaluate(BOXES, len(cells) - 1)
    assert abs(width - outer / 2) < 20  # the reader's own width
    view.clean()
