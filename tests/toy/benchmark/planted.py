"""Scenes of the second world without images: states in which every fact, number and sense has a direction of its own."""

import numpy as np

from nbtoolkit.toy.benchmark.rows import Rows
from nbtoolkit.toy.benchmark.scores import Truth
from nbtoolkit.toy.benchmark.truth import groups_of
from nbtoolkit.toy.world.second.grammar import sample_scene
from nbtoolkit.toy.world.second.vocabulary import WORDS
from nbtoolkit.types import Representations

D = 200
NUMBERS = ("size", "darkness", "shade", "position")


def scenes(n, split, seed, subject):
    rng, rows = np.random.default_rng(seed), []
    while len(rows) < n:
        scene = sample_scene(rng, split)
        if scene.factors["subject"] == subject:
            rows.append({"factors": scene.factors, "numbers": scene.numbers})
    return rows


def direction(name):
    v = np.random.default_rng([ord(c) for c in name]).normal(size=D)
    return v / np.linalg.norm(v)


def states(rows, noise, seed):
    Z = np.tile(5 * direction("mean"), (len(rows), 1)) + noise * np.random.default_rng(seed).normal(size=(len(rows), D))
    for i, row in enumerate(rows):
        for factor, value in row["factors"].items():
            if factor not in ("place", "motion", "size", "light", "subject", "count") and value != "none":
                Z[i] += direction(f"{factor}={value}")
        for name in NUMBERS:
            Z[i] += 3 * (row["numbers"][name] - 0.5) * direction(name)
    return Z


def rows_of(n, split="train", seed=0, subject="dog", noise=0.05):
    own = scenes(n, split, seed, subject)
    ids = [str(i) for i in range(n)]
    return Rows(Representations(states(own, noise, seed + 1)[:, None], ids, [""] * n, [0] * n), tuple(own))


def truth_of(subject="dog", n=300, n_test=200, noise=0.05):
    train, test = rows_of(n, "train", 0, subject, noise), rows_of(n_test, "test", 9, subject, noise)
    groups = groups_of(train.factors, test.factors)
    causal = np.full((len(groups), D), np.nan)
    for g, group in enumerate(groups):
        own = next(
            (fact for fact in group.facts if fact[0] in ("colour", "action", "prop", "weather", "background")), None
        )
        if own is not None:
            causal[g] = direction("=".join(own))
    meaning = {word: fact for word, fact in WORDS.items() if fact != ("subject", subject)}
    return Truth(train, test, 0, groups, meaning, causal)
