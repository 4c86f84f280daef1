"""``explore``: the Explorer of a study, with a live model where one is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import NbtoolkitError
from ..storage.study import Study
from ..types.arguments import checked
from ..widgets import Explorer
from ..widgets.factors import factors_of

if TYPE_CHECKING:
    from ..models.adapter import Model


@checked
def explore(
    study: Study,
    model: Model | None = None,
    *,
    data: Any = None,
    prompt: str | None = None,
    directions: Any = None,
    **state: Any,
) -> Explorer:
    """Open the Explorer of a study; with its model, layers, heads and concepts can be ablated and steered in it.

    Parameters
    ----------
    study
        From :func:`nbtoolkit.study` or :func:`nbtoolkit.open_study`.
    model
        The model of the study, for everything live: ablation, heat maps, attribution, images outside the study.
    data
        The data set of the study: its further columns colour and filter the map (see
        :func:`nbtoolkit.widgets.factors.factors_of`), and with a model its images in full are read, else the thumbnails.
    prompt
        With a model: the prompt of the study, if it was not the model's default.
    directions
        With a model: further directions to steer by, name to vector (d_model,), such as
        ``{"rain": nbt.interventions.word_contrast(reps, "rain")}``. Strength 1 adds the vector as it is.
    **state
        Where to start: ``layer``, ``concept``, ``sample`` and the other traits of :class:`nbtoolkit.widgets.Explorer`.

    Returns
    -------
    Explorer
        Its traits can be read, set, observed and linked.

    Raises
    ------
    NbtoolkitError
        The model is not the study's: another width, number of layers, or prompt; or a direction is no vector of its width.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> study = nbt.study(nbt.load_model("toy"), nbt.load_data("toy", n=200), "train", method=nbt.SemiNMF(4, random_state=0), progress=False)
    >>> nbt.explore(study, layer=4).layer
    4
    """
    if data is not None:
        state.setdefault("factors", factors_of(study, data))
    if model is None:
        if directions is not None:
            raise NbtoolkitError("directions needs a model; expected explore(study, model, directions=…).")
        return Explorer(study, **state)
    from .operations import Session  # needs torch

    return Explorer(study, session=Session(model, study, data, prompt, directions), **state)
