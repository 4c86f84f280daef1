"""Every notebook runs top to bottom, without a network and without a GPU."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))


CLAIMS = {  # what the text says of the tables and figures, as code that runs after the last cell
    "02_dictionary_methods": """
t = table.set_index("method")
assert t.overlap.idxmax() == "SemiNMF" and t.overlap.idxmin() == t.reconstruction_error.idxmin() == "PCA"
assert t.clip_score.idxmin() == "PCA" and t.clip_score["PCA"] < t.clip_score_token["PCA"]
assert t.clip_score.rank()["SemiNMF"] == 2 and t.reconstruction_error.rank()["SemiNMF"] == 2
assert (t.active.drop("SemiNMF") == 12).all() and t.active["SemiNMF"] < 6
last = nbt.sweep(model, reps, layers=[5], methods=methods, n_concepts=[12], progress=False).set_index("method")
assert last.overlap.idxmax() == "KMeans"
s = sizes.groupby("method")["stability"].mean()
assert s["PCA"] > 0.999 and s.isna()["LargestNorm"]
assert result.p <= 0.05 and result.floor.mean < result.values.mean
""",
    "04_local_explanations": """
import numpy as np
words = [set(g.words[k][:3]) for k in strongest]
highest = {w: float(np.max(m)) for own, m in zip(words, maps) for w in own}
assert highest["standing"] < 0 and highest["sleeping"] < 5 < highest["hat"]
assert attribution.quantity.kind == "logit_difference" and "saturated" in repr(attribution)
total, third = attribution.leave_all_out.mean(), int(attribution.ablation[2].argmax())
assert abs(attribution.remainder("integrated_gradients").mean()) < 0.01 * total
assert 0.4 < attribution.ablation.sum(1).mean() / total < 0.65 and attribution.gradient.sum(1).mean() < 0.3 * total
assert attribution.ablation[2, third] > 0 > attribution.gradient[2, third]
""",
    "03_layers": """
words = {layer: study.grounding(layer).words for layer in study.layers}
assert "driving" in words[3][0][:2] + words[4][0][:2] or any("driving" in w[:2] for w in words[4])
c = layers.groupby(["layer", "token"])["clip_score"].mean().unstack()
assert (c.loc[2] > c.loc[1] + 0.2).all() and (c.loc[5] < c.loc[4] - 0.2).sum() == 2
v = layers.groupby("layer")["explained_variance"].mean()
assert abs(v[1] - v[5]) < 0.05 and c.loc[1].max() < c.loc[5].min()
import numpy
highest = [float(numpy.max(m)) for m in maps]
assert set(words[3][0]) & {"passengers", "crowded"} and highest.index(min(highest)) == 2
""",
}


@pytest.mark.parametrize(
    "path",
    [pytest.param(p, marks=[] if p.stem[:2] in ("01", "07") else [pytest.mark.slow], id=p.stem) for p in NOTEBOOKS],
)
def test_runs_top_to_bottom(path, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    notebook = nbformat.read(path, 4)
    shown = len(notebook.cells)
    if path.stem in CLAIMS:
        notebook.cells.append(nbformat.v4.new_code_cell(CLAIMS[path.stem]))
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [o for c in notebook.cells[:shown] if c.cell_type == "code" for o in c.outputs]
    assert not [o for o in outputs if o.output_type == "error"]
    early = [o for c in notebook.cells[:3] if c.cell_type == "code" for o in c.outputs]
    assert any("image/png" in o.get("data", {}) for o in early), "no picture within the first three cells"
    assert "application/vnd.jupyter.widget-view+json" in outputs[-1].get("data", {}), "the last cell shows no view"
    assert {p.name for p in tmp_path.iterdir()} <= {"dog.study"}
