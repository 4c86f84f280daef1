"""The views: each pane alone, and the Explorer that joins them."""

from __future__ import annotations

from .base import StudyView


class LayerSlider(StudyView):
    """Where meaning appears: one slot a layer, with the curves of CLIPScore and reconstruction error."""

    kind = "layers"


class ConceptGallery(StudyView):
    """The concepts of one layer: exemplars and words on one card, with search, sort and activation histogram.

    Examples
    --------
    >>> import nbtoolkit as nbt, traitlets
    >>> model, data = nbt.load_model("toy"), nbt.load_data("toy", n=200)
    >>> study = nbt.study(model, data, "train", method=nbt.SemiNMF(4, random_state=0), progress=False)
    >>> slider, gallery = LayerSlider(study), ConceptGallery(study)
    >>> link = traitlets.link((slider, "layer"), (gallery, "layer"))
    >>> slider.layer = 2
    >>> gallery.layer
    2
    """

    kind = "gallery"


class SampleAttribution(StudyView):
    """One picture: what the model said with the token marked, and its strongest concepts as bars."""

    kind = "sample"


class Explorer(StudyView):
    """All panes in one widget with one shared state: layers above, gallery and picture side by side.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> study = nbt.study(nbt.load_model("toy"), nbt.load_data("toy", n=200), "train", method=nbt.SemiNMF(4, random_state=0), progress=False)
    >>> Explorer(study, layer=5, concept=2).concept
    2
    """

    kind = "explorer"
