"""Targets: responses that contain a token, teacher-forced up to it; read, continued from a layer, differentiated."""

from .quantities import QUANTITIES, SATURATED, Quantity
from .responses import mentions
from .targets import Targets

__all__ = ["QUANTITIES", "SATURATED", "Quantity", "Targets", "mentions"]
