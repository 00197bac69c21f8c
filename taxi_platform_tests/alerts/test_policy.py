"""When an alert is due, and what it says."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from taxi_platform.orchestration.alerts.message import Alert
from taxi_platform.orchestration.alerts.policy import FailedStep, FinishedRun, OpenFailures, about_run, about_staleness

SPRING = ("2020-03", "2020-04", "2020-05")
LINK = "http://127.0.0.1:3000/runs/abc"


def a_run(*failed: FailedStep, months: tuple[str, ...] = SPRING, assets: set[str] | None = None) -> FinishedRun:
    return FinishedRun("abc", "green", months, None if assets is None else frozenset(assets), failed)


def told(run: FinishedRun, known: OpenFailures, *, on_success: bool = False) -> tuple[Alert | None, OpenFailures]:
    alert, known = about_run(run, known, on_success=on_success, link=LINK)
    return alert, OpenFailures.model_validate_json(known.model_dump_json())


CUT = FailedStep("green_raw", {"2020-04": "the file is cut"})


def test_a_range_with_one_bad_month_is_one_alert_that_names_it() -> None:
    alert, _ = told(a_run(CUT), OpenFailures())
    assert alert is not None
    assert alert.title == "green 2020-03..2020-05: 1 of 3 months failed"
    assert alert.details == ("green_raw 2020-04: the file is cut",)
    assert alert.months == SPRING
    assert alert.failed_months == {"2020-04": "the file is cut"}
    assert alert.link == LINK


def test_months_that_fail_for_the_same_reason_share_a_line() -> None:
    down = "upstream does not answer"
    step = FailedStep("green_raw", {"2020-03": down, "2020-04": "the file is cut", "2020-05": down})
    alert, _ = told(a_run(step), OpenFailures())
    assert alert is not None
    assert alert.title == "green 2020-03..2020-05 failed"
    assert alert.details == (
        "green_raw 2020-03, 2020-05: upstream does not answer",
        "green_raw 2020-04: the file is cut",
    )


def test_a_run_that_died_says_what_dagster_knows() -> None:
    alert, known = told(FinishedRun("abc", "green", SPRING, None, problem="the worker was lost"), OpenFailures())
    assert alert is not None
    assert alert.details == ("the worker was lost",)
    assert set(known.subjects["green"]) == set(SPRING)


def test_a_success_after_a_failure_of_the_month_is_a_recovery_and_only_the_first_one() -> None:
    _, known = told(a_run(CUT), OpenFailures())
    alert, known = told(a_run(months=("2020-04",)), known)
    assert alert is not None
    assert alert.kind == "recovery"
    assert alert.title == "green 2020-04 succeeded again"
    assert known == OpenFailures()
    assert told(a_run(months=("2020-04",)), known)[0] is None


@pytest.mark.parametrize(
    "run",
    [
        a_run(months=("2020-03",)),
        a_run(months=("2020-04",), assets={"green_postgres"}),
        FinishedRun("abc", "yellow", ("2020-04",), None),
    ],
    ids=["another month", "another layer", "another dataset"],
)
def test_a_success_elsewhere_is_no_recovery(run: FinishedRun) -> None:
    _, known = told(a_run(CUT), OpenFailures())
    assert told(run, known) == (None, known)


def test_a_month_recovers_when_every_layer_that_failed_has_succeeded() -> None:
    _, known = told(a_run(FailedStep("green_warehouse", {"2020-04": "full"})), OpenFailures())
    _, known = told(a_run(FailedStep("green_postgres", {"2020-04": "down"})), known)
    assert told(a_run(months=("2020-04",), assets={"green_postgres"}), known)[0] is None
    alert, _ = told(a_run(months=("2020-04",), assets={"green_warehouse", "green_postgres", "green_raw"}), known)
    assert alert is not None
    assert alert.kind == "recovery"


def test_an_unpartitioned_run_fails_and_recovers_as_a_whole() -> None:
    failing = FinishedRun("abc", "zones", (), None, (FailedStep("zones", {"": "no file"}),))
    alert, known = told(failing, OpenFailures())
    assert alert is not None
    assert (alert.title, alert.details, alert.months) == ("zones failed", ("zones: no file",), ())
    alert, known = told(FinishedRun("abc", "zones", (), None), known)
    assert alert is not None
    assert alert.title == "zones succeeded again"
    assert known == OpenFailures()


def test_a_plain_success_is_told_only_when_asked_for() -> None:
    assert told(a_run(), OpenFailures())[0] is None
    alert, _ = told(a_run(), OpenFailures(), on_success=True)
    assert alert is not None
    assert (alert.kind, alert.title) == ("success", "green 2020-03..2020-05 succeeded")


LOOKED = datetime(2026, 9, 1, 12, tzinfo=timezone.utc)


def test_a_dataset_is_stale_when_nobody_has_looked_at_upstream_for_long() -> None:
    alert = about_staleness("green", LOOKED, LOOKED + timedelta(days=80), LINK)
    assert alert is not None
    assert alert.title == "green is stale: upstream was last looked at on 2026-09-01"
    assert alert.details[0] == "That is 80 days ago, and more than 75 are too many."


@pytest.mark.parametrize("days", [0, 1, 44, 46, 75])
def test_a_dataset_that_is_looked_at_is_not_stale_however_quiet_upstream_is(days: int) -> None:
    assert about_staleness("green", LOOKED, LOOKED + timedelta(days=days), LINK) is None


def test_a_dataset_of_which_no_look_was_noted_is_not_stale() -> None:
    assert about_staleness("green", None, LOOKED, LINK) is None


def test_a_stale_dataset_is_told_once_until_it_is_looked_at_again() -> None:
    looks = [LOOKED, LOOKED, LOOKED + timedelta(days=100)]
    alerts = [about_staleness("green", look, LOOKED + timedelta(days=200), LINK) for look in looks]
    first, second, third = (alert and alert.id for alert in alerts)
    assert first == second != third
