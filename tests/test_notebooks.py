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
frisbee, running = table["frisbee"], table["running"]
assert np.nanmin(frisbee) > 0.8 and np.nanmean(frisbee) > 0.9 and np.nanmax(running) < 0.3 and np.nanmean(running) < 0.15
assert np.nanmean(auc) > 0.6  # of all concepts on the dogs that run
""",
    "05_ablation": """
def without(layer):
    return nbt.interventions.effect(target, study.dictionary(-1), lambda: nbt.interventions.ablate(model, layer)).after
assert without(1).count("brown dog in") >= 3 and without(5) == "dog snow running night hat"
assert all({"dog", "running"} <= set(without(layer).split()) for layer in (3, 4))
bears = [k for k, words in enumerate(last.words) if "bear" in words[:2]]
share = [sum("sleeping" in study.sample(i).caption for i in last.exemplars[k][:4]) for k in bears]
assert bears and share == [4] * len(bears) and not any("bear" in s.caption for s in study.samples)
assert Counter(targets.quantity("logit_difference").foils)["bear"] > 1
assert any("sleeping" in words[:2] for words in study.grounding(4).words)
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
from nbtoolkit.widgets.threads import payload
threads = payload(study)
continued = {layer: sum(v is not None for v in row) for layer, row in threads["similarity"].items()}
assert continued == {"1": 0, "2": 4, "3": 4, "4": 12, "5": 8}
driving = next(k for k, w in enumerate(words[4]) if w[0] == "driving")
assert words[5][threads["of"]["5"].index(threads["of"]["4"][driving])][:3] == ["bus", "cake", "car"]
""",
    "06_where_in_the_image": """
from nbtoolkit.metrics import Score, compare
import numpy as np
drawn = {prop: t.again(nbt.toy.render(row, prop=prop)).value for prop in ("none", "ball")}
assert t.value > 10 and abs(drawn["none"]) < 1 and drawn["ball"] < -5 and t.model is model
assert nbt.target(model, row["image"], "frisbee").quantity.foil == "disc"
deletion = curves.values.sel(curve="deletion").values
assert d["auc"][0] < d["null_auc"][:, 0].min() and deletion.min() < deletion[-1] and deletion[-1] > 0.5 * t.value
end, area = redrawn.values.sel(curve="deletion").values[-1], redrawn.details["auc"][0]
assert abs(end - drawn["none"]) < 1e-3 and area < redrawn.details["null_auc"][:, 0].min()
mean = table.groupby("map").mean()
best = ["attention", "keep only", "integrated gradients"]
assert len(cases) == 12 and (mean.pointing[best] == 1).all() and mean.pointing[["random", "centre"]].max() < 0.1
assert mean.deletion[list(methods)].idxmin() == "keep only" and (mean.deletion[best] < 0.3).all()
assert mean.deletion["gradient × input"] > 0.4 and mean.deletion["occlusion"] > 0.4 and mean.pointing["occlusion"] > 0.8
assert (mean.insertion[list(methods)] > mean.insertion[["random", "centre"]].max()).all()
pairs = (("keep only", "attention"), ("integrated gradients", "attention"), ("occlusion", "centre"))
keep, ig, one = (compare(Score(of[a]["deletion"]), Score(of[b]["deletion"])) for a, b in pairs)
assert keep.high < 0 and ig.low < 0 < ig.high and one.low < 0 < one.high
sharp, sure = (roc_auc_score(right, v) for v in (sharpness, certainty))
rng = np.random.default_rng(0)
draws = [rng.integers(0, len(right), len(right)) for _ in range(1000)]
above = np.quantile([roc_auc_score(right[d], sharpness[d]) for d in draws if 0 < right[d].sum() < len(d)], 0.975)
assert np.sum(~right) < 20 and sharp < 0.5 < above and sure > low > 0.5
assert same == ["attention"]
""",
    "07_layers_and_heads": """
import numpy as np
top = lens.details["top_words"][:, 0, 0]
assert [w.strip() for w in top.values[3:]] == ["frisbee"] * 3 and top.values[2].strip() != "frisbee"
assert int(ranks[:, shows].min()) > 10 and abs(float(parts.values.sum()) - t.value) < 1e-3
mlp, band = parts.values.sel(part="mlp", layer=[3, 4, 5]), parts.null.sel(part="mlp", layer=[3, 4, 5])
assert (mlp > band.max("draw")).all() and float(mlp.min()) > float(parts.values.sel(part="attention").max())
assert float(own.sum()) > 0.9 * float(own.sum() + text.sum()) and not shows[np.argsort(-own.values)[:5]].any()
ways = {n: nbt.interventions.attention_knockout(t, *c, n_null=0).values for n, c in cuts.items()}
assert set(ways["image → last"].to_series().nsmallest(2).index) == {2, 3}
assert abs(ways["image → earlier words"]).max() < 0.2 and int(ways["earlier words → last"].idxmin()) == 1
late = nbt.interventions.attention_knockout(t, "image", "last", layers=[1])
assert float(late.null[0, 0]) < float(late.values[0]) and len(late.null) == 1 and "cuts 14 other" in late.note
v = patched.values.to_pandas()
assert (v["image"][:2] > 0.98).all() and v["frisbee's patches"].max() < 0.2 and v["earlier words"].abs().max() < 0.05
assert v["last"][3] > 0.9 and v["last"][1] < 0.05 and 0.4 < float(patched.null.sel(group="image", layer=0)) < 0.5
b, floor = by_head.values.sel(group="last"), by_head.null.sel(group="last")
assert b.sel(layer=3).max() > 3 * floor.sel(layer=3).max() and abs(b - floor).sel(layer=2, head=1) < 0.03
assert (paths.values.sel(effect="direct") > 0.9 * paths.values.sel(effect="total")).all()
frame = pd.DataFrame(rows)
assert sorted(frame["layer of the cut"])[-2:] == [2, 3] and frame["among the first 3 direct"].sum() == len(frame) - 1
assert {k[0] for c in ("direct", "patched") for k in frame[c]} == {2, 3}
""",
    "08_inspector": """
import numpy as np
f = view.faithfulness
for m in ("occlusion", "gradients"):
    assert f[m]["deletion"] < 0.1 and f[m]["insertion"] > 1.5 and f[m]["random_deletion"] > 0.8
a = f["attention"]
assert a["centre_deletion"] < a["deletion"] < a["random_deletion"]
assert a["random_insertion"] < a["insertion"] < a["centre_insertion"]
values = {n: view.measurements[n].values for n in ("attention", "occlusion", "gradients", "contribution", "knockout")}
values["attention"] = values["attention"].mean(["layer", "head"])
assert not {int(values[n].argmax()) for n in ("attention", "occlusion", "gradients")} & {*ball}
assert masked["after"]["response"] == masked["before"]["response"] == t.response
assert abs(masked["after"]["logit"] - masked["before"]["logit"]) < 0.1
assert nbt.target(model, covered, "dog").response == "a black dog running in the snow at night" == t.response[:-12]
top = words.values[:, 0]
assert [w.strip() == "ball" for w in top] == [False, False, True, True, True, True]
names = ("contribution", "knockout")
three = [[*abs(values[n].to_series()).nlargest(3).index] for n in names]
assert three[0][0] == three[1][0] == (3, 1) and {*three[0]} == {*three[1]} == {(3, 1), (2, 1), (3, 2)}
assert float(reads.sel(patch=ball).sum()) < 4 / 64 and 0.65 < float(reads[:32].sum()) < 0.75
assert float(share[concept]) > 0.9 * float(share.sum())
writers = view.measurements[f"writers:4:{concept}"].values.to_series()
assert [*writers.nlargest(2).index] == [(3, 1), (2, 1)]
lies = view.measurements[f"concept:4:{concept}"].values.values
assert {*lies.argsort()[-6:]} == {35, 36, 37, 43, 44, 45} and lies[ball].max() < 0
def logits(view, edits):
    effect = view.effect(edits)
    draws = [d["logit"] for d in view.control(edits)["draws"]]
    return effect["after"]["logit"] - effect["before"]["logit"], [d - effect["before"]["logit"] for d in draws], effect
own, others, effect = logits(broken, [cut | {"layers": [3], "heads": [1]}])
assert -2.5 < own < 4 * min(others) and effect["present"] and effect["after"]["probability"] > 0.99
own, others, effect = logits(broken, [cut | {"layers": [2, 3]}])
assert effect["after"]["response"].endswith("with a bowl") and min(others) > 0
own, others, effect = logits(broken, [{"op": "ablate", "layer": 4, "concept": concept}])
assert -4 < own < -3.5 and min(others) > -0.35 and effect["after"]["response"].startswith("a black a black dog")
back_in = mended.measurements["patching"].values.to_pandas()
assert (back_in["image"][:2] > 0.99).all() and (back_in["last"][3:] > 0.99).all()
assert back_in["image"][3:].abs().max() < 0.05 and back_in["last"][:2].abs().max() < 0.05 and 0 < back_in["last"][2] < 1
own, others, _ = logits(mended, [back | {"positions": {"patches": ball}}])
assert min(others) < own < max(others)
edits = {n: [back | {"positions": {"patches": [*p]}}] for n, p in (("lower", range(32, 64)), ("upper", range(32)))}
assert logits(mended, edits["upper"])[2]["present"] and not logits(mended, edits["lower"])[2]["present"]
everything, shuffled, effect = logits(mended, [back | {"positions": "image"}])
assert effect["present"] and min(shuffled) > 0.95 * everything
for edit in (back | {"layer": 3, "positions": "last"}, {"op": "steer", "layer": 4, "concept": concept, "strength": 1.0}):
    own, others, effect = logits(mended, [edit])
    assert effect["after"]["probability"] > 0.95 and not effect["present"] and max(others) < 0.1 < own
view.patches, view.layer, view.head = [35], 2, 1
assert view.patches == [int(best)] and (view.layer, view.head) == heads.index[1]
broken.edits = [{"op": "patch", "layer": 3, "positions": "last", "from": "other"}]
assert gone(broken) and broken.effect()["after"]["response"].startswith("a black dog running in the snow at night")
broken.edits = [{"op": "patch", "layer": 0, "positions": "image", "from": "other"}]
assert not broken.effect()["present"] and not gone(broken)  # the control does it too
mended.edits = edits["upper"]
assert mended.effect()["present"] and path.stat().st_size < 1e6
""",
}


@pytest.mark.parametrize(
    "path",
    [pytest.param(p, marks=[] if p.stem[:2] == "01" else [pytest.mark.slow], id=p.stem) for p in NOTEBOOKS],
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
    last = [
        kind for o in outputs[-2:] for kind in o.get("data", {})
    ]  # a view, and its image for a notebook without a kernel
    assert "application/vnd.jupyter.widget-view+json" in last, "the last cell shows no view"
    assert {p.name for p in tmp_path.iterdir()} <= {"dog.study"}
