"""What must hold before a model's states mean anything; checked when it is loaded, and more of it on request."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ModelError, first_line
from .adapter import Model
from .hooks import LastPosition, watching
from .passes import forced, greedy
from .threads import fitting_threads


@dataclass(frozen=True)
class Check:
    """One check: what should hold, whether it does, by what figure, and why a model is refused where it does not."""

    what: str
    ok: bool
    detail: str
    refusal: str = ""


@dataclass(frozen=True)
class Report:
    """Checks of a model; prints as a table."""

    model: str
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether every check holds."""
        return all(c.ok for c in self.checks)

    def __repr__(self) -> str:
        width = max(len(c.what) for c in self.checks)
        return "\n".join(
            [self.model, *(f"  {'ok ' if c.ok else 'NO '}  {c.what:{width}s}  {c.detail}" for c in self.checks)]
        )


def calibrate(model: Model, states: Any, logits: Any) -> float:
    """Find how the model turns its head's output into logits, and return the relative difference that remains.

    Parameters
    ----------
    model
        Its ``scale`` and ``softcap`` are set to what fits best.
    states, logits : (n, d_model), (n, n_vocabulary)
        The last layer's states at some positions, and the model's own logits there.
    """
    text = model.hf.config.get_text_config(decoder=True)
    asked = {name: getattr(text, name, None) for name in ("logit_scale", "logits_scaling", "final_logit_softcapping")}
    scales = [1.0, asked["logit_scale"] or 1.0, 1 / (asked["logits_scaling"] or 1.0), model.d_model**-0.5]
    best = (np.inf, 1.0, 0.0)
    for scale in dict.fromkeys(scales):
        for softcap in dict.fromkeys((0.0, float(asked["final_logit_softcapping"] or 0.0))):
            model.scale, model.softcap = scale, softcap
            best = min(best, (relative_gap(model.unembed(states), logits.float()), scale, softcap))
    remains, model.scale, model.softcap = best
    return remains


def check_adapter(model: Model) -> Report:
    """Run the load-time checks on two noise pictures: two forward passes.

    Raises
    ------
    ModelError
        A check fails; the message says which, and by how much.
    """
    report = Report(model.name, tuple(_cheap(model, noise(2), None)))
    for check in report.checks:
        if not check.ok:
            raise ModelError(f"{model.name} was refused: {check.refusal}.")
    return report


def check_model(
    model: Model, images: Sequence[Any] | None = None, prompt: str | None = None, max_new_tokens: int = 8
) -> Report:
    """Check everything that extraction relies on, and say by what figure each point holds.

    Parameters
    ----------
    model
        A model of :func:`nbtoolkit.load_model` (load it with ``check=False`` to see why it is refused).
    images
        At least two pictures of different sizes; noise where not given.
    prompt, max_new_tokens
        As for :func:`nbtoolkit.extract`.

    Returns
    -------
    Report
        Prints as a table; ``report.ok``, ``report.checks``.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> nbt.check_model(nbt.load_model("toy")).ok
    True
    """
    pictures = list(noise(3) if images is None else images)
    checks = _cheap(model, pictures[:1] * 2 if len(pictures) < 2 else pictures[:2], prompt)
    return Report(repr(model), (*checks, *_costly(model, pictures, prompt, max_new_tokens)))


def noise(n: int) -> list[Any]:
    """Draw pictures of random blocks of colour; only the third has another size, so that two of them make an unpadded batch."""
    from PIL import Image

    rng = np.random.default_rng(0)
    blocks = [Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)) for _ in range(n)]
    return [block.resize((96, 64) if i == 2 else (96, 96)) for i, block in enumerate(blocks)]


def _tolerance(model: Model) -> float:
    import torch

    return 1e-4 if model.hf.dtype == torch.float32 else 3e-2


def _cheap(model: Model, pictures: Sequence[Any], prompt: str | None) -> list[Check]:
    import torch

    fired: dict[int, int] = {}
    last: list[Any] = []

    def look(layer: int, states: Any) -> None:
        fired[layer] = fired.get(layer, 0) + 1
        if layer == model.n_layers:
            last.append(states[:, -1])

    with torch.no_grad(), fitting_threads(model.hf):
        try:
            inputs = model.extend(model.encode(pictures, prompt), [[] for _ in pictures])
            plain = model.hf(**inputs, **model.sparing).logits
            with watching(model.blocks, look):
                watched = model.hf(**inputs, **model.sparing).logits
        except (ValueError, TypeError, RuntimeError, KeyError, IndexError, AttributeError) as error:
            raise ModelError(f"{model.name} was refused: it cannot read two pictures with the prompt {model.text(prompt)!r} "
                             f"({type(error).__name__}: {first_line(error)}). Give the processor that belongs to it.") from error  # fmt: skip
    wrong = sorted(layer for layer in range(model.n_layers + 1) if fired.get(layer) != 1)
    moved = (plain - watched).abs().max().item()
    checks = [
        Check("hooks fire once a forward pass", not wrong, f"at {model.n_layers + 1 - len(wrong)} of {model.n_layers + 1} points",
              f"hooks at layers {wrong} fired {[fired.get(i, 0) for i in wrong]} times a forward pass; expected once"),
        Check("a hook that only looks changes no logit", moved == 0, f"largest change {moved:.2g}",
              f"hooks that only look change its logits by up to {moved:.2g}; expected 0"),
    ]  # fmt: skip
    if last:
        gap = calibrate(model, last[0], watched[:, -1])
        note = (f", scale {model.scale:.3g}" if model.scale != 1 else "") + (
            f", softcap {model.softcap:g}" if model.softcap else ""
        )
        checks.append(Check("the last layer unembeds to the model's own logits", gap < _tolerance(model), f"relative difference {gap:.2g}{note}",
                            f"its last layer unembeds to other logits than its own (relative difference {gap:.2g})"))  # fmt: skip
    seen = (plain[0, -1] - plain[1, -1]).abs().max().item()
    checks.append(Check("two different pictures give different logits", seen > 0, f"largest difference {seen:.2g}",
                        "two different pictures give the same logits, so it does not look at them. Check its processor and prompt"))  # fmt: skip
    return checks


def _costly(model: Model, pictures: Sequence[Any], prompt: str | None, max_new_tokens: int) -> list[Check]:
    import torch

    layers = range(model.n_layers + 1)

    def caption(part: Sequence[Any]) -> tuple[Any, list[list[int]], Any]:
        inputs, keep = model.encode(part, prompt), LastPosition(layers, max_new_tokens)
        ids = greedy(model, inputs, keep)
        return inputs, ids, keep.buffer[:, : keep.steps]

    with torch.inference_mode(), fitting_threads(model.hf):
        alone = [caption([p]) for p in pictures]
        ends = [until_end(model, ids[0]) for _, ids, _ in alone]
        _, ids, states = caption(pictures[:2] if model.equal_lengths else pictures)
        together = [(row, states[:, :, j]) for j, row in enumerate(ids)]
        same = [until_end(model, row) == ends[k] for k, (row, _) in enumerate(together)]
        apart = [
            relative_gap(states[:, : len(ends[k])], alone[k][2][:, : len(ends[k]), 0])
            for k, (_, states) in enumerate(together)
            if same[k] and ends[k]
        ]
        read = []
        for inputs, ids, states in alone:
            answer = _before_placeholder(model, ids[0])
            read.append(
                relative_gap(forced(model, inputs, [answer], layers)[:, : len(answer), 0], states[:, : len(answer), 0])
            )
    limit = 10 * _tolerance(model)
    size = len(together)
    return [
        Check("a batch captions as one by one", all(same), f"{sum(same)} of {size} captions equal"),
        Check(
            "a batch gives the states of one by one",
            max(apart, default=0.0) < limit,
            f"relative difference {max(apart, default=0.0):.2g}",
        ),
        Check(
            "generating gives the states of one teacher-forced pass",
            max(read) < limit,
            f"relative difference {max(read):.2g}",
        ),
    ]


def _before_placeholder(model: Model, ids: Sequence[int]) -> list[int]:
    """Cut an answer where the model wrote a picture's placeholder: no family reads that back."""
    keys = ("image_token_id", "image_token_index", "image_patch_id", "video_token_id", "video_token_index")
    never = {getattr(model.hf.config, key, None) for key in keys}
    return list(itertools.takewhile(lambda i: i not in never, ids))


def relative_gap(a: Any, b: Any) -> float:
    """Largest difference, relative to the largest entry of ``b``; 0 where there is nothing to compare."""
    return float((a - b).abs().max() / b.abs().max().clamp_min(1e-6)) if b.numel() else 0.0


def until_end(model: Model, ids: Sequence[int]) -> list[int]:
    """Cut generated ids at the first end or padding id."""
    ends = model.hf.generation_config.eos_token_id
    stop = {*(ends if isinstance(ends, list) else [ends]), model.tokenizer.eos_token_id, model.tokenizer.pad_token_id}
    return list(ids[: next((k for k, i in enumerate(ids) if i in stop), len(ids))])


def answer(model: Model, inputs: dict[str, Any], max_new_tokens: int) -> list[list[int]]:
    """Let the model answer greedily: the ids of each answer, up to its end."""
    with fitting_threads(model.hf):
        return [until_end(model, row) for row in greedy(model, inputs, LastPosition([0], max_new_tokens))]
