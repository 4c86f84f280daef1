"""Files of the paper's authors: read as tensors, never unpickled."""

import contextlib
import os
import random
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

import nbtoolkit as nbt

BLOCKS = ("language_model.model.layers.30", "language_model.model.layers.31")


def features(n=6, modules=BLOCKS, **changes):
    torch.manual_seed(0)
    mask = [torch.tensor([i != 2]) for i in range(n)]
    return {"hidden_states": [{m: torch.randn(1, 1, 8).half() for m in modules} for _ in range(n)], "image": [[f"val2014/{i}.jpg"] for i in range(n)],
            "model_predictions": [[f"a dog {i}"] for i in range(n)], "token_of_interest_mask": mask, **changes}  # fmt: skip


def saved(folder, content):
    torch.save(content, folder / "x.pth")
    return folder / "x.pth"


def test_features_become_representations(tmp_path):
    content = features()
    reps = nbt.read_xl_vlms(saved(tmp_path, content), "dog", model="llava-hf/llava-1.5-7b-hf")
    assert reps.layers == (31, 32) and reps.n_layers == 32 and reps.states.dtype == np.float32
    assert reps.sample_ids == tuple(f"val2014/{i}.jpg" for i in (0, 1, 3, 4, 5)) and reps.captions[2] == "a dog 3"
    assert dict(reps.skipped) == {"val2014/2.jpg": "the token is not in the response 'a dog 2'"}
    np.testing.assert_array_equal(reps.layer(-1)[2], content["hidden_states"][3][BLOCKS[1]].float().numpy()[0, 0])
    assert nbt.decompose(reps, PCA(3), layer=-1).concepts.shape == (3, 8)


def test_the_documented_form_is_read_too(tmp_path):
    content = features(token_of_interest_mask=torch.ones(6, dtype=torch.bool), image=["a.jpg"] * 6)
    reps = nbt.read_xl_vlms(saved(tmp_path, content), "dog")
    assert reps.sample_ids == ("a.jpg", *(f"a.jpg#{k}" for k in range(2, 7)))


def test_a_hooked_final_norm_is_said_to_be_one(tmp_path):
    path = saved(tmp_path, features(modules=["language_model.model.norm"]))
    with pytest.raises(nbt.NbtoolkitError, match=r"the final norm, only; give the number of blocks of the model"):
        nbt.read_xl_vlms(path, "dog")
    reps = nbt.read_xl_vlms(path, "dog", n_layers=32)
    assert reps.layers == (32,) and "output of the final norm" in reps.source.layer_convention
    assert reps.layer(-1).shape == (5, 8)


class Payload:
    def __reduce__(self):
        return (open, ("/tmp/nbtoolkit-was-here", "w"))


@pytest.mark.parametrize(("content", "message"), [
    (features(analysis_model=Payload()), "cannot be read without running code that is in it"),
    ({"concepts": torch.zeros(2, 3)}, r"has \['concepts'\]; expected 'hidden_states'"),
    ([1, 2], "has list; expected 'hidden_states'"),
    (features(image=[["a"]]), "has 6 hidden states and 1 of 'image'"),
    (features(hidden_states=[{BLOCKS[0]: torch.zeros(1, 40, 8)}] * 6), r"holds \(1, 40, 8\) at .*; expected one position per sample"),
    (features(modules=["vision_tower"]), r"holds the modules \['vision_tower'\]; expected decoder blocks"),
    (features(token_of_interest_mask=[torch.tensor([False])] * 6), "none of which contains the token of interest"),
])  # fmt: skip
def test_other_files_are_refused(tmp_path, content, message):
    with pytest.raises(nbt.NbtoolkitError, match=message):
        nbt.read_xl_vlms(saved(tmp_path, content), "dog")


def test_nothing_in_a_file_is_run(tmp_path):
    with pytest.raises(nbt.NbtoolkitError):
        nbt.read_xl_vlms(saved(tmp_path, Payload()))
    assert not Path("/tmp/nbtoolkit-was-here").exists()


def test_a_file_that_is_no_archive(tmp_path):
    (tmp_path / "x.pth").write_bytes(b"nonsense")
    with pytest.raises(nbt.NbtoolkitError, match="cannot be read"):
        nbt.read_xl_vlms(tmp_path / "x.pth")


def states(**changes):
    """Features whose third sample has other modules or tensors."""
    content = features()
    content["hidden_states"][3] |= changes
    return content


@pytest.mark.parametrize(("content", "message"), [
    (states(**{BLOCKS[0]: torch.randn(1, 1, 9)}), r"vectors of the widths \[8, 9\]"),
    (states(**{BLOCKS[0]: torch.zeros(1).expand(1, 1, 2**40)}), "holds .*1099511627776.*expected up to 1,048,576"),
    (states(**{BLOCKS[0]: torch.zeros(1, 1, 8, dtype=torch.int64)}), "torch.int64, at .*expected up to"),
    (states(**{BLOCKS[0]: torch.zeros(0)}), "expected up to"),
    (states(**{BLOCKS[0]: "x"}), "Sample 3 of .* is dict; expected tensors by module name"),
    (states(more=torch.zeros(8)), "Sample 3 of .* has the modules .*'more'.*expected those of the first one"),
    (features(hidden_states=[torch.zeros(8)] * 6), "Sample 0 of .* is Tensor; expected tensors by module name"),
    (features(hidden_states={"a": 1}), "expected 'hidden_states'"),
    (features(image=7), "6 hidden states and int of 'image'"),
    (features(image=[{}] * 6), "'image' of sample 0 in .* is dict; expected a text"),
    (features(token_of_interest_mask=3), "'token_of_interest_mask' in .* is no list"),
    (features(token_of_interest_mask=[True]), "6 hidden states and 1 masks"),
])  # fmt: skip
def test_content_of_another_kind_is_one_error(tmp_path, content, message):
    with pytest.raises(nbt.errors.StudyError, match=message):
        nbt.read_xl_vlms(saved(tmp_path, content))


def test_numbers_of_layers_that_do_not_fit(tmp_path):
    path = saved(tmp_path, features())
    for n, message in (
        (0, "n_layers is 0; expected a whole number"),
        (True, "expected a whole"),
        (31, "holds layer 32"),
    ):
        with pytest.raises(nbt.errors.MethodError if n is True else nbt.errors.StudyError, match=message):
            nbt.read_xl_vlms(path, n_layers=n)  # the kind of an argument is checked before the file


def test_damaged_files_bombs_and_pipes_are_one_error(tmp_path):
    path = saved(tmp_path, features())
    whole = path.read_bytes()
    rng = random.Random(0)
    for k in range(300):
        i = rng.randrange(len(whole))
        path.write_bytes(
            whole[:i] if k % 10 == 0 else whole[:i] + bytes([whole[i] ^ (1 << rng.randrange(8))]) + whole[i + 1 :]
        )
        with contextlib.suppress(nbt.errors.StudyError):
            nbt.read_xl_vlms(path, "dog")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for k in range(4):
            archive.writestr(f"x/data/{k}", bytes(100_000_000))
    with pytest.raises(nbt.errors.StudyError, match=r"bytes and 400,000,000 uncompressed"):
        nbt.read_xl_vlms(path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(nbt.errors.StudyError, match="named pipe"):
        nbt.read_xl_vlms(path)


def test_states_that_were_stored_with_their_gradient_are_read(tmp_path):
    path = saved(tmp_path, states(**{BLOCKS[0]: torch.ones(1, 1, 8, requires_grad=True)}))
    assert (nbt.read_xl_vlms(path, "dog").layer(31)[2] == 1).all()
