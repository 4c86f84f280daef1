"""Print the figures of the embedded world: methods compared, sizes, times. ``python tests/benchmarks/figures.py``.

Not a test: machines are shared and noisy, so times are printed, never asserted.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict

import nbtoolkit as nbt
from nbtoolkit.data import images_by_id, vocabulary
from nbtoolkit.toy import WORDS

K = 20
METHODS = {"Semi-NMF": nbt.SemiNMF(K, random_state=0), "PCA": PCA(K, random_state=0), "K-Means": KMeans(K, random_state=0, n_init=4),
           "LargestNorm": nbt.LargestNorm(K), "random directions": nbt.RandomDirections(K, random_state=0)}  # fmt: skip


def methods(model, scorer, data, token):
    reps = nbt.extract(model, data, token, progress=False)
    pictures = dict(zip(reps.sample_ids, scorer.images(list(images_by_id(data, reps.sample_ids))), strict=True))
    where = {i: k for k, i in enumerate(data["id"])}
    column = data["factors"]
    factors = [column[where[i]] for i in reps.sample_ids]
    known = vocabulary(data["captions"])

    def look(ids):
        return np.stack([pictures[i] for i in ids])

    print(f"\n{token}: {len(reps)} samples, {len(reps.skipped)} left out")
    wins = []
    for layer in range(1, model.n_layers + 1):
        cells = []
        for name, method in METHODS.items():
            cd = nbt.decompose(reps, method, layer=layer)
            g = nbt.ground(cd, model, vocabulary=known)
            s = nbt.evaluate(cd, g, images=look, texts=scorer.texts, factors=factors, meaning=WORDS, n_words=5)
            cells.append(f"{name} {s['naming']:.2f}/{s['clip_score']:.2f}/{s['overlap']:.2f}")
            if name == "Semi-NMF":
                difference = s.per_concept["clip_score"] - s.baseline["clip_score"]
                wins.append(np.nanmean(difference > 0))
        print(f"  layer {layer}  " + "   ".join(cells))
    print(f"  share of Semi-NMF concepts whose words beat random words, by layer: {np.round(wins, 2).tolist()}")
    labels = [
        (f, v)
        for f in ("colour", "action", "background", "weather", "prop")
        for v in sorted({x[f] for x in factors})
        if v != "none"
    ]
    aucs = []
    for f, v in labels:
        y = np.array([x[f] == v for x in factors])
        if 8 <= y.sum() <= len(y) - 8:
            p = cross_val_predict(
                LogisticRegression(C=0.1, max_iter=2000), reps.layer(4), y, cv=5, method="predict_proba"
            )[:, 1]
            aucs.append(roc_auc_score(y, p))
    print(f"  probe AUC at layer 4: {np.mean(aucs):.3f}")


def sizes_and_times():
    package = Path(nbt.__file__).parent
    print("\nbundle", {p.name: p.stat().st_size for p in (package / "widgets/static").iterdir()})
    print("weights", {p.parent.name: p.stat().st_size for p in (package / "toy/weights").glob("*/model.safetensors")})
    code = "import time; t = time.perf_counter(); import nbtoolkit; print(f'{(time.perf_counter() - t) * 1e3:.0f} ms')"
    print(
        "import nbtoolkit",
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip(),
    )
    code = "import resource, sys; from nbtoolkit.cli import main; main(['demo', '--out', 'd.study', '--html', 'd.html']);" \
           "r = resource.getrusage(resource.RUSAGE_SELF); print('CPU', round(r.ru_utime + r.ru_stime, 1), 's')"  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        said = subprocess.run(
            [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
        ).stdout
        print("demo --html", said.strip().splitlines()[-1], f"wall {time.perf_counter() - began:.1f} s")
        print(
            "study",
            sum(f.stat().st_size for f in (Path(folder) / "d.study").iterdir()),
            "page",
            (Path(folder) / "d.html").stat().st_size,
        )


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    toy, judge, scenes = nbt.load_model("toy"), nbt.load_scorer("toy"), nbt.load_data("toy")
    print("naming / CLIPScore / overlap, five words a concept")
    for word in sys.argv[1:] or ["dog", "bus", "cat"]:
        methods(toy, judge, scenes, word)
    sizes_and_times()
