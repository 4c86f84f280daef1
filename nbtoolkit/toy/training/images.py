"""Training images of the embedded world, and classifiers of their factors."""

from __future__ import annotations

import json
from collections.abc import Sequence
from multiprocessing import Pool
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from ..world import grammar
from .loop import log
from .worlds import FIRST, WORLDS, World


def _render_chunk(task: tuple[str, int, int, int]) -> tuple[np.ndarray, list[grammar.Factors]]:
    world, random_state, start, count = task
    rng = np.random.default_rng([random_state, 7, start])
    own = WORLDS[world]
    scenes = [own.sample(rng) for _ in range(count)]
    images = np.stack([np.asarray(own.draw(scene, rng).reduce(2)) for scene in scenes])
    return images, [own.facts(scene) for scene in scenes]


def training_images(
    out: Path, n_images: int, random_state: int, world: str = "first"
) -> tuple[np.ndarray, list[grammar.Factors]]:
    """Render the training images, or read those of an earlier run.

    Parameters
    ----------
    out
        Folder of the run.
    n_images
        Number of images.
    random_state
        Seed.
    world
        ``"first"`` or ``"second"``.

    Returns
    -------
    images : (n_images, 64, 64, 3) uint8
        Memory-mapped.
    factors : list of dict
        Factor to value, per image.
    """
    images, facts = out / f"images-{n_images}.npy", out / f"factors-{n_images}.json"
    if not facts.exists():
        log.info("rendering %d scenes of the %s world", n_images, world)
        tasks = [(world, random_state, s, min(500, n_images - s)) for s in range(0, n_images, 500)]
        with Pool() as pool:
            chunks = pool.map(_render_chunk, tasks, chunksize=4)
        np.save(images, np.concatenate([pixels for pixels, _ in chunks]))
        facts.write_text(json.dumps([f for _, factors in chunks for f in factors]))
    return np.load(images, mmap_mode="r"), json.loads(facts.read_text())


def sample_rows(n: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """Sample the rows of one batch without replacement, sorted so that a memory-mapped read stays cheap.

    Parameters
    ----------
    n
        Number of images.
    size
        Images per batch.
    rng
        Random state; it is advanced.

    Returns
    -------
    (size,) int
    """
    return np.sort(rng.choice(n, size, replace=False))


def augment(pixels: np.ndarray, rng: np.random.Generator, device: str) -> Tensor:
    """Mirror and shift images by up to four pixels.

    Parameters
    ----------
    pixels : (batch, 64, 64, 3) uint8
        Images.
    rng
        Random state; it is advanced.
    device
        A torch device.

    Returns
    -------
    (batch, 3, 64, 64) float32
        Values between -1 and 1.
    """
    padded = np.pad(pixels, ((0, 0), (4, 4), (4, 4), (0, 0)), mode="edge")
    out = np.empty_like(pixels)
    for i, (dy, dx) in enumerate(rng.integers(0, 9, (len(pixels), 2))):
        crop = padded[i, dy : dy + 64, dx : dx + 64]
        out[i] = crop[:, ::-1] if rng.random() < 0.5 else crop
    return torch.from_numpy(out).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1


def factor_targets(factors: Sequence[grammar.Factors], device: str, world: World = FIRST) -> dict[str, Tensor]:
    """Class indices of the values of scenes, factor by factor.

    Parameters
    ----------
    factors
        Factor to value, per scene.
    device
        A torch device.
    world
        The world of the scenes.

    Returns
    -------
    dict
        Factor to indices (batch,) into ``world.values[factor]``.
    """
    return {f: torch.tensor([v.index(s[f]) for s in factors], device=device) for f, v in world.values.items()}


class FactorHeads(nn.Module):
    """One linear classifier per factor; an auxiliary loss of a tower, discarded after training.

    Parameters
    ----------
    width
        Width of the features.
    world
        The world whose factors are classified.
    """

    def __init__(self, width: int, world: World = FIRST) -> None:
        super().__init__()
        self.heads = nn.ModuleDict({f: nn.Linear(width, len(v)) for f, v in world.values.items()})

    def forward(self, pooled: Tensor, targets: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        """Classify features.

        Parameters
        ----------
        pooled : (batch, width)
            Features, one vector per image.
        targets
            From :func:`factor_targets`.

        Returns
        -------
        loss : Tensor
            Sum of the cross-entropies, in nats.
        accuracy : dict
            Factor to accuracy, 0 to 1.
        """
        losses, accuracy = [], {}
        for f, head in self.heads.items():
            logits = head(pooled)
            losses.append(F.cross_entropy(logits, targets[f]))
            accuracy[f] = (logits.argmax(-1) == targets[f]).float().mean().item()
        return torch.stack(losses).sum(), accuracy
