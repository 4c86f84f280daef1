"""The paper's evaluation, its published figures, and the report."""

from .evaluation import METHODS, SIZES, SYSTEMS, reproduce
from .results import Panel, Reproduction

__all__ = ["METHODS", "SIZES", "SYSTEMS", "Panel", "Reproduction", "reproduce"]
