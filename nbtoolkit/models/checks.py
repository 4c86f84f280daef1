"""Checks that a model's states mean what they should: the cheap ones when it is loaded, all of them on request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image

from ..errors import ModelError, first_line
from ..types.arguments import checked
from ..types.rules import Count
from .adapter import Model
from .decoding import generation_overrides
from .devices import offload_advice
from .generation import greedy, teacher_forced
from .hooks import LastPosition, watching
from .prompts import begin_check, prompt_checks, rendered
from .reports import Check, Report
from .responses import until_end, until_placeholder
from .sums import PartSums

UNREADABLE = (
    ValueError,
    TypeError,
    RuntimeError,
    KeyError,
    IndexError,
    AttributeError,
)  # what a pass on the wrong inputs raises
READABLE = "hooks fire once per forward pass"  # the first check of a model that can read the prompt


def calibrate(model: Model, states: Any, logits: Any) -> float:
    """Set the model's ``scale`` and ``softcap`` to those that map its head's output to its own logits best.

    Parameters
    ----------
    model
        The adapter, which is changed.
    states : (n, d_model)
        The last layer's states at some positions.
    logits : (n, n_vocabulary)
        The model's own logits there.

    Returns
    -------
    float
        The largest difference that remains, relative to the largest logit; no unit.
    """
    text = model.hf.config.get_text_config(decoder=True)
    config = {name: getattr(text, name, None) for name in ("logit_scale", "logits_scaling", "final_logit_softcapping")}
    scales = [1.0, config["logit_scale"] or 1.0, 1 / (config["logits_scaling"] or 1.0), model.d_model**-0.5]
    best = (np.inf, 1.0, 0.0)
    for scale in dict.fromkeys(scales):
        for softcap in dict.fromkeys((0.0, float(config["final_logit_softcapping"] or 0.0))):
            model.scale, model.softcap = scale, softcap
            best = min(best, (relative_gap(model.unembed(states), logits.float()), scale, softcap))
    gap, model.scale, model.softcap = best
    return gap


def check_adapter(model: Model) -> Report:
    """Run the load-time checks on two noise images: two forward passes.

    Parameters
    ----------
    model
        The adapter; its ``scale`` and ``softcap`` are set.

    Raises
    ------
    ModelError
        A check fails; the message says which, and by how much.
    """
    report = Report(model.name, tuple(_load_checks(model, noise_images(2), None)))
    for check in report.checks:
        if not (check.ok or check.note):
            raise ModelError(f"{model.name} was refused: {check.refusal}.")
    return report


@checked
def check_model(
    model: Model, images: Sequence[Any] | None = None, prompt: str | None = None, max_new_tokens: Count = 8
) -> Report:
    """Check everything that extraction relies on, with the figure behind each check.

    Parameters
    ----------
    model
        A model of :func:`nbtoolkit.load_model` (load it with ``check=False`` to see why it is refused).
    images
        At least two PIL images of different sizes; noise images if None.
    prompt
        The prompt; the model's default if None.
    max_new_tokens
        Length limit of a response, in tokens.

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
    samples = list(noise_images(3) if images is None else images)
    checks = _load_checks(model, samples[:1] * 2 if len(samples) < 2 else samples[:2], prompt)
    if any(check.what == READABLE for check in checks):
        checks += _batch_checks(model, samples, prompt, max_new_tokens)
    return Report(repr(model), tuple(checks), rendered(model, prompt))


def relative_gap(a: Any, b: Any) -> float:
    """Largest difference between two tensors, relative to the largest entry of the second; 0 for empty ones.

    Parameters
    ----------
    a, b
        Tensors of one shape.
    """
    return float((a - b).abs().max() / b.abs().max().clamp_min(1e-6)) if b.numel() else 0.0


def noise_images(n: int, *, uneven: bool = True) -> list[Any]:
    """Images of random blocks of colour; only the third has another size, so that two of them make an unpadded batch.

    Parameters
    ----------
    n
        Number of images.
    uneven
        Whether the third has another size.
    """
    rng = np.random.default_rng(0)
    blocks = [Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)) for _ in range(n)]
    return [block.resize((96, 64) if uneven and i == 2 else (96, 96)) for i, block in enumerate(blocks)]


def _tolerance(model: Model) -> float:
    return 1e-4 if model.hf.dtype == torch.float32 else 3e-2


def _load_checks(model: Model, images: Sequence[Any], prompt: str | None) -> list[Check]:
    counts: dict[int, int] = {}
    last: list[Any] = []

    def count(layer: int, states: Any) -> None:
        counts[layer] = counts.get(layer, 0) + 1
        if layer == model.n_layers:
            last.append(states[:, -1])

    checks = prompt_checks(model, prompt)
    if not all(check.ok for check in checks):
        return checks  # nothing that is read with it means what it should
    try:
        encoded = model.inputs(images, prompt)
        inputs = model.extend(encoded, [[] for _ in images])
        plain = model.forward(inputs).logits
        parts = PartSums(model.blocks)
        with watching(model.blocks, count), parts.reading():
            hooked = model.forward(inputs).logits
    except UNREADABLE as error:
        raise ModelError(
            f"{model.name} was refused: it cannot read two images with the prompt {model.text(prompt)!r} "
            f"({type(error).__name__}: {first_line(error)}). {offload_advice(model.hf) or 'Give the processor that belongs to it'}."
        ) from error
    n_points = model.n_layers + 1
    wrong = [layer for layer in range(n_points) if counts.get(layer) != 1]
    change = (plain - hooked).abs().max().item()
    checks += [
        begin_check(model, encoded, prompt),
        Check(
            READABLE,
            not wrong,
            f"at {n_points - len(wrong)} of {n_points} points",
            f"hooks at layers {wrong} fired {[counts.get(i, 0) for i in wrong]} times per forward pass; expected once",
        ),
        Check(
            "a hook that only reads changes no logit",
            change == 0,
            f"largest change {change:.2g}",
            f"hooks that only read change its logits by up to {change:.2g}; expected 0",
        ),
    ]
    if last:
        checks.append(_unembedding_check(model, calibrate(model, last[0], hooked[:, -1])))
    difference = (plain[0, -1] - plain[1, -1]).abs().max().item()
    checks.append(
        Check(
            "two different images give different logits",
            difference > 0,
            f"largest difference {difference:.2g}",
            "two different images give the same logits, so the image does not reach them. Check its processor and prompt",
        )
    )
    model.parts_sum = parts.check().ok
    return [*checks, parts.check()]


def _unembedding_check(model: Model, gap: float) -> Check:
    scale = f", scale {model.scale:.3g}" if model.scale != 1 else ""
    softcap = f", softcap {model.softcap:g}" if model.softcap else ""
    return Check(
        "the last layer unembeds to the model's own logits",
        gap < _tolerance(model),
        f"relative difference {gap:.2g}{scale}{softcap}",
        f"its last layer unembeds to other logits than its own (relative difference {gap:.2g})",
    )


def _argmax_check(model: Model, image: Any, prompt: str | None, max_new_tokens: int) -> Check:
    """How far the logits of generated tokens are below the best ones, and what greedy decoding overrides."""
    steps: list[Any] = []  # the head's own output: scale and soft cap keep its order
    handle = model.head.register_forward_hook(lambda _module, _args, out: steps.append(out[0, -1].float()))
    try:
        ids = greedy(model, model.inputs([image], prompt), LastPosition([0], max_new_tokens))[0]
    finally:
        handle.remove()
    gaps = [relative_gap(step[i], step.max()) for step, i in zip(steps, ids, strict=False)]
    overrides = ", ".join(generation_overrides(model.hf)) or "nothing"
    return Check(
        "every generated token is the argmax of the logits",
        len(steps) == len(ids) and max(gaps, default=0.0) < _tolerance(model),
        f"relative difference {max(gaps, default=0.0):.2g} at {len(ids)} tokens; overridden settings: {overrides}",
    )


def _batch_checks(model: Model, images: Sequence[Any], prompt: str | None, max_new_tokens: int) -> list[Check]:
    layers = range(model.n_layers + 1)

    def caption(batch: Sequence[Any]) -> tuple[Any, list[list[int]], Any]:
        inputs, keep = model.inputs(batch, prompt), LastPosition(layers, max_new_tokens)
        ids = greedy(model, inputs, keep)
        return inputs, ids, keep.buffer[:, : keep.steps]

    single = [caption([image]) for image in images]
    responses = [until_end(model, ids[0]) for _, ids, _ in single]
    _, rows, states = caption(images[:2] if model.equal_lengths else images)
    equal = [until_end(model, row) == responses[k] for k, row in enumerate(rows)]
    batch_gaps = [
        relative_gap(states[:, : len(responses[k]), k], single[k][2][:, : len(responses[k]), 0])
        for k in range(len(rows))
        if equal[k] and responses[k]
    ]
    forced_gaps = []
    for inputs, ids, generated in single:
        response = until_placeholder(model, ids[0])
        forced = teacher_forced(model, inputs, [response], layers)
        forced_gaps.append(relative_gap(forced[:, : len(response), 0], generated[:, : len(response), 0]))
    limit = 10 * _tolerance(model)
    return [
        _argmax_check(model, images[0], prompt, max_new_tokens),
        Check("batched and single captions are equal", all(equal), f"{sum(equal)} of {len(rows)} captions equal"),
        Check(
            "batched and single states are equal",
            max(batch_gaps, default=0.0) < limit,
            f"relative difference {max(batch_gaps, default=0.0):.2g}",
        ),
        Check(
            "generated and teacher-forced states are equal",
            max(forced_gaps) < limit,
            f"relative difference {max(forced_gaps):.2g}",
        ),
    ]
