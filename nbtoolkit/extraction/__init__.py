"""From captioned images to representations: the residual stream where the model predicts the token, every layer in one pass."""

from .estimates import Estimate, estimate
from .options import ReadingOptions
from .representations import extract
from .xl_vlms import read_xl_vlms

__all__ = ["Estimate", "ReadingOptions", "estimate", "extract", "read_xl_vlms"]
