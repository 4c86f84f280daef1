"""The systems of the evaluation: methods and baselines that are learnt for a token, once and again from half of the rows."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..decomposition import TopKSAE, decompose
from ..grounding import ground
from ..metrics import Score, overlap, top_words_clip_score
from ..models.adapter import Model
from ..studies.baselines import random_words
from ..studies.image_embeddings import ImageEmbeddings
from ..studies.sweeps import sized
from ..types import ConceptDictionary, Grounding, Naming, Representations
from .settings import Settings

Array = np.ndarray
METHODS = ("SemiNMF", "KMeans", "PCA", "LargestNorm", "TopKSAE")
SYSTEMS = ("Rnd-Words", "Token", "Noise-Imgs", "LargestNorm", "PCA", "KMeans", "TopKSAE", "SemiNMF", "GT-captions")
CONTROLS = ("Token", "GT-captions")  # nothing is learnt for them
_SHARE = 4  # the autoencoder lets a sample use one in four concepts, about as many as Semi-NMF does
_EPOCHS = 100  # few samples: of more epochs held-out states are reconstructed worse


@dataclass(frozen=True)
class Context:
    """What the evaluation of every token shares.

    Attributes
    ----------
    model
        The model.
    train_images, test_images
        Embeddings of both data sets' images.
    settings
        λ, words and naming.
    n_concepts, layer, random_state
        K, L and the seed.
    words
        Vocabulary of the captions.
    n_replicates
        Number of dictionaries that are learnt again.
    encoder
        Text encoder for BERTScore, or None.
    n_ablations
        Number of concepts per method that are ablated.
    """

    model: Model
    train_images: ImageEmbeddings
    test_images: ImageEmbeddings
    settings: Settings
    n_concepts: int
    layer: int
    random_state: int
    words: frozenset[str]
    n_replicates: int
    encoder: Any
    n_ablations: int

    def estimator(self, method: str, seed: int, n_concepts: int | None = None) -> Any:
        """An unfitted method.

        Parameters
        ----------
        method
            Name of a method.
        seed
            Its random state.
        n_concepts
            Number of concepts; K where None.
        """
        k = n_concepts or self.n_concepts
        if method == "TopKSAE":
            return sized(TopKSAE(k, k=max(1, round(k / _SHARE)), n_epochs=_EPOCHS), k, seed)
        return sized(self.settings.semi_nmf() if method == "SemiNMF" else method, k, seed)

    def ground(self, cd: ConceptDictionary, naming: Naming) -> Grounding:
        """Words and exemplars of a dictionary.

        Parameters
        ----------
        cd
            The dictionary.
        naming
            The naming rule of the token.
        """
        s = self.settings
        return ground(cd, self.model, n_words=s.n_words, filter=s.filter, vocabulary=self.words, naming=naming)

    def random_words(self, like: Grounding, seed: int) -> list[list[str]]:
        """As many random words per concept, by the paper's rule R_k.

        Parameters
        ----------
        like
            A grounding.
        seed
            Seed of the random directions.
        """
        drawn = random_words(self.model, like, filter=self.settings.filter, vocabulary=self.words, random_state=seed)
        return [list(words) for words in drawn.words]


@dataclass(frozen=True)
class Systems:
    """Dictionaries and groundings of one token and seed.

    Attributes
    ----------
    dictionaries, groundings
        Name to dictionary and grounding.
    systems
        Name to activations of the test samples (n_samples, n_concepts), and words per concept.
    """

    dictionaries: dict[str, ConceptDictionary]
    groundings: dict[str, Grounding]
    systems: dict[str, tuple[Array, Any]]

    def clip_scores(self, images: Array, context: Context) -> dict[str, Score]:
        """CLIPScore of every system on the test images.

        Parameters
        ----------
        images : (n_samples, d)
            Unit embeddings of the test images.
        context
            Of the evaluation.
        """
        embed = context.test_images.texts
        return {name: top_words_clip_score(V, words, images, embed) for name, (V, words) in self.systems.items()}


@dataclass(frozen=True)
class Replicate:
    """Results of dictionaries that were learnt again: another seed, a random half of the training rows.

    Attributes
    ----------
    scores
        System to CLIPScores.
    overlaps
        Method to overlap.
    concepts
        Method to concepts (n_concepts, d_model).
    """

    scores: dict[str, Score]
    overlaps: dict[str, float]
    concepts: dict[str, Array]


def learn(
    context: Context, train: Representations, noise: Representations, states: Array, naming: Naming, seed: int
) -> Systems:
    """Learn and ground all systems of a token.

    Parameters
    ----------
    context
        Of the evaluation.
    train, noise
        Representations to learn from, and those of the same captions after images of noise.
    states : (n_samples, d_model)
        States of the test samples at the layer.
    naming
        The naming rule of the token.
    seed
        Random state of everything.
    """
    sources = dict.fromkeys(METHODS, train) | {"Noise-Imgs": noise}
    dictionaries = {
        name: decompose(reps, context.estimator("SemiNMF" if reps is noise else name, seed), layer=context.layer)
        for name, reps in sources.items()
    }
    groundings = {name: context.ground(cd, naming) for name, cd in dictionaries.items()}
    systems: dict[str, tuple[Array, Any]] = {
        name: (cd.encode(states), groundings[name].words) for name, cd in dictionaries.items()
    }
    systems["Rnd-Words"] = systems["SemiNMF"][0], context.random_words(groundings["SemiNMF"], seed)
    systems["Token"] = np.ones((len(states), 1)), [[train.source.token]]
    return Systems(dictionaries, groundings, systems)


def replicates(
    context: Context, train: Representations, noise: Representations, test: Representations, naming: Naming
) -> Iterator[Replicate]:
    """Learn all systems again, from random halves of the training rows; nothing for a token with fewer than 2 K samples.

    Parameters
    ----------
    context
        Of the evaluation.
    train, noise, test
        Representations to learn from, those of noise images, and those to test on.
    naming
        The naming rule of the token.
    """
    if len(train) < 2 * context.n_concepts:
        return
    states, images = test.layer(context.layer), context.test_images(test.sample_ids)
    for r in range(context.n_replicates):
        seed = context.random_state + 1 + r
        rows = np.sort(np.random.default_rng(seed).permutation(len(train))[: len(train) // 2])
        half, noise_half = (reps.select(rows, [context.layer]) for reps in (train, noise))
        with warnings.catch_warnings():  # of dead concepts: those of all rows have warned
            warnings.simplefilter("ignore", UserWarning)
            one = learn(context, half, noise_half, states, naming, seed)
        overlaps = {m: overlap(one.groundings[m].words).mean for m in METHODS}
        concepts = {m: np.asarray(one.dictionaries[m].concepts) for m in METHODS}
        yield Replicate(one.clip_scores(images, context), overlaps, concepts)
