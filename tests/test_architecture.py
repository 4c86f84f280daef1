"""The shape of the code: short files, few public names, import contracts, a wheel that is whole, a bundle that is current."""

import json
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import nbtoolkit as nbt

from .pins import constraints, other_releases, pins

ROOT = Path(__file__).parent.parent
JS = ROOT / "nbtoolkit" / "widgets" / "js"


def run(*command, **options):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_modules_stay_short():
    sources = [*ROOT.glob("nbtoolkit/**/*.py"), *JS.glob("src/*.js")]
    too_long = {str(f.relative_to(ROOT)): n for f in sources if (n := len(f.read_text().splitlines())) > 300}
    assert not too_long


def test_public_names_are_few_and_all_resolve():
    assert len(nbt.__all__) <= 32
    for name in nbt.__all__:
        assert getattr(nbt, name).__doc__, name
    with pytest.raises(AttributeError, match="has no attribute 'explroe'"):
        nbt.explroe  # noqa: B018


def test_import_contracts_are_kept():
    run(shutil.which("lint-imports", path=str(Path(sys.executable).parent)) or "lint-imports", cwd=ROOT)


@pytest.mark.parametrize("command", ["ruff check .", "ruff format --check .", "mypy"])
def test_ruff_and_mypy_have_nothing_to_say(command):
    """Newer releases have new rules, and mypy reads the types of all packages: their findings are listed, not failures."""
    tool, *_ = command.split()
    others = other_releases()
    done = subprocess.run([sys.executable, "-m", *command.split()], capture_output=True, text=True, cwd=ROOT)
    if done.returncode == 1 and others and (tool == "mypy" or tool in others):
        pytest.skip(f"{command} with other releases than the tested ones ({others}): {done.stdout[-1500:]}")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_wheel_has_weights_bundle_style_and_notebooks(tmp_path):
    source = tmp_path / "source"
    shutil.copytree(
        ROOT,
        source,
        ignore=shutil.ignore_patterns(".git", ".venv*", "node_modules", "build", "*.egg-info", "runs", "*cache*"),
    )
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, source)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for wanted in ("toy/weights/captioner/model.safetensors", "toy/weights/scorer/model.safetensors", "toy/weights/captioner/chat_template.jinja",
                   "toy/weights/captioner/tokenizer.json", "toy/README.md", "widgets/static/nbtoolkit.js", "widgets/static/nbtoolkit.css",
                   "widgets/static/standalone.js", "py.typed"):  # fmt: skip
        assert f"nbtoolkit/{wanted}" in names, wanted
    assert any(n.endswith("share/nbtoolkit/notebooks/01_first_look.ipynb") for n in names)
    assert not any(part in n for n in names for part in ("node_modules", "tests/"))
    assert wheel.stat().st_size < 16e6


def test_environment_pins_what_setup_cfg_admits():
    import configparser

    from packaging.requirements import Requirement

    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    wanted = [Requirement(line) for line in config["options"]["install_requires"].split("\n") if line.strip()]
    for requirement in wanted:
        assert requirement.specifier.contains(pins()[requirement.name]), requirement
    assert (
        tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["build-backend"] == "setuptools.build_meta"
    )


def test_constraints_are_the_pins_of_the_environment():
    assert (ROOT / "constraints.txt").read_text() == constraints(), "constraints.txt is stale: run python -m tests.pins"
    assert len(pins()) == (ROOT / "environment.yml").read_text().count("==") > 40
    for readme in ("README.md", "README.zh-CN.md"):
        installs = [
            line for line in (ROOT / readme).read_text().splitlines() if "pip install" in line and "venv" in line
        ]
        assert len(installs) == 2 and all("pip install -c constraints.txt " in line for line in installs), readme


def test_notebooks_are_stripped_and_their_cells_short():
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        notebook = json.loads(path.read_text())
        code = [c for c in notebook["cells"] if c["cell_type"] == "code"]
        assert code and all(not c["outputs"] and c["execution_count"] is None for c in code), path.name
        assert all(len(c["source"]) <= 14 for c in code)


needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed")


@needs_node
def test_pure_functions_of_the_front_end():
    run("node", "--test", "test/", cwd=JS)


@needs_node
@pytest.mark.usefixtures("node_modules")
def test_types_of_the_front_end():
    run("npx", "--no-install", "tsc", "--noEmit", cwd=JS)


@needs_node
@pytest.mark.usefixtures("node_modules")
def test_the_committed_bundle_is_current(tmp_path):
    run("node", "build.js", f"{tmp_path}/", cwd=JS)
    for target in ("nbtoolkit.js", "standalone.js", "nbtoolkit.css"):
        assert (tmp_path / target).read_text() == (JS.parent / "static" / target).read_text(), (
            f"{target} is stale: run npm run build"
        )
        assert (tmp_path / target).stat().st_size < 80_000
