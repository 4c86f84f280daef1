"""Interpreted test samples, for Figure 5."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..attribution.local import Interpretation, interpret_states
from ..data.images import thumbnail
from ..data.loading import images_by_id
from ..types import ConceptDictionary, Grounding, Representations
from .systems import Context


@dataclass(frozen=True)
class Panel:
    """Interpreted test samples, for Figure 5.

    Attributes
    ----------
    interpretations, images
        The samples' interpretations, and their images (JPEG).
    exemplars
        Sample id to the image of an exemplar (JPEG).
    """

    interpretations: tuple[Interpretation, ...]
    images: tuple[bytes, ...]
    exemplars: Mapping[str, bytes]


def panel(cd: ConceptDictionary, g: Grounding, test: Representations, context: Context, n: int = 2) -> Panel:
    """Interpret the first test samples.

    Parameters
    ----------
    cd, g
        A dictionary and its grounding.
    test
        Representations to test on.
    context
        Of the evaluation.
    n
        Number of samples.
    """
    states, ids, captions = test.layer(cd.layer)[:n], test.sample_ids[:n], test.captions[:n]
    samples = interpret_states(cd, g, states, ids, captions, min(3, cd.n_concepts))
    exemplars = list(dict.fromkeys(i for one in samples for part in one.parts for i in part.exemplars))
    small = [thumbnail(image, 128) for image in images_by_id(context.train_images.data, exemplars)]
    own = tuple(thumbnail(image, 192) for image in images_by_id(context.test_images.data, ids))
    return Panel(samples, own, dict(zip(exemplars, small, strict=True)))
