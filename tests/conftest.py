"""Shared fixtures: one small study of the embedded world for the whole session, and where the real photographs are.

Two processes or more share the whole suite, file by file; tests that are chosen by hand run in one process.
"""

# ruff: noqa: E402 - the variables and torchvision have to be there before transformers looks
from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # kernels and workers that tests start, too

from .vision import provide

provide()  # before transformers looks whether torchvision is there

import numpy as np
import pytest
import torch
from filelock import FileLock
from xdist.scheduler import LoadScopeScheduling

import nbtoolkit as nbt

from .browser.conftest import FLAGS
from .pins import other_releases

torch.set_num_threads(1)  # the models are tiny: a second thread only waits, and burns CPU on a busy machine

ROOT = Path(__file__).parent.parent
PHOTOS = ROOT.parent / "shared" / "data" / "coco_photos.parquet"
LONGEST = ("tests/browser/", "tests/test_photos.py")  # these start first, side by side
MOST_PROCESSES = 4  # of up to 2 GB each


class ByFile(LoadScopeScheduling):
    """Give each process a file at a time, so that its fixtures are made once; what drives a browser is one unit."""

    def _split_scope(self, nodeid):
        return "browser" if nodeid.startswith("tests/browser/") else nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config, log):
    """Keep the order of the collection."""
    config.option.loadscopereorder = False
    return ByFile(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    """Set the number of processes, unless ``-n`` gives it or the command line chooses files or tests."""
    arguments = [str(a) for a in config.invocation_params.args]
    chosen = any(
        a.startswith(("-k", "--pdb", "--lf", "--co")) or Path(a.partition("::")[0]).is_file() for a in arguments
    )
    if config.getoption("numprocesses", 0) is None and not chosen and not hasattr(config, "workerinput"):
        config.option.numprocesses = min(MOST_PROCESSES, os.cpu_count() or 1)


def pytest_collection_modifyitems(items):
    """Move the longest files to the front."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


def pytest_configure(config):
    """Show deprecations in packages of untested releases as warnings; those that nbtoolkit's own lines cause are errors."""
    filters = config.getini("filterwarnings")
    if other_releases() and "error" in filters:
        after = filters.index("error") + 1
        for kind in ("DeprecationWarning", "PendingDeprecationWarning", "FutureWarning"):
            filters[after:after] = [f"default::{kind}", f"error::{kind}:(nbtoolkit|tests)"]


def pytest_report_header():
    """Name the releases that are not the tested ones."""
    others = ", ".join(f"{name} {version}" for name, version in other_releases().items())
    return f"other releases than in constraints.txt: {others}" if others else "the releases of constraints.txt"


@pytest.fixture(scope="session")
def model():
    return nbt.load_model("toy")


@pytest.fixture(scope="session")
def scorer():
    return nbt.load_scorer("toy")


@pytest.fixture(scope="session")
def data():
    return nbt.load_data("toy", n=400)


@pytest.fixture(scope="session")
def reps(model, data):
    return nbt.extract(model, data, "dog", progress=False)


@pytest.fixture(scope="session")
def study(model, data, scorer):
    return nbt.study(model, data, "dog", method=nbt.SemiNMF(8, random_state=0), scorer=scorer, progress=False)


@pytest.fixture(scope="session")
def held(model):
    data = nbt.load_data("toy", split="test", n=300)
    return data, nbt.extract(model, data, "dog", progress=False)


@pytest.fixture(scope="session")
def photos():
    if not PHOTOS.exists():
        pytest.skip(f"no real photographs at {PHOTOS}")
    return nbt.load_data(PHOTOS)


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium of the system; nothing is downloaded."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium on the PATH (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=path, headless=True, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def node_modules(tmp_path_factory):
    """esbuild, TypeScript and axe-core, installed on first use as package-lock.json says."""
    folder = ROOT / "nbtoolkit" / "widgets" / "js"
    with FileLock(tmp_path_factory.getbasetemp().parent / "npm.lock"):  # the folder that all processes share
        if not (folder / "node_modules" / "axe-core").exists():
            npm = shutil.which("npm")
            if npm is None:
                pytest.skip("npm is not installed")
            done = subprocess.run([npm, "ci", "--no-audit", "--no-fund"], cwd=folder, capture_output=True, text=True)
            if any(
                code in done.stderr for code in ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT")
            ):
                pytest.skip(f"npm cannot reach its registry: {done.stderr[-300:]}")
            assert done.returncode == 0, f"npm ci failed: {done.stderr[-300:]}"
    return folder / "node_modules"


@pytest.fixture
def rng():
    return np.random.default_rng(0)
