"""``explore``: the Explorer of a study, with a live model where one is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..storage.study import Study
from ..types.arguments import checked
from ..widgets import Explorer
from ..widgets.factors import factors_of

if TYPE_CHECKING:
    from ..models.adapter import Model


@checked
def explore(
    study: Study, model: Model | None = None, *, data: Any = None, prompt: str | None = None, **state: Any
) -> Explorer:
    """Open the Explorer of a study; with its model, layers, heads and concepts can be ablated in it.

    Parameters
    ----------
    study
        From :func:`nbtoolkit.study` or :func:`nbtoolkit.open_study`.
    model
        The model of the study, for everything live: ablation, heat maps, attribution, images outside the study.
    data
        With a model: the data set of the study, for its images in full; else the study's thumbnails.
    prompt
        With a model: the prompt of the study, if it was not the model's default.
    **state
        Where to start: ``layer``, ``concept``, ``sample`` and the other traits of :class:`nbtoolkit.widgets.Explorer`.

    Returns
    -------
    Explorer
        Its traits can be read, set, observed and linked.

    Raises
    ------
    NbtoolkitError
        The model is not the study's: another width, number of layers, or prompt.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> study = nbt.study(nbt.load_model("toy"), nbt.load_data("toy", n=200), "train", method=nbt.SemiNMF(4, random_state=0), progress=False)
    >>> nbt.explore(study, layer=4).layer
    4
    """
    if model is None:
        return Explorer(study, **state)
    from .operations import Session  # needs torch

    if data is not None:
        state.setdefault("factors", factors_of(study, data))
    return Explorer(study, session=Session(model, study, data, prompt), **state)
