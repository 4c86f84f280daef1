"""The front end's sources are formatted, and one file per view has the same name on both sides."""

import shutil
import subprocess
from pathlib import Path

import pytest

from nbtoolkit import widgets

FOLDER = Path(widgets.__file__).parent
VIEWS = [getattr(widgets, name) for name in widgets.__all__]


@pytest.mark.skipif(shutil.which("npx") is None, reason="Node.js is not installed")
def test_prettier_has_nothing_to_say(node_modules):
    if not (node_modules / "prettier").exists():
        pytest.skip("prettier is not installed: run npm ci")
    command = ["npm", "run", "--silent", "format:check"]
    done = subprocess.run(command, cwd=FOLDER / "js", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.kind)
def test_a_view_has_one_file_on_either_side(view):
    assert view.__module__ == f"nbtoolkit.widgets.{view.kind}"
    sources = FOLDER / "js" / "src"
    own = sources / view.kind  # a view with a bundle of its own has a folder and a host
    source = (own if own.is_dir() else sources) / f"{view.kind}.js"
    assert f"export class {view.__name__} " in source.read_text("utf-8")
    if own.is_dir():
        assert f"new {view.__name__}(ctx)" in (own / "host.js").read_text("utf-8")
        assert f"{view.kind}.js" in (FOLDER / "js" / "build.js").read_text("utf-8")
        return
    assert f"  {view.kind}: {view.__name__},\n" in (sources / "views.js").read_text("utf-8")


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.kind)
def test_every_state_trait_says_what_it_is(view):
    traits = view.class_traits(state=True)
    assert view.reading.endswith(".") and len(view.reading) < 140
    assert traits and all(trait.help and trait.metadata["sync"] for trait in traits.values())
    assert not [name for name in traits if name.startswith("_")]
