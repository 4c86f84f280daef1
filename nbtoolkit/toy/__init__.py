"""The embedded worlds: rendered, captioned scenes with known factors, and small models trained on them.

``world`` draws and captions the scenes and imports no torch; ``training`` trains the models in ``weights``;
``evaluation`` measures what a captioner states about its world; ``smollm2`` puts the captioner with a real language model
together; ``benchmark`` scores methods against the truth.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .world.facts import parse
from .world.grammar import FACTORS, WORDS
from .world.scenes import scenes
from .world.second.scenes import masks, render

if TYPE_CHECKING:
    from . import benchmark as benchmark

__all__ = ["FACTORS", "WORDS", "masks", "parse", "render", "scenes"]


def __getattr__(name: str) -> Any:
    if name == "benchmark":  # it needs all of the package, which needs this one
        return importlib.import_module(".benchmark", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}, benchmark")
