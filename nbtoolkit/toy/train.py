"""Train the captioner and the scorer of the embedded world: ``python -m nbtoolkit.toy.train --out runs/toy``.

Stages, each with its own checkpoint (a killed run resumes): ``render`` the training pictures; ``tower``
teaches the captioner's vision tower to tell the factors apart (shape is the bottleneck, not grammar);
``captions`` trains the whole LLaVA, four captions packed behind one shared image prefix; ``scorer`` trains an
independently seeded CLIP. The captioner has one extra training loss, the look-ahead loss (see README.md
beside this file), without which so small a model holds the factors of a scene but does not name them.
"""

from __future__ import annotations

import argparse
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from . import architecture, grammar
from .loop import run_stage
from .pictures import FactorHeads, augment, factor_targets, rendered

LOOK_AHEAD_BLOCKS, LOOK_AHEAD_WEIGHT, CAPTIONS = (3, 4), 0.5, 4


# --- batches -------------------------------------------------------------------------------------------


def batches(n: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """Draw the indices of one batch, sorted so that a memory-mapped read stays cheap."""
    return np.sort(rng.choice(n, size, replace=False))


def _accuracies(right: dict[str, float]) -> str:
    return " ".join(f"{f}={a:.2f}" for f, a in right.items())


# --- captioner ------------------------------------------------------------------------------------------


def train_tower(
    model: Any, images: np.ndarray, factors: list[grammar.Factors], out: Path, args: argparse.Namespace
) -> None:
    """Teach tower and projector the factors, from the mean of the projected patches."""
    heads = FactorHeads(architecture.WIDTH).to(args.device)

    def step(rng: np.random.Generator) -> tuple[Tensor, str]:
        rows = batches(len(images), 64, rng)
        patches = model.get_image_features(pixel_values=augment(images[rows], rng, args.device)).pooler_output
        pooled = torch.stack([p.mean(0) for p in patches])  # (b, width)
        loss, right = heads(pooled, factor_targets([factors[r] for r in rows], args.device))
        return loss, _accuracies(right)

    run_stage("tower", out, [model.model.vision_tower, model.model.multi_modal_projector, heads], step,
              n_steps=args.tower_steps, lr=2e-3, random_state=args.random_state)  # fmt: skip


def packed(captions: list[list[list[int]]], prefix: int, device: str) -> dict[str, Tensor]:
    """Lay the captions of each image one after another behind its image prefix, blind to each other.

    Returns
    -------
    dict
        ``ids`` (b, T) caption ids, ``labels`` (b, T) the next id or -100, ``positions`` (b, P + T),
        ``mask`` (b, 1, P + T, P + T) bool: a caption sees the prefix and its own past.
    """
    total = max(sum(len(c) for c in group) for group in captions)
    b = len(captions)
    ids, labels = torch.zeros(b, total, dtype=torch.long), torch.full((b, total), -100)
    segment, positions = torch.full((b, prefix + total), -1), torch.zeros(b, prefix + total, dtype=torch.long)
    segment[:, :prefix] = 0
    positions[:, :prefix] = torch.arange(prefix)
    for i, group in enumerate(captions):
        at = 0
        for k, caption in enumerate(group):
            n = len(caption)
            ids[i, at : at + n] = torch.tensor(caption)
            labels[i, at : at + n - 1] = torch.tensor(caption[1:])
            segment[i, prefix + at : prefix + at + n] = k + 1
            positions[i, prefix + at : prefix + at + n] = prefix + torch.arange(n)
            at += n
    order = torch.arange(prefix + total)
    same = segment[:, :, None] == segment[:, None, :]
    mask = (same | (segment[:, None, :] == 0)) & (order[None, :, None] >= order[None, None, :])
    mask |= torch.eye(prefix + total, dtype=torch.bool)
    return {
        "ids": ids.to(device),
        "labels": labels.to(device),
        "positions": positions.to(device),
        "mask": mask[:, None].to(device),
    }


def look_ahead_targets(captions: list[list[list[int]]], content: Tensor, total: int) -> Tensor:
    """Uniform distribution over the content words still to come in this caption: (b, T, vocabulary)."""
    targets = torch.zeros(len(captions), total, len(content))
    for i, group in enumerate(captions):
        at = 0
        for caption in group:
            for k in range(len(caption) - 1):
                ahead = [t for t in set(caption[k + 1 :]) if content[t]]
                if ahead:
                    targets[i, at + k, ahead] = 1.0 / len(ahead)
            at += len(caption)
    return targets


def train_captions(model: Any, tokens: Any, images: np.ndarray, factors: list[grammar.Factors], out: Path,
                   args: argparse.Namespace) -> None:  # fmt: skip
    """Train the whole LLaVA on captions, with the look-ahead loss at the blocks ``LOOK_AHEAD_BLOCKS``."""
    language, head = model.model.language_model, model.lm_head
    content = torch.zeros(len(tokens), dtype=torch.bool)
    content[[tokens(" " + w, add_special_tokens=False).input_ids[0] for w in grammar.WORDS]] = True
    start = language.get_input_embeddings()

    def step(rng: np.random.Generator) -> tuple[Tensor, str]:
        rows = batches(len(images), 32, rng)
        texts = [[grammar.caption(factors[r], rng) for _ in range(CAPTIONS)] for r in rows]
        # the last image position predicts a caption's first word, so each caption repeats that position's role
        captions = [
            [[architecture.BOS, *tokens(t, add_special_tokens=False).input_ids, architecture.EOS] for t in group]
            for group in texts
        ]
        patches = torch.stack(
            list(model.get_image_features(pixel_values=augment(images[rows], rng, args.device)).pooler_output)
        )
        pack = packed(captions, patches.shape[1], args.device)
        embeds = torch.cat([patches, start(pack["ids"])], 1)
        bias = torch.zeros(pack["mask"].shape, device=args.device).masked_fill_(
            ~pack["mask"], torch.finfo(torch.float32).min
        )
        states = []
        hooks = [
            language.layers[b - 1].register_forward_hook(lambda _m, _i, o: states.append(o)) for b in LOOK_AHEAD_BLOCKS
        ]
        last = language(
            inputs_embeds=embeds, attention_mask=bias, position_ids=pack["positions"], use_cache=False
        ).last_hidden_state
        for hook in hooks:
            hook.remove()
        text = slice(patches.shape[1], None)
        nll = F.cross_entropy(head(last[:, text]).flatten(0, 1), pack["labels"].flatten(), ignore_index=-100)
        targets = look_ahead_targets(captions, content, pack["ids"].shape[1]).to(args.device)
        live = targets.sum(-1) > 0
        ahead = torch.stack(
            [F.cross_entropy(head(language.norm(s[:, text][live])), targets[live]) for s in states]
        ).mean()
        return nll + LOOK_AHEAD_WEIGHT * ahead, f"nll {nll.item():.3f} ahead {ahead.item():.3f}"

    run_stage("captions", out, [model], step, n_steps=args.caption_steps, lr=1.5e-3, random_state=args.random_state + 1)


# --- scorer ---------------------------------------------------------------------------------------------


def scorer_text(factors: grammar.Factors, rng: np.random.Generator) -> str:
    """Give a caption, or (two times in three) a shuffled list of one to five of its content words."""
    caption = grammar.caption(factors, rng)
    if rng.random() < 1 / 3:
        return caption
    words = [w for w in caption.split() if w in grammar.WORDS]
    rng.shuffle(words)
    return (", " if rng.random() < 0.7 else " ").join(words[: rng.integers(1, 6)])


def train_scorer(model: Any, tokens: Any, images: np.ndarray, factors: list[grammar.Factors], out: Path,
                 args: argparse.Namespace) -> None:  # fmt: skip
    """Train the CLIP contrastively; every picture of the batch that a text describes counts as its match."""
    heads = FactorHeads(architecture.WIDTH).to(args.device)

    def step(rng: np.random.Generator) -> tuple[Tensor, str]:
        rows = batches(len(images), 128, rng)
        scenes = [factors[r] for r in rows]
        texts = [scorer_text(s, rng) for s in scenes]
        stated = [{grammar.WORDS[w] for w in re.findall(r"[a-z]+", t) if w in grammar.WORDS} for t in texts]
        facts = [set(s.items()) for s in scenes]
        match = torch.tensor(
            [[said <= seen for seen in facts] for said in stated], dtype=torch.float32, device=args.device
        )
        batch = tokens(texts, padding=True, return_tensors="pt").to(args.device)
        pooled = model.vision_model(pixel_values=augment(images[rows], rng, args.device)).pooler_output
        pictures = F.normalize(model.visual_projection(pooled), dim=-1)
        words = F.normalize(model.get_text_features(**batch).pooler_output, dim=-1)
        logits = words @ pictures.T * model.logit_scale.exp().clamp(max=50)
        loss = (F.cross_entropy(logits, match / match.sum(1, keepdim=True))
                + F.cross_entropy(logits.T, match.T / match.T.sum(1, keepdim=True))) / 2  # fmt: skip
        extra, right = heads(pooled, factor_targets(scenes, args.device))
        return loss + 0.5 * extra, f"contrast {loss.item():.3f} {_accuracies(right)}"

    run_stage(
        "scorer", out, [model, heads], step, n_steps=args.scorer_steps, lr=1.5e-3, random_state=args.random_state + 2
    )


# --- command --------------------------------------------------------------------------------------------


def corpus(n: int, random_state: int) -> Iterator[str]:
    """Give captions for the tokenizer."""
    rng = np.random.default_rng([random_state, 11])
    for _ in range(n):
        yield grammar.caption(grammar.sample_factors(rng, heldout=False), rng)


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    p = argparse.ArgumentParser(
        prog="python -m nbtoolkit.toy.train", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("--out", type=Path, default=Path("runs/toy"), help="checkpoints, logs and finished models")
    p.add_argument("--only", choices=("captioner", "scorer"), help="train one model (the two are independent)")
    p.add_argument("--n-images", type=int, default=100_000)
    p.add_argument("--tower-steps", type=int, default=4500)
    p.add_argument("--caption-steps", type=int, default=2400)
    p.add_argument("--scorer-steps", type=int, default=3500)
    p.add_argument("--random-state", type=int, default=0)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return p


def main(argv: list[str] | None = None) -> None:
    """Train what is missing and write ``captioner/`` and ``scorer/`` as plain Hugging Face folders."""
    args = parser().parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", force=True,
                        handlers=[logging.StreamHandler(), logging.FileHandler(args.out / f"{args.only or 'train'}.log")])  # fmt: skip
    torch.set_num_threads(args.threads)
    images, factors = rendered(args.out, args.n_images, args.random_state)
    if args.only != "scorer":
        torch.manual_seed(args.random_state)
        tokens = architecture.tokenizer(corpus(20_000, args.random_state))
        model = architecture.captioner(len(tokens)).to(args.device)
        train_tower(model, images, factors, args.out, args)
        train_captions(model, tokens, images, factors, args.out, args)
        architecture.save(model, tokens, args.out / "captioner")
    if args.only != "captioner":
        torch.manual_seed(args.random_state + 1000)
        tokens = architecture.tokenizer(corpus(20_000, args.random_state + 1000), close=True)
        clip = architecture.scorer(len(tokens)).to(args.device)
        train_scorer(clip, tokens, images, factors, args.out, args)
        architecture.save(clip, tokens, args.out / "scorer")


if __name__ == "__main__":
    main()
