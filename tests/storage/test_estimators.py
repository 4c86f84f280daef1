"""Estimators by public name: opened as they were, from a table only; format 1 stays readable."""

import dataclasses
import importlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.decomposition import PCA, DictionaryLearning, FactorAnalysis, FastICA, MiniBatchDictionaryLearning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import nbtoolkit as nbt
from nbtoolkit.decomposition.decoder import decoder_of
from nbtoolkit.storage import estimators

from .test_study_folder import rewrite, same


def empty_grounding(cd):
    return nbt.Grounding([[]] * cd.n_concepts, [[]] * cd.n_concepts)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("method", [nbt.SemiNMF(4, random_state=0), nbt.LargestNorm(4), nbt.RandomDirections(4, random_state=0), PCA(4),
                                    KMeans(4, random_state=0, n_init=1), FastICA(4, random_state=0),
                                    MiniBatchDictionaryLearning(4, random_state=0, transform_algorithm="lasso_cd", transform_alpha=0.1)],
                         ids=lambda m: type(m).__name__)  # fmt: skip
def test_an_opened_dictionary_encodes(study, method, tmp_path):
    reps = study.representations
    cd = nbt.decompose(reps, method, layer=4)
    one = nbt.Study("dog", {4: cd}, {4: empty_grounding(cd)}, study.samples, reps, {}, study.source)
    opened = nbt.open_study(one.save(tmp_path / "x.study")).dictionary(4)
    np.testing.assert_allclose(opened.encode(reps.layer(4)), cd.activations, atol=2e-5)


@pytest.mark.parametrize("key", ["estimator", "class"])
@pytest.mark.parametrize(
    "name",
    ["os.system", "antigravity.x", "sklearn.decomposition._gone.PCA", "nbtoolkit.cli.main", "PCA", "sklearn.svm.SVC"],
)
def test_only_estimators_of_the_table_are_built(folder, name, key):
    def change(about):
        attributes = about["dictionaries"]["5"]["encoder"]["attributes"]
        about["dictionaries"]["5"]["encoder"] = {key: name, "attributes": attributes}

    rewrite(folder, change)
    opened = nbt.open_study(folder)
    modules = set(sys.modules)
    with pytest.raises(nbt.errors.StudyError, match=f"names the estimator '{name}'; expected one of .*SemiNMF"):
        opened.dictionary(5).encode(opened.representations.layer(5))
    assert set(sys.modules) == modules  # nothing was imported to find that out


def test_a_class_that_the_installed_version_lacks(folder, monkeypatch):
    monkeypatch.setitem(estimators.ESTIMATORS, "sklearn.decomposition.Gone", "sklearn.decomposition")
    rewrite(folder, lambda about: about["dictionaries"]["5"]["encoder"].update(estimator="sklearn.decomposition.Gone"))
    opened = nbt.open_study(folder)
    with pytest.raises(nbt.errors.StudyError, match="which the installed sklearn does not have"):
        opened.dictionary(5).encode(opened.representations.layer(5))


def test_an_estimator_of_another_package_is_left_out(study, tmp_path):
    class Own(PCA):
        """A subclass would be opened as something else than it was."""

    cd = nbt.decompose(study.representations, Own(4), layer=4)
    one = nbt.Study("dog", {4: cd}, {4: empty_grounding(cd)}, study.samples, study.representations)
    opened = nbt.open_study(one.save(tmp_path / "x.study")).dictionary(4)
    assert opened.method == "Own" and opened.encoder is None
    with pytest.raises(nbt.NbtoolkitError, match="stored without its encoder"):
        opened.encode(cd.concepts)


FORMAT_1 = Path(__file__).parent / "format_1"  # written by release 0.1 (commit d81c0a0), one method per layer


METHODS = ["SemiNMF", "PCA", "KMeans", "LargestNorm", "RandomDirections", "FastICA", "MiniBatchDictionaryLearning"]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_format_1_stays_readable(tmp_path):
    with pytest.warns(UserWarning, match="Layer 6 of the study, by FastICA, has words and scores of the unmixing rows"):
        old = nbt.open_study(FORMAT_1)
    assert [old.dictionary(layer).method for layer in old.layers] == METHODS and old.labels == {"1:0": "sunny"}
    new = nbt.open_study(old.save(tmp_path / "new.study"))
    same_but_scores = {layer: nbt.Scores() for layer in old.layers}
    same(dataclasses.replace(old, scores=same_but_scores), dataclasses.replace(new, scores=same_but_scores))
    assert dict(new.scores[1].values) == dict(old.scores[1].values) == {"overlap": 0.25}
    about = json.loads((tmp_path / "new.study" / "study.json").read_text())
    assert about["format"] == 2
    assert about["dictionaries"]["1"]["encoder"]["estimator"] == "SemiNMF"
    assert about["dictionaries"]["2"]["encoder"]["estimator"] == "sklearn.decomposition.PCA"
    for opened in (old, new):
        for layer in opened.layers:
            cd = opened.dictionary(layer)
            np.testing.assert_allclose(cd.encode(opened.representations.layer(layer)), cd.activations, atol=2e-5)


def test_decoders_of_format_1_are_those_of_their_estimators():
    """The stored estimators give the decoder, without scikit-learn: PCA's and FastICA's offset, one-hot clusters."""
    with pytest.warns(UserWarning, match="FastICA"):
        old = nbt.open_study(FORMAT_1)
    for layer in old.layers:
        cd, Z = old.dictionary(layer), old.representations.layer(layer)
        again = decoder_of(cd.encoder._build(), cd.activations)
        np.testing.assert_allclose(cd.decoder, again.D, atol=1e-6)
        np.testing.assert_allclose(cd.offset, again.b, atol=1e-6)
        assert cd.coding == again.coding and not again.missing
        error = np.square(Z - cd.decode(cd.activations)).sum() / np.square(Z.astype(float)).sum()
        assert error == pytest.approx(cd.reconstruction_error, abs=1e-5)


DECODED = [
    PCA(3, whiten=True), FactorAnalysis(3), FastICA(3, random_state=0, max_iter=2000), KMeans(3, random_state=0, n_init=1),
    MiniBatchKMeans(3, random_state=0, n_init=1), nbt.LargestNorm(3), nbt.RandomDirections(3, random_state=0),
    nbt.SemiNMF(3, random_state=0), nbt.TopKSAE(300, k=4, n_epochs=20, random_state=0), make_pipeline(StandardScaler(), PCA(3)),
    DictionaryLearning(3, random_state=0, split_sign=True, max_iter=20),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("method", DECODED, ids=lambda m: type(m).__name__)
def test_an_opened_dictionary_decodes(study, method, tmp_path):
    """Also of estimators that are not stored, and in a process without scikit-learn."""
    reps = study.representations
    cd = nbt.decompose(reps, method, layer=4)
    path = nbt.Study("dog", {4: cd}, {4: empty_grounding(cd)}, study.samples, reps).save(tmp_path / "x.study")
    opened = nbt.open_study(path).dictionary(4)
    for name in ("decoder", "offset", "coefficients", "unexplained"):
        np.testing.assert_array_equal(getattr(opened, name), getattr(cd, name))
    assert opened.reconstruction_error == cd.reconstruction_error and opened.coding == cd.coding
    np.testing.assert_array_equal(opened.decode(opened.activations), cd.decode(cd.activations))
    code = (
        "import sys, nbtoolkit as nbt; cd = nbt.open_study(sys.argv[1]).dictionary(4); cd.decode(cd.activations);"
        "assert cd.coefficients.shape[1] == len(cd.decoder) and not {'torch', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)


def test_a_missing_decoder_is_stored_with_its_reason(study, tmp_path):
    cd = nbt.ConceptDictionary(
        np.eye(2, 128),
        np.ones((len(study.samples), 2)),
        study.representations.sample_ids,
        4,
        "Own",
        missing_decoder="why not",
    )
    one = nbt.Study("dog", {4: cd}, {4: nbt.Grounding([[], []], [[], []])}, study.samples, study.representations)
    opened = nbt.open_study(one.save(tmp_path / "x.study")).dictionary(4)
    assert opened.decoder is None and opened.offset is None
    with pytest.raises(
        nbt.errors.MethodError, match=r"Own at layer 4 has no decoder \(why not\); a reconstruction needs one"
    ):
        opened.decode(opened.activations)


def test_a_study_saved_without_a_decoder_is_derived_or_says_so(folder):
    """Format 2 before the decoder was declared."""

    def forget(about):
        for entry in about["dictionaries"].values():
            del entry["coding"], entry["missing_decoder"]
        about["dictionaries"]["5"]["encoder"] = None

    rewrite(folder, forget)
    opened = nbt.open_study(folder)
    assert opened.dictionary(4).decoder is not None and not opened.dictionary(4).offset.any()
    with pytest.raises(nbt.errors.MethodError, match="saved without it by an earlier version"):
        opened.dictionary(5).reconstruction_error  # noqa: B018 - the access is the test


def test_every_name_of_the_table_is_a_transformer_and_its_old_path_is_its_own():
    for name, module in estimators.ESTIMATORS.items():
        kind = getattr(importlib.import_module(module), name.rpartition(".")[2])
        assert hasattr(kind, "transform") and estimators.public_name(object.__new__(kind)) == name
        path = f"{kind.__module__}.{kind.__name__}"
        assert estimators.FORMAT_1.get(path, name) == name
    new = {"TopKSAE", "SparseAutoencoder"}
    assert set(estimators.FORMAT_1.values()) == set(estimators.ESTIMATORS) - new
