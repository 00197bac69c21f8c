"""Upstream's Parquet files: kept byte for byte, with a readable copy where others could not read them, or refused by
one sentence."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from taxi_platform.errors import BrokenFileError, ContractError
from taxi_platform.references import StagedRaw
from taxi_platform_tests.ingest.staging import leftovers, stage
from taxi_platform_tests.support.escapes import original

_NAME = "fhv_tripdata_2020-03.parquet"
_TEXTS = [b"B00001", b"\xff\xfe", None, b"B\\xff", b"B00001", "é\0".encode()]


def _month(**columns: pa.Array) -> pa.Table:
    rows = len(next(iter(columns.values()))) if columns else 2
    times = pa.array([datetime(2020, 3, 1, 8, n) for n in range(rows)], pa.timestamp("us"))
    zones = pa.array(range(1, rows + 1), pa.int64())
    given: dict[str, Any] = {"pickup_datetime": times, "dropOff_datetime": times, "PUlocationID": zones}
    own = {"dispatching_base_num": pa.array(["B00001"] * rows), "DOlocationID": zones, "SR_Flag": pa.nulls(rows)}
    return pa.table({**given, **own, "Affiliated_base_number": pa.array(["B2 "] * rows), **columns})


def _staged(month: pa.Table, folder: Path, **options: Any) -> StagedRaw:
    pq.write_table(month, folder / _NAME, **options)
    return stage(folder / _NAME, folder)


def _selected(file: Path) -> list[Any]:
    with duckdb.connect() as connection:
        return connection.execute("SELECT * FROM read_parquet(?)", [str(file)]).fetchall()


def _typed(kind: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(kind):
        return _typed(kind.value_type).dictionary_encode()
    if pa.types.is_string_view(kind):
        return pa.array(_TEXTS, pa.binary_view()).view(kind)
    return pa.array(_TEXTS, pa.large_binary() if pa.types.is_large_string(kind) else pa.binary()).view(kind)


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())], ids=str
)
@pytest.mark.parametrize("options", [{}, {"row_group_size": 1}, {"use_dictionary": False}], ids=str)
def test_text_that_is_not_utf8_is_kept_and_escaped_in_a_copy_beside_it(
    kind: pa.DataType, options: dict[str, Any], tmp_path: Path
) -> None:
    month = _month(dispatching_base_num=_typed(kind))
    staged = _staged(month, tmp_path, **options)
    assert staged.file == tmp_path / _NAME
    assert staged.raw.rows == len(_TEXTS)
    assert staged.readable_file is not None
    with pytest.raises(duckdb.Error, match="not valid UTF8"):
        _selected(staged.file)
    copy = pq.read_table(staged.readable_file)
    texts = copy["dispatching_base_num"].to_pylist()
    assert texts == ["B00001", r"\xff\xfe", None, r"B\x5cxff", "B00001", r"é\x00"]
    assert [text if text is None else original(text) for text in texts] == _TEXTS
    others = [name for name in month.column_names if name != "dispatching_base_num"]
    assert copy.select(others).equals(month.select(others))
    rows = _selected(staged.readable_file)
    assert [row[3] for row in rows] == texts


@pytest.mark.parametrize("encoding", ["PLAIN", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"])
def test_bad_text_is_found_in_every_encoding(encoding: str, tmp_path: Path) -> None:
    month = _month(dispatching_base_num=_typed(pa.string()))
    encodings = {"use_dictionary": False, "column_encoding": {"dispatching_base_num": encoding}}
    assert _staged(month, tmp_path, **encodings).readable_file is not None


def test_a_file_that_everybody_reads_has_no_copy(tmp_path: Path) -> None:
    letters = _month(dispatching_base_num=pa.array(["B\0", "B\u00e9"]), blob=pa.array([b"\xff", None]))
    assert _staged(letters, tmp_path).readable_file is None
    assert leftovers(tmp_path) == []


def test_a_text_without_end_is_no_text(tmp_path: Path) -> None:
    month = _month(dispatching_base_num=pa.array(["B1", "x" * ((16 << 20) + 1)]))
    with pytest.raises(BrokenFileError, match="'dispatching_base_num' has a text of 16,777,217 bytes"):
        _staged(month, tmp_path)


def test_a_file_whose_texts_are_damaged_is_one_sentence(tmp_path: Path) -> None:
    pq.write_table(_month(), tmp_path / _NAME, compression="snappy")
    column = pq.read_metadata(tmp_path / _NAME).row_group(0).column(3)
    data = bytearray((tmp_path / _NAME).read_bytes())
    start = column.dictionary_page_offset
    data[start : start + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    (tmp_path / _NAME).write_bytes(data)
    with pytest.raises(BrokenFileError, match="cannot be read to its end"):
        stage(tmp_path / _NAME, tmp_path)
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        ("PUlocationID", pa.array([1, 2]), "2020-03: it has the column 'PUlocationID' twice"),
        ("_unparsed", pa.array(["a", "b"]), "2020-03: it has the column '_unparsed', a name that this platform keeps"),
        ("File_Month", pa.array(["a", "b"]), "'File_Month', a name that this platform keeps"),
        (" month ", pa.array(["a", "b"]), "' month ', a name that this platform keeps"),
        ("fares", pa.array([[1.0], []]), r"2020-03: its column 'fares' is nested \(list<.*double>\)"),
        ("fares", pa.array([{"tip": 1}, None]), r"'fares' is nested \(struct<tip: int64>\)"),
        ("fares", pa.array([[("a", 1)], []], pa.map_(pa.string(), pa.int64())), "'fares' is nested"),
    ],
    ids=lambda value: "" if isinstance(value, pa.Array) else value,
)
def test_columns_that_cannot_be_told_apart_are_one_sentence(
    column: str, values: pa.Array, words: str, tmp_path: Path
) -> None:
    with pytest.raises(BrokenFileError, match=words) as caught:
        _staged(_month().append_column(column, values), tmp_path)
    assert "\n" not in str(caught.value)
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize(
    "text", ["x" * 5000, "line\nbreak\0" * 500, "\u202e" * 1000], ids=["long", "controls", "turns"]
)
def test_a_sentence_shows_at_most_200_characters_of_a_file(text: str, tmp_path: Path) -> None:
    """Whatever part of the file it quotes."""
    long_names = pa.table({f"{n}{text}": [1] for n in range(3)})
    twice = _month().append_column(text, pa.array([1, 2])).append_column(text, pa.array([1, 2]))
    nested = _month().append_column(text, pa.array([[1], [2]]))
    deep = _month().append_column("deep", pa.array([{text: 1}, None]))
    for month, kind in ((long_names, ContractError), (twice, BrokenFileError), (nested, BrokenFileError)):
        _says_little(month, kind, text, tmp_path)
    _says_little(deep, BrokenFileError, text, tmp_path)


def _says_little(month: pa.Table, kind: type[Exception], text: str, folder: Path) -> None:
    with pytest.raises(kind) as caught:
        _staged(month, folder)
    sentence = str(caught.value)
    assert sentence.isprintable()
    assert text[:3].encode("unicode_escape").decode()[:3] in sentence
    assert len(sentence.replace(str(folder), "")) < 600  # one or two such texts, and words of ours


def test_a_file_with_a_footer_that_fills_the_memory_is_one_sentence(tmp_path: Path) -> None:
    month = _month().replace_schema_metadata({"what": "x" * (9 << 20)})
    with pytest.raises(BrokenFileError, match=r"its footer has [\d,]+ bytes, where at most 8,388,608 are read"):
        _staged(month, tmp_path)
    assert leftovers(tmp_path) == []


def test_a_column_whose_name_is_no_text_is_one_sentence(tmp_path: Path) -> None:
    pq.write_table(_month(fares=pa.array([1.0, 2.0])), tmp_path / _NAME)
    data = (tmp_path / _NAME).read_bytes()
    (tmp_path / _NAME).write_bytes(data.replace(b"fares", b"fare\xff"))
    with pytest.raises(BrokenFileError, match="its footer is damaged"):
        stage(tmp_path / _NAME, tmp_path)
