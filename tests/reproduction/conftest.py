"""One small evaluation of the embedded world for all tests of the package."""

import pytest

import nbtoolkit as nbt
from nbtoolkit.reproduction import reproduce


@pytest.fixture(scope="session")
def world():
    """Data to learn from, and to test on."""
    return nbt.load_data("toy", n=500), nbt.load_data("toy", split="test", n=200)


@pytest.fixture(scope="session")
def evaluation_cache(tmp_path_factory):
    return tmp_path_factory.mktemp("evaluation")


@pytest.fixture(scope="session")
def evaluation(model, scorer, world, evaluation_cache):
    """Two words, and one that no caption has."""
    return reproduce(
        model,
        *world,
        ["dog", "bus", "zebra"],
        scorer,
        n_concepts=6,
        sizes=[4, 6],
        n_ablations=3,
        cache=evaluation_cache,
    )
