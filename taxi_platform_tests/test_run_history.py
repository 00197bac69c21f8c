"""Why a step failed, as a run's record tells it."""

from __future__ import annotations

from typing import NoReturn

import dagster as dg
import pytest

from taxi_platform.errors import StoreError, TransientError
from taxi_platform.orchestration.automation.run_history import cause


def refuse() -> NoReturn:
    raise StoreError("the store refuses: do this") from ConnectionError("[Errno 111]\nrefused")


def give_up() -> NoReturn:
    try:
        refuse()
    except StoreError as error:
        raise TransientError("it could not be had in 5 attempts") from error


def break_down() -> NoReturn:
    raise RuntimeError("a wrapper") from KeyError("nobody foresaw this")


@pytest.mark.parametrize(
    ("work", "says"),
    [
        (refuse, "the store refuses: do this"),
        (give_up, "it could not be had in 5 attempts"),
        (break_down, "KeyError: 'nobody foresaw this'"),
    ],
)
def test_a_failure_is_told_in_our_own_words_where_there_are_any(work: object, says: str) -> None:
    assert callable(work)

    @dg.asset
    def failing() -> None:
        work()

    result = dg.materialize([failing], raise_on_error=False)
    (event,) = [event for event in result.all_events if event.is_step_failure]
    assert cause(event.step_failure_data.error) == says


def test_a_failure_without_an_error_has_no_reason() -> None:
    assert cause(None) == "the step failed without a reason"
