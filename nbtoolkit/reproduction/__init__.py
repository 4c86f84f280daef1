"""The paper's evaluation, its published figures, and the report."""

from .evaluation import METHODS, SIZES, SYSTEMS, Panel, Reproduction, reproduce

__all__ = ["METHODS", "SIZES", "SYSTEMS", "Panel", "Reproduction", "reproduce"]
