"""Views of a study for notebooks and web pages: Explorer, LayerSlider, ConceptGallery, SampleAttribution."""

from __future__ import annotations

from typing import Any

from ..types import Study
from .views import ConceptGallery, Explorer, LayerSlider, SampleAttribution

__all__ = ["ConceptGallery", "Explorer", "LayerSlider", "SampleAttribution", "explore"]


def explore(study: Study, **start: Any) -> Explorer:
    """Open the Explorer on a study.

    Parameters
    ----------
    study
        Of :func:`nbtoolkit.study` or :func:`nbtoolkit.open_study`.
    **start
        Where to start: ``layer``, ``concept``, ``sample``.

    Returns
    -------
    Explorer
        Its traits ``layer``, ``concept`` and ``sample`` can be read, set, observed and linked.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> study = nbt.study(nbt.load_model("toy"), nbt.load_data("toy", n=200), "train", method=nbt.SemiNMF(4, random_state=0), progress=False)
    >>> nbt.explore(study, layer=4).layer
    4
    """
    return Explorer(study, **start)
