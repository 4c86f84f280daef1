"""Data that passes between the stages: frozen dataclasses with read-only arrays, and the resolver of layer indices.

Rows are samples: Z (n_samples, d_model) ≈ V (n_samples, n_concepts) @ U (n_concepts, d_model), the transpose of the
paper's notation (Parekh et al., 2024, arXiv 2406.08074).
"""

from .._names import lazy_names
from .concept_map import ConceptMap
from .dictionary import ConceptDictionary, Encoder, activations_of
from .geometry import Geometry
from .grounding import Grounding
from .layers import resolve_layer, resolve_layers
from .naming import Naming
from .representations import Representations, Source
from .score import Score, Scores

__getattr__ = lazy_names(__name__, {".storage.study": ["Sample", "Study"]})[1]  # the path of release 0.1

__all__ = [
    "ConceptDictionary",
    "ConceptMap",
    "Encoder",
    "Geometry",
    "Grounding",
    "Naming",
    "Representations",
    "Score",
    "Scores",
    "Source",
    "activations_of",
    "resolve_layer",
    "resolve_layers",
]
