"""Measurements of the Inspector that combine instruments: knockout by head, patching between sides, faithfulness of a map."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import xarray

from ..errors import MethodError
from ..interventions.knockout import attention_knockout
from ..interventions.patching import activation_patching
from ..metrics.faithful_maps import faithfulness
from ..targets.target import Target
from ..types.measurement import Measurement
from .drawings import as_map

if TYPE_CHECKING:
    from .inspector_case import Case

N_STEPS = 10  # of a curve of faithfulness
N_RANDOM = 10  # random orders
APART = "One head at a time; what several heads carry together shows in none of them."
MAPS = ("lens", "attention", "occlusion", "gradients", "head:L.H", "lens:L", "concept:L:K")


def knockout_by_head(case: Case) -> Measurement:
    """Change of the word when one head of one layer cannot read the image where it predicts the word: layer × head.

    Parameters
    ----------
    case
        The case.
    """
    heads = range(case.side.model.n_heads)
    parts = [attention_knockout(case.target, heads=[head], n_null=1) for head in heads]
    worst = max((m.check for m in parts), key=lambda check: check.residual)

    def stacked(arrays: list[xarray.DataArray]) -> xarray.DataArray:
        joined = xarray.concat(arrays, xarray.DataArray(heads, dims="head", name="head"))
        return joined.transpose(*arrays[0].dims, "head")

    nulls = [m.null for m in parts if m.null is not None]
    return replace(
        parts[0],
        values=stacked([m.values for m in parts]).rename("knockout"),
        check=worst,
        null=stacked(nulls) if nulls else None,
        details={"probability": stacked([m.details["probability"] for m in parts])},
        note=" ".join(s for s in (APART, parts[0].note) if s),
    )


def patching(case: Case) -> Measurement:
    """How much of the word comes back when states of this image are put into the pass of the other side, or of a blank image.

    Parameters
    ----------
    case
        The case.
    """
    other, what = counterpart(case)
    m = activation_patching(case.target, other)
    return replace(m, note=" ".join(s for s in (f"Clean: this side. Corrupt: {what}.", m.note) if s))


def counterpart(case: Case) -> tuple[Target, str]:
    """The same word in the same response for the other side's image or question; else for an image without content.

    Parameters
    ----------
    case
        The case.

    Returns
    -------
    Target, str
        And what it is, in words.
    """
    other = case.session.sides.opposite(case.which)
    if other is not None and other.question != case.side.question:
        image = None if other.image is case.side.image else other.image
        return case.target.again(image, other.question), f"the question {other.question!r}"
    if other is not None and other.image is not case.side.image:
        return case.target.again(other.image), "the other side's image"
    return case.target.again(case.side.blank.image), "an image of the same size without content"


def faithful(case: Case) -> Measurement:
    """Deletion and insertion curves of a map.

    Parameters
    ----------
    case
        The case, ``of`` the name of a map.
    """
    return faithfulness(map_of(case), case.target, n_steps=N_STEPS, n_random=N_RANDOM)


def map_of(case: Case) -> Measurement:
    """A map of the image by its name: values on the axis ``patch`` alone.

    Parameters
    ----------
    case
        The case, ``of`` the name: of an instrument, ``"head:4.1"`` (a head's attention), ``"lens:3"`` (a layer), or
        ``"concept:4:7"``.

    Raises
    ------
    MethodError
        There is no such map.
    """
    name, _, rest = case.of.partition(":")
    make = {
        "attention": _mean_attention,
        "head": _head,
        "lens": _lens_map,
        "occlusion": _whole_map,
        "gradients": _whole_map,
        "concept": _whole_map,
    }
    if name not in make:
        raise MethodError(f"of is {case.of[:80]!r}; expected a map: {', '.join(MAPS)}.")
    return replace(make[name](case, rest), target=case.target)


def _measured(case: Case, name: str, of: str = "") -> Measurement:
    target = case.target
    return case.session.measurement(name, case.key, target.foil, side=case.which, of=of, edits=case.edits)


def _whole_map(case: Case, rest: str) -> Measurement:
    return replace(_measured(case, case.of.partition(":")[0], rest), details={}, null=None, null_kind=None)


def _mean_attention(case: Case, _rest: str) -> Measurement:
    return as_map(_measured(case, "attention"))


def _head(case: Case, rest: str) -> Measurement:
    m = _measured(case, "attention")
    layer, _, head = rest.partition(".")
    if not (layer.isdecimal() and head.isdecimal()):
        raise MethodError(f"of is {case.of[:80]!r}; expected 'head:L.H', such as 'head:4.1'.")
    return replace(m.sel(layer=int(layer), head=int(head)), details={}, note="")


def _lens_map(case: Case, rest: str) -> Measurement:
    m = _measured(case, "lens")
    layers = m.values.layer.values
    layer = int(rest) if rest.isdecimal() else int(layers[len(layers) // 2])
    here = replace(m, details={}, null=None, null_kind=None, note="").sel(layer=layer).values.isel(word=0)
    patches = here.isel(position=here.role.values == "image").rename(position="patch")
    positions = patches["patch"].values
    return replace(
        m,
        values=patches.drop_vars("patch").assign_coords(position=("patch", positions)),
        null=None,
        null_kind=None,
        details={},
        note="",
    )


def faithfulness_facts(m: Measurement) -> dict[str, float]:
    """Areas under the curves: 0 is nothing of the image, 1 all of it, no unit.

    Parameters
    ----------
    m
        Of :func:`nbtoolkit.metrics.faithful_maps.faithfulness`.
    """
    facts = {}
    for curve in ("deletion", "insertion"):
        facts[curve] = float(m.details["auc"].sel(curve=curve))
        facts[f"random_{curve}"] = float(m.details["null_auc"].sel(curve=curve).mean())
        facts[f"centre_{curve}"] = float(m.details["centre_auc"].sel(curve=curve))
    return facts
