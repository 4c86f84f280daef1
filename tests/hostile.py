"""Texts that would do harm if a page took them for more than text, and a study that consists of them."""

import dataclasses

import numpy as np

import nbtoolkit as nbt

TEXTS = [
    "<img src=x onerror=\"window.owned='image'\">",
    "</script><script>window.owned='script'</script>",
    "<svg/onload=window.owned='svg'>",
    '" onmouseover="window.owned=\'attribute\'" x="',
    "' autofocus onfocus='window.owned=1",
    "javascript:window.owned='url'",
    "<!--<script>window.owned='comment'</script>",
    "]]><iframe srcdoc=\"<script>parent.owned='frame'</script>\">",
    "&lt;b&gt; &#60;script&#62; {{7*7}} ${window.owned='template'} %3Cscript%3E",
    "url(x);background:url(//evil.example/x)",
    "\u202egnidaer morf thgir ot tfel\u202c and \u2066isolated",  # an override of the direction
    "\u0000null\u0007bell\ufeffmark\u2028line",
    "W" * 10_000,
    "寿司🍣\u0301\u0301\u0301",
    "../../etc/passwd",
]


def poisoned(study):
    """The study with these texts as captions, words, labels, ids, token and model name."""
    name = {s.id: f"{TEXTS[i % len(TEXTS)]}#{i}" for i, s in enumerate(study.samples)}
    text = [TEXTS[i % len(TEXTS)] for i in range(len(study.samples))]
    samples = [
        dataclasses.replace(s, id=name[s.id], caption=t, captions=(t, TEXTS[0]), pieces=(t, TEXTS[1], t), position=1)
        for s, t in zip(study.samples, text, strict=True)
    ]
    dictionaries = {
        k: dataclasses.replace(d, sample_ids=[name[i] for i in d.sample_ids]) for k, d in study.dictionaries.items()
    }
    groundings = {
        k: nbt.Grounding(
            [[TEXTS[(j + k) % len(TEXTS)], TEXTS[(3 * j + 1) % len(TEXTS)], *words] for j, words in enumerate(g.words)],
            [[name[i] for i in group] for group in g.exemplars],
        )
        for k, g in study.groundings.items()
    }
    reps = dataclasses.replace(
        study.representations, sample_ids=[name[i] for i in study.representations.sample_ids], captions=text
    )
    labels = {f"{layer}:{j}": TEXTS[j] for layer in study.layers for j in range(4)}
    source = dataclasses.replace(study.source, model=TEXTS[1], token=TEXTS[0])
    return nbt.Study(TEXTS[0], dictionaries, groundings, samples, reps, study.scores, source, labels)


def undefined(study):
    """The study with numbers that JSON does not have: NaN and infinity as scores, and activations near float32's limit."""
    scores = dict(study.scores)
    last = study.layers[-1]
    one = scores[last]
    values = {**one.values, "clip_score": float("nan"), "overlap": float("inf")}
    spread = {name: float("nan") for name in one.values}
    baseline = {name: float("-inf") for name in one.baseline}
    per_concept = {name: np.full_like(v, np.nan, dtype=float) for name, v in one.per_concept.items()}
    scores[last] = dataclasses.replace(one, values=values, spread=spread, baseline=baseline, per_concept=per_concept)
    cd = study.dictionaries[last]
    activations = np.where(cd.activations > 0, np.float32(3e38), 0).astype(np.float32)
    dictionaries = {
        **study.dictionaries,
        last: nbt.ConceptDictionary(cd.concepts, activations, cd.sample_ids, last, "any"),
    }
    return dataclasses.replace(study, scores=scores, dictionaries=dictionaries)
