"""Models: one adapter over any Hugging Face image-text-to-text model, and a CLIP judge."""

from .adapter import Model
from .checks import Report, check_model
from .encoder import TextEncoder, load_text_encoder
from .loading import load_model
from .scorer import Scorer, load_scorer

__all__ = ["Model", "Report", "Scorer", "TextEncoder", "check_model", "load_model", "load_scorer", "load_text_encoder"]
