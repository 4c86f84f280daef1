"""Decompositions of representations into concepts, Z ≈ V @ U, and the dictionaries that they give."""

from .decoder import reconstruct, relative_error, unexplained
from .dictionaries import decompose, list_decompositions, named
from .largest_norm import LargestNorm
from .random_directions import RandomDirections
from .semi_nmf import SemiNMF

__all__ = [
    "LargestNorm",
    "RandomDirections",
    "SemiNMF",
    "decompose",
    "list_decompositions",
    "named",
    "reconstruct",
    "relative_error",
    "unexplained",
]
