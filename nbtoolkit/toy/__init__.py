"""The embedded worlds: rendered, captioned scenes with known factors, and small models trained on them.

``world`` draws and captions the scenes and imports no torch; ``training`` trains the models in ``weights``;
``evaluation`` measures what a captioner states about its world; ``smollm2`` puts the captioner with a real language model
together.
"""

from .world.facts import parse
from .world.grammar import FACTORS, WORDS
from .world.scenes import scenes
from .world.second.scenes import masks, render

__all__ = ["FACTORS", "WORDS", "masks", "parse", "render", "scenes"]
