"""The command ``inspect``: instruments on one word of one response, as a folder of measurements and a page."""

from __future__ import annotations

import argparse
import re
import sys
import time
from pathlib import Path
from typing import Any

from ..data.images import read_image
from ..errors import DataError, NbtoolkitError
from ..files import exists
from ..live.instruments import instruments
from ..text.words import spellings
from ..toy.names import WORLDS
from .commands import quiet

N_SCENES = 1000  # all up to the number are rendered, in seconds
REFUSED = 3  # status where an instrument was refused, and the others were not


def inspect(args: argparse.Namespace) -> int:
    """``nbtoolkit inspect``: measure where a word of a response comes from.

    Parameters
    ----------
    args
        Parsed arguments.

    Returns
    -------
    int
        0, or 3 where an instrument was refused.
    """
    start = time.perf_counter()

    def progress(stage: str) -> None:
        print(f"{time.perf_counter() - start:6.0f} s  {stage}", flush=True)

    chosen = instruments(args.instruments)
    words = spellings(args.word, ())
    if args.occurrence < 0:
        raise NbtoolkitError(f"--occurrence is {args.occurrence}; expected 0 for the first, 1 for the second, ….")
    image = _image(args.image)
    quiet()
    from .. import load_model
    from ..live.inspection import check_folder, inspect_target
    from ..targets.foils import check_options
    from ..targets.making import target as make_target

    check_options(args.quantity, args.foil, words)
    check_folder(args.out)
    progress(f"model {args.model}")
    model = load_model(
        args.model, device=args.device, dtype=args.dtype, system=args.system, max_image_tokens=args.max_image_tokens
    )
    target = make_target(
        model,
        image,
        args.word,
        args.question,
        args.response,
        args.foil,
        occurrence=args.occurrence,
        quantity=args.quantity,
    )
    print(target, flush=True)
    inspection = inspect_target(target, chosen, progress)
    page = inspection.save(args.out, image=args.image if ":" in args.image else Path(args.image).name)
    for result in inspection.refused:
        print(f"nbtoolkit: {result.name} was not measured: {result.reason}", file=sys.stderr)
    print(
        f"page: {page} ({page.stat().st_size / 1e6:.1f} MB); {len(chosen)} instruments, {len(inspection.refused)} refused"
    )
    return REFUSED if inspection.refused else 0


def _image(name: str) -> Any:
    """The image of a file, or of a scene of an embedded world."""
    scene = re.fullmatch(f"({'|'.join(WORLDS)}):([0-9]{{1,9}})", name)
    if scene is None or exists(name):
        return read_image(name)
    from .. import load_data

    number = int(scene[2])
    if number >= N_SCENES:
        raise DataError(f"--image is {name!r}; expected a scene from 0 to {N_SCENES - 1}, or a file.")
    return load_data(scene[1], n=number + 1)[number]["image"]
