"""Stages on threads of their own: order, errors and ending."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from taxi_platform.machine.pipeline import ahead


def test_items_come_in_order_from_another_thread() -> None:
    def threads() -> Iterator[tuple[int, str]]:
        for number in range(100):
            yield number, threading.current_thread().name

    with ahead(threads(), 3) as items:
        got = list(items)
    assert [number for number, _ in got] == list(range(100))
    assert threading.current_thread().name not in {name for _, name in got}


def test_a_producer_is_never_more_than_the_depth_ahead() -> None:
    made: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(50):
            made.append(number)
            yield number

    with ahead(numbers(), 4) as items:
        for taken, _ in enumerate(items, 1):
            assert len(made) <= taken + 4 + 1  # one more is made and waits for its place


def test_an_error_arrives_after_the_items_before_it() -> None:
    def numbers() -> Iterator[int]:
        yield 1
        raise ValueError("the second")

    with ahead(numbers(), 2) as items:
        assert next(items) == 1
        with pytest.raises(ValueError, match="the second"):
            next(items)


def test_leaving_early_ends_every_stage() -> None:
    def forever() -> Iterator[int]:
        while True:
            yield 1

    before = threading.active_count()
    with ahead(forever(), 2) as first, ahead((n + 1 for n in first), 2) as second:
        assert next(second) == 2
    assert threading.active_count() == before


def test_an_error_of_the_consumer_ends_every_stage() -> None:
    def interrupted() -> None:
        with ahead(iter(range(10**9)), 2) as first, ahead(first, 2) as second:
            next(second)
            raise KeyboardInterrupt

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert threading.active_count() == before
