"""Models: one adapter over any Hugging Face image-text-to-text model, CLIP scorers and text encoders.

``adapter`` is the vocabulary that the rest of the package speaks; ``families`` holds what differs between model
families, as data; ``anatomy`` finds the parts of a model; ``loading`` and ``checks`` load it and verify it; ``hooks``
read and replace the residual stream; ``generation`` runs it, and ``decoding`` makes it greedy; ``geometry`` maps image
positions to pixels of the original image (``ramps`` reads back what a processor did, ``tiles`` has the order of patches).
``budget`` and ``image_options`` limit how many positions an image takes, and ``memory`` measures what a pass needs.
Every function here that runs a model enters inference mode and a fitting number of threads by itself (``inference``).
"""

from .adapter import Model
from .checks import check_model
from .generation import respond
from .loading import load_model
from .reports import Report
from .scorers import Scorer, TextEncoder, load_scorer, load_text_encoder

__all__ = [
    "Model",
    "Report",
    "Scorer",
    "TextEncoder",
    "check_model",
    "load_model",
    "load_scorer",
    "load_text_encoder",
    "respond",
]
