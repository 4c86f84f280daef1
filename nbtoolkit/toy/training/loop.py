"""A training stage that resumes after an interruption: checkpoints of weights and optimisers, written atomically."""

from __future__ import annotations

import json
import logging
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

log = logging.getLogger("nbtoolkit.toy.training")


def _optimizers(modules: list[nn.Module], lr: float) -> list[torch.optim.Optimizer]:
    """Muon for hidden matrices, AdamW for everything else (embeddings, heads, norms, convolutions)."""
    named = {id(p): (n, p) for m in modules for n, p in m.named_parameters() if p.requires_grad}
    plain = re.compile(r"embed|lm_head|heads\.|projection|logit_scale")
    hidden = [p for n, p in named.values() if p.ndim == 2 and not plain.search(n)]
    rest = [p for n, p in named.values() if p.ndim != 2 or plain.search(n)]
    adamw = torch.optim.AdamW(rest, lr=lr, weight_decay=0.01, betas=(0.9, 0.98))
    if not hidden:
        return [adamw]
    return [torch.optim.Muon(hidden, lr=lr, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"), adamw]


def _state(modules: list[nn.Module], optims: list[torch.optim.Optimizer]) -> dict[str, Tensor]:
    flat = {f"model.{i}.{n}": t.contiguous().clone() for i, m in enumerate(modules) for n, t in m.state_dict().items()}
    for i, optim in enumerate(optims):
        for j, slots in optim.state_dict()["state"].items():
            flat |= {f"optim.{i}.{j}.{n}": torch.as_tensor(t).contiguous().clone() for n, t in slots.items()}
    return flat


def _restore(flat: dict[str, Tensor], modules: list[nn.Module], optims: list[torch.optim.Optimizer]) -> None:
    for i, module in enumerate(modules):
        prefix = f"model.{i}."
        module.load_state_dict({k.removeprefix(prefix): v for k, v in flat.items() if k.startswith(prefix)})
    for i, optim in enumerate(optims):
        slots: dict[int, dict[str, Tensor]] = {}
        for key, value in flat.items():
            kind, *where = key.split(".")
            if kind == "optim" and int(where[0]) == i:
                slots.setdefault(int(where[1]), {})[where[2]] = value
        optim.load_state_dict({"state": slots, "param_groups": optim.state_dict()["param_groups"]})


def run_stage(
    name: str,
    out: Path,
    modules: list[nn.Module],
    step: Callable[[np.random.Generator], tuple[Tensor, str]],
    *,
    n_steps: int,
    lr: float,
    random_state: int,
    save_every: int = 500,
    warm_up: int = 200,
    log_every: int = 100,
) -> None:
    """Train modules for one stage, or for the rest of it; warm-up, constant rate, linear decay over the last 40 %.

    Parameters
    ----------
    name
        Name of the stage and of its checkpoint.
    out
        Folder of the run.
    modules
        The modules that are trained.
    step
        Loss of one batch and a note for the log, from a random state that depends on the step only.
    n_steps
        Number of steps of the whole stage.
    lr
        Learning rate at its plateau.
    random_state
        Seed.
    save_every
        Steps between checkpoints.
    warm_up
        Steps of the warm-up.
    log_every
        Steps between lines of the log.
    """
    optims = _optimizers(modules, lr)
    checkpoint, progress = out / f"{name}.safetensors", out / f"{name}.json"
    start = 0
    if progress.exists():
        start = json.loads(progress.read_text())["step"]
        _restore(load_file(checkpoint), modules, optims)
    began, cpu = time.perf_counter(), time.process_time()
    for i in range(start, n_steps):
        rate = lr * min(1.0, (i + 1) / warm_up, (n_steps - i) / (0.4 * n_steps))
        for optim in optims:
            for group in optim.param_groups:
                group["lr"] = rate
        loss, note = step(np.random.default_rng([random_state, i]))
        for optim in optims:
            optim.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_([p for m in modules for p in m.parameters()], 1.0)
        for optim in optims:
            optim.step()
        if i % log_every == log_every - 1 or i == n_steps - 1:
            log.info("%s %d/%d loss %.3f %s %.0f s wall %.0f s cpu", name, i + 1, n_steps, loss.item(), note,
                     time.perf_counter() - began, time.process_time() - cpu)  # fmt: skip
        if i % save_every == save_every - 1 or i == n_steps - 1:
            temporary = checkpoint.with_suffix(".tmp")
            save_file(_state(modules, optims), temporary)
            os.replace(temporary, checkpoint)
            progress.write_text(json.dumps({"step": i + 1, "loss": loss.item()}))
