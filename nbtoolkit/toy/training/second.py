"""Train the two captioners of the second world, ``plain`` and ``smollm2``. Neither has a look-ahead loss.

Both see through one vision tower: that of the first world's captioner, trained further to tell the factors of the second
world apart. ``plain`` then trains as a whole on captions; ``smollm2`` keeps tower and language model frozen and trains
the projector between them.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from . import architecture
from .images import training_images
from .train import train_captions, train_tower
from .worlds import SECOND

START = Path(__file__).parent.parent / "weights" / "captioner" / "model.safetensors"


def start_tower(tower: Any, path: Path = START) -> None:
    """Copy the weights of a captioner's vision tower into another one.

    Parameters
    ----------
    tower
        The tower that is changed.
    path
        Weights of the captioner; of the first world's if not given.
    """
    names = {n.split("vision_tower.", 1)[1]: t for n, t in load_file(path).items() if "vision_tower." in n}
    tower.load_state_dict({n: t.float() for n, t in names.items()})


def train_second(args: argparse.Namespace, model: str) -> None:
    """Train ``plain`` or ``smollm2`` in the run's folder, from its last checkpoint if there is one.

    Parameters
    ----------
    args
        Arguments of the command.
    model
        ``"tower"`` (only what both share), ``"plain"`` or ``"smollm2"``.
    """
    seed, device, out = args.random_state, args.device, args.out
    images, factors = training_images(out, args.n_images, seed, "second")
    torch.manual_seed(seed)
    tokens = architecture.tokenizer(SECOND.corpus(20_000, seed))
    plain = architecture.captioner(len(tokens)).to(device)
    start_tower(plain.model.vision_tower)
    settings = {"random_state": seed, "device": device, "world": SECOND}
    train_tower(plain, images, factors, out, n_steps=args.tower_steps, **settings)
    if model == "plain":
        settings |= {"random_state": seed + 1, "look_ahead": 0.0}
        train_captions(plain, tokens, images, factors, out, n_steps=args.caption_steps, **settings)
        architecture.save(plain, tokens, out / "plain")
    elif model == "smollm2":
        from .smollm2 import train_projector  # only here: it needs the language model at hand

        train_projector(plain.model.vision_tower, images, factors, out, n_steps=args.projector_steps,
                        random_state=seed + 3, device=device)  # fmt: skip
