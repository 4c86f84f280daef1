"""ConceptMap: the samples and concepts of a layer in two dimensions, a choice of them, and the table of the chosen samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets

from ..errors import NbtoolkitError
from .base import state_trait
from .factors import MAX_VALUES
from .maps_2d import MAX_POINTS, lacking
from .requests import ids_of
from .study_view import StudyView

if TYPE_CHECKING:
    import pandas

ITEMS = ("samples", "concepts")
COLOURS = ("concept", "unexplained", "lacking")
TABLE_SORTS = ("number", "unexplained", "activation", "concept")
FILTERS = ("lacking", "unexplained", "factor")
N_STRONGEST = 3  # concepts of a sample in the table


class ConceptMap(StudyView):
    """The samples and concepts of one layer in two dimensions: near is alike. A lasso chooses some, for Python too.

    Parameters
    ----------
    study
        The study.
    factors
        What is known about the samples beside the study, to colour and filter by: names to one text per sample, in the order
        of ``study.samples``; see :func:`nbtoolkit.widgets.factors.factors_of`.
    **options
        ``session`` and the state; see :class:`nbtoolkit.widgets.study_view.StudyView`.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> model, data = nbt.load_model("toy"), nbt.load_data("toy", n=200)
    >>> study = nbt.study(model, data, "train", method=nbt.SemiNMF(4, random_state=0), progress=False)
    >>> view = ConceptMap(study, layer=4, lasso=[study.samples[1].id])
    >>> view.selection_frame().index.tolist() == view.lasso
    True
    """

    kind = "concept_map"
    reading = "Points that lie close together are similar; draw around some to choose them."
    python_only: Sequence[str] = ("factors",)

    map_items = state_trait(traitlets.Enum(ITEMS, ITEMS[0], help="What the map shows: samples or concepts."))
    map_colour = state_trait(
        traitlets.Unicode(
            COLOURS[0],
            help='Colour of the samples: "concept" (their strongest), "unexplained", "lacking" (no caption of the data set '
            'has the word), or the name of a factor after "factor:".',
        )
    )
    map_thumbs = state_trait(traitlets.Bool(True, help="Whether the map shows some images."))
    map_window = state_trait(
        traitlets.List(traitlets.Float(), help="Part of the map that is visible: x0, y0, x1, y1; empty for the whole.")
    )
    lasso = state_trait(traitlets.List(traitlets.Unicode(), help="Ids of the chosen samples, at most 20,000."))
    lasso_concepts = state_trait(
        traitlets.List(traitlets.Unicode(), help='Chosen concepts: "layer:concept".', maxlen=MAX_POINTS)
    )
    map_filter = state_trait(
        traitlets.Dict(
            help='Samples that the map and the table show: {"lacking": True}, {"unexplained": 0.3} (above this share), '
            '{"factor": ["pose", "sitting"]}, or several of them.'
        )
    )
    table_sort = state_trait(
        traitlets.Enum(TABLE_SORTS, TABLE_SORTS[0], help=f"Order of the samples: one of {', '.join(TABLE_SORTS)}.")
    )
    factors = state_trait(traitlets.Dict(help="What is known about the samples: names to one text per sample."))

    @traitlets.validate("map_colour")
    def _valid_map_colour(self, proposal: traitlets.Bunch) -> str:
        return _one_of("map_colour", proposal["value"], self._colours())

    def _colours(self) -> list[str]:
        return [*COLOURS, *(f"factor:{name}" for name in self.factors)]

    @traitlets.validate("map_window")
    def _valid_map_window(self, proposal: traitlets.Bunch) -> list[float]:
        window = proposal["value"]
        fits = len(window) == 4 and np.isfinite(window).all() and window[0] < window[2] and window[1] < window[3]
        if window and not fits:
            raise traitlets.TraitError(
                f"map_window is {window[:8]}; expected [x0, y0, x1, y1], or [] for the whole map."
            )
        return list(window)

    @traitlets.validate("lasso")
    def _valid_lasso(self, proposal: traitlets.Bunch) -> list[str]:
        ids = proposal["value"]
        if len(ids) > MAX_POINTS:
            raise traitlets.TraitError(f"lasso has {len(ids):,} samples; expected at most {MAX_POINTS:,}.")
        try:
            return [self._study.sample(i).id for i in dict.fromkeys(ids_of(self._study, ids))]
        except NbtoolkitError as error:
            raise traitlets.TraitError(str(error)) from None

    @traitlets.validate("lasso_concepts")
    def _valid_lasso_concepts(self, proposal: traitlets.Bunch) -> list[str]:
        sizes = {str(layer): cd.n_concepts for layer, cd in self._study.dictionaries.items()}
        for key in proposal["value"]:
            layer, _, k = key.partition(":")
            if not (k.isascii() and k.isdigit() and len(k) < 9 and int(k) < sizes.get(layer, 0)):
                raise traitlets.TraitError(f'lasso_concepts has {key[:80]!r}; expected "layer:concept" of the study.')
        return list(dict.fromkeys(proposal["value"]))

    @traitlets.validate("map_filter")
    def _valid_map_filter(self, proposal: traitlets.Bunch) -> dict[str, Any]:
        value = proposal["value"]
        for name in value:
            _one_of("An entry of map_filter", name, FILTERS)
        lacks, share, factor = (value.get(name) for name in FILTERS)
        if lacks not in (None, True, False):
            raise traitlets.TraitError(f"lacking of map_filter is {lacks!r}; expected True or False.")
        if share is not None and (
            isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 10
        ):
            raise traitlets.TraitError(f"unexplained of map_filter is {share!r}; expected a share from 0 to 10.")
        if factor is not None:
            if not isinstance(factor, list | tuple) or [type(part) for part in factor] != [str, str]:
                raise traitlets.TraitError(f"factor of map_filter is {factor!r}; expected a name and a value.")
            _one_of("The factor of map_filter", factor[0], list(self.factors))
        return dict(value)

    @traitlets.validate("factors")
    def _valid_factors(self, proposal: traitlets.Bunch) -> dict[str, list[str]]:
        n, factors = len(self._study.samples), {}
        for name, values in proposal["value"].items():
            factors[str(name)] = [str(value) for value in values]
            if isinstance(values, str) or len(factors[str(name)]) != n:
                raise traitlets.TraitError(
                    f"factors[{name!r}] has {len(values)} values; expected one text for each of the {n} samples."
                )
            if len(set(factors[str(name)])) > MAX_VALUES:
                raise traitlets.TraitError(f"factors[{name!r}] has more than {MAX_VALUES:,} different values.")
        return factors

    @traitlets.observe("factors")
    def _factor_has_gone(self, _change: traitlets.Bunch) -> None:
        if self.map_colour not in self._colours():
            self.map_colour = COLOURS[0]
        if self.map_filter.get("factor", [None])[0] not in (None, *self.factors):
            self.map_filter = {name: value for name, value in self.map_filter.items() if name != "factor"}

    def selection_frame(self) -> pandas.DataFrame:
        """The chosen samples as a table; all samples that pass the filter where none is chosen.

        Returns
        -------
        pandas.DataFrame
            Indexed by sample id: ``caption`` (the response), ``concepts`` (the three strongest of the layer) and their
            ``activations``, ``unexplained`` (0 to 1, no unit), ``lacking`` (whether no caption of the data set has the word;
            None where that is not defined), and one column per factor.
        """
        import pandas

        study, cd = self._study, self._study.dictionary(self.layer)
        rest = None if cd.decoder is None else cd.unexplained
        flags = lacking(study)
        table = pandas.DataFrame(
            {
                "caption": [s.caption for s in study.samples],
                "unexplained": np.full(len(study.samples), np.nan) if rest is None else rest,
                "lacking": [None] * len(study.samples) if flags is None else flags,
                **self.factors,
            },
            index=pandas.Index([s.id for s in study.samples], name="id"),
        )
        rows = [study.rows[i] for i in self.lasso] or np.flatnonzero(_passes(table, self.map_filter))
        chosen, V = table.iloc[rows], cd.activations[rows]
        order = np.argsort(-np.abs(V), axis=1, kind="stable")[:, :N_STRONGEST]
        chosen.insert(1, "concepts", order.tolist())
        chosen.insert(2, "activations", np.take_along_axis(V, order, 1).tolist())
        return chosen


def _passes(table: pandas.DataFrame, rule: Mapping[str, Any]) -> np.ndarray:
    passes = np.ones(len(table), bool)
    if rule.get("lacking"):
        passes &= table["lacking"].to_numpy(bool)  # None, where that is not defined, does not pass
    if rule.get("unexplained") is not None:
        passes &= (table["unexplained"] > rule["unexplained"]).to_numpy()
    if rule.get("factor"):
        name, value = rule["factor"]
        passes &= (table[name] == value).to_numpy()
    return passes


def _one_of(what: str, value: str, names: Sequence[str]) -> str:
    if value not in names:
        raise traitlets.TraitError(f"{what} is {value!r}; expected one of {list(names)}.")
    return str(value)
