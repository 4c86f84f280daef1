"""SampleAttribution: one image, its response, and the concepts at the token."""

from __future__ import annotations

import traitlets

from .base import state_trait
from .study_view import StudyView

OVERLAYS = ("none", "heat map", "contour")


class SampleAttribution(StudyView):
    """One image: the response with the token marked, and the strongest concepts at the token as bars."""

    kind = "sample_attribution"
    reading = "The bars show how strongly the image activates each concept at the marked word of the response."

    overlay = state_trait(
        traitlets.Enum(
            OVERLAYS,
            OVERLAYS[0],
            help=f"Map of the selected concept over the image, with a live model: one of {', '.join(OVERLAYS)}.",
        )
    )
    all_tokens = state_trait(
        traitlets.Bool(
            help="Whether every token of the response can be selected, with a live model: its concepts are computed too."
        )
    )
    token = state_trait(
        traitlets.Int(
            None,
            allow_none=True,
            help="Selected token of the response: its index, from 0. None for the token under study.",
        )
    )
    attribution = state_trait(
        traitlets.Bool(
            help="Whether the bars show the attribution per concept, with a live model: the change of the token's "
            "log-probability (of its logit difference to a foil where that is saturated) when the concept is ablated, by "
            "integrated gradients and by gradient × coefficient, with all concepts together and the remainders."
        )
    )

    @traitlets.validate("token")
    def _valid_token(self, proposal: traitlets.Bunch) -> int | None:
        value = proposal["value"]
        if value is not None and value < 0:
            raise traitlets.TraitError(f"token is {value}; expected None or the index of a token of the response.")
        return None if value is None else int(value)
