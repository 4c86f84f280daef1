"""Train the scorer of both worlds: a contrastive stage on the first world, then a stage that grades texts.

A contrastive loss whose negatives show other subjects is met by the subject's word alone, so a scorer that has only this
stage gives the list "dog" the cosine of a whole caption. The second stage makes the cosine proportional to a grade
(:func:`grades`): the share of the image's facts that a text states, less a quarter for each false one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from ..world import grammar
from . import architecture
from .images import FactorHeads, augment, factor_targets, sample_rows
from .lists import grades, sample_list
from .loop import run_stage
from .worlds import FIRST, SECOND, World

TOP_COSINE = 0.52  # cosine of a text that states all facts and nothing else: CLIPScore 1.3
_SHARPNESS = 12.0  # inverse temperature of the listwise loss, per unit of the grade


def _accuracies(accuracy: dict[str, float]) -> str:
    return " ".join(f"{f}={a:.2f}" for f, a in accuracy.items())


# --- contrastive stage ----------------------------------------------------------------------------------


def _contrastive_text(factors: grammar.Factors, rng: np.random.Generator) -> str:
    """Give a caption, or (two times in three) a shuffled list of one to five of its content words."""
    caption = grammar.caption(factors, rng)
    if rng.random() < 1 / 3:
        return caption
    words = [w for w in caption.split() if w in grammar.WORDS]
    rng.shuffle(words)
    return (", " if rng.random() < 0.7 else " ").join(words[: rng.integers(1, 6)])


def _embed(model: Any, tokens: Any, pixels: Tensor, texts: list[str]) -> tuple[Tensor, Tensor, Tensor]:
    """Pooled features of the tower, and unit vectors of images and of texts."""
    batch = tokens(texts, padding=True, return_tensors="pt").to(pixels.device)
    pooled = model.vision_model(pixel_values=pixels).pooler_output
    image_vectors = F.normalize(model.visual_projection(pooled), dim=-1)
    return pooled, image_vectors, F.normalize(model.get_text_features(**batch).pooler_output, dim=-1)


def train_contrastive(
    model: Any,
    tokens: Any,
    images: np.ndarray,
    factors: Sequence[grammar.Factors],
    out: Path,
    *,
    n_steps: int,
    random_state: int,
    device: str,
) -> None:
    """Train the CLIP contrastively; every image of the batch that a text describes counts as its match.

    Parameters
    ----------
    model, tokens
        The scorer and its tokenizer.
    images : (n_images, 64, 64, 3) uint8
        Training images of the first world.
    factors
        Factor to value, per image.
    out
        Folder of the run.
    n_steps
        Number of steps, of 128 images each.
    random_state
        Seed.
    device
        A torch device.
    """
    heads = FactorHeads(architecture.WIDTH).to(device)

    def step(rng: np.random.Generator) -> tuple[Tensor, str]:
        rows = sample_rows(len(images), 128, rng)
        scenes = [factors[r] for r in rows]
        texts = [_contrastive_text(s, rng) for s in scenes]
        stated = [{grammar.WORDS[w] for w in re.findall(r"[a-z]+", t) if w in grammar.WORDS} for t in texts]
        true = [set(s.items()) for s in scenes]
        match = torch.tensor([[a <= b for b in true] for a in stated], dtype=torch.float32, device=device)
        pooled, image_vectors, text_vectors = _embed(model, tokens, augment(images[rows], rng, device), texts)
        logits = text_vectors @ image_vectors.T * model.logit_scale.exp().clamp(max=50)
        by_text = F.cross_entropy(logits, match / match.sum(1, keepdim=True))
        loss = (by_text + F.cross_entropy(logits.T, match.T / match.T.sum(1, keepdim=True))) / 2
        extra, accuracy = heads(pooled, factor_targets(scenes, device))
        return loss + 0.5 * extra, f"contrast {loss.item():.3f} {_accuracies(accuracy)}"

    run_stage("scorer", out, [model, heads], step, n_steps=n_steps, lr=1.5e-3, random_state=random_state)


# --- graded stage ---------------------------------------------------------------------------------------


def _graded_loss(cosines: Tensor, target: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
    """Squared error of the grades that cosines stand for (a text's own image weighs as much as the others together), and a
    listwise cross-entropy over the images of each text and over the texts of each image.
    """
    scores = cosines / TOP_COSINE
    error = (scores - target).square()
    square = (error[own].mean() + error[~own].mean()) / 2
    ranks = [F.cross_entropy(_SHARPNESS * s, torch.softmax(_SHARPNESS * t, -1)) -
             F.cross_entropy(_SHARPNESS * t, torch.softmax(_SHARPNESS * t, -1))
             for s, t in ((scores, target), (scores.T, target.T))]  # fmt: skip
    return square, (ranks[0] + ranks[1]) / 2


def train_grades(
    model: Any,
    tokens: Any,
    data: Sequence[tuple[World, np.ndarray, Sequence[grammar.Factors]]],
    out: Path,
    *,
    n_steps: int,
    random_state: int,
    device: str,
) -> None:
    """Train the CLIP so that its cosine is ``TOP_COSINE`` times the grade of a text and an image.

    Parameters
    ----------
    model, tokens
        The scorer and its tokenizer.
    data
        World, images (n_images, 64, 64, 3) uint8, and factor to value per image.
    out, random_state, device
        As for :func:`train_contrastive`.
    n_steps
        Number of steps, of 64 images per world, with one caption and two lists of words each.
    """
    heads = torch.nn.ModuleList([FactorHeads(architecture.WIDTH, world) for world, _, _ in data]).to(device)

    def step(rng: np.random.Generator) -> tuple[Tensor, str]:
        total, notes = torch.zeros((), device=device), []
        for (world, images, factors), head in zip(data, heads, strict=True):
            rows = sample_rows(len(images), 64, rng)
            scenes = [factors[r] for r in rows]
            texts = [world.caption(s, rng) for s in scenes] + [sample_list(s, world, rng) for s in 2 * scenes]
            target = torch.from_numpy(grades(texts, scenes, world)).to(device)
            own = torch.eye(len(scenes), dtype=torch.bool, device=device).repeat(3, 1)
            pooled, image_vectors, text_vectors = _embed(model, tokens, augment(images[rows], rng, device), texts)
            square, ranks = _graded_loss(text_vectors @ image_vectors.T, target, own)
            extra, accuracy = head(pooled, factor_targets(scenes, device, world))
            total = total + 20 * square + ranks + 0.2 * extra
            notes.append(f"error {square.item():.4f} ranks {ranks.item():.3f} {_accuracies(accuracy)}")
        return total, " | ".join(notes)

    run_stage("grades", out, [model, heads], step, n_steps=n_steps, lr=1.5e-3, random_state=random_state)


def train_scorer(
    out: Path,
    first: tuple[np.ndarray, Sequence[grammar.Factors]],
    second: tuple[np.ndarray, Sequence[grammar.Factors]],
    *,
    contrastive_steps: int,
    grade_steps: int,
    random_state: int,
    device: str,
) -> None:
    """Train the scorer in the run's folder, from its last checkpoint if there is one, and write ``scorer/``.

    Parameters
    ----------
    out, device
        As for :func:`train_contrastive`.
    first, second
        Training images of the two worlds, and factor to value per image.
    contrastive_steps, grade_steps
        Number of steps of the two stages.
    random_state
        Seed of the run; another one than the captioner's follows from it.
    """
    torch.manual_seed(random_state + 1000)
    tokens = architecture.tokenizer(FIRST.corpus(20_000, random_state + 1000), close=True)
    start: Any = architecture.scorer(len(tokens))
    start.to(device)
    settings: dict[str, Any] = {"random_state": random_state + 2, "device": device}
    train_contrastive(start, tokens, *first, out, n_steps=contrastive_steps, **settings)
    texts = (text for world in (FIRST, SECOND) for text in world.corpus(20_000, random_state + 1000))
    tokens = architecture.tokenizer(texts, close=True, lists=True)
    model: Any = architecture.scorer(len(tokens))
    model.to(device)
    model.vision_model.load_state_dict(start.vision_model.state_dict())
    data = [(FIRST, *first), (SECOND, *second)]
    train_grades(model, tokens, data, out, n_steps=grade_steps, random_state=random_state + 4, device=device)
    architecture.save(model, tokens, out / "scorer")
