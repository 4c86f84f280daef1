"""Print naming and CLIPScore by layer for the embedded captioners. ``python tests/benchmarks/embedded.py toy-plain dog``.

Naming with and without the final norm, centred or not: on a real language model the rule decides, on the others it does
not. Not a test: it takes minutes of CPU.
"""

from __future__ import annotations

import sys
import time
import warnings

import numpy as np

import nbtoolkit as nbt
from nbtoolkit.data import images_by_id, vocabulary
from nbtoolkit.toy import WORDS
from nbtoolkit.toy.names import SCENES
from nbtoolkit.toy.world.second import vocabulary as second
from nbtoolkit.types.naming import RULES

K = 20


def figures(name: str, token: str, n: int) -> None:
    """Print one row per layer: share of concepts with a word, naming, CLIPScore of the best rule."""
    model, scorer = nbt.load_model(name), nbt.load_scorer("toy")
    data = nbt.load_data(SCENES[name], n=n)
    meaning = WORDS if name == "toy" else second.WORDS
    began = time.process_time()
    reps = nbt.extract(model, data, token, progress=False)
    print(f"\n{name}, {token}: {len(reps)} samples of {n} scenes, {time.process_time() - began:.0f} s CPU", flush=True)
    where = {i: k for k, i in enumerate(data["id"])}
    factors = [data[where[i]]["factors"] for i in reps.sample_ids]
    embeddings = dict(zip(reps.sample_ids, scorer.images(list(images_by_id(data, reps.sample_ids))), strict=True))
    known = vocabulary(data["captions"])
    method = nbt.SemiNMF(K, random_state=0)

    def look(ids):
        return np.stack([embeddings[i] for i in ids])

    step = 1 if model.n_layers < 10 else 5
    for layer in range(step, model.n_layers + 1, step):
        cd = nbt.decompose(reps, method, layer=layer)
        cells = []
        for rule in RULES:
            g = nbt.ground(cd, model, n_words=50, vocabulary=known, naming=rule)
            worded = np.mean([len(w) > 0 for w in g.words])
            s = nbt.evaluate(cd, g, images=look, texts=scorer.texts, factors=factors, meaning=meaning, n_words=5)
            cells.append(f"{rule} {worded:.2f}/{s['naming']:.2f}/{s.values.get('clip_score', np.nan):.2f}")
        print(f"  layer {layer:2d}  " + "   ".join(cells), flush=True)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print("share of concepts with a word / naming / CLIPScore, by naming rule")
    figures(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 1500)
