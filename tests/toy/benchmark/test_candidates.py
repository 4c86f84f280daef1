"""Methods as a user gives them."""

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import nbtoolkit as nbt
from nbtoolkit.errors import MethodError
from nbtoolkit.toy.benchmark.candidates import RawStates, choose_methods, fitting, methods


def test_methods_are_given_by_name_by_object_or_as_a_table():
    assert list(choose_methods(None)) == list(methods()) and len(methods()) == 9
    assert list(choose_methods(["PCA", nbt.LargestNorm(3), "DictionaryLearning"])) == [
        "PCA",
        "LargestNorm",
        "DictionaryLearning",
    ]
    assert list(choose_methods("Semi-NMF, λ = 2")) == ["Semi-NMF, λ = 2"] and list(choose_methods(PCA())) == ["PCA"]
    assert choose_methods({"mine": nbt.SemiNMF(alpha=3.0)})["mine"].alpha == 3.0


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        (["Kmeans"], "No decomposition named 'Kmeans'. Did you mean 'KMeans'"),
        ([PCA(), PCA()], "Two methods are named 'PCA'"),
        (
            {"raw states": PCA()},
            "Two methods are named 'raw states'; expected names that differ, and that no floor has",
        ),
        ([], "There are no methods"),
        ({"mine": PCA}, "Method 'mine' is .*expected a scikit-learn transformer"),
        ({"mine": 3}, "Method 'mine' is 3"),
    ],
)
def test_what_is_no_method_is_one_clear_error(selection, message):
    with pytest.raises(MethodError, match=message):
        choose_methods(selection)


def test_the_task_sets_the_number_of_concepts_and_the_random_state_and_nothing_else():
    method = nbt.SemiNMF(3, alpha=2.0)
    own = fitting(method, 7, 5)
    assert (own.n_components, own.alpha, own.random_state, method.n_components) == (7, 2.0, 5, 3)
    assert (
        fitting(KMeans(), 7, 5).n_clusters == 7
        and fitting(StandardScaler(), 7, 5).get_params() == StandardScaler().get_params()
    )
    assert fitting(make_pipeline(StandardScaler(), PCA()), 7, 5).steps[-1][1].n_components == 7


def test_raw_states_are_training_rows_whose_activation_is_largest_at_themselves():
    X = np.random.default_rng(0).normal(size=(30, 5))
    raw = RawStates(4, random_state=0).fit(X)
    assert all(any((row == x).all() for x in X) for row in raw.components_)
    assert raw.transform(raw.components_) == pytest.approx(
        1 / (1 + np.linalg.norm(raw.components_[:, None] - raw.components_, axis=2))
    )
