"""The same view in Notebook 7, Voila and marimo, and with the lowest anywidget: it paints, and Python hears of a click."""

import configparser
import contextlib
import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import READY, RUN, Watched, arrives, jupyterlab, served, write_notebook

pytestmark = pytest.mark.browser

PICTURES = os.environ.get("NBTOOLKIT_SCREENSHOTS")  # a folder

CELL = """
import nbtoolkit as nbt
explorer = nbt.explore(nbt.open_study({folder!r}), layer=4)
explorer
"""
INSPECT = """
import nbtoolkit as nbt
explorer = nbt.inspect(nbt.load_model("toy"), nbt.load_data("toy", n=5)[4]["image"], word="hat")
explorer
"""
ECHO = """
import ipywidgets
label = ipywidgets.Label("chosen nothing")
explorer.observe(lambda change: setattr(label, "value", f"chosen {{change.new}}"), {trait!r})
label
""".strip()
MARIMO = """
import marimo
app = marimo.App()

@app.cell
def _():
    import marimo as mo
    import nbtoolkit as nbt
    view = mo.ui.anywidget({opening})
    view
    return mo, view

@app.cell
def _(mo, view):
    mo.md(f"chosen {{view.value[{trait!r}]}}")
    return

if __name__ == "__main__":
    app.run()
"""


KINDS = ["explorer", pytest.param("inspector", marks=pytest.mark.slow)]
TRAIT = {"explorer": "concept", "inspector": "patches"}


@pytest.fixture
def folder(study, tmp_path):
    return str(study.save(tmp_path / "dog.study"))


@pytest.fixture
def watch(browser):
    with contextlib.ExitStack() as stack:

        def opener(base, path):
            watched = Watched(browser, base, viewport={"width": 1300, "height": 1000})
            stack.callback(watched.context.close)
            watched.page.set_default_timeout(90_000)
            watched.page.goto(base + path)
            return watched

        yield opener


def ours(view):
    """Errors that come from the widget: hosts have some of their own."""
    return [e for e in view.errors if any(word in e.lower() for word in ("blob:", "anywidget", "nbt", "widget"))]


def choose(page, kind="explorer"):
    """Click the third card, and give its concept; or a patch, and give the selected ones."""
    if kind == "inspector":
        page.locator(".nbt-grid-plane").first.wait_for()
        page.locator(".nbt-edit-bar").wait_for()
        frame = page.locator(".nbt-patch-frame")
        box = frame.bounding_box()
        frame.click(position={"x": box["width"] * 4.5 / 8, "y": box["height"] * 2.5 / 8})
        page.get_by_text("to one patch").wait_for()
        return [20]
    page.locator(".nbt-thumb:not(.nbt-waiting)").first.wait_for()
    card = page.locator(".nbt-card").nth(2)
    card.click(position={"x": 90, "y": 12})
    page.locator('.nbt-card[aria-selected="true"]').wait_for()
    assert card.get_attribute("aria-selected") == "true"
    return int(card.get_attribute("data-concept"))


def photograph(page, name):
    """Photograph the page, where the variable says into which folder."""
    if PICTURES:
        page.screenshot(path=f"{PICTURES}/{name}.png")


def lowest(package):
    """The lowest version that setup.cfg admits."""
    setup = configparser.ConfigParser()
    setup.read(Path(__file__).parents[2] / "setup.cfg")
    (line,) = [row for row in setup["options"]["install_requires"].splitlines() if row.startswith(f"{package} ")]
    return re.search(r">=([\d.]+)", line)[1]


def test_the_lowest_anywidget(watch, folder, tmp_path):
    version, old, root = lowest("anywidget"), tmp_path / "old", tmp_path / "root"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--target",
        str(old),
        f"anywidget=={version}",
        "psygnal",
    ]
    done = subprocess.run(pip, env=os.environ | {"PIP_CONSTRAINT": ""}, capture_output=True, text=True, check=False)
    if "(from versions: none)" in done.stderr:  # pip saw no version of anything: other failures are the test's
        pytest.skip(f"anywidget {version} has to be downloaded, and no package index is reachable")
    assert done.returncode == 0, done.stderr
    root.mkdir()
    write_notebook(
        root / "old.ipynb",
        [
            CELL.format(folder=folder).strip(),
            ECHO.format(trait="concept"),
            "import anywidget; print('anywidget', anywidget.__version__)",
        ],
    )
    paths = {"PYTHONPATH": str(old), "JUPYTER_PATH": str(old / "share" / "jupyter")}
    with jupyterlab(root, tmp_path / "home", **paths) as (base, token):
        view = watch(base, f"/lab/tree/old.ipynb?token={token}&reset")
        page = view.page
        page.wait_for_selector(".jp-Notebook .jp-Cell")
        page.wait_for_function(READY, polling=250)
        for cell in range(3):
            page.evaluate(RUN, cell)
        page.get_by_text(f"anywidget {version}").last.wait_for()
        chosen = choose(page)
        page.get_by_text(f"chosen {chosen}", exact=True).wait_for()
        page.locator(".nbt-range").focus()
        page.keyboard.press("Home")
        page.locator(".nbt-layer-label strong").get_by_text("1", exact=True).wait_for()
        assert ours(view) == [] and view.outside == []


@pytest.mark.parametrize("kind", KINDS)
def test_notebook_7(watch, folder, tmp_path, kind):
    pytest.importorskip("notebook", reason="notebook is not installed")
    cell = CELL.format(folder=folder) if kind == "explorer" else INSPECT
    write_notebook(tmp_path / "x.ipynb", [cell.strip(), "pass"])
    token = secrets.token_hex(16)
    command = ["notebook", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1", "--ServerApp.port={port}", "--ServerApp.port_retries=0",
               f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={tmp_path}", "--JupyterNotebookApp.expose_app_in_browser=True"]  # fmt: skip
    with served(command, f"/api/status?token={token}", tmp_path) as base:
        view = watch(base, f"/notebooks/x.ipynb?token={token}")
        page = view.page
        page.locator(".jp-Notebook .jp-Cell").first.wait_for()
        page.wait_for_function(
            """async () => { const w = window.jupyterapp?.shell?.currentWidget; if (!w?.sessionContext) return false;
            await w.context.ready; await w.sessionContext.ready; return w.sessionContext.session?.kernel?.status === 'idle'; }""",
            polling=250,
        )
        page.evaluate(RUN, 0)
        chosen = choose(page, kind)
        arrives(page, f"print(explorer.{TRAIT[kind]})", str(chosen))
        if kind == "inspector":
            photograph(page, "notebook")
            page.locator(".nbt-patch-frame").focus()
            for key in ("b", "ArrowRight", " "):
                page.keyboard.press(key)
            arrives(page, "print(explorer.patches)", "[20, 21]")
            assert page.evaluate("window.jupyterapp.shell.currentWidget.content.widgets.length") == 2
            assert ours(view) == [] and view.outside == []
            return
        # keys are the view's, not the notebook's: an arrow moves the slider or the selection, and b adds no cell
        layer = page.locator(".nbt-range")
        layer.focus()
        before = int(layer.input_value())
        layer.press("ArrowLeft")
        assert int(layer.input_value()) == before - 1
        card = page.locator('.nbt-card[tabindex="0"]')
        card.focus()
        for key in ("b", "ArrowRight", "ArrowUp"):
            page.keyboard.press(key)
        assert page.evaluate("document.activeElement.className") == "nbt-card"
        assert page.evaluate("window.jupyterapp.shell.currentWidget.content.widgets.length") == 2
        assert ours(view) == [] and view.outside == []


@pytest.mark.parametrize("kind", KINDS)
def test_voila(watch, folder, tmp_path, kind):
    pytest.importorskip("voila", reason="voila is not installed")
    cell = CELL.format(folder=folder) if kind == "explorer" else INSPECT
    write_notebook(tmp_path / "x.ipynb", [cell.strip(), ECHO.format(trait=TRAIT[kind])])
    command = ["voila", "x.ipynb", "--no-browser", "--port={port}", "--Voila.ip=127.0.0.1"]
    with served(command, "/", tmp_path) as base:
        view = watch(base, "/")
        chosen = choose(view.page, kind)
        view.page.get_by_text(f"chosen {chosen}").wait_for()
        if kind == "inspector":
            photograph(view.page, "voila")
        assert ours(view) == [], view.errors
        assert [
            u for u in view.outside if "fontawesome" not in u.lower() and "font-awesome" not in u.lower()
        ] == []  # Voila's own icons


@pytest.mark.parametrize("kind", KINDS)
def test_marimo(watch, folder, tmp_path, kind):
    pytest.importorskip("marimo", reason="marimo is not installed")
    opening = f"nbt.explore(nbt.open_study({folder!r}), layer=4)"
    if kind == "inspector":
        opening = 'nbt.inspect(nbt.load_model("toy"), nbt.load_data("toy", n=5)[4]["image"], word="hat")'
    (tmp_path / "app.py").write_text(MARIMO.format(opening=opening, trait=TRAIT[kind]))
    command = ["marimo", "run", "--headless", "--no-token", "--host", "127.0.0.1", "-p", "{port}", "app.py"]
    with served(command, "/health", tmp_path, MARIMO_SKIP_UPDATE_CHECK="1") as base:
        view = watch(base, "/")
        chosen = choose(view.page, kind)
        view.page.get_by_text(f"chosen {chosen}").wait_for()
        if kind == "inspector":
            photograph(view.page, "marimo")
        weights = view.page.get_by_role("heading").evaluate_all(
            "(all) => all.map((e) => getComputedStyle(e).fontWeight)"
        )
        assert set(weights) == {"600"}, "the host takes the weight from headings"
        assert view.errors == [] and view.outside == []
