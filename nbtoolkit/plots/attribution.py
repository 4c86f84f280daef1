"""Figure of an attribution: the concepts by three measures, the remainder of each, and all concepts together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from ..errors import NbtoolkitError
from ..types.arguments import checked
from ..types.rules import Count, Number
from .style import COLOURS, legend, new_figure, plain, short, title

if TYPE_CHECKING:
    from ..attribution import Contributions

MEASURES = {
    "ablation": "ablation",
    "integrated_gradients": "integrated gradients",
    "gradient": "gradient × coefficient",
}


@checked
def attribution(
    result: Contributions, *, row: Number | None = None, names: Sequence[str] | None = None, n_concepts: Count = 8
) -> Figure:
    """Bars of an attribution: the change of the target without each concept, by three measures.

    Parameters
    ----------
    result
        Of :func:`nbtoolkit.attribution.contributions`.
    row
        The sample; the mean over all samples where None.
    names
        Name of each concept; their numbers otherwise.
    n_concepts
        Number of concepts that are drawn, those of the largest change by ablation; the others are one row.

    Returns
    -------
    matplotlib.figure.Figure
        One group of bars per concept, then the other concepts, the remainder of each measure, and all concepts ablated.

    Raises
    ------
    NbtoolkitError
        No such row, another number of names than of concepts, or fewer than one concept.

    Examples
    --------
    >>> from nbtoolkit.attribution import Contributions
    >>> V = np.array([[1.0, 2.0, 3.0]])
    >>> figure = attribution(Contributions(V, V, V / 2, None, V * 1.5, np.array([9.0])))
    >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
    ['2', '1', '0', 'remainder', 'all concepts ablated']
    """
    n, k = result.ablation.shape
    if row is not None and not 0 <= row < n:
        raise NbtoolkitError(f"row is {row}; expected None or 0 … {n - 1}.")
    if names is not None and len(names) != k:
        raise NbtoolkitError(f"There are {len(names)} names for {k} concepts; expected one each.")
    rows = slice(None) if row is None else slice(row, row + 1)
    changes = {m: -result.values(m)[rows].mean(0) for m in MEASURES}
    used = np.flatnonzero(np.any([values != 0 for values in changes.values()], axis=0))
    order = used[np.argsort(-np.abs(changes["ablation"][used]), kind="stable")]
    top, others = order[:n_concepts], order[n_concepts:]
    labels = [str(names[i]) if names is not None else str(i) for i in top]
    labels += [f"{len(others)} other concepts"] if len(others) else []
    labels += ["remainder", "all concepts ablated"]
    figure = new_figure(5.4, 0.9 + 0.32 * len(labels))
    axes = figure.subplots()
    for j, (measure, text) in enumerate(MEASURES.items()):
        values = [*changes[measure][top], *([changes[measure][others].sum()] if len(others) else [])]
        values.append(-result.remainder(measure)[rows].mean())
        axes.barh(np.arange(len(values)) + 0.27 * (j - 1), values, 0.25, color=COLOURS[j], label=text)
    axes.barh(len(labels) - 1, -result.leave_all_out[rows].mean(), 0.4, color="#888888")
    axes.set_yticks(range(len(labels)), [short(text) for text in labels], fontsize=7)
    axes.axvline(0, color="black", linewidth=0.6)
    axes.invert_yaxis()
    axes.tick_params(axis="x", labelsize=7)
    foil = result.quantity.foils[row] if row is not None and result.quantity.foils else ""
    quantity = f"logit difference to {foil!r}" if foil else str(result.quantity)
    axes.set_xlabel(plain(f"Δ {quantity} [{result.quantity.unit}]"), fontsize=7)
    legend(axes, len(MEASURES))
    note = " (log p is saturated)" if result.quantity.switched else ""
    title(axes, f"“{result.token}”: change without a concept{note}")
    return figure
