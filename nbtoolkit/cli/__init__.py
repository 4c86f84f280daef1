"""The command line: ``nbtoolkit demo | study | inspect | reproduce | benchmark | export | doctor``; errors take one line, status 2."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from ..errors import NbtoolkitError
from .parser import make_parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 on success, 2 on an error, which is printed on one line, 3 where an instrument was refused.

    Parameters
    ----------
    argv
        Arguments; those of the process where None.
    """
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    args = make_parser().parse_args(argv)
    try:
        return int(args.run(args) or 0)
    except (NbtoolkitError, OSError) as error:
        print("nbtoolkit:", " ".join(str(error).split()), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("nbtoolkit: stopped; completed shards remain", file=sys.stderr)
        return 130
