"""ConceptGallery: the concepts of one layer as cards of images and words."""

from __future__ import annotations

import traitlets

from .base import MAX_QUERY, state_trait
from .study_view import StudyView

SORTS = ("importance", "index", "clip_score", "rarity")
EXAMPLES = ("strongest", "range", "random")
EXEMPLAR_OVERLAYS = ("none", "heat map", "contour", "zoom")


class ConceptGallery(StudyView):
    """The concepts of one layer: exemplars and words per card, with search, sorting and activation histograms.

    Examples
    --------
    >>> import nbtoolkit as nbt, traitlets
    >>> model, data = nbt.load_model("toy"), nbt.load_data("toy", n=200)
    >>> study = nbt.study(model, data, "train", method=nbt.SemiNMF(4, random_state=0), progress=False)
    >>> gallery, other = ConceptGallery(study, sort="index"), ConceptGallery(study)
    >>> link = traitlets.link((gallery, "layer"), (other, "layer"))
    >>> gallery.layer = 2
    >>> other.layer
    2
    """

    kind = "concept_gallery"
    reading = "A card is a concept: the images that activate it most and the words it is read as."

    query = state_trait(traitlets.Unicode(help="Search in words, labels and captions of exemplars."))
    sort = state_trait(traitlets.Enum(SORTS, SORTS[0], help=f"Order of the concepts: one of {', '.join(SORTS)}."))
    examples = state_trait(
        traitlets.Enum(
            EXAMPLES,
            EXAMPLES[0],
            help="Images per concept: the strongest, evenly across the activation range, or at random among those above 0.",
        )
    )
    exemplar_overlay = state_trait(
        traitlets.Enum(
            EXEMPLAR_OVERLAYS,
            EXEMPLAR_OVERLAYS[0],
            help=f"Concept map over the images of the cards, with a live model: one of {', '.join(EXEMPLAR_OVERLAYS)}.",
        )
    )

    @traitlets.validate("query")
    def _valid_query(self, proposal: traitlets.Bunch) -> str:
        if len(proposal["value"]) > MAX_QUERY:
            raise traitlets.TraitError(f"query has {len(proposal['value'])} characters; expected at most {MAX_QUERY}.")
        return str(proposal["value"])
