"""What results depend on: the data, and the libraries."""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections.abc import Sequence
from typing import Any


def fingerprint(data: Any, rows: Sequence[int]) -> str:
    """SHA-256 over ids and captions of the candidates."""
    ids, captions = data["id"], data["captions"]
    digest = hashlib.sha256()
    for i in rows:
        digest.update(repr((ids[i], list(captions[i]))).encode())
    return digest.hexdigest()[:16]


def versions() -> dict[str, str]:
    """Give the versions of the libraries that numbers depend on."""
    return {
        name: importlib.metadata.version(name)
        for name in ("nbtoolkit", "torch", "transformers", "numpy", "scikit-learn")
    }
