"""Block updates and objective of Semi-NMF, as pure functions.

Notation: X (n, d) rows are samples, W = Vᵀ (K, n) activations, U (K, d) concepts, G = UUᵀ (K, K), C = UXᵀ − λ/2 (K, n),
A = WWᵀ (K, K), B = WX (K, d). Activations are stored transposed, so that each coordinate is one contiguous row.
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray
_BLOCK = 32  # coordinates per matrix product, with at least twice as many concepts


def coordinate_descent(C: Array, G: Array, W: Array, n_passes: int = 2) -> Array:
    """Coordinate descent on the activations of a fixed dictionary: every row takes its exact minimiser in turn.

    Parameters
    ----------
    C : (n_concepts, n_samples)
        UXᵀ − λ/2.
    G : (n_concepts, n_concepts)
        Gram matrix UUᵀ.
    W : (n_concepts, n_samples)
        Activations to start from; overwritten.
    n_passes
        Passes over all coordinates.

    Returns
    -------
    (n_concepts, n_samples) array
        W itself.

    Examples
    --------
    >>> coordinate_descent(np.array([[2.0], [-1.0]]), np.eye(2), np.zeros((2, 1))).ravel().tolist()
    [2.0, 0.0]
    """
    nonzero = np.flatnonzero(np.diag(G) > 0)
    if len(G) < 2 * _BLOCK:
        for _ in range(n_passes):
            for k in nonzero:
                row = C[k] - G[k] @ W
                row /= G[k, k]
                row += W[k]
                np.maximum(row, 0, out=W[k])
        return W
    change = np.empty((_BLOCK, W.shape[1]), W.dtype)
    for _ in range(n_passes):
        for start in range(0, len(nonzero), _BLOCK):
            block = nonzero[start : start + _BLOCK]
            inner, residual = G[np.ix_(block, block)], G[block] @ W
            np.subtract(C[block], residual, out=residual)
            for i, k in enumerate(block):
                row = residual[i]
                row -= inner[i, :i] @ change[:i]
                row /= G[k, k]
                row += W[k]
                np.maximum(row, 0, out=row)
                np.subtract(row, W[k], out=change[i])
                W[k] = row
    return W


def update_concepts(A: Array, B: Array, U: Array) -> Array:
    """Coordinate descent on the concepts for fixed activations: every row takes its exact minimiser on the unit ball.

    Parameters
    ----------
    A : (n_concepts, n_concepts)
        WWᵀ.
    B : (n_concepts, n_features)
        WX.
    U : (n_concepts, n_features)
        Concepts to start from; overwritten.

    Returns
    -------
    (n_concepts, n_features) array
        U itself.

    Examples
    --------
    >>> update_concepts(np.array([[1.0]]), np.array([[3.0, 4.0]]), np.zeros((1, 2))).round(6).tolist()
    [[0.6, 0.8]]
    """
    for k in np.flatnonzero(np.diag(A) > 1e-12 * max(1e-30, float(np.trace(A)))):
        u = U[k] + (B[k] - A[k] @ U) / A[k, k]
        U[k] = u / max(1.0, float(np.linalg.norm(u)))
    return U


def objective(X: Array, V: Array, U: Array, lam: float) -> float:
    """Objective ‖X − VU‖² + λ‖V‖₁.

    Parameters
    ----------
    X : (n_samples, n_features)
        Representations.
    V : (n_samples, n_concepts)
        Non-negative activations.
    U : (n_concepts, n_features)
        Concepts.
    lam
        λ, the weight of the sparsity, in the unit of X.

    Returns
    -------
    float
        In the squared unit of X.

    References
    ----------
    Parekh et al. 2024, section 3.2.

    Examples
    --------
    >>> objective(np.eye(2), np.eye(2), np.eye(2), 0.5)
    1.0
    """
    return float(np.square(X - V @ U).sum(dtype=np.float64) + lam * V.sum(dtype=np.float64))


def objective_from_products(A: Array, B: Array, U: Array, l1_norm: float, squared_norm: float, lam: float) -> float:
    """Objective of Semi-NMF from matrix products, in float64, without forming the residual.

    Parameters
    ----------
    A : (n_concepts, n_concepts)
        WWᵀ.
    B : (n_concepts, n_features)
        WX.
    U : (n_concepts, n_features)
        Concepts.
    l1_norm
        ‖V‖₁, the sum of the activations, in the unit of X.
    squared_norm
        ‖X‖², in the squared unit of X.
    lam
        λ, the weight of the sparsity, in the unit of X.

    Returns
    -------
    float
        ‖X − VU‖² + λ‖V‖₁, in the squared unit of X.

    Examples
    --------
    >>> objective_from_products(np.eye(2), np.eye(2), np.eye(2), 2.0, 2.0, 0.5)
    1.0
    """
    U64 = U.astype(np.float64)
    return float(squared_norm - 2 * np.sum(B * U64) + np.sum(A * (U64 @ U64.T)) + lam * l1_norm)
