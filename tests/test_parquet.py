"""Parquet of others: bombs are refused from the metadata, before a column is read."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nbtoolkit.errors import DataError, StudyError
from nbtoolkit.parquet import open_parquet


def test_columns_that_are_far_larger_than_the_file_are_refused_unread(tmp_path):
    pq.write_table(pa.table({"image": [bytes(40_000_000)]}), tmp_path / "zeros.parquet", compression="zstd")
    assert (tmp_path / "zeros.parquet").stat().st_size < 100_000
    with pytest.raises(
        StudyError, match=r"has [\d,]+ bytes and 40,000,[\d,]+ uncompressed, in 1 rows; expected at most"
    ):
        open_parquet(tmp_path / "zeros.parquet", StudyError, extra=1_000_000)
    with open_parquet(tmp_path / "zeros.parquet") as file:
        assert file.metadata.num_rows == 1 and file.schema_arrow.names == ["image"]


def test_what_is_no_parquet_is_one_error(tmp_path):
    pq.write_table(pa.table({"a": [1, 2]}), tmp_path / "a.parquet")
    whole = (tmp_path / "a.parquet").read_bytes()
    for name, content in (("empty", b""), ("cut", whole[:-9]), ("text", b"not Parquet at all")):
        (tmp_path / f"{name}.parquet").write_bytes(content)
        with pytest.raises(DataError, match=f"{name}.parquet' cannot be read as Parquet"):
            open_parquet(tmp_path / f"{name}.parquet")
