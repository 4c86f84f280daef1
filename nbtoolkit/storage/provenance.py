"""Fingerprints of what results depend on: the data, the weights, and the library versions."""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

N_IMAGES = 16  # candidates whose files enter the fingerprint
LIBRARIES = ("nbtoolkit", "torch", "transformers", "numpy", "scikit-learn")


def fingerprint(data: Any, rows: Sequence[int]) -> str:
    """SHA-256 over the candidates' ids and captions, and the stored bytes of a few of their images.

    Parameters
    ----------
    data
        Data set with undecoded images.
    rows
        Rows of the candidates.
    """
    digest = hashlib.sha256()
    texts = data.select_columns(["id", "captions"]).select(rows)
    for part in texts.iter(1000):
        for sample, captions in zip(part["id"], part["captions"], strict=True):
            digest.update(repr((sample, list(captions))).encode())
    for i in rows[:: max(1, len(rows) // N_IMAGES)]:
        cells = data[i]["image"]
        for cell in cells if isinstance(cells, list) else [cells or {}]:
            path = Path(cell.get("path") or "")
            stored = cell.get("bytes") or (path.read_bytes() if path.is_file() else b"")
            digest.update(hashlib.sha256(stored).digest())
    return digest.hexdigest()[:16]


def weights(hf: Any) -> str:
    """SHA-256 over the names, shapes and a few values of every parameter: tells two checkpoints of one name apart.

    Parameters
    ----------
    hf
        A Hugging Face model.
    """
    digest = hashlib.sha256()
    for name, parameter in hf.named_parameters():
        digest.update(f"{name} {tuple(parameter.shape)} ".encode())
        if parameter.device.type != "meta" and parameter.numel():
            flat = parameter.detach().flatten()
            digest.update(flat[:: max(1, flat.numel() // 16)][:16].double().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


def versions() -> dict[str, str]:
    """Versions of the libraries that numbers depend on."""
    return {name: importlib.metadata.version(name) for name in LIBRARIES}
