"""Looking at many things, several at a time."""

from __future__ import annotations

import threading

import pytest

from taxi_platform.inspection.at_once import each


def test_every_thing_is_looked_at_in_its_order_and_several_at_a_time() -> None:
    together = threading.Barrier(8)

    def look(number: int) -> int:
        together.wait(60)  # passes only if eight looks are under way
        return number * number

    assert list(each(look, range(16)).items()) == [(number, number * number) for number in range(16)]


def test_an_error_of_one_is_raised() -> None:
    def look(number: int) -> int:
        if number == 3:
            raise ValueError(f"{number} is bad")
        return number

    with pytest.raises(ValueError, match="3 is bad"):
        each(look, range(100))


def test_nothing_is_nothing() -> None:
    assert each(str, []) == {}
