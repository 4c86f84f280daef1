"""Every notebook runs top to bottom, without a network and without a GPU."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_runs_top_to_bottom(path, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    notebook = nbformat.read(path, 4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [o for c in notebook.cells if c.cell_type == "code" for o in c.outputs]
    assert not [o for o in outputs if o.output_type == "error"]
    early = [o for c in notebook.cells[:3] if c.cell_type == "code" for o in c.outputs]
    assert any("image/png" in o.get("data", {}) for o in early), "no picture within the first three cells"
    assert "application/vnd.jupyter.widget-view+json" in outputs[-1].get("data", {}), "the last cell shows no view"
    assert {p.name for p in tmp_path.iterdir()} <= {"dog.study"}
