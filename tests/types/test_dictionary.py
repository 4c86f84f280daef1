"""What a dictionary encodes and refuses."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

import nbtoolkit as nbt


def test_states_to_encode_are_finite_and_may_be_none():
    states = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
    reps = nbt.Representations(states[:, None], [str(i) for i in range(9)], [""] * 9, [0] * 9)
    cd = nbt.decompose(reps, PCA(2), layer=0)
    assert cd.encode(np.zeros((0, 4))).shape == (0, 2)
    with pytest.raises(nbt.errors.MethodError, match="states has NaN or infinity in row 1; expected finite numbers"):
        cd.encode([[0, 0, 0, 0], [0, 0, np.inf, 0]])
