"""Decompositions of representations into concepts, Z ≈ V @ U, and the dictionaries that they give."""

from .decoder import reconstruct, relative_error, unexplained
from .dictionaries import decompose, list_decompositions, named
from .largest_norm import LargestNorm
from .random_directions import RandomDirections
from .sae_files import read_sae
from .semi_nmf import SemiNMF
from .sparse_autoencoder import SparseAutoencoder
from .topk_sae import TopKSAE

__all__ = [
    "LargestNorm",
    "RandomDirections",
    "SemiNMF",
    "SparseAutoencoder",
    "TopKSAE",
    "decompose",
    "list_decompositions",
    "named",
    "read_sae",
    "reconstruct",
    "relative_error",
    "unexplained",
]
