"""Baselines that a dictionary is compared with: random words through the same filter, noise images through the same pipeline."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Collection
from dataclasses import replace
from functools import cache, partial
from typing import Any

import datasets
import numpy as np
from PIL import Image

from ..data.images import read_image
from ..data.loading import captioned, no_dataset_bars, raw_images
from ..errors import DataError, TokenError
from ..extraction import ReadingOptions, extract
from ..extraction.options import reading_options
from ..grounding import WordFilter, accepted, word_filter
from ..models.adapter import Model
from ..types import Grounding, Representations

MAX_SIDE = 256  # pixels of a noise image


def random_words(
    model: Model,
    like: Grounding,
    *,
    filter: str | WordFilter = "default",
    vocabulary: Collection[str] | None = None,
    random_state: Any = 0,
) -> Grounding:
    """Random-direction baseline: per concept, as many words as it has, unembedded from a random direction.

    Parameters
    ----------
    model
        Its unembedding matrix ranks its tokens for a random direction.
    like
        The grounding to compare with: as many words per concept, read by the same rule, and the same exemplars.
    filter, vocabulary
        Those that ``like`` was made with.
    random_state
        Seed of the directions.

    Raises
    ------
    TokenError
        Fewer words pass the filter than a concept has.

    References
    ----------
    Parekh et al. 2024, section 4 ("Rnd-Words").

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> g = random_words(nbt.load_model("toy"), Grounding([["sun", "sea"]], [["a"]]))
    >>> len(g.words[0]), g.exemplars
    (2, [['a']])
    """
    rule = word_filter(filter, vocabulary)
    directions = np.random.default_rng(random_state).normal(size=(len(like.words), model.d_model)).astype(np.float32)
    own = cache(lambda token: accepted(model.tokenizer, [token], rule))  # concepts share tokens
    lists = []
    for k, direction in enumerate(directions):
        n = len(like.words[k])
        order = np.argsort(-model.unembed(direction[None], norm=like.naming.norm)[0], kind="stable")
        words: dict[str, None] = {}
        for start in range(0, len(order), 256):
            if len(words) < n:
                words |= dict.fromkeys(word for token in order[start : start + 256].tolist() for word in own(token))
        if len(words) < n:
            raise TokenError(
                f"Concept {k} has {n} words, and only {len(words)} of the model's tokens pass the filter {rule.name!r}."
            )
        lists.append(list(words)[:n])
    return Grounding(lists, like.exemplars, filter=rule.name, naming=like.naming)


class RandomWords:
    """Random words for the groundings of a study, drawn once by the rule of :func:`random_words` and shared by its layers.

    Parameters
    ----------
    model, filter, vocabulary, random_state
        As for :func:`random_words`.
    n_words
        Largest number of words per concept.
    """

    def __init__(
        self,
        model: Model,
        *,
        filter: str | WordFilter = "default",
        vocabulary: Collection[str] | None = None,
        n_words: int = 10,
        random_state: Any = 0,
    ) -> None:
        self._draw = partial(random_words, model, filter=filter, vocabulary=vocabulary, random_state=random_state)
        self._n_words = n_words
        self._lists: list[list[str]] = []

    def __call__(self, like: Grounding) -> list[list[str]]:
        """As many words per concept as it has, at most ``n_words``.

        Parameters
        ----------
        like
            A grounding by the same rule as the others.
        """
        sizes = [min(self._n_words, len(words)) for words in like.words]
        if len(self._lists) < len(sizes) or min(map(len, self._lists), default=0) < max(sizes, default=0):
            rows = [[""] * max(sizes, default=0)] * max(len(sizes), len(self._lists))
            shape = replace(like, words=rows, exemplars=[[]] * len(rows), logits=(), negative=(), negative_logits=())
            self._lists = [list(w) for w in self._draw(shape).words]
        return [self._lists[k][:n] for k, n in enumerate(sizes)]


def noise_images(data: Any, *, random_state: Any = 0) -> Any:
    """Replace every image by uniform noise of its size (at most 256 pixels per side); ids and captions are unchanged.

    Parameters
    ----------
    data
        Captioned images.
    random_state
        Seed of the noise.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> noise_images(nbt.load_data("toy", n=2))[0]["image"].size
    (128, 128)
    """
    rng = np.random.default_rng(random_state)

    def draw(row: dict[str, Any]) -> dict[str, Any]:
        cells = row["image"]
        return {"image": [noise_like(cell) for cell in cells] if isinstance(cells, list) else noise_like(cells)}

    def noise_like(cell: Any) -> Any:
        try:
            width, height = read_image(cell).size
        except DataError:
            return cell  # an unreadable image stays so, and is reported by id
        scale = min(1.0, MAX_SIDE / max(width, height))
        size = max(1, round(height * scale)), max(1, round(width * scale)), 3
        buffer = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, size, dtype=np.uint8)).save(buffer, "PNG", compress_level=1)
        return {"bytes": buffer.getvalue(), "path": None}

    data = captioned(data)
    with no_dataset_bars():
        noise = raw_images(data).map(draw, keep_in_memory=True, load_from_cache_file=False)
        return noise.cast_column("image", data.features["image"])


def noise_representations(
    model: Model,
    data: Any,
    reps: Representations,
    *,
    random_state: Any = 0,
    out: str | os.PathLike[str] | None = None,
    progress: bool | Callable[[int, int], None] = True,
    options: ReadingOptions | None = None,
    **reading: Any,
) -> Representations:
    """Text-only baseline: representations of the same captions after images of noise.

    Parameters
    ----------
    model, data, reps
        The model and data of ``reps``, and ``reps``: its captions are teacher-forced, at the same positions.
    random_state
        Seed of the noise.
    out
        Folder for completed shards, as for :func:`nbtoolkit.extract`.
    progress
        Show a bar, or call ``progress(done, total)``.
    options, **reading
        Reading options as for :func:`nbtoolkit.extract`, such as ``batch_size``.

    References
    ----------
    Parekh et al. 2024, section 4 ("Noise-Imgs").

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> model, data = nbt.load_model("toy"), nbt.load_data("toy", n=60)
    >>> reps = nbt.extract(model, data, "bus", progress=False)
    >>> noise_representations(model, data, reps, progress=False).sample_ids == reps.sample_ids
    True
    """
    data = captioned(data)
    row = {i: k for k, i in enumerate(data["id"][:])}
    response = dict(zip(reps.sample_ids, reps.captions, strict=True))
    own = data.select([row[i] for i in response]).remove_columns("captions")
    column = [[response[i]] for i in own["id"]]
    with no_dataset_bars():
        own = own.add_column("captions", column, feature=datasets.List(datasets.Value("string")))
    which = "all" if any(reps.occurrences) else "first"
    chosen = reading_options(options, reading | {"captions": "given", "layers": list(reps.layers), "which": which})
    images = noise_images(own, random_state=random_state)
    return extract(model, images, reps.source.token, out=out, progress=progress, options=chosen)
