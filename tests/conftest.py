"""Shared fixtures: one small study of the embedded world for the whole session, and where the real photographs are."""

# ruff: noqa: E402 - the two variables and torchvision have to be there before transformers looks
from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from .vision import provide

provide()  # before transformers looks whether torchvision is there

import numpy as np
import pytest
import torch

import nbtoolkit as nbt

from .browser.conftest import FLAGS

torch.set_num_threads(1)  # the models are tiny: a second thread only waits, and burns CPU on a busy machine

ROOT = Path(__file__).parent.parent
PHOTOS = ROOT.parent / "shared" / "data" / "coco_photos.parquet"


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
def node_modules():
    """esbuild, TypeScript and axe-core, installed on first use as package-lock.json says."""
    folder = ROOT / "nbtoolkit" / "widgets" / "js"
    if not (folder / "node_modules" / "axe-core").exists():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("npm is not installed")
        done = subprocess.run([npm, "ci", "--no-audit", "--no-fund"], cwd=folder, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"npm ci failed: {done.stderr[-300:]}")
    return folder / "node_modules"


@pytest.fixture
def rng():
    return np.random.default_rng(0)
