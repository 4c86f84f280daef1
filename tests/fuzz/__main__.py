"""``python -m tests.fuzz``: run the attacks, and print the table; it ends with 1 if anything failed."""

import argparse
import logging
import os
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_NUM_THREADS", "1")


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Attack what nbtoolkit reads, and count.")
    parser.add_argument(
        "--cases", type=int, help="cases per attack (default: as many as the table of faults has, or more)"
    )
    parser.add_argument("--sample", action="store_true", help="as many as the tests run")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="attacks whose name has this text")
    args = parser.parse_args()
    import datasets

    from . import attacks
    from .run import run, table

    attacks.prepare()
    datasets.disable_progress_bars()
    logging.getLogger("nbtoolkit").setLevel(logging.CRITICAL + 1)
    warnings.simplefilter("ignore")
    results = {1: [], 2: [], 3: []}
    for one in attacks.ATTACKS.values():
        if args.only not in one.name:
            continue
        place = Path(tempfile.mkdtemp(prefix="fuzz-"))
        place.chmod(0o755)
        n = args.cases or (one.sample if args.sample else one.full)
        result = run(one, n, args.seed, place)
        shutil.rmtree(place, ignore_errors=True)
        if one.name in attacks.bombs.MEASURED:  # of its own process
            result.mb, result.cpu = attacks.bombs.MEASURED[one.name]
        results[one.table].append(result)
        print(f"{one.name}: {result.tried} tried, {len(result.failures)} failed, {result.cpu:.1f} s", file=sys.stderr)
        for text in result.failures[:12]:
            print(f"  {text}", file=sys.stderr)
    for rows in results.values():
        if rows:
            print(table(rows), end="\n\n")
    sys.exit(any(r.failures for rows in results.values() for r in rows))


if __name__ == "__main__":
    main()
