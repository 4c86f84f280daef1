"""The benchmark for a GPU runs on a CPU, too, at tiny sizes; without a GPU it says so."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from .benchmarks import gpu, instruments


def test_every_part_for_a_gpu_passes_on_the_cpu(capsys):
    assert gpu.main(["--device", "cpu", "--tiny"]) == 0, capsys.readouterr().out
    out = capsys.readouterr().out
    assert all(part in out for part in gpu.PARTS) and "FAILED" not in out
    assert out.count(" ok ") >= len(gpu.PARTS)  # all but device_map, which needs accelerate, and the last line


def test_a_part_that_fails_ends_the_benchmark_with_1(capsys, monkeypatch):
    def broken(device, tiny):
        raise ValueError("broken")

    monkeypatch.setattr(gpu, "PARTS", {"one": lambda device, tiny: (False, "no"), "two": broken})
    assert gpu.main(["--device", "cpu", "--tiny"]) == 1
    out = capsys.readouterr().out
    assert out.count("FAILED") == 3 and "ValueError: broken" in out


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so(capsys):
    assert gpu.main([]) == 0
    assert capsys.readouterr().out.startswith("No GPU is at hand")


def test_every_instrument_is_measured_in_passes(capsys):
    assert instruments.main(["--models", "llava", "--tiny", "--repeats", "1", "--threads", "1"]) == 0
    out = capsys.readouterr().out
    rows = {line[:36].strip(): line[36:].split() for line in out.splitlines() if " s " in line[36:56]}
    assert float(rows["replay of 8, batched"][3]) == 8 and rows["replay of 8, batched"][4] == "0"
    assert float(rows["attention_to_image, null uniform"][3]) == 1
    assert (
        rows["occlusion of blocks, no null"][4] == "0" and rows["occlusion of blocks"][4] == "1"
    )  # calls of the tower
    assert "FAILED" not in out and out.count("llava: ") == 3  # figures
    assert out.count("captum") >= 2 and "nnsight" in out  # measured, or not installed


@pytest.mark.browser
@pytest.mark.slow
def test_the_inspector_is_measured_in_a_notebook(browser):
    """Figures depend on the machine: the work of a selection may take ten times its goal here."""
    command = [sys.executable, "-m", "tests.benchmarks.inspector", "toy", "--tiny"]  # its own process has one driver
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    figures = {line[:64].strip(): float(line[64:].split()[0]) for line in done.stdout.splitlines()}
    assert 0 < figures["select a patch: work"] < 160 and 0 < figures["select a head: work"] < 160
    assert figures["the largest message"] < 2 and figures["another word, with lens and attention"] > 0
    assert figures["an edit's answer"] > 0 and "the next 1 views, opened and closed" in figures
