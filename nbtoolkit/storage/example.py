"""A study of noise that needs no model, for examples and tests."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from ..types import ConceptDictionary, Grounding, Representations
from .study import Sample, Study


def noise_study() -> Study:
    """Study of noise with two layers and two concepts: for examples and tests of views and figures."""
    rng = np.random.default_rng(0)
    ids = tuple(f"s{i}" for i in range(6))
    states = rng.normal(size=(6, 3, 4)).astype(np.float32)
    images = []
    for _ in ids:
        buffer = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (16, 20, 3), dtype=np.uint8)).save(buffer, "JPEG")
        images.append(buffer.getvalue())
    samples = [Sample(i, "a dog", ("a dog",), p, ("a ", "dog", ""), 1) for i, p in zip(ids, images, strict=True)]
    reps = Representations(states, ids, ("a dog",) * 6, (1,) * 6)
    dictionaries = {
        layer: ConceptDictionary(np.eye(2, 4), np.abs(rng.normal(size=(6, 2))), ids, layer, "SemiNMF")
        for layer in (1, 2)
    }
    groundings = {layer: Grounding([["sun", "sea"], ["dog"]], [list(ids[:3]), list(ids[3:])]) for layer in (1, 2)}
    return Study("dog", dictionaries, groundings, samples, reps)
