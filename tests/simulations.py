"""Simulated experiments without any effect, and with a known mean: type-I rates of tests and nulls, coverage of intervals.

Each function makes one experiment and returns its p-value, or whether the interval contains the truth. The tests in
``tests/metrics/test_nulls.py`` bound the rates; ``python -m tests.benchmarks.nulls`` prints them.
"""

from __future__ import annotations

import inspect
from unittest import mock

import numpy as np
import torch

import nbtoolkit as nbt
from nbtoolkit.interventions.effects import layer_effects
from nbtoolkit.metrics import (
    Score,
    c_deletion,
    c_insertion,
    compare,
    compare_dictionaries,
    constant_clip_score,
    correspondence,
    dictionary_interval,
    holm,
    stability,
    top_words_clip_score,
)
from nbtoolkit.models import Model

N_RUNS = 400


def _binary(rng, n):
    """0/1 values, of another mean in every run: at one mean the coverage of a discrete interval depends on it."""
    mean = rng.uniform(0.05, 0.95)
    return (rng.random(n) < mean).astype(float), mean


SHAPES = {
    "normal": lambda rng, n: (rng.normal(size=n), 0.0),
    "exponential": lambda rng, n: (rng.exponential(size=n), 1.0),
    "Laplace": lambda rng, n: (rng.laplace(size=n), 0.0),
    "0/1": _binary,
}


def covers(rng, shape, n):
    """Whether the interval of a mean contains it."""
    values, mean = SHAPES[shape](rng, n)
    low, high = Score(values).interval()
    return low <= mean <= high


def difference_covers(rng, n):
    """Whether the interval of the difference of two skewed, paired scores contains it."""
    shared = rng.exponential(size=n)
    c = compare(Score(shared + rng.exponential(size=n)), Score(shared + 0.5 * rng.exponential(size=n)), n_resamples=1)
    return c.low <= 0.5 <= c.high


def method_covers(rng, n=40, n_replicates=5):
    """Whether the interval of a method contains its mean over dictionaries and samples, of which one and n are seen.

    The deviation of the dictionary (.3) is twice that of the mean over samples; replicates vary about the dictionary of
    all rows as it varies about the method, as dictionaries of random halves do.
    """
    own = rng.normal(0, 0.3)
    samples = rng.normal(size=n)
    replicates = own + rng.normal(0, 0.3, (n_replicates, 1)) + samples + rng.normal(0, 0.2, (n_replicates, n))
    low, high, _ = dictionary_interval(own + samples + rng.normal(0, 0.2, n), replicates)
    return low <= 0 <= high


def paired_permutation(rng, n=20):
    """Paired permutation test of two skewed scores that are correlated."""
    shared = 2 * rng.normal(size=n)
    return compare(Score(shared + rng.normal(size=n)), Score(shared + rng.normal(size=n)), n_resamples=199).p


def independent_t(rng, n=20):
    """The paper's t-test of independent scores."""
    return compare(Score(rng.normal(size=n)), Score(rng.normal(size=n + 1))).t_p


def method_test(rng):
    """Difference of two methods: the dictionaries vary, the methods do not differ."""
    own, samples = rng.normal(0, 0.3), rng.normal(size=40)
    a = own + samples
    again = own + rng.normal(0, 0.3, (5, 1)) + samples + rng.normal(0, 0.2, (5, 40))
    return compare(Score(a), Score(np.zeros(40)), replicates=(again, 0 * again), n_resamples=1).method_p


def family(rng, n_tests=10):
    """Smallest of Holm's p-values of ten tests without effect."""
    return holm(rng.random(n_tests)).min()


def stability_with_common_mean(rng, k=8, d=30):
    """Two dictionaries that share nothing but their mean, three times as long as their deviation."""
    mean = 3 * rng.normal(size=d)
    return stability([mean + rng.normal(size=(k, d)) for _ in range(2)], random_state=rng).p


def centred_stability_with_massive_coordinate(rng, k=8, d=30):
    """Two dictionaries with one massive coordinate, that varies, and decaying variances."""
    scale = np.r_[50.0, 1 / np.arange(1, d)]
    offset = np.r_[200.0, np.zeros(d - 1)]
    return stability([offset + scale * rng.normal(size=(k, d)) for _ in range(2)], random_state=rng).centred_p


def sparse_dictionaries(rng, k=8, d=30):
    """Two unrelated dictionaries of sparse, positive concepts."""
    runs = [rng.exponential(size=(k, d)) * (rng.random((k, d)) < 0.3) for _ in range(2)]
    return compare_dictionaries(*(_dictionary(u, np.eye(k)) for u in runs), random_state=rng).p


def unrelated_activations(rng, k=8, n=50):
    """Two dictionaries whose concepts are active on unrelated samples, some often, some seldom."""
    V = [rng.gamma(1, size=(n, k)) * (rng.random((n, k)) < rng.uniform(0.1, 0.6, k)) for _ in range(2)]
    cds = [_dictionary(np.eye(k), v) for v in V]
    return compare_dictionaries(*cds, measure="activation", random_state=rng).p


def _dictionary(concepts, activations):
    return nbt.ConceptDictionary(concepts, activations, [f"s{i}" for i in range(len(activations))], 1, "SemiNMF")


class _Write(torch.nn.Module):
    """A block that adds a vector to every position."""

    def __init__(self, vectors):
        super().__init__()
        self.vectors = vectors  # (positions, d_model)

    def forward(self, hidden_states):
        return hidden_states + self.vectors


class _Targets:
    """Two blocks, and the log-probability of a token after a non-linear head."""

    def __init__(self, rng, n=6, positions=3, d=12):
        direction = rng.normal(size=d)
        write = rng.uniform(1, 3, (positions, 1)) * direction / np.linalg.norm(direction)  # in a random direction

        def tensor(x):
            return torch.tensor(x, dtype=torch.float32)

        blocks = torch.nn.ModuleList([_Write(tensor(write)), _Write(tensor(rng.normal(size=(positions, d))))])
        self.model = object.__new__(Model)  # the blocks are all that is asked for
        self.model.blocks, self.model.n_layers, self.model.d_model, self.model.hf = blocks, 2, d, blocks
        self._states, self._mix = tensor(rng.normal(size=(n, positions, d))), tensor(rng.normal(size=(d, d)) / 3)
        self._head = tensor(rng.normal(size=(5, d)))

        self.batches, self.start = [self], 0
        hidden, self.stream = self._states, [self._states]
        for block in blocks:
            self.stream.append(block(hidden))
            hidden = self._after(self.stream[-1])
        self.recording = self  # as a recorded batch has it

    def __len__(self):
        return len(self._states)

    def _after(self, states):
        return torch.tanh(states @ self._mix) + states

    def measure(self, layer, states):
        """Log-probability of the token from the states after a layer."""
        hidden = self._after(states) if layer else states
        for block in self.model.blocks[layer:]:
            hidden = self._after(block(hidden))
        return (hidden.mean(1) @ self._head.T).log_softmax(-1)[:, 0]


def layer_that_writes_at_random(rng):
    """A layer whose write has a random direction, against random directions of its norm at every position."""
    effects = inspect.unwrap(layer_effects)  # without the check that these are targets of a model
    with mock.patch("nbtoolkit.interventions.layers.read_batch", lambda _, batch: batch):
        return effects(_Targets(rng), [1], n_random=19, random_state=rng).p(1)


def _curve(rng, f, n=12, k=6):
    """Concepts with effects that are unrelated to their activations; the token's score saturates."""
    V = rng.exponential(size=(n, k)) * (rng.random((n, k)) < 0.6)
    gains = rng.normal(1, 1, (n, k))

    def score(z):
        return -np.log1p(np.exp(-((np.abs(z) > 1e-9) * gains).sum(1)))

    return f(V, V, np.eye(k), score, n_null=19, random_state=rng).p


def deletion_order(rng):
    """Deletion by strength, where strength tells nothing of the effect."""
    return _curve(rng, c_deletion)


def insertion_order(rng):
    """Insertion by strength, likewise."""
    return _curve(rng, c_insertion)


def _unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def words_without_meaning(rng, k=20, n_exemplars=4, d=24):
    """Words of concepts that are drawn from the vocabulary as the random words are."""
    vocabulary = {f"w{i}": v for i, v in enumerate(_unit(rng.normal(size=(200, d)) + 0.5))}
    images = {f"i{i}": v for i, v in enumerate(_unit(rng.normal(size=(60, d)) + 0.5))}

    def draw():
        return [rng.choice(list(vocabulary), 5, replace=False).tolist() for _ in range(k)]

    exemplars = [rng.choice(list(images), n_exemplars, replace=False).tolist() for _ in range(k)]

    def embed(texts):
        return _unit(np.array([sum(vocabulary[w] for w in t.split(", ")) for t in texts]))

    g, look = nbt.Grounding(draw(), exemplars), lambda ids: np.array([images[i] for i in ids])
    return compare(*correspondence(g, look, embed, random_words=draw()), n_resamples=199).p


def words_beside_the_token(rng, n=30, d=40):
    """Words that add nothing to the token: as far from it as the token's own text is from what all images share."""
    token, k = np.eye(d)[0], n  # every sample has a concept of its own

    def private(m):
        return np.c_[np.zeros(m), rng.normal(size=(m, d - 1))]

    images = _unit(token + private(n) / np.sqrt(d))
    texts = _unit(token + _unit(private(k + 1)))
    names = {f"c{i}": v for i, v in enumerate(texts[:k])} | {"token": texts[k]}

    def embed(some):
        return np.array([names[t] for t in some])

    own = top_words_clip_score(np.eye(n), [[f"c{i}"] for i in range(k)], images, embed)
    return compare(own, constant_clip_score("token", images, embed), n_resamples=199).p


NULLS = {  # each with its name, and what it is about
    "stability, common mean": stability_with_common_mean,
    "stability, centred, massive coordinate": centred_stability_with_massive_coordinate,
    "comparison, sparse concepts": sparse_dictionaries,
    "comparison, activations": unrelated_activations,
    "layer effects, same length": layer_that_writes_at_random,
    "deletion, order among used": deletion_order,
    "insertion, order among used": insertion_order,
    "correspondence, random words": words_without_meaning,
    "CLIPScore, token alone": words_beside_the_token,
}
TESTS = {
    "paired permutation test": paired_permutation,
    "independent t-test": independent_t,
    "difference of methods": method_test,
    "Holm, any of ten": family,
}


def rate(experiment, n_runs=N_RUNS, seed=0):
    """Share of runs without effect in which p is at most .05."""
    return float(np.mean([experiment(np.random.default_rng([seed, i])) <= 0.05 for i in range(n_runs)]))


def coverage(experiment, *arguments, n_runs=2000, seed=0):
    """Share of runs in which the interval contains the truth."""
    return float(np.mean([experiment(np.random.default_rng([seed, i]), *arguments) for i in range(n_runs)]))
