"""A folder with three images."""

import pytest

from .made import gradient


@pytest.fixture
def folder(tmp_path):
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        gradient().save(tmp_path / name)
    return tmp_path
