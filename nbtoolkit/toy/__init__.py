"""The embedded world: rendered, captioned scenes whose factors are known, and two small models trained on them."""

from .grammar import FACTORS, WORDS, parse
from .scenes import scenes

__all__ = ["FACTORS", "WORDS", "parse", "scenes"]
