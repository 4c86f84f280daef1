"""Available memory, and the memory of a pass."""

import gc

import pytest
import torch

import nbtoolkit as nbt
from nbtoolkit.models import memory
from nbtoolkit.models.memory import PeakMemory, available_memory, rough_bytes, tensor_bytes, weight_bytes


def test_the_peak_is_of_tensors_that_are_alive_at_once():
    with PeakMemory() as peak:
        for _ in range(5):
            torch.zeros(250_000)  # 1 MB each, and none is kept
        gc.collect()
    assert 1_000_000 <= peak.peak < 1_100_000
    with PeakMemory() as peak:
        rows = [torch.zeros(250_000) for _ in range(5)]
        rows[0].view(2, -1)  # no memory of its own
        rows[0].add_(1)
    assert 5_000_000 <= peak.peak < 5_100_000


def test_the_peak_of_a_pass_grows_with_the_batch_and_is_below_the_rough_bound():
    model = nbt.load_model("toy")
    images = [nbt.load_data("toy", n=1)["image"][0]] * 8
    peaks = []
    for n in (1, 8):
        inputs = model.inputs(images[:n])
        with PeakMemory() as peak:
            model.generate(inputs, 3)
        peaks.append(peak.peak)
        assert peak.peak < rough_bytes(model, inputs, 3)
    assert 6 < peaks[1] / peaks[0] < 9


@pytest.mark.parametrize(
    "limit, expected", [("1000", 1000 - 700 + 200), ("max", None), (None, None)], ids=["limit", "no limit", "no group"]
)
def test_a_container_s_limit_counts(tmp_path, monkeypatch, limit, expected):
    if limit is not None:
        (tmp_path / "memory.max").write_text(limit)
        (tmp_path / "memory.current").write_text("700")
        (tmp_path / "memory.stat").write_text("anon 500\ninactive_file 200\n")
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:     4 kB\n")
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
    assert available_memory("cpu") == min(4096, expected or 4096)


def test_a_system_that_does_not_tell_sets_no_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.delattr(memory.os, "sysconf", raising=False)
    assert available_memory("cpu") is None
    assert available_memory("mps") is None


def test_bytes_are_counted():
    layer = torch.nn.Linear(3, 5)
    assert weight_bytes(layer) == 4 * (15 + 5)
    assert tensor_bytes({"a": torch.zeros(3), "b": [torch.zeros(2, dtype=torch.float64)], "c": "text"}) == 12 + 16
