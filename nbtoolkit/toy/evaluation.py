"""How well a captioner knows the embedded world: F1 of every factor that its captions state.

``python -m nbtoolkit.toy.evaluation`` prints the table of the model card.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .grammar import FACTORS, SUBJECTS, parse, stated

if TYPE_CHECKING:
    from ..models import Model


def caption_all(model: Model, scenes: Any, batch_size: int = 64) -> list[str]:
    """Caption images greedily.

    Parameters
    ----------
    model
        The adapter of a captioner.
    scenes
        Rows of a data set with an ``image`` column.
    batch_size
        Images per batch.

    Returns
    -------
    list of str
        One caption per image.
    """
    texts = []
    for start in range(0, len(scenes), batch_size):
        inputs = model.inputs(scenes[start : start + batch_size]["image"])
        ids = model.generate(inputs, max_new_tokens=40)
        texts += [model.decode(row).strip() for row in ids[:, inputs["input_ids"].shape[1] :]]
    return texts


def factor_f1(captions: Sequence[str], factors: Sequence[Mapping[str, str]]) -> dict[str, float]:
    """F1 of the stated values, factor by factor, and over all of them (``micro``).

    A value that is stated and true counts as right; stated and false, or true and not stated, as wrong. "none" is
    never stated.

    Examples
    --------
    >>> scene = dict(subject="car", colour="red", action="parked", background="street", weather="none", prop="none", count="one")
    >>> factor_f1(["a red car parked on the street"], [scene])["micro"]
    1.0
    """
    right, said, true = dict.fromkeys(FACTORS, 0), dict.fromkeys(FACTORS, 0), dict.fromkeys(FACTORS, 0)
    for text, scene in zip(captions, factors, strict=True):
        answer, truth = parse(text), stated(scene)
        for f in FACTORS:
            said[f] += f in answer
            true[f] += f in truth
            right[f] += f in answer and answer[f] == truth.get(f)
    scores = {f: 2 * right[f] / max(1, said[f] + true[f]) for f in FACTORS}
    return scores | {"micro": 2 * sum(right.values()) / max(1, sum(said.values()) + sum(true.values()))}


def subject_precision(captions: Sequence[str], factors: Sequence[Mapping[str, str]]) -> dict[str, float]:
    """Of the pictures whose caption names a subject, the share that shows it; subjects that no caption names are absent."""
    named = [parse(c).get("subject") for c in captions]
    shown = {
        s: sum(f["subject"] == s for n, f in zip(named, factors, strict=True) if n == s) for s in SUBJECTS if s in named
    }
    return {s: n / named.count(s) for s, n in shown.items()}


def main() -> None:
    """Print both tables for the test and held-out splits."""
    from .. import load_data, load_model

    model = load_model("toy")
    for split in ("test", "heldout"):
        scenes = load_data("toy", split=split, n=2000)
        captions = caption_all(model, scenes)
        exact = sum(parse(c) == stated(f) for c, f in zip(captions, scenes["factors"], strict=True)) / len(captions)
        print(split, {k: round(v, 3) for k, v in factor_f1(captions, scenes["factors"]).items()}, f"exact {exact:.3f}")
        print(split, {k: round(v, 3) for k, v in subject_precision(captions, scenes["factors"]).items()})


if __name__ == "__main__":
    main()
