"""Rows are samples and occurrences: paired by both, in every comparison; hashed with all their states."""

import copy
import pickle

import numpy as np
import pytest
from sklearn.decomposition import PCA

import nbtoolkit as nbt
from nbtoolkit.attribution import interpret
from nbtoolkit.metrics import compare_dictionaries
from nbtoolkit.metrics.shift import concept_shift
from nbtoolkit.studies.baselines import noise_representations
from nbtoolkit.types.rows import common_samples


def repeated(Z, ids, **options):
    n = len(ids)
    return nbt.Representations(np.asarray(Z, np.float32)[:, None], ids, ["a dog"] * n, [1] * n, **options)


def test_occurrences_are_counted_where_they_are_not_given():
    reps = repeated(np.eye(4), "xyxx")
    assert reps.occurrences == (0, 0, 1, 2) and reps.row_keys == (("x", 0), ("y", 0), ("x", 1), ("x", 2))
    assert repeated(np.eye(2), "xx", occurrences=[3, 1]).row_keys == (("x", 3), ("x", 1))
    cd = nbt.decompose(reps, nbt.LargestNorm(2), layer=0)
    assert cd.row_keys == reps.row_keys
    for again in (pickle.loads(pickle.dumps(cd)), copy.deepcopy(cd), copy.copy(cd)):
        assert again.row_keys == cd.row_keys and again.reconstruction_error == cd.reconstruction_error


def test_repeated_rows_are_refused():
    with pytest.raises(
        nbt.NbtoolkitError, match="Representations has 2 rows of sample 'x' and occurrence 0; expected one row"
    ):
        repeated(np.eye(2), "xx", occurrences=[0, 0])
    with pytest.raises(
        nbt.NbtoolkitError, match="Representations.occurrences has 1 entries; expected 2, one per row, or none"
    ):
        repeated(np.eye(2), "xy", occurrences=[0])
    with pytest.raises(nbt.NbtoolkitError, match="ConceptDictionary has 2 rows of sample 'x' and occurrence 1"):
        nbt.ConceptDictionary(np.eye(2), np.eye(2), "xx", 0, "PCA", occurrences=[1, 1])


def test_rows_are_paired_by_sample_and_occurrence():
    assert common_samples("aab", "caa") == ([0, 1], [1, 2]) and common_samples("ab", "cd") == ([], [])
    a, b = repeated(np.eye(3), "xxy"), repeated(np.eye(3), "xyx", occurrences=[1, 0, 0])
    assert common_samples(a.row_keys, b.row_keys) == ([0, 1, 2], [2, 0, 1])


def test_a_model_compared_with_itself_has_not_shifted(rng):
    """Ids x, x, y: the second occurrence of x is no partner of the first."""
    reps = repeated([[1, 0, 0], [0, 1, 0], [0, 0, 1]], "xxy")
    cd = nbt.decompose(reps, nbt.LargestNorm(2), layer=0)
    shift = concept_shift(reps, reps, cd, cd)
    assert (shift.magnitude == 0).all() and shift.counts.sum() == 3
    many = repeated(rng.normal(size=(40, 6)), [f"s{i}" for i in range(20)] * 2)
    cd = nbt.decompose(many, PCA(4), layer=0)
    values = compare_dictionaries(cd, cd, measure="activation").values
    np.testing.assert_allclose(values, 1, atol=1e-9)


def test_all_occurrences_of_the_embedded_model(model, data):
    """Captions with the word twice, as which="all" reads them: no shift, similarity 1, one interpretation per occurrence."""
    twice = data.select(range(12)).map(lambda _: {"captions": ["a dog and a dog"]}, keep_in_memory=True)
    reps = nbt.extract(model, twice, "dog", captions="given", which="all", progress=False)
    assert len(reps) == 24 and set(reps.occurrences) == {0, 1} and len(set(reps.row_keys)) == 24
    cd = nbt.decompose(reps, nbt.SemiNMF(3, random_state=0), layer=3)
    assert (concept_shift(reps, reps, cd, cd).magnitude == 0).all()
    live = np.flatnonzero(np.ptp(cd.activations, axis=0))
    np.testing.assert_allclose(compare_dictionaries(cd, cd, measure="activation").values[live], 1, atol=1e-9)
    noise = noise_representations(model, twice, reps, progress=False)
    assert noise.row_keys == reps.row_keys and noise.positions == reps.positions
    with pytest.raises(nbt.NbtoolkitError, match="several rows per sample"):
        nbt.study(model, reps, "dog", progress=False)


def test_interpretations_of_images_of_one_name(model, data, reps):
    cd = nbt.decompose(reps, nbt.SemiNMF(4, random_state=0), layer=4)
    g = nbt.ground(cd, model)
    images = [data[k]["image"] for k in range(60) if data["id"][k] in reps.sample_ids][:2]
    both = interpret(model, [images[0], images[1], images[0]], cd, g, "dog", ids=["a", "a", "b"])
    assert [one.sample_id for one in both] == ["a", "a", "b"] and [one.occurrence for one in both] == [0, 0, 0]
    assert both[0].parts == both[2].parts != both[1].parts


def test_the_digest_is_of_every_state_and_row(rng):
    Z = rng.normal(size=(5000, 3)).astype(np.float32)
    ids = [f"s{i}" for i in range(5000)]
    reps, moved = repeated(Z, ids), Z.copy()
    moved[4999, 2] += 1
    others = [
        repeated(moved, ids),
        repeated(Z, ids[::-1]),
        repeated(Z, ids, occurrences=[1] * 5000),
        repeated(Z.astype(np.float64), ids),
    ]
    assert reps.digest(0) == reps.digest(-1) == repeated(Z.copy(), ids).digest(0)
    assert len({reps.digest(0), *(other.digest(0) for other in others[:3])}) == 4


def test_two_studies_without_a_common_sample(rng):
    a, b = repeated(rng.normal(size=(9, 4)), "abcdefghi"), repeated(rng.normal(size=(9, 4)), "123456789")
    x, y = (nbt.decompose(r, PCA(2), layer=0) for r in (a, b))
    with pytest.raises(nbt.errors.MethodError, match="no sample in common"):
        concept_shift(a, b, x, y)
    with pytest.raises(nbt.errors.MethodError, match="0 samples in common; expected at least 3"):
        compare_dictionaries(x, y, measure="activation")


def test_selected_rows_and_layers_keep_what_identifies_them():
    """Also as many rows as layers, and rows in another order; two rows of one key are refused."""
    rng = np.random.default_rng(0)
    reps = nbt.Representations(
        rng.normal(size=(3, 3, 4)), ["a", "b", "a"], ["x", "y", "z"], [1, 2, 3], [["p"], ["q"], ["r"]]
    )
    part = reps.select([2, 0], layers=[-1, 1])
    assert part.row_keys == (("a", 1), ("a", 0)) and part.layers == (2, 1) and part.n_layers == 2
    assert part.captions == ("z", "x") and part.positions == (3, 1) and part.references == (("r",), ("p",))
    np.testing.assert_array_equal(part.layer(-1), reps.layer(2)[[2, 0]])
    np.testing.assert_array_equal(reps.select([1]).states, reps.states[[1]])
    assert reps.select([0, 1, 2]).digest(1) == reps.digest(1) != part.digest(1)
    with pytest.raises(nbt.NbtoolkitError, match="expected one row per sample and occurrence"):
        reps.select([0, 0])
    with pytest.raises(nbt.NbtoolkitError, match="layer is 7"):
        reps.select([0], layers=[7])
