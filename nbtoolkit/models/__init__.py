"""Models: one adapter over any Hugging Face image-text-to-text model, and a CLIP judge."""

from .adapter import Model
from .checks import Report, check_model
from .loading import load_model
from .scorer import Scorer, load_scorer

__all__ = ["Model", "Report", "Scorer", "check_model", "load_model", "load_scorer"]
