"""A small dictionary of the session's representations."""

import pytest

import nbtoolkit as nbt


@pytest.fixture(scope="module")
def dictionary(model, reps):
    cd = nbt.decompose(reps, nbt.SemiNMF(8, random_state=0), layer=-1)
    return cd, nbt.ground(cd, model)
