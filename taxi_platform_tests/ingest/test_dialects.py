"""Whatever is written in a generation's dialect reads back whole (property tests)."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from taxi_platform.contracts.matching import UNPARSED_COLUMN
from taxi_platform_tests.ingest.staging import columns_of, stage_csv
from taxi_platform_tests.support.dialects import GENERATIONS, PARSERS, Generation, Value
from taxi_platform_tests.support.escapes import original

_EXAMPLES = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
_MANY_EXAMPLES = settings(_EXAMPLES, max_examples=400)


def _decimal_text(number: Decimal, style: str) -> str:
    text = f"{number:f}"
    if style == "no leading zero":
        return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text
    return text + "0" if style == "trailing zero" and "." in text else text


_INTEGERS = st.one_of(st.integers(0, 300), st.integers(-(2**63), 2**63 - 1)).map(str)
_DECIMALS = st.builds(
    _decimal_text,
    st.decimals(-1_000_000, 1_000_000, places=2) | st.decimals(-180, 180, places=15),
    st.sampled_from(["plain", "no leading zero", "trailing zero"]),
)
_TIMESTAMPS = st.datetimes(datetime(2001, 1, 1), datetime(2090, 1, 1)).map(lambda t: f"{t:%Y-%m-%d %H:%M:%S}")
_WORDS = st.sampled_from(["N", "Y", "NA ", "N/A", "NULL", "nan", "None", " ", "CSH", "B02884", "Café", "-"])
_PLAIN_TEXT = _WORDS | st.text(st.characters(codec="utf-8", exclude_characters='",\r\n\0'), max_size=8)
_QUOTED_TEXT = _WORDS | st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=8)
_LINE_ENDS = st.sampled_from([b"\n", b"\r\n", b"\r\n\r\n", b"\n\n", b"\n\r\n"])


def _cells(generation: Generation) -> st.SearchStrategy[tuple[str, ...]]:
    kinds = {"i": _INTEGERS, "d": _DECIMALS, "t": _TIMESTAMPS, "s": _QUOTED_TEXT if generation.quoted else _PLAIN_TEXT}
    return st.tuples(*(st.just("") | kinds[kind] for kind in generation.kinds))


_File = tuple[Generation, list[tuple[str, ...]], bytes]
"""Its dialect, the cells of its records, and its bytes."""


@st.composite
def _files(draw: st.DrawFn) -> _File:
    generation = draw(st.sampled_from(GENERATIONS))
    rows = draw(st.lists(_cells(generation), min_size=1, max_size=12))
    ends = draw(st.lists(_LINE_ENDS, min_size=len(rows), max_size=len(rows)))
    body = b"".join(generation.record(cells) + end for cells, end in zip(rows, ends, strict=True))
    mark = draw(st.sampled_from([b"", b"\xef\xbb\xbf"]))
    data = mark + generation.header() + body
    return generation, rows, data.rstrip(b"\r\n") if draw(st.booleans()) else data


def _values(generation: Generation, rows: Sequence[Sequence[str]], column: int) -> list[Value]:
    parse = PARSERS[generation.kinds[column]]
    return [parse(cells[column]) if cells[column] else None for cells in rows]


@_EXAMPLES
@given(_files())
def test_a_file_in_any_dialect_reads_back_whole(file: _File) -> None:
    _check_whole(file)


@pytest.mark.long
@_MANY_EXAMPLES
@given(_files())
def test_so_do_a_great_many_files(file: _File) -> None:
    _check_whole(file)


def _check_whole(file: _File) -> None:
    generation, rows, data = file
    with tempfile.TemporaryDirectory() as folder:
        staged = stage_csv(data, Path(folder), generation.dataset, generation.first)
        columns = columns_of(staged)
    assert staged.raw.rows == len(rows)
    assert columns.pop(UNPARSED_COLUMN) == [None] * len(rows)
    assert list(columns) == list(generation.names)
    for position, name in enumerate(generation.names):
        assert columns[name] == _values(generation, rows, position), name


def _too_few_fields(generation: Generation, cells: Sequence[str]) -> bytes:
    return generation.record(cells[:-1])


def _too_many_fields(generation: Generation, cells: Sequence[str]) -> bytes:
    return generation.record(cells) + b","


def _no_number(generation: Generation, cells: Sequence[str]) -> bytes:
    return _with(generation, cells, "i", "many")


def _no_time(generation: Generation, cells: Sequence[str]) -> bytes:
    return _with(generation, cells, "t", "2020-02-30 12:00:00")


def _no_text(generation: Generation, cells: Sequence[str]) -> bytes:
    return _with(generation, cells, "s", "\x81", "latin-1")


def _nul(generation: Generation, cells: Sequence[str]) -> bytes:
    return _with(generation, cells, "s", "a\0b")


def _open_quote(generation: Generation, cells: Sequence[str]) -> bytes:
    return b'"' + generation.record(cells)


def _lone_carriage_return(generation: Generation, cells: Sequence[str]) -> bytes:
    return _with(generation, cells, "i", "1\r2")


def _with(generation: Generation, cells: Sequence[str], kind: str, text: str, encoding: str = "utf-8") -> bytes:
    changed = list(cells)
    changed[generation.kinds.index(kind)] = "\ue000"
    return generation.record(changed).replace("\ue000".encode(), text.encode(encoding))


_FAULTS = st.sampled_from(
    [
        _too_few_fields,
        _too_many_fields,
        _no_number,
        _no_time,
        _no_text,
        _nul,
        _open_quote,
        _lone_carriage_return,
    ]
)


@_EXAMPLES
@given(st.data())
def test_a_record_that_does_not_fit_is_kept_as_text_at_its_place_and_changes_no_other(data: st.DataObject) -> None:
    _check_misfits(data)


@pytest.mark.long
@_MANY_EXAMPLES
@given(st.data())
def test_so_are_the_records_of_a_great_many_files(data: st.DataObject) -> None:
    _check_misfits(data)


def _check_misfits(data: st.DataObject) -> None:
    generation = data.draw(st.sampled_from(GENERATIONS))
    rows = data.draw(st.lists(_cells(generation), min_size=3, max_size=12))
    places = st.integers(1, len(rows) - 1)
    faults = data.draw(st.dictionaries(places, _FAULTS, min_size=1, max_size=(len(rows) - 1) // 2))  # most records fit
    records = [
        faults[i](generation, cells) if i in faults else generation.record(cells) for i, cells in enumerate(rows)
    ]
    with tempfile.TemporaryDirectory() as folder:
        content = generation.header() + b"\r\n".join(records)
        staged = stage_csv(content, Path(folder), generation.dataset, generation.first)
        columns = columns_of(staged)
    assert staged.raw.rows == len(rows)
    assert staged.raw.unparsed_rows == len(faults)
    texts = [None if text is None else original(text) for text in columns.pop(UNPARSED_COLUMN)]
    assert texts == [records[i] if i in faults else None for i in range(len(rows))]
    for position, name in enumerate(generation.names):
        values = _values(generation, rows, position)
        assert columns[name] == [None if i in faults else value for i, value in enumerate(values)], name
