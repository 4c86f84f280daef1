"""LayerSlider: scores per layer, and the choice of the layer."""

from __future__ import annotations

from .study_view import StudyView


class LayerSlider(StudyView):
    """Scores per layer, such as CLIPScore and reconstruction error, over a slider that selects the layer."""

    kind = "layer_slider"
    reading = "The curves score the concepts of each layer; select a layer to see its strongest concepts."
