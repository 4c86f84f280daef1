"""Data sets of Hugging Face: by id, streamed, out of reach."""

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import nbtoolkit as nbt

from ..made import gradient


@pytest.fixture
def repository(tmp_path):
    """A folder as on the Hugging Face hub: Parquet files, two splits."""
    features = datasets.Features({"image": datasets.Image(), "caption": datasets.List(datasets.Value("string"))})
    for split, n in (("train", 5), ("test", 2)):
        rows = {"image": [gradient()] * n, "caption": [[f"{split} {i}"] for i in range(n)]}
        data = datasets.Dataset.from_dict(rows, features=features)
        (tmp_path / "repo" / "data").mkdir(parents=True, exist_ok=True)
        data.to_parquet(tmp_path / "repo" / "data" / f"{split}-00000-of-00001.parquet")
    return tmp_path / "repo"


def test_a_hugging_face_repository(repository, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    assert nbt.load_data(repository, split="test")["captions"][:] == [["test 0"], ["test 1"]]
    with pytest.raises(
        nbt.NbtoolkitError, match=r"has the splits \['test', 'train'\]; expected split= to name one of them, got None"
    ):
        nbt.load_data(repository)
    saved = tmp_path / "saved"
    nbt.load_data(repository, split="train").save_to_disk(saved)
    assert len(nbt.load_data(saved)) == 5


def test_a_stream_is_taken_as_far_as_asked(repository, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    stream = datasets.load_dataset(str(repository), split="train", streaming=True)
    data = nbt.load_data(stream, n=3)
    assert data["captions"][:] == [["train 0"], ["train 1"], ["train 2"]] and data[0]["image"].size == (20, 10)
    assert len(nbt.load_data(datasets.load_dataset(str(repository), streaming=True), split="test", n=9)) == 2
    assert len(nbt.load_data(str(repository), split="train", streaming=True, n=2)) == 2
    with pytest.raises(nbt.NbtoolkitError, match="is a stream; expected n=, the number of rows to take"):
        nbt.load_data(stream)


def test_an_id_out_of_reach_says_so():
    with pytest.raises(
        nbt.NbtoolkitError,
        match=r"There is no file or folder 'no-such/data', and no data set of that name could be opened",
    ):
        nbt.load_data("no-such/data", split="train")


def test_a_stream_that_a_function_made(repository, tmp_path, monkeypatch):
    """Its features are not known, and its images are decoded already."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    stream = datasets.load_dataset(str(repository), split="train", streaming=True)
    data = nbt.load_data(stream.map(lambda row: row | {"more": 1}), n=2)
    assert len(data) == 2 and data[0]["image"].size == (20, 10) and data["captions"][:] == [["train 0"], ["train 1"]]


def test_a_folder_of_parquet_may_begin_with_the_home_folder(repository, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert nbt.load_data("~/repo", split="test")["captions"][:] == [["test 0"], ["test 1"]]


def test_a_folder_with_a_file_that_becomes_large_is_refused(repository):
    texts = pa.DictionaryArray.from_arrays(pa.array(np.zeros(100_000, np.int32)), pa.array(["a dog " * 500]))
    pq.write_table(
        pa.table({"image": ["a.jpg"] * 100_000, "caption": texts}), repository / "data" / "train-00001.parquet"
    )
    with pytest.raises(nbt.errors.DataError, match="train-00001.parquet' has .* expected at most 20 times its size"):
        nbt.load_data(repository, split="train")
