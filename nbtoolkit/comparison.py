"""Matching of two dictionaries; it is in ``nbtoolkit.metrics.matching``."""

from .metrics.matching import MEASURES as MEASURES
from .metrics.matching import N_NULL as N_NULL
from .metrics.matching import Agreement as Agreement
from .metrics.matching import compare_dictionaries as compare_dictionaries
