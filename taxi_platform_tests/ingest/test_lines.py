"""Cutting into whole lines and counting records, whatever the sizes in which bytes arrive."""

from __future__ import annotations

import io
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from taxi_platform.ingest.lines import counted, whole_lines

_BYTES = st.lists(st.sampled_from([b"a", b",", b"1,2", b"\n", b"\r\n", b"\r", b"\n\n", b'"', b"\0"]), max_size=60)


class _Dribble(io.RawIOBase):
    """A file that hands out as few bytes as it likes."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self._rest, self._sizes = data, sizes

    def read(self, size: int = -1) -> bytes:
        take = self._sizes.pop() if self._sizes else size
        piece, self._rest = self._rest[:take], self._rest[take:]
        return piece


@given(_BYTES, st.lists(st.integers(1, 7)))
def test_the_pieces_are_the_file_and_each_ends_with_a_line(parts: list[bytes], sizes: list[int]) -> None:
    data = b"".join(parts)
    pieces = list(whole_lines(_Dribble(data, sizes), "a file"))  # type: ignore[arg-type]
    assert b"".join(pieces) == data
    assert all(piece.endswith(b"\n") for piece in pieces[:-1])


@given(_BYTES, st.lists(st.integers(1, 7)))
def test_records_are_the_lines_that_are_not_blank(parts: list[bytes], sizes: list[int]) -> None:
    data = b"".join(parts)
    blocks = list(counted(whole_lines(_Dribble(data, sizes), "a file")))  # type: ignore[arg-type]
    assert sum(block.records for block in blocks) == sum(1 for line in io.BytesIO(data) if line.strip(b"\r\n"))
    assert all(block.records for block in blocks)


def test_blank_lines_on_both_sides_of_every_cut_are_not_counted() -> None:
    data = b"head\n\n\r\na,b\r\n\r\n\nc,d\n\n"
    for cut, after in pairwise(range(len(data) + 1)):
        sizes = [len(data), after - cut, cut]
        blocks = counted(whole_lines(_Dribble(data, [size for size in sizes if size]), "a file"))  # type: ignore[arg-type]
        assert sum(block.records for block in blocks) == 3
