"""What a captioner states about its embedded world: F1 of every factor, and precision of the subject.

``python -m nbtoolkit.toy.evaluation`` prints the tables of the model card; ``--model toy-plain`` those of another model, and
``--model scorer`` those of the scorer.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import nbtoolkit as nbt

from .names import SCENES, WORLDS
from .scorer_evaluation import print_table
from .world import grammar
from .world import scenes as worlds
from .world.facts import parse
from .world.second import grammar as second
from .world.second import vocabulary

if TYPE_CHECKING:
    from ..models import Model

_FACTORS = {"first": grammar.FACTORS, "second": tuple(f for f in vocabulary.FACTORS if f != "sense")}
_STATED = {"first": grammar.stated, "second": second.stated}
_SUBJECTS = {"first": grammar.SUBJECTS, "second": vocabulary.SUBJECTS}


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


def factor_f1(captions: Sequence[str], factors: Sequence[Mapping[str, str]], world: str = "first") -> dict[str, float]:
    """F1 of the stated values, factor by factor, and over all of them (``micro``).

    A value that is stated and true is a true positive; stated and false, or true and not stated, an error. The value
    ``"none"`` is never stated. In the second world a caption that names the upper level alone ("outdoors") misses the
    lower one ("snow").

    Parameters
    ----------
    captions
        One caption per scene.
    factors
        Factor to value, per scene.
    world
        ``"first"`` or ``"second"``.

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
    names = _FACTORS[world]
    hits, positives, truths = (dict.fromkeys(names, 0) for _ in range(3))
    for text, scene in zip(captions, factors, strict=True):
        response, truth = parse(text, world), _STATED[world](scene)
        for f in names:
            positives[f] += f in response
            truths[f] += f in truth
            hits[f] += f in response and response[f] == truth.get(f)
    scores = {f: 2 * hits[f] / max(1, positives[f] + truths[f]) for f in names}
    total = sum(positives.values()) + sum(truths.values())
    return scores | {"micro": 2 * sum(hits.values()) / max(1, total)}


def subject_precision(
    captions: Sequence[str], factors: Sequence[Mapping[str, str]], world: str = "first"
) -> dict[str, float]:
    """Of the images whose caption names a subject, the share that contains it.

    Parameters
    ----------
    captions
        One caption per scene.
    factors
        Factor to value, per scene.
    world
        ``"first"`` or ``"second"``.

    Returns
    -------
    dict
        Subject to precision, 0 to 1, no unit; a subject that no caption names is absent.
    """
    names = [parse(c, world).get("subject") for c in captions]
    pairs = list(zip(names, factors, strict=True))
    return {
        s: sum(f["subject"] == s for name, f in pairs if name == s) / names.count(s)
        for s in _SUBJECTS[world]
        if s in names
    }


def main(argv: list[str] | None = None) -> None:
    """Print the tables of one model for the splits of its world.

    Parameters
    ----------
    argv
        Arguments of the command; those of the process if None.
    """
    parser = argparse.ArgumentParser(prog="python -m nbtoolkit.toy.evaluation", description=main.__doc__)
    parser.add_argument("--model", choices=(*SCENES, "scorer"), default="toy")
    parser.add_argument("--n", type=int, default=2000, help="scenes per split")
    parser.add_argument("--examples", type=int, default=0, help="captions to print per split")
    parser.add_argument("--batch-size", type=int, default=64)
    args = parser.parse_args(argv)
    if args.model == "scorer":
        print_table(args.n)
        return
    model, data = nbt.load_model(args.model), SCENES[args.model]
    world = WORLDS[data]
    splits, _ = worlds.WORLDS[world]
    for split in (s for s in splits if s != "train"):
        scenes = nbt.load_data(data, split=split, n=args.n)
        captions, truths = caption_all(model, scenes, args.batch_size), scenes["factors"][:]
        pairs = zip(captions, truths, strict=True)
        exact = sum(parse(c, world) == _STATED[world](f) for c, f in pairs) / len(captions)
        f1 = factor_f1(captions, truths, world)
        print(split, {k: round(v, 3) for k, v in f1.items()}, f"exact {exact:.3f}", flush=True)
        print(split, {k: round(v, 3) for k, v in subject_precision(captions, truths, world).items()}, flush=True)
        for i in range(args.examples):
            print(f"  {captions[i]!r} for {scenes[i]['captions'][0]!r}")


if __name__ == "__main__":
    main()
