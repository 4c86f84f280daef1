"""The paper's evaluation, its published figures, and the report."""

from .evaluation import SIZES, reproduce
from .results import Panel, Reproduction
from .settings import SETTINGS, Settings
from .systems import METHODS, SYSTEMS

__all__ = ["METHODS", "SETTINGS", "SIZES", "SYSTEMS", "Panel", "Reproduction", "Settings", "reproduce"]
