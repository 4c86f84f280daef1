"""Methods that the benchmark scores by default, its random floors, and methods as a user gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA, FastICA, MiniBatchDictionaryLearning
from sklearn.utils import check_random_state
from sklearn.utils.validation import validate_data

from ...decomposition import LargestNorm, RandomDirections, SemiNMF, TopKSAE, named
from ...errors import MethodError

Array = np.ndarray


class RawStates(LargestNorm):
    """A floor: training rows at random as concepts, without any learning; the activation is 1 / (1 + distance).

    Parameters
    ----------
    n_components
        Number of rows.
    random_state
        Seed of the rows: an int, a ``RandomState``, or None.

    Attributes
    ----------
    components_ : (n_components, n_features)
        The rows.

    Examples
    --------
    >>> RawStates(2, random_state=0).fit(np.eye(3)).transform(np.eye(3)).max(0).tolist()
    [1.0, 1.0]
    """

    def __init__(self, n_components: int = 20, *, random_state: Any = None) -> None:
        self.n_components = n_components
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> RawStates:
        """Draw the rows.

        Parameters
        ----------
        X : (n_samples, n_features)
            Representations.
        y
            Ignored; scikit-learn's convention.

        Returns
        -------
        RawStates
            The fitted estimator itself.
        """
        X = validate_data(self, X, dtype=[np.float64, np.float32])
        self.components_ = X[check_random_state(self.random_state).permutation(len(X))[: self.n_components]].copy()
        return self


FLOORS: Mapping[str, Any] = {"random directions": RandomDirections(), "raw states": RawStates()}


def methods() -> dict[str, Any]:
    """Default methods: name to transformer, whose number of concepts and random state each task sets.

    Examples
    --------
    >>> list(methods())[:3]
    ['Semi-NMF, λ = 1', 'Semi-NMF, λ = 2', 'Semi-NMF, λ auto']
    """
    return {
        "Semi-NMF, λ = 1": SemiNMF(alpha=1.0),
        "Semi-NMF, λ = 2": SemiNMF(alpha=2.0),
        "Semi-NMF, λ auto": SemiNMF(),
        "PCA": PCA(),
        "FastICA": FastICA(max_iter=500),
        "KMeans": KMeans(),
        "LargestNorm": LargestNorm(),
        "MiniBatch dictionary learning": MiniBatchDictionaryLearning(),
        "TopKSAE": TopKSAE(k=4, batch_size=64),
    }


def choose_methods(selection: Mapping[str, Any] | Sequence[Any] | None) -> dict[str, Any]:
    """Methods by name.

    Parameters
    ----------
    selection
        Name to transformer; or names of :func:`methods` or :func:`nbtoolkit.list_decompositions`, or transformers; all
        default methods if None.

    Raises
    ------
    MethodError
        No method, an unknown name, a name twice or of a floor, or an object that is no transformer.
    """
    if selection is None:
        return methods()
    if isinstance(selection, str) or (hasattr(selection, "fit") and not isinstance(selection, Mapping)):
        selection = [selection]
    own = methods()
    pairs = selection.items() if isinstance(selection, Mapping) else [(_name(one), one) for one in selection]
    result: dict[str, Any] = {}
    for name, one in pairs:
        estimator = own[one] if isinstance(one, str) and one in own else named(one) if isinstance(one, str) else one
        if isinstance(estimator, type) or not hasattr(estimator, "get_params") or not hasattr(estimator, "transform"):
            raise MethodError(f"Method {name!r} is {one!r}; expected a scikit-learn transformer, or a name.")
        if name in result or name in FLOORS:
            raise MethodError(f"Two methods are named {name!r}; expected names that differ, and that no floor has.")
        result[name] = estimator
    if not result:
        raise MethodError("There are no methods; expected at least one, or None for all.")
    return result


def _name(method: Any) -> str:
    return method if isinstance(method, str) else type(method).__name__


def fitting(method: Any, n_concepts: int, random_state: int) -> Any:
    """Clone of a method with the task's number of concepts, and a random state where it has one.

    Parameters
    ----------
    method
        A transformer; one without a number of concepts stays as it is. Of a pipeline, the last step is set.
    n_concepts
        Number of concepts.
    random_state
        Seed.
    """
    estimator = clone(method)
    parameters = estimator.get_params()
    last = f"{estimator.steps[-1][0]}__" if hasattr(estimator, "steps") else ""
    settings = {last + "n_components": n_concepts, last + "n_clusters": n_concepts, last + "random_state": random_state}
    return estimator.set_params(**{k: v for k, v in settings.items() if k in parameters})
