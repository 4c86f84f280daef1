"""Parquet of others: bombs are refused from the metadata, before a column is read."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nbtoolkit.errors import DataError, StudyError
from nbtoolkit.parquet import _uncompressed, open_parquet


def test_columns_that_are_far_larger_than_the_file_are_refused_unread(tmp_path):
    pq.write_table(pa.table({"image": [bytes(40_000_000)]}), tmp_path / "zeros.parquet", compression="zstd")
    assert (tmp_path / "zeros.parquet").stat().st_size < 100_000
    with pytest.raises(
        StudyError, match=r"has [\d,]+ bytes and 40,000,[\d,]+ uncompressed, 1 values in a column; expected"
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


def test_the_footer_is_read_as_arrow_reads_it(tmp_path):
    tables = [pa.table({"a": [1, 2, None], "b": [["x", "yy"], [], None], "c": [{"d": b"z" * 1000}] * 3})]
    tables += [
        pa.table({f"c{i}": range(100 + i, 200 + i) for i in range(40)}),
        pa.table({"a": pa.array([], pa.string())}),
    ]
    for k, table in enumerate(tables):
        path = tmp_path / f"{k}.parquet"
        pq.write_table(table, path, row_group_size=7, write_page_checksum=True)
        about = pq.ParquetFile(path).metadata
        columns = [about.row_group(i).column(j) for i in range(about.num_row_groups) for j in range(about.num_columns)]
        whole, longest = _uncompressed(path, path.stat().st_size)
        assert whole == sum(c.total_uncompressed_size for c in columns)
        by_name = {c.path_in_schema: 0 for c in columns}
        for c in columns:
            by_name[c.path_in_schema] += c.num_values
        assert longest == max(by_name.values(), default=0)


def test_a_damaged_footer_never_ends_the_process(tmp_path):
    """Arrow's metadata of a column abort where its statistics are of another type; ours are read without them."""
    pq.write_table(pa.table({"a": [1, 2], "b": ["x", "y"], "c": [["x"], []]}), tmp_path / "a.parquet")
    whole = (tmp_path / "a.parquet").read_bytes()
    opened = 0
    for i in range(len(whole)):
        (tmp_path / "b.parquet").write_bytes(whole[:i] + bytes([whole[i] ^ (1 << (5 * i) % 8)]) + whole[i + 1 :])
        try:
            with open_parquet(tmp_path / "b.parquet") as file:
                opened += file.metadata.num_rows >= 0
        except DataError:
            pass
    assert opened > 100
