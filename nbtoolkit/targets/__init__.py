"""Targets: responses that contain a token, teacher-forced up to it; and the quantities of them that are attributed."""

from .finding import mentions
from .quantities import KINDS, LOG_PROBABILITY, Quantity
from .responses import BATCH, Targets

__all__ = ["BATCH", "KINDS", "LOG_PROBABILITY", "Quantity", "Targets", "mentions"]
