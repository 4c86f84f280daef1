"""Fingerprints of what results depend on: the data, the weights, and the library versions."""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from ..errors import DataError
from ..files import regular_file

N_IMAGES = 16  # candidates whose files are read before a run
_LARGEST = 1 << 30  # bytes of a file that is read as an image
LIBRARIES = ("nbtoolkit", "torch", "transformers", "numpy", "scikit-learn")


def fingerprint(data: Any, rows: Sequence[int], images: Mapping[str, str] | None = None) -> str:
    """SHA-256 over the candidates' ids and captions, and the stored bytes of their images.

    Parameters
    ----------
    data
        Data set with undecoded images.
    rows
        Rows of the candidates.
    images
        Sample id to :func:`image_digest`, of all candidates; of 17 at most, which are then read, where None.
    """
    digest = hashlib.sha256()
    texts = data.select_columns(["id", "captions"]).select(rows)
    for part in texts.iter(1000):
        for sample, captions in zip(part["id"], part["captions"], strict=True):
            digest.update(repr((sample, list(captions))).encode("utf-8", "surrogatepass"))
            if images is not None:
                digest.update(images[sample].encode())
    for i in rows[:: max(1, len(rows) // N_IMAGES)] if images is None else ():
        cells = data[i]["image"]
        for cell in cells if isinstance(cells, list) else [cells or {}]:
            path = Path(cell.get("path") or "")
            stored = cell.get("bytes") or (path.read_bytes() if path.is_file() else b"")
            digest.update(hashlib.sha256(stored).digest())
    return digest.hexdigest()[:16]


def image_digest(cell: Any) -> tuple[Any, str]:
    """The undecoded image with its bytes, and their hash: what is hashed is what is decoded.

    Parameters
    ----------
    cell
        The ``{"bytes", "path"}`` of an undecoded data set, a PIL image, or a list of these.

    Returns
    -------
    cell, digest
        BLAKE2b of 16 bytes, in hexadecimal; of a list, of the hashes of its images.

    Raises
    ------
    DataError
        The image is no regular file of at most 1 GiB, or cannot be read.
    """
    if isinstance(cell, list | tuple):
        pairs = [image_digest(one) for one in cell]
        return [one for one, _ in pairs], _blake2b("".join(digest for _, digest in pairs).encode())
    if isinstance(cell, Image.Image):
        return cell, _blake2b(repr((cell.mode, cell.size)).encode() + cell.tobytes())
    stored = (cell or {}).get("bytes")
    if not stored:
        path = Path((cell or {}).get("path") or "")
        if not path.name:
            raise DataError("The image cannot be read: the row has none.")
        size = regular_file(path).stat().st_size
        if size > _LARGEST:
            raise DataError(
                f"The image cannot be read: {str(path)!r} has {size:,} bytes; expected at most {_LARGEST:,}."
            )
        try:
            stored = path.read_bytes()
        except OSError as error:
            raise DataError(f"The image cannot be read: {str(path)!r} ({error.strerror or error}).") from error
    return {**cell, "bytes": stored}, _blake2b(stored)


def image_digests(data: Any, rows: Sequence[int]) -> dict[str, str]:
    """Sample id to the hash of its image's bytes as they are now; empty where the image cannot be read.

    Parameters
    ----------
    data
        Data set with undecoded images.
    rows
        Rows of the samples.
    """
    digests = {}
    for i in rows:
        row = data[i]
        try:
            digests[row["id"]] = image_digest(row["image"])[1]
        except DataError:
            digests[row["id"]] = ""
    return digests


def _blake2b(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


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
