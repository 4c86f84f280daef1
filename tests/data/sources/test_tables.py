"""Tables: hostile Parquet files, those that become large in memory, DataFrames and lists of records."""

import datasets
import numpy as np
import pandas
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import nbtoolkit as nbt
from nbtoolkit.data.sources.tables import check_expansion

from ..bombs import measured
from ..made import encoded, gradient


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def written(path, **columns):
    columns = {"image": [{"bytes": encoded(gradient()), "path": None}] * 3, "captions": [["a dog"]] * 3} | columns
    pq.write_table(pa.table(columns), path)
    return path


def repeated(value, n):
    """A column that holds one value n times, and stores it once."""
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), pa.array([value]))


def listed(column, each=1):
    """Lists of a column's values."""
    return pa.ListArray.from_arrays(np.arange(0, len(column) + 1, each, dtype=np.int32), column)


# --- Parquet ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("captions", "expected"),
    [
        (["a", "b", None], [["a"], ["b"], []]),
        ([["a", "b"], [], None], [["a", "b"], [], []]),
        ([[{"raw": "a", "tokens": ["a"]}, {"raw": "b", "tokens": []}], [], None], [["a", "b"], [], []]),
        ([{"raw": "a", "sentid": 1}, {"raw": "b", "sentid": 2}, None], [["a"], ["b"], []]),
        ([{"raw": ["a", "b"]}, {"raw": []}, {"raw": None}], [["a", "b"], [], []]),
        (pa.array(["a", "b", "c"], pa.large_string()), [["a"], ["b"], ["c"]]),
        (pa.array(["a", "b", "a"]).dictionary_encode(), [["a"], ["b"], ["a"]]),
        (pa.array([["a"], ["b"], []], pa.large_list(pa.string())), [["a"], ["b"], []]),
        ([None, None, None], [[], [], []]),
    ],
)
def test_captions_of_parquet_are_texts_or_records(tmp_path, captions, expected):
    assert nbt.load_data(written(tmp_path / "x.parquet", captions=captions))["captions"][:] == expected


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"captions": [1, 2, 3]}, "column 'captions' of the captions holds int64; expected texts"),
        ({"captions": [1.5, 2.0, None]}, "holds (float64|double); expected texts"),
        ({"captions": [True, False, None]}, "holds bool; expected texts"),
        ({"captions": [[1], [2], [3]]}, "holds int64; expected texts"),
        ({"captions": [b"a", b"b", b"c"]}, "holds binary; expected texts"),
        ({"captions": [{"x": "a"}] * 3}, r"Row 0 of column 'captions' has a caption with the keys \['x'\]"),
        ({"captions": [[["a", "dog"]]] * 3}, r"Row 0 of column 'captions' has the caption \['a', 'dog'\]; expected a text"),
        ({"captions": [[{"raw": 5}]] * 3}, "Row 0 of column 'captions' has the caption 5; expected a text"),
        ({"captions": pa.array([[("a", "b")]] * 3, pa.map_(pa.string(), pa.string()))}, "captions"),
        ({"captions": pa.array([1, 2, 3], pa.timestamp("s"))}, "captions"),
        ({"captions":
          pa.Array.from_buffers(pa.string(), 3, [None, pa.py_buffer(np.arange(4, dtype=np.int32)), pa.py_buffer(b"\xff\xfe\xfd")])},
         "column 'captions' cannot be read"),
        ({"image": [1, 2, 3]}, "column 'image' of the images holds .*int64.*; expected encoded images"),
        ({"image": [[1.5]] * 3}, "column 'image' of the images holds"),
        ({"image": [{"width": 3}] * 3}, "column 'image' of the images holds"),
        ({"id": [1.5, 2.5, 3.5]}, "Row 0 of column 'id' has the id 1.5; expected a text or a whole number"),
        ({"id": [1, None, 3]}, "Row 1 of column 'id' has no id"),
        ({"id": [[1], [2], [3]]}, r"Row 0 of column 'id' has the id \[1\]"),
        ({"id": ["a", "", "b"]}, "Row 1 of column 'id' has the id ''"),
        ({"id": [True, True, False]}, "Row 0 of column 'id' has the id True"),
    ],
)  # fmt: skip
def test_columns_of_another_type_are_named(tmp_path, columns, message):
    with pytest.raises(nbt.errors.DataError, match=message):
        nbt.load_data(written(tmp_path / "x.parquet", **columns))


def test_damaged_parquet_is_one_error_or_unnoticed(tmp_path):
    """Of each of 100 files one byte is changed, or what follows it is cut off; nothing but DataError is raised."""
    whole = written(tmp_path / "whole.parquet").read_bytes()
    rng, refused = np.random.default_rng(0), 0
    for k in range(100):
        place = int(rng.integers(len(whole)))
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        path = tmp_path / f"x{k}.parquet"
        path.write_bytes(bytes(damaged) if k % 3 else whole[:place])
        try:
            nbt.load_data(path)
        except nbt.errors.DataError as error:
            refused += 1
            assert path.name in str(error) or "olumn" in str(error), error
    assert refused > 33


BOMBS = {
    "one caption": lambda n: {"captions": repeated("a dog " * 500, n)},
    "lists": lambda n: {"captions": listed(repeated("a dog " * 500, n))},
    "one list": lambda n: {"captions": listed(repeated("a dog " * 500, n), n), "image": ["a.jpg"]},
    "records": lambda n: {"captions": listed(pa.StructArray.from_arrays([repeated("a dog " * 500, n)], ["raw"]))},
    "images": lambda n: {"image": repeated(bytes(3_000), n), "captions": ["a"] * n},
    "numbers": lambda n: {"captions": ["a"] * n, "n": listed(pa.array(np.zeros(400 * n, np.int64)), 400)},
}  # fmt: skip


@pytest.mark.parametrize("name", list(BOMBS))
def test_small_files_that_become_large_are_refused(tmp_path, name):
    """300 MB of captions, images or numbers in less than 1 MB; a tenth of it is read."""
    for n, harmful in ((100_000, True), (10_000, False)):
        columns = {"image": repeated("a.jpg", n)} | BOMBS[name](n)
        pq.write_table(pa.table(columns), tmp_path / "x.parquet")
        assert (tmp_path / "x.parquet").stat().st_size < 2_000_000
        if harmful:
            with pytest.raises(
                nbt.errors.DataError, match=r"x.parquet' has .*; expected at most .*(times its size|uncompressed)"
            ):
                check_expansion(tmp_path / "x.parquet")
        else:
            check_expansion(tmp_path / "x.parquet")


@pytest.mark.slow
def test_repeated_captions_take_less_than_a_gigabyte(tmp_path):
    """3 GB are refused; 120 MB, which are within the limit, are read."""
    for n, expected in ((1_000_000, "DataError"), (40_000, "40000")):
        columns = {"image": repeated("a.jpg", n), "captions": listed(repeated("a dog " * 500, n))}
        pq.write_table(pa.table(columns), tmp_path / f"{n}.parquet")
        program = "datasets = __import__('datasets'); datasets.config.HF_DATASETS_CACHE = sys.argv[2]\nout = len(nbt.load_data(sys.argv[1]))"
        out, _, _ = measured(program, tmp_path / f"{n}.parquet", tmp_path / "cache")
        assert out.startswith(expected)


def test_large_files_may_be_large(tmp_path):
    """Content that no dictionary repeats, in lists too, whose texts are partly in a dictionary."""
    rng = np.random.default_rng(0)
    texts = [rng.bytes(40).hex() for _ in range(60_000)]
    images = [rng.bytes(20_000) for _ in range(300)]
    pq.write_table(pa.table({"image": ["a.jpg"] * 12_000, "captions": [texts[5 * k : 5 * k + 5] for k in range(12_000)]}),
                   tmp_path / "x.parquet", row_group_size=5_000)  # fmt: skip
    check_expansion(tmp_path / "x.parquet")
    pq.write_table(pa.table({"image": images, "captions": ["a"] * 300}), tmp_path / "y.parquet", row_group_size=100)
    check_expansion(tmp_path / "y.parquet")
    pq.write_table(pa.table({"image": ["a.jpg"] * 300, "captions": texts[:300]}), tmp_path / "z.parquet", use_dictionary=False,
                   column_encoding={"captions": "DELTA_BYTE_ARRAY", "image": "PLAIN"})  # fmt: skip
    check_expansion(tmp_path / "z.parquet")


# --- tables in memory ------------------------------------------------------------------------------------


def test_data_frames(folder):
    paths = [str(folder / name) for name in ("a.jpg", "a.jpg", "b.jpg")]
    frame = pandas.DataFrame(
        {"image": paths, "caption": ["a dog", "the dog", "a cat"], "n": [1, 2, 3]}, index=[7, 7, 9]
    )
    data = nbt.load_data(frame)
    assert data.column_names == ["id", "image", "captions", "n"] and data["id"][:] == [paths[0], paths[2]]
    assert data["captions"][:] == [["a dog", "the dog"], ["a cat"]] and data["n"][:] == [1, 3]
    assert data[0]["image"].size == (20, 10)
    names = pandas.DataFrame(
        {"file_name": ["a.jpg", "b.jpg"], "text": [["a", "b"], np.array(["c"])], "key": [5.0, 6.0]}
    )
    data = nbt.load_data(names, images=folder)
    assert data["id"][:] == ["5", "6"] and data["captions"][:] == [["a", "b"], ["c"]]
    assert data[1]["image"].size == (20, 10)
    for cells in ([gradient()] * 2, [encoded(gradient())] * 2, [{"bytes": encoded(gradient()), "path": None}] * 2):
        data = nbt.load_data(pandas.DataFrame({"image": cells, "caption": ["a", None]}), n=2)
        assert data["id"][:] == ["0", "1"] and data[1]["image"].size == (20, 10) and data["captions"][:] == [["a"], []]


def test_lists_of_records(folder):
    records = [
        {"image": str(folder / "a.jpg"), "caption": "a dog"},
        {"image": str(folder / "b.jpg"), "caption": "a cat", "n": 3},
    ]
    data = nbt.load_data(records)
    assert data["captions"][:] == [["a dog"], ["a cat"]] and data["n"][:] == [None, 3]
    data = nbt.load_data([{"image": gradient(), "caption": "a dog"}])
    assert data[0]["image"].size == (20, 10)


@pytest.mark.parametrize(
    ("frame", "options", "message"),
    [
        ({"image": ["a.jpg", "b.jpg"], "caption": ["x", 5]}, {}, "column 'caption' cannot be stored .*expected values of one type"),
        ({"image": ["a.jpg", "b.jpg"], "caption": [1, 2]}, {}, "column 'caption' of the captions holds int64; expected texts"),
        ({"image": ["a.jpg"], "label": ["x"]}, {}, "looks like the captions; name it"),
        ({"image": ["../a.jpg"], "caption": ["x"]}, {"images": "."}, "row 0: the image '../a.jpg' does not lie in the folder"),
        ({"image": [object()], "caption": ["x"]}, {}, "column 'image' cannot be stored"),
        ({"id": ["a", "a"], "image": ["a.jpg", "b.jpg"], "caption": ["x", "y"]}, {}, r"different images .rows 0 and 1."),
        ({"image": [], "caption": []}, {}, "The data set is empty"),
        ({"image": ["a.jpg"], "caption": ["x"]}, {"split": "train"}, "a DataFrame has no splits"),
    ],
)  # fmt: skip
def test_data_frames_that_cannot_be_used(frame, options, message):
    with pytest.raises(nbt.errors.DataError, match=message):
        nbt.load_data(pandas.DataFrame(frame), **options)


def test_a_folder_of_images_is_for_paths(tmp_path):
    with pytest.raises(nbt.errors.DataError, match="images=.* was given, but column 'image' has the images themselves"):
        nbt.load_data(written(tmp_path / "x.parquet"), images=tmp_path)
