"""The sensor of a dataset, evaluated against a real HTTP server and a real lake."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import SimpleNamespace

import dagster as dg
import pytest

from taxi_platform.months import parse_month
from taxi_platform.orchestration.automation import sensors
from taxi_platform.orchestration.automation.sensors import DENIALS_BEFORE_REMOVAL
from taxi_platform.orchestration.partitions import recent_months, run_tags
from taxi_platform.sources.retries import RetryPolicy
from taxi_platform_tests.automation.conftest import GREEN, Deployment, Publisher
from taxi_platform_tests.support.upstream import Fault, Upstream, serve

NEWEST = [month.label for month in recent_months(GREEN, 6)]
"""The six newest months that are over: what the sensor looks at here."""
ONCE = RetryPolicy(attempts=1, connect_timeout=30, read_timeout=30)
"""So patient that a busy machine gives every answer that is coming."""


@pytest.fixture
def server(upstream: Publisher) -> Iterator[Upstream]:
    with serve(upstream.folder) as running:
        yield running


@pytest.fixture
def variables(variables: dict[str, str], server: Upstream, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setattr(sensors, "TICK_RETRIES", ONCE)
    return {**variables, "TAXI_SOURCE_URL": server.url, "TAXI_LOOKBACK_MONTHS": "6", "TAXI_POLL_SECONDS": "100"}


def tick(deployment: Deployment, cursor: str | None = None) -> dg.SensorExecutionData:
    repository = deployment.definitions.get_repository_def()
    given = {name: repository.get_top_level_resources()[name] for name in ("source", "lake")}
    with dg.build_sensor_context(
        deployment.instance, cursor=cursor, repository_def=repository, resources=given
    ) as context:
        return repository.get_sensor_def("green_published").evaluate_tick(context)


def asked(data: dg.SensorExecutionData) -> list[list[str]]:
    """Of each run that is asked for, its first and last month."""
    return [span(request.tags) for request in data.run_requests or []]


def span(tags: Mapping[str, str]) -> list[str]:
    first = tags.get("dagster/asset_partition_range_start") or tags["dagster/partition"]
    return [first[:7], tags.get("dagster/asset_partition_range_end", first)[:7]]


def path(label: str) -> str:
    return f"green/green_tripdata_{label}.csv.gz"


def test_new_months_are_asked_for_one_run_a_contiguous_range(deployment: Deployment) -> None:
    for label in (NEWEST[0], NEWEST[1], NEWEST[3]):
        deployment.upstream.publish(label)
    data = tick(deployment)
    assert asked(data) == [[NEWEST[0], NEWEST[1]], [NEWEST[3], NEWEST[3]]]
    keys = [request.run_key for request in data.run_requests or []]
    etag = json.loads(data.cursor or "")["published"][f"{NEWEST[3]}-01"]
    assert keys[1] == f"green|{NEWEST[3]}|{etag}|1"


def test_runs_show_their_months_and_no_long_tag(deployment: Deployment) -> None:
    for label in (NEWEST[0], NEWEST[1], NEWEST[3]):
        deployment.upstream.publish(label)
    requests = tick(deployment).run_requests or []
    assert [request.tags["taxi/months"] for request in requests] == [f"{NEWEST[0]}..{NEWEST[1]}", NEWEST[3]]
    shown = [value for r in requests for key, value in r.tags.items() if not key.startswith(".dagster/")]
    assert max(map(len, shown)) <= 20


@pytest.mark.parametrize("cursor", ["2020-01", "[]", '{"published": 1}', '{"denied": {"2020-01-01": "often"}}', "{"])
def test_a_cursor_of_another_form_is_taken_for_none_with_a_warning(
    deployment: Deployment, cursor: str, capfd: pytest.CaptureFixture[str]
) -> None:
    deployment.upstream.publish(NEWEST[3])
    assert asked(tick(deployment, cursor)) == [[NEWEST[3], NEWEST[3]]]
    assert "the cursor cannot be read, and is taken for none" in capfd.readouterr().err


def test_a_month_that_is_not_published_is_not_asked_for(deployment: Deployment) -> None:
    data = tick(deployment)
    assert asked(data) == []
    assert data.skip_message


def test_what_the_lake_has_is_not_asked_for_by_a_first_deployment(deployment: Deployment) -> None:
    deployment.upstream.publish(f"{NEWEST[1]}..{NEWEST[4]}")
    assert deployment.run(f"{NEWEST[1]}..{NEWEST[3]}", ["raw"]).success
    assert asked(tick(deployment, cursor=None)) == [[NEWEST[4], NEWEST[4]]]


def test_a_republished_month_is_asked_for_and_an_unchanged_one_is_not(deployment: Deployment) -> None:
    deployment.upstream.publish(f"{NEWEST[1]}..{NEWEST[4]}")
    first = tick(deployment)
    assert deployment.run(f"{NEWEST[1]}..{NEWEST[4]}", ["raw"]).success
    second = tick(deployment, first.cursor)
    assert asked(second) == []
    deployment.upstream.publish(NEWEST[2], rows=1_100)
    assert asked(tick(deployment, second.cursor)) == [[NEWEST[2], NEWEST[2]]]


def test_a_month_whose_manifest_is_damaged_is_asked_for(deployment: Deployment) -> None:
    deployment.upstream.publish(f"{NEWEST[2]}..{NEWEST[3]}")
    assert deployment.run(f"{NEWEST[2]}..{NEWEST[3]}", ["raw"]).success
    manifest = deployment.settings.data / f"lake/raw/green/month={NEWEST[3]}/manifest.json"
    manifest.write_bytes(b"{}")
    assert asked(tick(deployment)) == [[NEWEST[3], NEWEST[3]]]
    assert deployment.run(NEWEST[3], ["raw"]).success
    assert asked(tick(deployment)) == []


def test_upstream_that_is_down_is_skipped_with_its_reason_and_the_cursor_stays(
    deployment: Deployment, server: Upstream
) -> None:
    deployment.upstream.publish(NEWEST[0])
    cursor = tick(deployment).cursor
    for label in NEWEST:
        server.fail(path(label), Fault.status(503))
    down = tick(deployment, cursor)
    assert asked(down) == []
    assert "503" in (down.skip_message or "")
    assert down.cursor == cursor
    assert asked(tick(deployment, cursor)) == [[NEWEST[0], NEWEST[0]]]


def test_a_month_without_an_answer_keeps_the_others_from_nothing_and_is_not_forgotten(
    deployment: Deployment, server: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment.upstream.publish(f"{NEWEST[0]}..{NEWEST[2]}")
    cursor = tick(deployment).cursor
    server.fail(path(NEWEST[1]), Fault.slow(60))
    monkeypatch.setattr(sensors, "TICK_RETRIES", replace(ONCE, read_timeout=3))
    slow = tick(deployment, cursor)
    assert asked(slow) == [[NEWEST[0], NEWEST[0]], [NEWEST[2], NEWEST[2]]]
    assert json.loads(slow.cursor or "") == json.loads(cursor or "")
    assert asked(tick(deployment, slow.cursor)) == [[NEWEST[0], NEWEST[2]]]


def test_nonsense_is_no_answer(deployment: Deployment) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        threading.Thread(target=_talk_nonsense, args=(listener,), daemon=True).start()
        deployment.settings = deployment.settings.model_copy(update={"source_url": f"http://127.0.0.1:{port}"})
        data = tick(deployment, cursor="{}")
    assert asked(data) == []
    assert "no usable answer" in (data.skip_message or "")
    assert data.cursor == "{}"


def _talk_nonsense(listener: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            connection.sendall(b"\x00\xff what?\r\n\r\n")
            connection.close()


def test_a_month_that_vanishes_upstream_stays_in_the_lake(deployment: Deployment) -> None:
    deployment.upstream.publish(f"{NEWEST[0]}..{NEWEST[2]}")
    cursor = tick(deployment).cursor
    assert deployment.run(f"{NEWEST[0]}..{NEWEST[2]}", ["raw"]).success
    deployment.upstream.withdraw(NEWEST[0])
    for _ in range(DENIALS_BEFORE_REMOVAL + 1):
        gone = tick(deployment, cursor)
        assert asked(gone) == []
        cursor = gone.cursor
    assert list(json.loads(cursor or "")["published"]) == [f"{NEWEST[1]}-01", f"{NEWEST[2]}-01"]
    deployment.upstream.publish(NEWEST[0])
    assert asked(tick(deployment, cursor)) == []


def test_a_server_that_tells_no_versions_apart_is_not_asked_for_what_the_lake_has(
    deployment: Deployment, server: Upstream
) -> None:
    server.etags, server.has_last_modified = "none", False
    deployment.upstream.publish(f"{NEWEST[0]}..{NEWEST[1]}")
    assert deployment.run(NEWEST[0], ["raw"]).success
    assert asked(tick(deployment)) == [[NEWEST[1], NEWEST[1]]]


def test_a_month_whose_run_failed_is_asked_for_again_spaced_and_bounded(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment.upstream.publish(f"{NEWEST[0]}..{NEWEST[2]}")
    deployment.upstream.publish_broken(NEWEST[1])
    (request,) = tick(deployment).run_requests or []
    keys, waits = [request.run_key], []
    assert not deployment.run(f"{NEWEST[0]}..{NEWEST[2]}", ["raw"], tags=request.tags).success
    for attempt in range(2, sensors.MOST_ATTEMPTS + 1):
        assert asked(tick(deployment)) == []
        wait = next(w for w in (100, 200, 400, 800) if asked(later(deployment, monkeypatch, w + 5)))
        (request,) = later(deployment, monkeypatch, wait + 5).run_requests or []
        assert span(request.tags) == [NEWEST[1], NEWEST[1]]
        assert (request.run_key or "").endswith(f"|{attempt}")
        keys.append(request.run_key)
        waits.append(wait)
        assert not deployment.run(NEWEST[1], ["raw"], tags=request.tags).success
    assert waits == [100, 200, 400, 800]
    assert len(set(keys)) == sensors.MOST_ATTEMPTS
    assert asked(later(deployment, monkeypatch, 1e9)) == []
    deployment.upstream.publish(NEWEST[1])
    assert asked(tick(deployment)) == [[NEWEST[1], NEWEST[1]]]


def later(deployment: Deployment, monkeypatch: pytest.MonkeyPatch, seconds: float) -> dg.SensorExecutionData:
    with monkeypatch.context() as patched:
        now = time.time()
        patched.setattr(sensors, "time", SimpleNamespace(time=lambda: now + seconds))
        return tick(deployment)


def test_a_month_that_is_under_way_is_not_asked_for(deployment: Deployment) -> None:
    deployment.upstream.publish(f"{NEWEST[0]}..{NEWEST[2]}")
    deployment.instance.create_run_for_job(
        deployment.definitions.resolve_job_def("green_months"),
        tags=run_tags([parse_month(NEWEST[0]), parse_month(NEWEST[1])]),
        status=dg.DagsterRunStatus.STARTED,
    )
    assert asked(tick(deployment)) == [[NEWEST[2], NEWEST[2]]]


@pytest.fixture
def removing(deployment: Deployment) -> Deployment:
    """A lake that holds the five oldest months, of which upstream is about to withdraw some."""
    deployment.settings = deployment.settings.model_copy(update={"withdrawn": "remove"})
    deployment.upstream.publish(f"{NEWEST[0]}..{NEWEST[4]}")
    assert deployment.run(f"{NEWEST[0]}..{NEWEST[4]}", ["raw"]).success
    return deployment


def obey(deployment: Deployment, data: dg.SensorExecutionData) -> None:
    """Run what a tick asks for."""
    for request in data.run_requests or []:
        first, last = span(request.tags)
        config = (request.run_config or {}).get("ops")
        assert deployment.run(f"{first}..{last}", ["raw"], config, request.tags).success


def ticks(deployment: Deployment, count: int, cursor: str | None = None) -> list[dg.SensorExecutionData]:
    done = []
    for _ in range(count):
        done.append(tick(deployment, cursor))
        cursor = done[-1].cursor
    return done


def test_withdrawn_months_are_removed_at_the_second_look_and_come_back_by_themselves(removing: Deployment) -> None:
    removing.upstream.withdraw(NEWEST[1])
    removing.upstream.withdraw(NEWEST[2])
    first, second = ticks(removing, 2)
    assert asked(first) == []
    assert asked(second) == [[NEWEST[1], NEWEST[2]]]
    assert [r.run_config for r in second.run_requests or []] == [
        {"ops": {"green_raw": {"config": {"remove_withdrawn": True}}}}
    ]
    obey(removing, second)
    after = tick(removing, second.cursor)
    assert asked(after) == []
    assert json.loads(after.cursor or "")["denied"] == {}

    removing.upstream.publish(NEWEST[1])
    again = tick(removing, after.cursor)
    assert asked(again) == [[NEWEST[1], NEWEST[1]]]
    obey(removing, again)
    assert asked(tick(removing, again.cursor)) == []


def test_a_month_that_goes_a_second_time_is_removed_a_second_time(removing: Deployment) -> None:
    for _ in range(2):
        removing.upstream.withdraw(NEWEST[1])
        gone = ticks(removing, 2)[-1]
        assert asked(gone) == [[NEWEST[1], NEWEST[1]]]
        obey(removing, gone)
        removing.upstream.publish(NEWEST[1], rows=1_100)
        obey(removing, tick(removing))


def test_a_look_without_an_answer_neither_counts_nor_starts_the_count_anew(
    removing: Deployment, server: Upstream
) -> None:
    removing.upstream.withdraw(NEWEST[1])
    first = tick(removing)
    server.fail(path(NEWEST[1]), Fault.status(503))
    unanswered = tick(removing, first.cursor)
    assert asked(unanswered) == []
    assert asked(tick(removing, unanswered.cursor)) == [[NEWEST[1], NEWEST[1]]]


def test_a_month_that_is_back_at_the_next_look_is_kept(removing: Deployment) -> None:
    removing.upstream.withdraw(NEWEST[1])
    first = tick(removing)
    removing.upstream.publish(NEWEST[1])
    back = tick(removing, first.cursor)
    removing.upstream.withdraw(NEWEST[1])
    assert [asked(first), asked(back), asked(tick(removing, back.cursor))] == [[], [], []]


@pytest.mark.parametrize("left", [0, 1, 2])
def test_an_upstream_that_denies_most_of_what_the_lake_has_removes_nothing(removing: Deployment, left: int) -> None:
    for label in NEWEST[left:5]:
        removing.upstream.withdraw(label)
    outage = ticks(removing, DENIALS_BEFORE_REMOVAL + 1)
    assert [asked(data) for data in outage] == [[]] * len(outage)
    removing.upstream.publish(f"{NEWEST[0]}..{NEWEST[3]}")
    first, second = ticks(removing, 2, outage[-1].cursor)
    assert (asked(first), asked(second)) == ([], [[NEWEST[4], NEWEST[4]]])


def test_a_cursor_of_an_earlier_release_only_makes_the_count_start_anew(removing: Deployment) -> None:
    removing.upstream.withdraw(NEWEST[1])
    first, second = ticks(removing, 2, cursor=json.dumps({f"{NEWEST[1]}-01": "token"}))
    assert (asked(first), asked(second)) == ([], [[NEWEST[1], NEWEST[1]]])
