"""The benchmark for a GPU runs on a CPU, too, at tiny sizes; without a GPU it says so."""

import pytest
import torch

from .benchmarks import gpu


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
