"""The shape of the code: short files and functions, import contracts, tests in the package's order, a wheel that is whole, a bundle that is current."""

import ast
import configparser
import gzip
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

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


def python_sources():
    for path in sorted((ROOT / "nbtoolkit").rglob("*.py")):
        yield path.relative_to(ROOT), ast.parse(path.read_text("utf-8"))


def function_nodes(tree):
    return [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]


def test_functions_stay_short():
    """At most 60 lines of code, the docstring aside; a test in the front end's folder has the same rule for JavaScript."""
    too_long = {}
    for path, tree in python_sources():
        for node in function_nodes(tree):
            start = min(d.lineno for d in (*node.decorator_list, node))
            documentation = node.body[0] if ast.get_docstring(node) else None
            lines = node.end_lineno - start + 1
            lines -= documentation.end_lineno - documentation.lineno + 1 if documentation else 0
            if lines > 60:
                too_long[f"{path}: {node.name}"] = lines
    assert not too_long


HEAVY = {"torch", "transformers", "datasets", "dask", "pandas", "peft"}  # slow to import, or (Dask, PEFT) an extra


def imports(path, nodes):
    """Absolute paths of the modules that import statements name."""
    package = ".".join(path.parent.parts)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            home = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            yield from ((home, alias.name) for alias in node.names)


def is_heavy(home, name, known):
    """Whether the statement ``from home import name`` imports a heavy package, through whatever is between."""
    if (
        home.split(".")[0] in HEAVY or home == "scipy.stats"
    ):  # half a second, which a Score without interval need not wait
        return True
    if not home.startswith("nbtoolkit"):
        return False
    value = getattr(importlib.import_module(home), name) if name else None
    module = getattr(value, "__name__" if type(value) is type(ast) else "__module__", home)
    module = module if module.startswith("nbtoolkit") else home
    if module not in known:
        known[module] = False  # a second visit, below, of a module that is being visited adds nothing
        path = Path(importlib.import_module(module).__file__).relative_to(ROOT)
        body = ast.parse((ROOT / path).read_text("utf-8")).body
        known[module] = any(is_heavy(*wanted, known) for wanted in imports(path, body))
    return known[module]


def test_imports_inside_functions_keep_heavy_packages_out():
    known, light = {}, []
    for path, tree in python_sources():
        for function in function_nodes(tree):
            for wanted in imports(path, ast.walk(function)):
                if not is_heavy(*wanted, known):
                    light.append(f"{path}: {function.name}: {wanted}")
    assert not light


def test_tests_mirror_the_package():
    """``tests/a/test_b.py`` tests ``nbtoolkit/a/b.py``; tests of a whole package or of the repository are listed."""
    whole = {
        "widgets/test_front_end.py",
        "widgets/test_views.py",
        "widgets/test_sharing.py",
        "models/test_census.py",
        "models/test_zoo.py",
    }
    whole |= {"text/test_real_tokenizers.py", "models/test_shipped.py"}
    wrong = []
    for path in (ROOT / "tests").rglob("test_*.py"):
        place = path.relative_to(ROOT / "tests")
        name = place.stem.removeprefix("test_")
        homes = (ROOT / "nbtoolkit" / place.parent / f"{name}.py", ROOT / "nbtoolkit" / place.parent / name)
        if len(place.parts) > 1 and place.parts[0] != "browser" and place.as_posix() not in whole:
            wrong += [] if any(home.exists() for home in homes) else [str(place)]
    packages = {p.parent.relative_to(ROOT / "nbtoolkit") for p in (ROOT / "nbtoolkit").rglob("__init__.py")}
    wrong += [str(p) for p in packages if len(p.parts) == 1 and not list((ROOT / "tests" / p).glob("test_*.py"))]
    assert not wrong


def test_import_contracts_are_kept():
    run(shutil.which("lint-imports", path=str(Path(sys.executable).parent)) or "lint-imports", cwd=ROOT)


@pytest.mark.parametrize(
    "command", ["ruff check .", "ruff format --check .", pytest.param("mypy", marks=pytest.mark.slow)]
)
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
                   "toy/weights/captioner/tokenizer.json", "toy/weights/plain/model.safetensors", "toy/weights/smollm2/vision.safetensors",
                   "toy/weights/smollm2/model.safetensors.index.json", "toy/README.md", "widgets/static/nbtoolkit.js", "widgets/static/nbtoolkit.css",
                   "widgets/static/standalone.js", "widgets/static/chinese.json", "widgets/static/panes.js", "py.typed",
                   "widgets/static/inspector.js", "widgets/static/inspector_tools.js", "widgets/static/inspector_page.js"):  # fmt: skip
        assert f"nbtoolkit/{wanted}" in names, wanted
    assert any(n.endswith("share/nbtoolkit/notebooks/01_first_look.ipynb") for n in names)
    assert not any(part in n for n in names for part in ("node_modules", "tests/"))
    assert wheel.stat().st_size < 16e6 and wheel.name.startswith(f"nbtoolkit-{nbt.__version__}-")
    metadata = zipfile.ZipFile(wheel).read(f"nbtoolkit-{nbt.__version__}.dist-info/METADATA").decode()
    assert "Author: nbtoolkit developers" in metadata and metadata.count("Project-URL:") == 4


def setup_cfg():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    return config


def test_the_version_has_one_place():
    version = nbt.__version__
    assert setup_cfg()["metadata"]["version"] == "attr: nbtoolkit.__version__"
    assert (ROOT / "CHANGELOG.md").read_text().split("## ")[1].split()[0] == version
    for path in ("setup.cfg", "pyproject.toml", "CITATION.cff", "README.md", "README.zh-CN.md"):
        assert version not in (ROOT / path).read_text(), path


def test_contributing_is_short_and_its_paths_exist():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    assert len(text.splitlines()) <= 45
    paths = {p for p in re.findall(r"`((?:nbtoolkit|tests)/[\w./]+)`", text) if "my_view" not in p}
    assert len(paths) >= 5 and not [p for p in paths if not (ROOT / p).exists()]


def test_environment_pins_what_setup_cfg_admits():
    config = setup_cfg()
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
    # the first paint is at most 300 kB with the style sheet and a message; a page has megabytes of images
    limits = {"nbtoolkit.js": 110, "nbtoolkit.css": 60, "panes.js": 80, "chinese.json": 40, "standalone.js": 190}
    limits |= {"inspector.js": 80, "inspector_tools.js": 80, "inspector_page.js": 150}
    for target, kilobytes in limits.items():
        current = (tmp_path / target).read_bytes()
        assert current == (JS.parent / "static" / target).read_bytes(), f"{target} is stale: run npm run build"
        assert len(current) < 1000 * kilobytes, target
    assert len(gzip.compress((tmp_path / "nbtoolkit.js").read_bytes(), 9, mtime=0)) < 40_000
