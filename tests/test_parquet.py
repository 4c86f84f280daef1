"""Parquet of others: bombs are refused from the metadata, before a column is read."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nbtoolkit.errors import DataError, StudyError
from nbtoolkit.parquet import _pages, _uncompressed, open_parquet


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
        whole, longest = _uncompressed(path)
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


@pytest.mark.parametrize("options", [{}, {"compression": "zstd"}, {"use_dictionary": False}, {"data_page_version": "2.0", "data_page_size": 500},
                                     {"compression": "none", "write_page_index": True}])  # fmt: skip
def test_the_pages_are_as_large_as_the_footer_says(tmp_path, options):
    table = pa.table({"a": range(3000), "b": [["x" * (i % 50), "yy"] for i in range(3000)], "c": [b"z" * 99] * 3000})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=1000, **options)
    footer = pq.ParquetFile(tmp_path / "a.parquet").metadata
    for k in range(3):
        for g in range(3):
            column = footer.row_group(g).column(k)
            start = min(i for i in (column.data_page_offset, column.dictionary_page_offset) if i)
            about = {9: start, 7: column.total_compressed_size}
            with (tmp_path / "a.parquet").open("rb") as file:
                pages, values = _pages(file, about)
            assert 0.1 * column.total_uncompressed_size < pages <= column.total_uncompressed_size  # less the headers
            assert values == column.num_values
    with open_parquet(tmp_path / "a.parquet") as file:
        assert file.read().equals(table)


def test_a_footer_that_lies_about_sizes_is_refused_by_the_pages(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(
        pa.table({"image": [bytes(5_000_000 + i) for i in range(8)]}), path, compression="zstd", use_dictionary=False
    )
    raw = path.read_bytes()
    size = pq.ParquetFile(path).metadata.row_group(0).column(0).total_uncompressed_size

    def varint(value, n):
        """Zigzag number in as many bytes."""
        value *= 2
        return bytes([(value >> (7 * k) & 127) | (128 if k < n - 1 else 0) for k in range(n)])

    n = next(n for n in range(1, 9) if size * 2 < 1 << 7 * n)
    assert raw.count(varint(size, n)) >= 1
    path.write_bytes(raw.replace(varint(size, n), varint(1000, n)))
    assert pq.ParquetFile(path).metadata.row_group(0).column(0).total_uncompressed_size == 1000
    with pytest.raises(DataError, match=r"bytes and 40,000,[\d,]+ uncompressed"):
        open_parquet(path, extra=1_000_000)
