"""What does this multimodal model mean by this word? Concept-based interpretability in a notebook.

    model → extract → decompose → ground → study → explore

Importing this package imports no torch: names are loaded when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_HOME = {
    "load_model": "models", "check_model": "models", "load_scorer": "models", "load_data": "data",
    "extract": "extraction", "decompose": "decomposition", "list_decompositions": "decomposition",
    "SemiNMF": "decomposition", "LargestNorm": "decomposition", "RandomDirections": "decomposition",
    "ground": "grounding", "WordFilter": "grounding", "options": "settings", "evaluate": "metrics", "compare": "metrics", "study": "studies", "sweep": "sweeps",
    "interpret": "interpretation", "saliency": "interpretation", "open_study": "store", "read_xl_vlms": "interop", "explore": "live",
    "ConceptDictionary": "types", "Grounding": "types", "Representations": "types", "Scores": "types",
    "Source": "types", "Study": "types", "NbtoolkitError": "errors",
}  # fmt: skip
_MODULES = ("toy", "widgets", "types", "errors", "metrics", "interventions", "attribution", "effects")

__version__ = "0.1.0"
__all__ = sorted([*_HOME, "toy", "widgets"])


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
        globals()[name] = value
        return value
    if name in _MODULES:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module 'nbtoolkit' has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return __all__


if TYPE_CHECKING:
    from . import toy as toy
    from . import widgets as widgets
    from .data import load_data as load_data
    from .decomposition import LargestNorm as LargestNorm
    from .decomposition import RandomDirections as RandomDirections
    from .decomposition import SemiNMF as SemiNMF
    from .decomposition import decompose as decompose
    from .decomposition import list_decompositions as list_decompositions
    from .errors import NbtoolkitError as NbtoolkitError
    from .extraction import extract as extract
    from .grounding import WordFilter as WordFilter
    from .grounding import ground as ground
    from .interop import read_xl_vlms as read_xl_vlms
    from .interpretation import interpret as interpret
    from .interpretation import saliency as saliency
    from .live import explore as explore
    from .metrics import compare as compare
    from .metrics import evaluate as evaluate
    from .models import check_model as check_model
    from .models import load_model as load_model
    from .models import load_scorer as load_scorer
    from .store import open_study as open_study
    from .studies import study as study
    from .sweeps import sweep as sweep
    from .types import ConceptDictionary as ConceptDictionary
    from .types import Grounding as Grounding
    from .types import Representations as Representations
    from .types import Scores as Scores
    from .types import Source as Source
    from .types import Study as Study
