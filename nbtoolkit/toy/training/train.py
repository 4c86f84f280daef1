"""Train the captioner and the scorer of the embedded world: ``python -m nbtoolkit.toy.training --out runs/toy``.

Stages, each with its own checkpoint, so that an interrupted run resumes: ``render`` the training images; ``tower``
teaches the captioner's vision tower to tell the factors apart (shape is the bottleneck, not grammar); ``captions``
trains the whole LLaVA, four captions packed behind one shared image prefix; ``scorer`` and ``grades`` train an
independently seeded CLIP, the latter on both worlds. The captioner has one extra training loss, the look-ahead loss (see
README.md of nbtoolkit.toy), without which so small a model represents the factors of a scene but does not name them.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from ..world import grammar
from . import architecture
from .images import FactorHeads, augment, factor_targets, sample_rows, training_images
from .loop import run_stage
from .packing import look_ahead_targets, pack
from .scorer import train_scorer
from .worlds import FIRST, World

LOOK_AHEAD_BLOCKS, LOOK_AHEAD_WEIGHT, CAPTIONS = (3, 4), 0.5, 4
MODELS = {"first": ("captioner", "scorer"), "second": ("tower", "plain", "smollm2")}
_DEFAULTS: dict[str, dict[str, Any]] = {
    "first": {"out": Path("runs/toy"), "n_images": 100_000, "tower_steps": 4500},
    "second": {"out": Path("runs/second"), "n_images": 80_000, "tower_steps": 1500},
}


def _accuracies(accuracy: dict[str, float]) -> str:
    return " ".join(f"{f}={a:.2f}" for f, a in accuracy.items())


# --- captioner ------------------------------------------------------------------------------------------


def train_tower(
    model: Any,
    images: np.ndarray,
    factors: Sequence[grammar.Factors],
    out: Path,
    *,
    n_steps: int,
    random_state: int,
    device: str,
    world: World = FIRST,
) -> None:
    """Train tower and projector to classify the factors from the mean of the projected patches.

    Parameters
    ----------
    model
        The captioner.
    images : (n_images, 64, 64, 3) uint8
        Training images.
    factors
        Factor to value, per image.
    out
        Folder of the run.
    n_steps
        Number of steps, of 64 images each.
    random_state
        Seed.
    device
        A torch device.
    world
        The world of the images.
    """
    heads = FactorHeads(architecture.WIDTH, world).to(device)

    def step(rng: np.random.Generator) -> tuple[Tensor, str]:
        rows = sample_rows(len(images), 64, rng)
        patches = model.get_image_features(pixel_values=augment(images[rows], rng, device)).pooler_output
        pooled = torch.stack([p.mean(0) for p in patches])  # (batch, width)
        loss, accuracy = heads(pooled, factor_targets([factors[r] for r in rows], device, world))
        return loss, _accuracies(accuracy)

    modules = [model.model.vision_tower, model.model.multi_modal_projector, heads]
    run_stage("tower", out, modules, step, n_steps=n_steps, lr=2e-3, random_state=random_state)


def train_captions(
    model: Any,
    tokens: Any,
    images: np.ndarray,
    factors: Sequence[grammar.Factors],
    out: Path,
    *,
    n_steps: int,
    random_state: int,
    device: str,
    world: World = FIRST,
    look_ahead: float = LOOK_AHEAD_WEIGHT,
) -> None:
    """Train the whole LLaVA on captions, with the look-ahead loss at the blocks ``LOOK_AHEAD_BLOCKS`` or without it.

    Parameters
    ----------
    model, tokens
        The captioner and its tokenizer.
    images, factors, out, random_state, device, world
        As for :func:`train_tower`.
    n_steps
        Number of steps, of 32 images and four captions each.
    look_ahead
        Weight of the look-ahead loss, no unit; 0 leaves it out, and the loss is the cross-entropy of the next token.
    """
    language, head = model.model.language_model, model.lm_head
    content = torch.zeros(len(tokens), dtype=torch.bool)
    content[[tokens(" " + w, add_special_tokens=False).input_ids[0] for w in world.words]] = True
    embed = language.get_input_embeddings()

    def step(rng: np.random.Generator) -> tuple[Tensor, str]:
        rows = sample_rows(len(images), 32, rng)
        texts = [[world.caption(factors[r], rng) for _ in range(CAPTIONS)] for r in rows]
        # the last image position predicts a caption's first word, so each caption repeats that position's role
        captions = [
            [[architecture.BOS, *tokens(t, add_special_tokens=False).input_ids, architecture.EOS] for t in group]
            for group in texts
        ]
        pixels = augment(images[rows], rng, device)
        patches = torch.stack(list(model.get_image_features(pixel_values=pixels).pooler_output))
        batch = pack(captions, patches.shape[1], device)
        last, states = _language_pass(language, torch.cat([patches, embed(batch["ids"])], 1), batch)
        text = slice(patches.shape[1], None)
        nll = F.cross_entropy(head(last[:, text]).flatten(0, 1), batch["labels"].flatten(), ignore_index=-100)
        if not look_ahead:
            return nll, ""
        targets = look_ahead_targets(captions, content, batch["ids"].shape[1]).to(device)
        live = targets.sum(-1) > 0
        losses = [F.cross_entropy(head(language.norm(s[:, text][live])), targets[live]) for s in states]
        ahead = torch.stack(losses).mean()
        return nll + look_ahead * ahead, f"nll {nll.item():.3f} ahead {ahead.item():.3f}"

    run_stage("captions", out, [model], step, n_steps=n_steps, lr=1.5e-3, random_state=random_state)


def _language_pass(language: Any, embeds: Tensor, batch: dict[str, Tensor]) -> tuple[Tensor, list[Tensor]]:
    """Last hidden states, and those of the look-ahead blocks, of packed captions: (batch, P + T, width) each."""
    mask = batch["mask"]
    bias = torch.zeros(mask.shape, device=mask.device).masked_fill_(~mask, torch.finfo(torch.float32).min)
    states: list[Tensor] = []
    hooks = [
        language.layers[b - 1].register_forward_hook(lambda _m, _i, o: states.append(o)) for b in LOOK_AHEAD_BLOCKS
    ]
    last: Tensor = language(
        inputs_embeds=embeds, attention_mask=bias, position_ids=batch["positions"], use_cache=False
    ).last_hidden_state
    for hook in hooks:
        hook.remove()
    return last, states


# --- command --------------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="python -m nbtoolkit.toy.training",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("--world", choices=("first", "second"), default="first", help="the scenes to train on")
    p.add_argument("--out", type=Path, help="checkpoints, logs and trained models (default: runs/toy, runs/second)")
    p.add_argument("--only", choices=(*MODELS["first"], *MODELS["second"]), help="train one model, or the shared tower")
    p.add_argument("--n-images", type=int, help="default: 100,000 of the first world, 80,000 of the second")
    p.add_argument("--tower-steps", type=int, help="default: 4500, or 1500 from the first world's tower")
    p.add_argument("--caption-steps", type=int, default=2400)
    p.add_argument("--scorer-steps", type=int, default=3500)
    p.add_argument("--grade-steps", type=int, default=1500, help="of the scorer, on both worlds")
    p.add_argument("--projector-steps", type=int, default=900)
    p.add_argument("--random-state", type=int, default=0)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return p


def main(argv: list[str] | None = None) -> None:
    """Train the models that the run's folder lacks and write ``captioner/`` and ``scorer/`` as Hugging Face folders.

    Parameters
    ----------
    argv
        Arguments of the command; those of the process if None.
    """
    parser = _parser()
    args = parser.parse_args(argv)
    if args.only and args.only not in MODELS[args.world]:
        parser.error(
            f"--only {args.only} is no model of the {args.world} world; expected {', '.join(MODELS[args.world])}"
        )
    for name, value in _DEFAULTS[args.world].items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    args.out.mkdir(parents=True, exist_ok=True)
    log_file = args.out / f"{args.only or 'train'}.log"
    handlers: list[logging.Handler] = [logging.StreamHandler(), logging.FileHandler(log_file)]
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", force=True, handlers=handlers)
    torch.set_num_threads(args.threads)
    if args.world == "second":
        from .second import train_second  # only here: it imports this module

        for model in [args.only] if args.only else ["plain", "smollm2"]:
            train_second(args, model)
        return
    seed, device = args.random_state, args.device
    data = training_images(args.out, args.n_images, seed)
    if args.only != "scorer":
        torch.manual_seed(seed)
        tokens = architecture.tokenizer(FIRST.corpus(20_000, seed))
        model = architecture.captioner(len(tokens)).to(device)
        train_tower(model, *data, args.out, n_steps=args.tower_steps, random_state=seed, device=device)
        settings = {"n_steps": args.caption_steps, "random_state": seed + 1, "device": device}
        train_captions(model, tokens, *data, args.out, **settings)
        architecture.save(model, tokens, args.out / "captioner")
    if args.only != "captioner":
        n_second = min(args.n_images, _DEFAULTS["second"]["n_images"])
        (args.out / "second").mkdir(exist_ok=True)
        second = training_images(args.out / "second", n_second, seed, "second")
        steps = {"contrastive_steps": args.scorer_steps, "grade_steps": args.grade_steps}
        train_scorer(args.out, data, second, **steps, random_state=seed, device=device)
