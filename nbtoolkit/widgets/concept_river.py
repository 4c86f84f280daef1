"""ConceptRiver: the concepts of all layers as strips, joined where they are one thread."""

from __future__ import annotations

from .study_view import StudyView


class ConceptRiver(StudyView):
    """The concepts of all layers: a column per layer, a strip per concept, joined where a concept goes on as one thread.

    A strip is as high as the concept's share of activation. Concepts of neighbouring layers are joined where their activations
    correlate more than the null (see :func:`nbtoolkit.metrics.match_layers`); a tapered end is where a thread begins or ends.
    Strips have an image and a word where there is room; both are saved with the drawing, as SVG or PNG of 1200 × 630 pixels.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> study = nbt.study(nbt.load_model("toy"), nbt.load_data("toy", n=200), "train", method=nbt.SemiNMF(4, random_state=0), progress=False)
    >>> ConceptRiver(study, layer=3, concept=1).layer
    3
    """

    kind = "concept_river"
    reading = (
        "A column is a layer, a strip a concept, as high as its share; joined strips are one concept that goes on."
    )
