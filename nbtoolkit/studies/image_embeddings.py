"""Embeddings of a data set's images and of texts by one scorer, each image computed once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ..data.loading import images_by_id
from ..models.scorers import Scorer


class ImageEmbeddings:
    """Embeddings of a data set's images by sample id, each computed once, and of texts by the same scorer.

    Parameters
    ----------
    data
        A captioned data set.
    scorer
        The scorer.
    """

    def __init__(self, data: Any, scorer: Scorer) -> None:
        self.data, self.scorer = data, scorer
        self.texts = scorer.texts
        self._by_id: dict[str, np.ndarray] = {}

    @cached_property
    def digest(self) -> str:
        """Hash of what the scorer does: of its weights, or of its name where it has none of its own."""
        return str(getattr(self.scorer, "digest", self.scorer.name))

    def __call__(self, ids: Sequence[str]) -> np.ndarray:
        """Unit embeddings of the images of samples, (n, d).

        Parameters
        ----------
        ids
            Ids of the samples.
        """
        new = [i for i in dict.fromkeys(ids) if i not in self._by_id]
        if new:
            self._by_id |= dict(zip(new, self.scorer.images(images_by_id(self.data, new)), strict=True))
        return np.stack([self._by_id[i] for i in ids])


def embeddings_of(data: Any, scorer: Scorer | None) -> ImageEmbeddings | None:
    """Embeddings of a data set: those that were given, new ones, or None without a scorer.

    Parameters
    ----------
    data
        A captioned data set, its embeddings, or None.
    scorer
        The scorer of new ones.
    """
    if isinstance(data, ImageEmbeddings):
        return data
    return None if data is None or scorer is None else ImageEmbeddings(data, scorer)
