"""A measurement: numbers on named axes, with their unit, null, check and provenance."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray

from ..errors import MeasurementError
from ..strict_json import encodable
from .copies import CopiedByFields
from .nulls import Null

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Identity:
    """The identity that proves a measurement, and by how much it is missed.

    Attributes
    ----------
    name
        What is equal, as a sentence without its full stop: ``"the last layer's lens equals the model's logits"``.
    residual
        By how much it is missed, in the unit of the measurement where not said otherwise.
    tolerance
        The largest residual with which the numbers are shown.
    """

    name: str
    residual: float
    tolerance: float

    @property
    def holds(self) -> bool:
        """Whether the residual is within the tolerance; NaN is not."""
        return self.residual <= self.tolerance

    def __str__(self) -> str:
        sign = "≤" if self.holds else ">"
        return f"{self.name}: residual {self.residual:.2g} {sign} {self.tolerance:.2g}"


@dataclass(frozen=True, eq=False)
class Measurement(CopiedByFields):
    """Numbers on named axes, as every instrument gives them.

    Attributes
    ----------
    values : xarray.DataArray
        Axes such as ``layer, head, position, patch``, with coordinates; its name is that of the instrument.
    unit
        Unit of the values; ``"no unit"`` for shares and ranks.
    check
        The identity that proves it. Numbers whose check fails are not given.
    null : xarray.DataArray or None
        The same without the thing that is claimed, with an axis ``draw`` first where it is random.
    null_kind
        What the null is, and what it preserves.
    details
        Further arrays on axes of the values, such as words.
    provenance
        What was measured: model, image, question, response, word, foil, settings, versions.
    image
        Thumbnail of the image as a JPEG; empty where there is none.
    note
        A sentence that belongs beside the numbers; empty where there is none.
    target
        What was measured; None in copies and in measurements from files, which hold no model.

    Raises
    ------
    MeasurementError
        The check fails.

    Examples
    --------
    >>> values = xarray.DataArray([0.5, 1.0], dims="layer", coords={"layer": [1, 2]}, name="example")
    >>> Measurement(values, "nats", Identity("parts sum to the whole", 1e-7, 1e-5))
    Measurement example (layer: 2) in nats; parts sum to the whole: residual 1e-07 ≤ 1e-05
    """

    values: xarray.DataArray
    unit: str
    check: Identity
    null: xarray.DataArray | None = None
    null_kind: Null | None = None
    details: Mapping[str, xarray.DataArray] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    image: bytes = b""
    note: str = ""
    target: Any = field(default=None, repr=False)

    def __reduce__(self) -> tuple[Any, ...]:
        """Class and fields without the target, which a copy is made from."""
        make, (kind, values) = super().__reduce__()
        return make, (kind, values | {"target": None})

    def __post_init__(self) -> None:
        if not self.check.holds:
            raise MeasurementError(
                f"{self.name} is not given, because its check fails: {self.check}. Run the model in float32, or report the model's "
                "family."
            )

    @property
    def name(self) -> str:
        """Name of the instrument."""
        return str(self.values.name)

    def p(self) -> float:
        """Share of the null's draws whose largest value is at least that of the values, with the values counted in; no unit.

        NaN where the null is not random.
        """
        if self.null is None or "draw" not in self.null.dims:
            return math.nan
        others = abs(self.null).max([d for d in self.null.dims if d != "draw"])
        exceeded = int((others >= abs(self.values).max()).sum())
        return (1 + exceeded) / (1 + self.null.sizes["draw"])

    def sel(self, **places: Any) -> Measurement:
        """The part at coordinates of axes: ``m.sel(layer=5, head=[0, 1])``.

        Parameters
        ----------
        **places
            Axis to coordinates, as for :meth:`xarray.DataArray.sel`.

        Raises
        ------
        MeasurementError
            An axis or a coordinate that the values lack.
        """
        for name in places:
            self._axis(name)

        def part(array: xarray.DataArray) -> xarray.DataArray:
            here = {k: place for k, place in places.items() if k in array.dims and self._shares(array, k)}
            named = array.assign_coords({name: self.values[name].values for name in here if name not in array.coords})
            return named.sel(here)

        try:
            return self._each(part)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            have = "; ".join(f"{name}: {self.values[name].values.tolist()}" for name in places)
            raise MeasurementError(f"{self.name} has no {places}; expected coordinates among {have}.") from error

    def mean(self, *axes: str) -> Measurement:
        """The mean over axes, of values, null and numeric details.

        Parameters
        ----------
        *axes
            Names of axes.

        Raises
        ------
        MeasurementError
            An axis that the values lack.
        """
        return self._reduced("mean", axes)

    def sum(self, *axes: str) -> Measurement:
        """The sum over axes, of values, null and numeric details.

        Parameters
        ----------
        *axes
            Names of axes.

        Raises
        ------
        MeasurementError
            An axis that the values lack.
        """
        return self._reduced("sum", axes)

    def _reduced(self, how: str, axes: tuple[str, ...]) -> Measurement:
        for name in axes:
            self._axis(name)
        numeric = {k: v for k, v in self.details.items() if v.dtype.kind in "fiub" or not {*axes} & {*v.dims}}

        def reduced(array: xarray.DataArray) -> xarray.DataArray:
            here = [name for name in axes if name in array.dims]
            result: xarray.DataArray = getattr(array, how)(here) if here else array
            return result

        return replace(self, details=numeric)._each(reduced)

    def _each(self, function: Callable[[xarray.DataArray], xarray.DataArray]) -> Measurement:
        null = None if self.null is None else function(self.null)
        return replace(
            self, values=function(self.values), null=null, details={k: function(v) for k, v in self.details.items()}
        )

    def _shares(self, array: xarray.DataArray, axis: Hashable) -> bool:
        """Whether an array has the entries of the values on an axis: a detail may have others, such as all positions."""
        if array.sizes[axis] != self.values.sizes[axis]:
            return False
        both = axis in array.coords and axis in self.values.coords
        return not both or bool((array[axis].values == self.values[axis].values).all())

    def _axis(self, name: str) -> None:
        if name not in self.values.dims:
            raise MeasurementError(
                f"{self.name} has no axis {name!r}; expected one of {', '.join(map(repr, self.values.dims))}."
            )

    def to_frame(self) -> pandas.DataFrame:
        """One row per value: a column per axis and coordinate, ``value``, and the details on the same axes."""
        columns = {"value": self.values} | {
            name: array
            for name, array in self.details.items()
            if {*array.dims} == {*self.values.dims} and all(self._shares(array, axis) for axis in array.dims)
        }
        table = xarray.Dataset({k: v.rename(k) for k, v in columns.items()})
        texts = {k: (v.dims, _encodable(v.values)) for k, v in table.variables.items() if v.dtype.kind in "OU"}
        frame: pandas.DataFrame = (
            table.assign({k: v for k, v in texts.items() if k in table.data_vars})
            .assign_coords({k: v for k, v in texts.items() if k in table.coords})
            .to_dataframe()
        )
        return frame.reset_index()

    def plot(self, **options: Any) -> Any:
        """Figure of the values, by their axes: :func:`nbtoolkit.plots.measurement`.

        Parameters
        ----------
        **options
            Of that function.
        """
        return importlib.import_module("nbtoolkit.plots").measurement(self, **options)

    def save(self, path: Any) -> Any:
        """Write the measurement as one file: :func:`nbtoolkit.storage.measurements.save`.

        Parameters
        ----------
        path
            The file; it may exist.
        """
        return importlib.import_module("nbtoolkit.storage.measurements").save(self, path)

    @staticmethod
    def open(path: Any, *, model: Any = None) -> Measurement:
        """Read a measurement: :func:`nbtoolkit.storage.measurements.read`.

        Parameters
        ----------
        path
            A file of :meth:`save`.
        model
            The model beside which it is opened; another one than that of the measurement is refused.
        """
        result: Measurement = importlib.import_module("nbtoolkit.storage.measurements").read(path, model=model)
        return result

    def __repr__(self) -> str:
        axes = ", ".join(f"{name}: {size}" for name, size in self.values.sizes.items())
        return f"Measurement {self.name} ({axes}) in {self.unit}; {self.check}"


def _encodable(texts: np.ndarray) -> np.ndarray:
    """Texts that pandas can hold: lone surrogates become replacement characters."""
    return np.array([encodable(str(text)) for text in texts.ravel()], object).reshape(texts.shape)
