"""The study of the session as a folder."""

import pytest


@pytest.fixture
def folder(study, tmp_path):
    return study.save(tmp_path / "dog.study")
