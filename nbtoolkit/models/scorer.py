"""An image-text judge: any CLIP of Hugging Face behind one call."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..errors import ModelError, first_line
from .loading import SAFE, load_processor, quiet, resolve
from .threads import fitting_threads


class Scorer:
    """Cosine between pictures and texts; calling it gives an (n_images, n_texts) array."""

    def __init__(self, hf: Any, processor: Any, name: str) -> None:
        self.hf, self.processor, self.name = hf.eval(), processor, name

    def images(self, images: Iterable[Any], batch_size: int = 64) -> np.ndarray:
        """Unit embeddings of pictures, of which one batch is held at a time: (n, d)."""
        return self._embed(
            images,
            batch_size,
            lambda part: self.hf.get_image_features(**self.processor(images=part, return_tensors="pt")),
        )

    def texts(self, texts: Sequence[str], batch_size: int = 64) -> np.ndarray:
        """Unit embeddings of texts: (n, d)."""
        settings = {
            "padding": True,
            "truncation": True,
            "return_tensors": "pt",
            "max_length": self.hf.config.text_config.max_position_embeddings,
        }
        return self._embed(
            texts,
            batch_size,
            lambda part: self.hf.get_text_features(**self.processor.tokenizer(part, **settings)),
        )

    def _embed(self, items: Iterable[Any], batch_size: int, run: Any) -> np.ndarray:
        import torch

        rows, waiting = [], iter(items)
        with torch.no_grad(), fitting_threads(self.hf):
            while part := list(itertools.islice(waiting, batch_size)):
                out = run(part)
                out = getattr(out, "pooler_output", out)
                rows.append(torch.nn.functional.normalize(out.float(), dim=-1).cpu().numpy())
        return np.concatenate(rows)

    def __call__(self, images: Sequence[Any], texts: Sequence[str]) -> np.ndarray:
        """Cosines, (n_images, n_texts), in [-1, 1]."""
        return self.images(images) @ self.texts(texts).T


def load_scorer(source: Any = "toy") -> Scorer:
    """Load a CLIP model that judges how well words fit pictures (CLIPScore).

    Parameters
    ----------
    source
        ``"toy"`` (for the embedded world; trained independently of its captioner), a folder, or a hub id such as
        ``"openai/clip-vit-base-patch32"``, the paper's.

    Raises
    ------
    ModelError
        No CLIP model there.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> nbt.load_scorer("toy").texts(["dog, grass"]).shape
    (1, 128)
    """
    import torch
    from transformers import AutoModel

    path = resolve(source, "scorer")
    try:
        with quiet(path is not source):
            hf: Any = AutoModel.from_pretrained(path, dtype=torch.float32, **SAFE)
        processor = load_processor(path)
    except Exception as error:
        raise ModelError(f"{str(source)!r} cannot be loaded as a CLIP model ({first_line(error)}).") from error
    if not (hasattr(hf, "get_image_features") and hasattr(hf, "get_text_features")):
        raise ModelError(
            f"{str(source)!r} is a {type(hf).__name__}; expected a model with image and text features such as CLIP."
        )
    return Scorer(hf, processor, str(source))
