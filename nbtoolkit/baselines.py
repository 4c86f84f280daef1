"""What a dictionary is compared with: random words through the same filter, noise through the same pipeline."""

from __future__ import annotations

import io
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np

from .data import captioned, raw_images, read_image
from .errors import DataError, TokenError
from .extraction import extract
from .grounding import WordFilter, accepted, word_filter
from .progress import no_bars_of_datasets
from .types import Grounding, Representations

if TYPE_CHECKING:
    from .models import Model


def random_words(model: Model, like: Grounding, *, filter: str | WordFilter = "default", vocabulary: Collection[str] | None = None,
                 random_state: Any = 0) -> Grounding:  # fmt: skip
    """Replace each concept's words by equally many that a random direction reads as, through the same filter.

    Parameters
    ----------
    model
        Its unembedding matrix ranks its tokens for a random direction.
    like
        The grounding to be compared with: as many words a concept, and the same exemplars.
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
    words = []
    for k, direction in enumerate(directions):
        order = np.argsort(-model.unembed(direction[None], norm=False)[0], kind="stable")
        found: dict[str, None] = {}
        for start in range(0, len(order), 256):
            if len(found) < len(like.words[k]):
                found |= dict.fromkeys(accepted(model.tokenizer, order[start : start + 256].tolist(), rule))
        if len(found) < len(like.words[k]):
            raise TokenError(
                f"Concept {k} has {len(like.words[k])} words, and only {len(found)} of the model's tokens pass the filter {rule.name!r}."
            )
        words.append(list(found)[: len(like.words[k])])
    return Grounding(words, like.exemplars, filter=rule.name)


def noise_images(data: Any, *, random_state: Any = 0) -> Any:
    """Replace every picture by uniform noise of its size (at most 256 pixels a side); ids and captions stay.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> noise_images(nbt.load_data("toy", n=2))[0]["image"].size
    (128, 128)
    """
    import datasets
    from PIL import Image

    rng = np.random.default_rng(random_state)

    def draw(row: dict[str, Any]) -> dict[str, Any]:
        try:
            width, height = read_image(row["image"]).size
        except DataError:
            return row  # a broken picture stays broken, and is reported by id
        scale = min(1.0, 256 / max(width, height))
        size = max(1, round(height * scale)), max(1, round(width * scale)), 3
        buffer = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, size, dtype=np.uint8)).save(buffer, "PNG", compress_level=1)
        return {"image": {"bytes": buffer.getvalue(), "path": None}}

    with no_bars_of_datasets():
        drawn = raw_images(captioned(data)).map(draw, keep_in_memory=True, load_from_cache_file=False)
    return drawn.cast_column("image", datasets.Image())


def noise_representations(
    model: Model, data: Any, reps: Representations, *, random_state: Any = 0, **extraction: Any
) -> Representations:
    """Representations of the same captions before pictures of noise: what the words alone would give.

    Parameters
    ----------
    model, data, reps
        What ``reps`` was extracted with, and ``reps``: its captions are read back, at the same positions.
    random_state
        Seed of the noise.
    **extraction
        Further arguments of :func:`nbtoolkit.extract`, such as ``batch_size`` and ``progress``.

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
    place = {i: k for k, i in enumerate(data["id"])}
    said = dict(zip(reps.sample_ids, reps.captions, strict=True))
    own = data.select([place[i] for i in reps.sample_ids]).remove_columns("captions")
    column = [[said[i]] for i in own["id"]]
    import datasets

    with no_bars_of_datasets():
        own = own.add_column("captions", column, feature=datasets.List(datasets.Value("string")))
    return extract(
        model,
        noise_images(own, random_state=random_state),
        reps.source.token,
        captions="given",
        layers=list(reps.layers),
        **extraction,
    )
