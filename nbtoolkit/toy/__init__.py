"""The embedded world: rendered, captioned scenes with known factors, and two small models trained on them.

``world`` draws and captions the scenes and imports no torch; ``training`` trains the models in ``weights``;
``evaluation`` measures what a captioner states about its world.
"""

from .world.grammar import FACTORS, WORDS, parse
from .world.scenes import scenes

__all__ = ["FACTORS", "WORDS", "parse", "scenes"]
