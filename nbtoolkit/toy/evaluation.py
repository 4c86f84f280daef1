"""What a captioner states about the embedded world: F1 of every factor, and precision of the subject.

``python -m nbtoolkit.toy.evaluation`` prints the tables of the model card.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import nbtoolkit as nbt

from .world.grammar import FACTORS, SUBJECTS, parse, stated

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

    A value that is stated and true is a true positive; stated and false, or true and not stated, an error. The value
    ``"none"`` is never stated.

    Parameters
    ----------
    captions
        One caption per scene.
    factors
        Factor to value, per scene.

    Returns
    -------
    dict
        Factor to F1, 0 to 1, no unit.

    Examples
    --------
    >>> scene = dict(subject="car", colour="red", action="parked", background="street", weather="none", prop="none", count="one")
    >>> factor_f1(["a red car parked on the street"], [scene])["micro"]
    1.0
    """
    hits, positives, truths = dict.fromkeys(FACTORS, 0), dict.fromkeys(FACTORS, 0), dict.fromkeys(FACTORS, 0)
    for text, scene in zip(captions, factors, strict=True):
        response, truth = parse(text), stated(scene)
        for f in FACTORS:
            positives[f] += f in response
            truths[f] += f in truth
            hits[f] += f in response and response[f] == truth.get(f)
    scores = {f: 2 * hits[f] / max(1, positives[f] + truths[f]) for f in FACTORS}
    total = sum(positives.values()) + sum(truths.values())
    return scores | {"micro": 2 * sum(hits.values()) / max(1, total)}


def subject_precision(captions: Sequence[str], factors: Sequence[Mapping[str, str]]) -> dict[str, float]:
    """Of the images whose caption names a subject, the share that contains it.

    Parameters
    ----------
    captions
        One caption per scene.
    factors
        Factor to value, per scene.

    Returns
    -------
    dict
        Subject to precision, 0 to 1, no unit; a subject that no caption names is absent.
    """
    names = [parse(c).get("subject") for c in captions]
    pairs = list(zip(names, factors, strict=True))
    return {
        s: sum(f["subject"] == s for name, f in pairs if name == s) / names.count(s) for s in SUBJECTS if s in names
    }


def main() -> None:
    """Print both tables for the test and held-out splits."""
    model = nbt.load_model("toy")
    for split in ("test", "heldout"):
        scenes = nbt.load_data("toy", split=split, n=2000)
        captions = caption_all(model, scenes)
        exact = sum(parse(c) == stated(f) for c, f in zip(captions, scenes["factors"], strict=True)) / len(captions)
        print(split, {k: round(v, 3) for k, v in factor_f1(captions, scenes["factors"]).items()}, f"exact {exact:.3f}")
        print(split, {k: round(v, 3) for k, v in subject_precision(captions, scenes["factors"]).items()})


if __name__ == "__main__":
    main()
