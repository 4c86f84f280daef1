"""What ``nbtoolkit reproduce`` costs, stage by stage: ``python tests/benchmarks/reproduction.py [MODEL] [N_TRAIN] [TOKENS]``.

MODEL is ``toy`` (the default), ``toy-plain`` or ``toy-smollm2``, on its own scenes. Wall and CPU seconds, and the claims.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import nbtoolkit as nbt
from nbtoolkit.cli.commands import TOKENS
from nbtoolkit.reproduction import reproduce
from nbtoolkit.reproduction.report import write_report
from nbtoolkit.toy.names import SCENES

STAGES = {"reading": "extraction", "samples": "dictionaries, scores, replicates, held-out rows, ablations",
          "layers": "sweep over layers", "numbers": "sweep over numbers of concepts", "report": "report"}  # fmt: skip


def main(source: str, n: int | None, tokens: str) -> None:
    wall, cpu, last = Counter(), Counter(), ["models and data"]
    clock = [time.perf_counter(), time.process_time()]

    def stage(name: str) -> None:
        now = [time.perf_counter(), time.process_time()]
        wall[last[0]] += now[0] - clock[0]
        cpu[last[0]] += now[1] - clock[1]
        clock[:] = now
        last[0] = next((label for word, label in STAGES.items() if word in name), name)

    model, scorer = nbt.load_model(source), nbt.load_scorer("toy")
    data, test = (nbt.load_data(SCENES[source], split=split, n=n) for split in ("train", "test"))
    result = reproduce(model, data, test, tokens.split(","), scorer, progress=stage)
    stage("report")
    with tempfile.TemporaryDirectory() as folder:
        write_report(result, Path(folder), title="benchmark")
    stage("end")
    for name in wall:
        print(f"{name:60s} {wall[name]:6.1f} s wall {cpu[name]:6.1f} s CPU")
    print(f"{'together':60s} {sum(wall.values()):6.1f} s wall {sum(cpu.values()):6.1f} s CPU")
    for claim in result.verdicts():
        print(claim)


if __name__ == "__main__":
    main(
        sys.argv[1] if len(sys.argv) > 1 else "toy",
        int(sys.argv[2]) if len(sys.argv) > 2 else None,
        sys.argv[3] if len(sys.argv) > 3 else TOKENS,
    )
