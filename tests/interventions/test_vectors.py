"""Steering vectors have the paper's sign."""

import numpy as np
import pytest

import nbtoolkit as nbt
from nbtoolkit.interventions.vectors import concept_pair, difference_of_means
from nbtoolkit.metrics.shift import t_overlap

from ..metrics.test_shift import two_models


def test_steering_vectors_have_the_papers_sign(rng):
    """The authors' code names u_i − u_j what the paper calls from i to j."""
    before, after, a, _, _, _ = two_models(rng, np.full((3, 12), 2.0))
    np.testing.assert_allclose(difference_of_means(before, after, layer=0), np.full(12, 2.0), atol=1e-5)
    np.testing.assert_allclose(a.concepts[0] + concept_pair(a, 0, 2), a.concepts[2], atol=1e-5)
    with pytest.raises(nbt.NbtoolkitError, match="There is no concept 3; the dictionary has 3"):
        concept_pair(a, 0, 3)
    assert t_overlap([["a", "b"], []], [["b"], ["c"]])[0] == 50 and np.isnan(t_overlap([[]], [["c"]])[0])
