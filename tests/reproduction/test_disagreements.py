"""Where a run disagrees with the paper: sentences from the run's own numbers."""

from dataclasses import replace

import numpy as np

from nbtoolkit.metrics import overlap
from nbtoolkit.reproduction.disagreements import disagreements


def test_the_overlap_is_compared_with_the_papers_range(evaluation):
    """.09 to .18 in the paper; what the words about their mean share says how much the common part accounts for."""
    own = [row["SemiNMF"] for row in evaluation.overlaps.values()]
    (text,) = [t for t in disagreements(evaluation) if "Table 2" in t and "share" in t and "Fails" not in t]
    assert f"share {min(own):.2f} to {max(own):.2f} of their words; the paper has 0.09 to 0.18" in text
    five = sorted(overlap([w[:5] for w in by["SemiNMF"]]).mean for by in evaluation.words.values())
    assert f"the first five share {five[0]:.2f} to {five[1]:.2f}" in text
    centred, paper = np.mean(list(evaluation.centred_overlaps.values())), np.mean([0.086, 0.177, 0.107, 0.146])
    share = 1 - max(0, centred - paper) / (np.mean(own) - paper)
    assert f"accounts for {share:.0%} of the difference" in text and "left open" in text
    lower = {t: dict.fromkeys(row, 0.1) for t, row in evaluation.overlaps.items()}
    assert not [t for t in disagreements(replace(evaluation, overlaps=lower)) if "the paper has 0.09" in t]
    open_ = replace(evaluation, centred_overlaps=dict.fromkeys(own, np.nan))
    assert any("The difference is left open" in t for t in disagreements(open_))


def test_the_token_alone_and_the_order_of_systems(evaluation):
    texts = disagreements(evaluation)
    n = sum(by["Token"].mean > by["SemiNMF"].mean for by in evaluation.scores.values())
    assert any(f"it is higher in {n} of 2 words" in t for t in texts)
    worse = {t: by | {"SemiNMF": by["Rnd-Words"], "Rnd-Words": by["SemiNMF"]} for t, by in evaluation.scores.items()}
    order = [t for t in disagreements(replace(evaluation, scores=worse)) if "order by mean CLIPScore" in t]
    assert order and "Rnd-Words (" in order[0] and "above SemiNMF (" in order[0]
