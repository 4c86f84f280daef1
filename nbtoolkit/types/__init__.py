"""The data that passes between the stages: frozen dataclasses with read-only arrays.

Rows are always samples: Z (n_samples, d_model) ≈ V (n_samples, n_concepts) @ U (n_concepts, d_model), the
transpose of the paper's notation (Parekh et al., 2024, arXiv 2406.08074).
"""

from .dictionary import ConceptDictionary, Encoder, Grounding, Scores, activations_of
from .representations import Representations, Source
from .score import Score
from .study import Sample, Study

__all__ = [
    "ConceptDictionary",
    "Encoder",
    "Grounding",
    "Representations",
    "Sample",
    "Score",
    "Scores",
    "Source",
    "Study",
    "activations_of",
]
