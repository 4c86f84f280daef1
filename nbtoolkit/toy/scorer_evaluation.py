"""What the scorer gives texts that state more or fewer facts of an image, true and false ones.

``python -m nbtoolkit.toy.evaluation --model scorer`` prints the table of the model card.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import spearmanr

import nbtoolkit as nbt

from .training.lists import grades, sample_list, scene_facts, text_facts
from .training.worlds import WORLDS, World

if TYPE_CHECKING:
    from ..models.scorers import Scorer

# texts of which the first is to score higher than the second, image by image
ORDERS = (
    ("caption", "token"),
    ("caption", "10 words, half false"),
    ("token", "wrong token"),
    ("token", "10 random words"),
    ("3 true words", "1 true word"),
    ("5 true words", "3 true words"),
    ("10 true words", "5 true words"),
    ("10 true words", "10 words, half false"),
    ("10 words, half false", "10 random words"),
    ("10 words, half false", "10 false words"),
)


def true_words(factors: Mapping[str, str], world: World, rng: np.random.Generator) -> list[str]:
    """Words that state facts of a scene, in random order, those that add a fact before synonyms.

    Parameters
    ----------
    factors
        Factor to value.
    world
        The world of the scene.
    rng
        Random state; it is advanced.
    """
    facts, stated = scene_facts(dict(factors), world), set[tuple[str, str]]()
    first: list[str] = []
    rest: list[str] = []
    for word in rng.permutation([w for w, fact in world.words.items() if fact in facts]):
        new = text_facts(word, world) - stated
        (first if new else rest).append(str(word))
        stated |= new
    return first + rest


def texts_of(row: Mapping[str, Any], world: World, rng: np.random.Generator) -> dict[str, str]:
    """Texts for one image, from its caption and from words of its world.

    Parameters
    ----------
    row
        A scene, with ``factors`` and ``captions``.
    world
        Its world.
    rng
        Random state; it is advanced.

    Returns
    -------
    dict
        Kind of text to text: the first caption, the token (the subject alone), another subject, lists of words.
    """
    facts, words = row["factors"], true_words(row["factors"], world, rng)
    false = [str(w) for w in rng.permutation([w for w, (f, v) in world.words.items() if facts[f] != v])]
    others = [s for s in world.values["subject"] if s != facts["subject"]]
    half = [str(w) for w in rng.permutation(words[:5] + false[:5])]
    texts = {"caption": row["captions"][0], "token": facts["subject"], "wrong token": str(rng.choice(others))}
    lists = {
        "1 true word": words[:1],
        "3 true words": words[:3],
        "5 true words": words[:5],
        "10 true words": words[:10],
        "10 words, half false": half,
        "10 false words": false[5:15],
        "10 random words": rng.permutation(list(world.words))[:10],
    }
    return texts | {kind: nbt.metrics.word_list(chosen) for kind, chosen in lists.items()}


def text_scores(scorer: Scorer, rows: Sequence[Mapping[str, Any]], world: str, random_state: int = 0) -> dict[str, Any]:
    """Score texts of every kind on the images that they are about, and order lists by their cosine.

    Parameters
    ----------
    scorer
        The scorer.
    rows
        Scenes, with ``image``, ``factors`` and ``captions``.
    world
        ``"first"`` or ``"second"``.
    random_state
        Seed of the lists.

    Returns
    -------
    dict
        ``scores``: kind of text to CLIPScores (n_images,), 0 to 2.5, no unit. ``grades``: the same for the grades that the
        scorer was trained to order by. ``retrieved``: per image, 1 if none of the other images' captions that scores
        higher than its own states less about it. ``rank_correlation``: Spearman, per image, of cosines and grades of 100
        lists, half of them sampled for this image and half for others.

    Examples
    --------
    >>> text_scores(nbt.load_scorer("toy"), nbt.load_data("toy", split="test", n=2), "first")["scores"]["token"].shape
    (2,)
    """
    own, rng = WORLDS[world], np.random.default_rng(random_state)
    images = scorer.images([row["image"] for row in rows])
    scenes = [dict(row["factors"]) for row in rows]
    texts = [texts_of(row, own, rng) for row in rows]
    scores, truth = {}, {}
    for kind in texts[0]:
        column = [t[kind] for t in texts]
        scores[kind] = nbt.metrics.clip_score((images * scorer.texts(column)).sum(1))
        truth[kind] = np.array([grades([t], [s], own)[0, 0] for t, s in zip(column, scenes, strict=True)])
    captions = [t["caption"] for t in texts]
    graded = grades(captions, scenes, own)  # (n_captions, n_images)
    best = (images @ scorer.texts(captions).T).argmax(1)
    retrieved = graded[best, np.arange(len(rows))] >= graded.diagonal()
    shared = [sample_list(scenes[i], own, rng) for i in rng.integers(len(rows), size=50)]
    order = []
    for image, scene in zip(images, scenes, strict=True):
        lists = shared + [sample_list(scene, own, rng) for _ in range(50)]
        order.append(spearmanr(scorer.texts(lists) @ image, grades(lists, [scene], own)[:, 0]).statistic)
    return {"scores": scores, "grades": truth, "retrieved": retrieved, "rank_correlation": np.array(order)}


def order_shares(scores: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray]) -> dict[tuple[str, str], float]:
    """Share of the images on which the text that states more scores higher, for the pairs of ``ORDERS``.

    Parameters
    ----------
    scores, truth
        ``scores`` and ``grades`` of :func:`text_scores`. Images on which the grades do not differ as expected (a random
        list may state more than the token) are left out.

    Returns
    -------
    dict
        Pair to share, 0 to 1, no unit; NaN if no image is left.
    """
    shares = {}
    for more, fewer in ORDERS:
        live = truth[more] > truth[fewer]
        shares[more, fewer] = float((scores[more] > scores[fewer])[live].mean()) if live.any() else float("nan")
    return shares


def print_table(n: int) -> None:
    """Print mean CLIPScores, grades and shares for the splits of both worlds.

    Parameters
    ----------
    n
        Scenes per split.
    """
    scorer = nbt.load_scorer("toy")
    for data, world in (("toy", "first"), ("toy-second", "second")):
        for split in ("test", "heldout"):
            result = text_scores(scorer, nbt.load_data(data, split=split, n=n), world)
            print(f"{data}, {split}, {n} scenes")
            for kind, values in result["scores"].items():
                print(f"  {kind}: CLIPScore {values.mean():.3f}, grade {result['grades'][kind].mean():.3f}")
            for (more, fewer), share in order_shares(result["scores"], result["grades"]).items():
                print(f"  {more} > {fewer}: {share:.3f}")
            print(f"  best caption among {n} states as much: {result['retrieved'].mean():.3f}")
            print(f"  rank correlation of cosine and grade: {result['rank_correlation'].mean():.3f}", flush=True)
