"""What ``nbtoolkit reproduce`` costs, stage by stage: ``python tests/benchmarks/reproduction.py [N_TRAIN]``. Wall and CPU seconds."""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import nbtoolkit as nbt
from nbtoolkit.reproduction import reproduce
from nbtoolkit.reproduction.report import write_report

TOKENS = ["dog", "cat", "bear", "baby", "bus", "train", "car", "cake"]
STAGES = {"reading": "extraction", "samples": "dictionaries, words, scores, tests, panels", "layers": "sweep over layers",
          "numbers": "sweep over numbers of concepts", "report": "report"}  # fmt: skip


def main(n: int | None) -> None:
    wall, cpu, last = Counter(), Counter(), ["models and data"]
    clock = [time.perf_counter(), time.process_time()]

    def stage(said: str) -> None:
        now = [time.perf_counter(), time.process_time()]
        wall[last[0]] += now[0] - clock[0]
        cpu[last[0]] += now[1] - clock[1]
        clock[:] = now
        last[0] = next((name for word, name in STAGES.items() if word in said), said)

    model, scorer = nbt.load_model("toy"), nbt.load_scorer("toy")
    data, test = nbt.load_data("toy", n=n), nbt.load_data("toy", split="test")
    found = reproduce(model, data, test, TOKENS, scorer, progress=stage)
    stage("report")
    with tempfile.TemporaryDirectory() as folder:
        write_report(found, Path(folder), title="benchmark")
    stage("end")
    for name in wall:
        print(f"{name:45s} {wall[name]:6.1f} s wall {cpu[name]:6.1f} s CPU")
    print(f"{'together':45s} {sum(wall.values()):6.1f} s wall {sum(cpu.values()):6.1f} s CPU")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else None)
