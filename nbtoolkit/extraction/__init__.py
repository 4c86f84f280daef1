"""From captioned images to representations: the residual stream where the model predicts the token, every layer in one pass."""

from .options import ReadingOptions
from .representations import extract
from .xl_vlms import read_xl_vlms

__all__ = ["ReadingOptions", "extract", "read_xl_vlms"]
