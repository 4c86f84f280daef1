"""A photograph of the reader is dropped onto the view: a sample like any other."""

import base64

import pytest

from .conftest import ASK, RUN, arrives, write_notebook

pytestmark = [pytest.mark.browser, pytest.mark.slow]  # a file that is chosen, and one from Python: test_lab.py

CELL = """
import nbtoolkit as nbt
explorer = nbt.explore(nbt.open_study({folder!r}), nbt.load_model("toy"), layer=4, edits=[dict(op="ablate", layers=[5])])
explorer
"""
DROP = """([name, text]) => { const data = new DataTransfer();
  data.items.add(new File([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))], name, { type: 'image/png' }));
  const card = document.querySelector('.nbt-card');
  for (const type of ['dragover', 'drop'])
    card.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true })); }"""
PASTE = """(text) => { const clipboardData = new DataTransfer();
  clipboardData.items.add(new File([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))], 'image.png', { type: 'image/png' }));
  document.querySelector('.nbt-card').dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true })); }"""
EFFECT = "s = explorer._session; print('%.3f' % abs(s.run('ablate', dict(sample=explorer.sample, edits=explorer.edits, at=4))['after']))"


def text(data):
    return base64.b64encode(data).decode()


def test_a_photograph_is_dropped_pasted_ablated_and_removed(lab, study, node_modules, tmp_path):
    folder = study.save(tmp_path / "dog.study")
    write_notebook(tmp_path / "photo.ipynb", [CELL.format(folder=str(folder)).strip()])
    view = lab(tmp_path / "photo.ipynb")
    page = view.page
    page.evaluate(RUN, 0)
    page.locator(".nbt-thumb:not(.nbt-waiting)").first.wait_for(timeout=60_000)
    page.evaluate(DROP, ["my dog.png", text(study.samples[1].image)])
    page.get_by_role("heading", name="Your image: my dog.png").wait_for()
    page.locator(".nbt-response mark").get_by_text("dog").wait_for(timeout=20_000)
    page.locator(".nbt-bar").first.wait_for()
    page.get_by_role("combobox", name="Overlay of the selected concept").select_option("heat map")
    page.get_by_text("patches, scores from").wait_for(timeout=20_000)
    photo = page.evaluate(ASK, "print(explorer.sample)")
    assert photo.startswith("photo:") and page.evaluate(ASK, "print(explorer.photos[0]['id'])") == photo
    # the intervention acts on it
    page.get_by_text(page.evaluate(ASK, EFFECT)).first.wait_for(timeout=20_000)
    page.get_by_role("button", name="All tokens").click()
    page.locator(".nbt-piece").nth(1).wait_for(timeout=20_000)
    # in the dialog, with its neighbours
    page.locator(".nbt-card").first.focus()
    page.keyboard.press("o")
    page.get_by_role("dialog").get_by_role("heading", name="Your image: my dog.png").wait_for()
    page.keyboard.press("ArrowRight")
    page.get_by_role("dialog").get_by_role("heading", name="Image 1 of 40").wait_for()
    page.keyboard.press("Escape")
    # what is no image is told, and nothing is lost; another one is pasted
    page.evaluate(DROP, ["notes.txt", text(b"no image")])
    page.get_by_text("“notes.txt” is no image that the browser can read; expected JPEG").wait_for()
    page.evaluate(PASTE, text(study.samples[2].image))
    page.get_by_role("heading", name="Your image: image.png").wait_for()
    assert page.locator(".nbt-photo").count() == 2
    assert view.axe(node_modules) == []
    page.get_by_role("button", name="remove image.png").click()
    page.get_by_role("heading", name="Your image: my dog.png").wait_for()
    page.get_by_role("button", name="remove my dog.png").click()
    page.get_by_role("heading", name="Image 1 of 40").wait_for()
    arrives(page, "print(explorer.photos)", "[]")
    view.clean()
