"""The sensors over a real instance with real runs, sending to real servers."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

import dagster as dg
import pytest

from taxi_platform.contracts import CONTRACTS
from taxi_platform.errors import BrokenFileError
from taxi_platform.months import TripMonth, parse_month, parse_month_range
from taxi_platform.orchestration.alerts import AlertSettings, build_alert_sensors
from taxi_platform.orchestration.alerts.channels import open_channels
from taxi_platform.orchestration.automation.run_history import asked_tags
from taxi_platform.orchestration.automation.sensors import MOST_ATTEMPTS
from taxi_platform.orchestration.betas import knowingly
from taxi_platform.orchestration.io_managers.isolation import record, store_each
from taxi_platform.orchestration.jobs import job_name
from taxi_platform.orchestration.partitions import monthly_partitions, run_tags
from taxi_platform.orchestration.resources import LakeResource
from taxi_platform.stores.lake.lake import Lake
from taxi_platform_tests.alerts.conftest import AT_ONCE, SECRET_PATH
from taxi_platform_tests.support.receivers import HttpReceiver

GREEN = CONTRACTS["green"]
SPRING = "2020-03..2020-05"


def lake_resource(url: str) -> LakeResource:
    return LakeResource(url=url, wait_seconds=10, grace_hours=24, views="")


@dataclass
class Platform:
    """A small platform on a real instance, whose months go wrong on demand, and whose sensors are ticked by hand."""

    instance: dg.DagsterInstance
    webhook: HttpReceiver
    settings: AlertSettings
    bad: dict[str, str] = field(default_factory=dict)
    """Month → the sentence with which it fails."""
    cursors: dict[str, str | None] = field(default_factory=dict)
    told: str = ""
    """Why the last tick says it did what it did."""
    lake: str = field(default_factory=lambda: tempfile.mkdtemp(prefix="taxi_alerts_"))

    def __post_init__(self) -> None:
        self.definitions = self._definitions()
        self.tick()

    @knowingly()
    def _definitions(self) -> dg.Definitions:
        bad = self.bad

        class Storing(dg.IOManager):
            def handle_output(self, context: dg.OutputContext, obj: object) -> None:
                def store(month: TripMonth) -> dict[str, Any]:
                    if month.label in bad:
                        raise BrokenFileError(bad[month.label])
                    return {"changed": True}

                months = [TripMonth("green", parse_month(key)) for key in context.asset_partition_keys]
                record(context, store_each(months, store, 2))

            def load_input(self, context: dg.InputContext) -> None:
                return None

        months, at_once = monthly_partitions(GREEN), dg.BackfillPolicy.single_run()

        @dg.asset(key="green_raw", partitions_def=months, backfill_policy=at_once, group_name="green")
        def raw() -> int:
            return 1

        @dg.asset(
            key="green_trips",
            ins={"raw": dg.AssetIn("green_raw")},
            partitions_def=months,
            backfill_policy=at_once,
            group_name="green",
        )
        def trips(raw: object) -> int:
            return 1

        @dg.asset
        def zones() -> None:
            if "zones" in bad:
                raise ValueError(bad["zones"])

        job = dg.define_asset_job(job_name("green"), dg.AssetSelection.groups("green"))
        return dg.Definitions(
            assets=[raw, trips, zones],
            jobs=[job, dg.define_asset_job("zones", dg.AssetSelection.assets("zones"))],
            sensors=build_alert_sensors(self.settings, [GREEN], open_channels(self.settings, AT_ONCE)),
            resources={"io_manager": Storing(), "lake": lake_resource(self.lake)},
            executor=dg.in_process_executor,
        )

    def run(self, months: str, job: str = "green_months", attempt: int | None = None, **selection: Any) -> str:
        """Run a job of the platform over those months, as automation's attempt or a person's; a bad month fails it."""
        days = parse_month_range(months) if months else ()
        tags = run_tags(days) if days else {}
        tags |= asked_tags("green", dict.fromkeys(days, "etag"), attempt) if attempt else {}
        definition = self.definitions.resolve_job_def(job)
        result = definition.execute_in_process(instance=self.instance, tags=tags, raise_on_error=False, **selection)
        return result.run_id

    def lose_a_worker(self, months: str) -> str:
        """A run that the daemon finds dead."""
        run = self.instance.create_run_for_job(
            self.definitions.resolve_job_def("green_months"), tags=run_tags(parse_month_range(months))
        )
        self.instance.report_engine_event("The worker was terminated by signal 9.", run)
        self.instance.report_run_failed(run, "The run was marked as failed.")
        return run.run_id

    def tick(self, sensor: str = "run_alerts") -> list[str]:
        """Evaluate a sensor as the daemon would: the titles that arrive at the webhook in this tick."""
        before = len(self.webhook.posts)
        with dg.build_sensor_context(
            instance=self.instance,
            cursor=self.cursors.get(sensor),
            repository_def=self.definitions.get_repository_def(),
            sensor_name=sensor,
            resources={"lake": lake_resource(self.lake)},
        ) as context:
            result = self.definitions.get_repository_def().get_sensor_def(sensor)(context)
        assert isinstance(result, dg.SensorResult)
        assert isinstance(result.skip_reason, dg.SkipReason)
        self.cursors[sensor], self.told = result.cursor, str(result.skip_reason.skip_message)
        return [post.body["title"] for post in self.webhook.posts[before:]]


def settings_of(slack: HttpReceiver, webhook: HttpReceiver, **more: str) -> AlertSettings:
    return AlertSettings.from_environment(
        {"TAXI_ALERT_SLACK_WEBHOOK": slack.url + SECRET_PATH, "TAXI_ALERT_WEBHOOK": webhook.url, **more}
    )


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    retries = {"enabled": True, "max_retries": 1, "retry_on_asset_or_op_failure": False}
    with dg.DagsterInstance.ephemeral(settings={"run_retries": retries}) as made:
        yield made


@pytest.fixture
def platform(instance: dg.DagsterInstance, slack: HttpReceiver, webhook: HttpReceiver) -> Platform:
    return Platform(instance, webhook, settings_of(slack, webhook))


def test_without_a_channel_there_is_no_sensor() -> None:
    assert build_alert_sensors(AlertSettings.from_environment({}), CONTRACTS.values()) == []


def test_with_a_channel_the_sensors_run_from_the_start(platform: Platform) -> None:
    sensors = build_alert_sensors(platform.settings, CONTRACTS.values())
    assert {sensor.name: sensor.default_status for sensor in sensors} == {
        "run_alerts": dg.DefaultSensorStatus.RUNNING,
        "stale_alerts": dg.DefaultSensorStatus.RUNNING,
    }


def test_a_range_with_a_bad_month_is_one_message_with_its_cause_and_a_link(
    platform: Platform, slack: HttpReceiver, webhook: HttpReceiver
) -> None:
    platform.bad["2020-04"] = "green 2020-04 is cut short: fetch it again"
    run_id = platform.run(SPRING)
    assert platform.tick() == ["green 2020-03..2020-05: 1 of 3 months failed"]
    body = webhook.posts[-1].body
    assert body["dataset"] == "green"
    assert body["failed_months"] == {"2020-04": "green 2020-04 is cut short: fetch it again"}
    assert body["details"] == ["green_raw 2020-04: green 2020-04 is cut short: fetch it again"]
    assert body["link"] == f"http://127.0.0.1:3000/runs/{run_id}"
    assert f"/runs/{run_id}|Open in Dagster>" in slack.posts[-1].body["text"]
    assert platform.tick() == []


def test_the_run_that_repairs_the_month_is_told_and_no_other(platform: Platform) -> None:
    platform.bad["2020-04"] = "cut"
    platform.run(SPRING)
    platform.tick()
    platform.run("2020-03")
    assert platform.tick() == []
    platform.bad.clear()
    platform.run("2020-04")
    assert platform.tick() == ["green 2020-04 succeeded again"]
    platform.run("2020-04")
    assert platform.tick() == []


def test_failure_and_repair_between_two_ticks_are_told_in_their_order(platform: Platform) -> None:
    platform.bad["2020-04"] = "cut"
    platform.run("2020-04")
    platform.bad.clear()
    platform.run("2020-04")
    assert platform.tick() == ["green 2020-04 failed", "green 2020-04 succeeded again"]


def test_a_run_of_the_implicit_asset_job_is_told_by_its_dataset(platform: Platform) -> None:
    platform.bad["2020-04"] = "cut"
    platform.run("2020-04", "__ASSET_JOB", asset_selection=[dg.AssetKey("green_raw")])
    assert platform.tick() == ["green 2020-04 failed"]
    platform.bad.clear()
    platform.run("2020-04", "__ASSET_JOB", asset_selection=[dg.AssetKey("green_trips")])
    assert platform.tick() == []
    platform.run("2020-04", "__ASSET_JOB", asset_selection=[dg.AssetKey("green_raw")])
    assert platform.tick() == ["green 2020-04 succeeded again"]


def test_an_unforeseen_error_is_told_by_class_and_text(platform: Platform, webhook: HttpReceiver) -> None:
    platform.bad["zones"] = "no such file"
    platform.run("", "zones")
    assert platform.tick() == ["zones failed"]
    assert webhook.posts[-1].body["details"] == ["zones: ValueError: no such file"]


def test_runs_of_others_on_the_same_instance_are_not_ours(platform: Platform) -> None:
    @dg.op
    def fails() -> None:
        raise ValueError

    @dg.job
    def somebody_elses() -> None:
        fails()

    somebody_elses.execute_in_process(instance=platform.instance, raise_on_error=False)
    assert platform.tick() == []


def test_success_is_told_when_the_settings_ask_for_it(
    instance: dg.DagsterInstance, slack: HttpReceiver, webhook: HttpReceiver
) -> None:
    platform = Platform(instance, webhook, settings_of(slack, webhook, TAXI_ALERT_ON_SUCCESS="true"))
    platform.run(SPRING)
    assert platform.tick() == ["green 2020-03..2020-05 succeeded"]


def test_nothing_is_told_while_a_retry_is_coming_and_the_last_failure_is(platform: Platform) -> None:
    lost = platform.lose_a_worker("2020-04")
    assert platform.instance.get_run_by_id(lost).tags["dagster/will_retry"] == "true"  # type: ignore[union-attr]
    assert platform.tick() == []
    retried = platform.run("2020-04")
    platform.instance.add_run_tags(lost, {"dagster/auto_retry_run_id": retried})
    assert platform.tick() == []
    assert json.loads(platform.cursors["run_alerts"] or "")["held"] == {}


def test_a_retry_that_fails_for_good_is_one_message(platform: Platform) -> None:
    lost = platform.lose_a_worker("2020-04")
    platform.bad["2020-04"] = "cut"
    retried = platform.run("2020-04")
    platform.instance.add_run_tags(lost, {"dagster/auto_retry_run_id": retried})
    assert platform.tick() == ["green 2020-04 failed"]
    assert platform.tick() == []


def test_a_retry_that_dagster_gives_up_is_told_after_all(platform: Platform, webhook: HttpReceiver) -> None:
    lost = platform.lose_a_worker("2020-04")
    assert platform.tick() == []
    platform.instance.add_run_tags(lost, {"dagster/will_retry": "false"})
    assert platform.tick() == ["green 2020-04 failed"]
    assert webhook.posts[-1].body["details"] == ["The run was marked as failed. The worker was terminated by signal 9."]


def test_a_retry_that_never_starts_is_told_after_three_minutes(platform: Platform) -> None:
    platform.lose_a_worker("2020-04")
    assert platform.tick() == []
    cursor = json.loads(platform.cursors["run_alerts"] or "")
    platform.cursors["run_alerts"] = json.dumps(
        {**cursor, "held": {run: at - 181 for run, at in cursor["held"].items()}}
    )
    assert platform.tick() == ["green 2020-04 failed"]
    assert platform.tick() == []


def test_automations_own_attempts_repeat_a_message_only_when_they_end(platform: Platform) -> None:
    platform.bad["2020-04"] = "cut"
    told = []
    for attempt in range(1, MOST_ATTEMPTS + 1):
        platform.run("2020-04", attempt=attempt)
        told.append(platform.tick())
    failed = ["green 2020-04 failed"]
    assert told == [failed, *[[]] * (MOST_ATTEMPTS - 2), failed]


def test_what_ended_before_the_sensor_started_is_not_told(
    instance: dg.DagsterInstance, slack: HttpReceiver, webhook: HttpReceiver, platform: Platform
) -> None:
    platform.bad["2020-04"] = "cut"
    platform.run("2020-04")
    later = Platform(instance, webhook, platform.settings)
    assert later.tick() == []


def test_more_runs_than_a_tick_takes_are_told_by_the_next_ones(platform: Platform) -> None:
    for month in range(1, 8):
        platform.lose_a_worker(f"2020-0{month}")
    for run in platform.instance.get_runs():
        platform.instance.add_run_tags(run.run_id, {"dagster/will_retry": "false"})
    ended: list[str] = []
    for _ in range(3):
        ended += platform.tick()
    assert sorted(ended) == [f"green 2020-0{month} failed" for month in range(1, 8)]


def test_a_dead_channel_breaks_neither_the_tick_nor_the_others_and_is_told_by_them(
    platform: Platform, slack: HttpReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    slack.answer_next(500, times=3)
    platform.bad["2020-04"] = "cut"
    platform.run("2020-04")
    assert platform.tick() == ["green 2020-04 failed", "Alerts through Slack do not arrive"]
    assert "Slack: 1 waiting, because 127.0.0.1 answered 500" in platform.told
    assert platform.tick() == []
    assert "Slack: 1 waiting" in platform.told


def test_a_cursor_of_another_version_starts_afresh(platform: Platform) -> None:
    platform.cursors["run_alerts"] = '{"seen": 3}'
    assert platform.tick() == []
    platform.bad["2020-04"] = "cut"
    platform.run("2020-04")
    assert platform.tick() == ["green 2020-04 failed"]


def test_a_stale_dataset_is_told_once_and_a_look_ends_it(platform: Platform) -> None:
    lake, now = Lake(platform.lake), datetime.now(timezone.utc)
    assert platform.tick("stale_alerts") == []
    long_ago = now - timedelta(days=80)
    lake.note_look("green", long_ago)
    assert platform.tick("stale_alerts") == [f"green is stale: upstream was last looked at on {long_ago:%Y-%m-%d}"]
    assert platform.webhook.posts[-1].body["link"] == "http://127.0.0.1:3000/assets/green_raw"
    assert platform.tick("stale_alerts") == []
    lake.note_look("green", now)
    assert platform.tick("stale_alerts") == []


def test_no_secret_is_in_any_event_log_tick_cursor_or_message(
    platform: Platform, slack: HttpReceiver, webhook: HttpReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    platform.bad["2020-04"] = "postgresql://taxi:xoxsecretxox@db/taxi cannot be reached"
    slack.answer_next(404, "xoxsecretxox")
    with caplog.at_level(logging.DEBUG):
        run_id = platform.run("2020-04")
        platform.tick()
    events = "".join(map(str, platform.instance.all_logs(run_id)))
    assert slack.posts[0].path == SECRET_PATH
    assert "Alerts through Slack do not arrive" in str(webhook.posts)
    for place in (str(webhook.posts), str([p.body for p in slack.posts]), platform.told, str(platform.cursors)):
        assert "secret" not in place.lower()
    assert SECRET_PATH not in events + caplog.text
    assert repr(platform.definitions.get_repository_def().get_sensor_def("run_alerts")).lower().count("secret") == 0
