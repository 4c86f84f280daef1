"""The figure of an attribution adds up."""

import numpy as np
import pytest

import nbtoolkit as nbt
from nbtoolkit import plots
from nbtoolkit.attribution import Contributions
from nbtoolkit.targets import Quantity


def test_bars_and_remainder_sum_to_all_concepts():
    rng = np.random.default_rng(0)
    V = rng.normal(size=(3, 6))
    quantity = Quantity("logit_difference", ("cat",) * 3, 0.99, True)
    result = Contributions(V, V, V / 9, None, V / 2, rng.normal(size=3), quantity, "dog")
    figure = plots.attribution(result, row=1, names=list("abcdef"), n_concepts=4)
    (axes,) = figure.axes
    labels = [t.get_text() for t in axes.get_yticklabels()]
    assert labels[4:] == ["2 other concepts", "remainder", "all concepts ablated"] and set(labels[:4]) < set("abcdef")
    *measures, whole = axes.containers
    for bars in measures:
        assert sum(bar.get_width() for bar in bars) == pytest.approx(whole[0].get_width())
    assert whole[0].get_width() == pytest.approx(-result.leave_all_out[1])
    assert axes.get_xlabel() == "Δ logit difference to 'cat' [nats]"
    assert any("log p is saturated" in t.get_text() for t in axes.figure.texts)
    assert len(plots.attribution(result).axes[0].get_yticklabels()) == 8
    for options, message in [
        ({"row": 3}, r"row is 3; expected None or 0 … 2"),
        ({"names": ["a"]}, "1 names for 6 concepts; expected one each"),
        ({"n_concepts": 0}, "n_concepts is 0; expected a whole number from 1"),
    ]:
        with pytest.raises(nbt.NbtoolkitError, match=message):
            plots.attribution(result, **options)
