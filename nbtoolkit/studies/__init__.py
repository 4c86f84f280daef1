"""Studies: the whole chain for a word, sweeps over settings, and baselines."""

from .pipeline import extend, study
from .sweeps import sweep

__all__ = ["extend", "study", "sweep"]
