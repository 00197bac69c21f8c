"""Months of running in minutes: what is kept of them stays bounded, while upstream fails and the machine goes down.

Every round is a month: upstream publishes another version, something goes wrong, the stores follow; then Dagster's
records become thirty days older, and retention and pruning run as they do on a server. A year of it: ``make year``.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import dagster as dg
import psutil
import psycopg
import pytest

from taxi_platform.inspection.status import month_statuses
from taxi_platform.orchestration.automation.retention import RETENTION_JOB
from taxi_platform.orchestration.keys import asset_key
from taxi_platform.orchestration.partitions import recent_months
from taxi_platform.settings import Settings
from taxi_platform_tests.automation.conftest import ALL, GREEN, Publisher
from taxi_platform_tests.support.platform import Platform
from taxi_platform_tests.support.running import LocalPlatform, running_platform
from taxi_platform_tests.support.upstream import Fault, Upstream, serve

ROUNDS = int(os.environ.get("YEAR_MONTHS", "5"))
SETTLED = 3
"""Rounds until as much is kept as ever will be: 45 days of records are those of two rounds."""
FIRST, SECOND = (month.label for month in recent_months(GREEN, 2))
LAUNCH = """
mutation ($job: String!) { launchRun(executionParams: {runConfigData: "{}", selector: {
  repositoryLocationName: "taxi_platform", repositoryName: "__repository__", jobName: $job
}}) { __typename } }
"""
LOG = logging.getLogger(__name__)
AGED = (
    ("history/runs.db", "runs", ("create_timestamp", "update_timestamp"), ("start_time", "end_time")),
    ("schedules/schedules.db", "job_ticks", ("timestamp", "create_timestamp", "update_timestamp"), ()),
    ("schedules/schedules.db", "asset_daemon_asset_evaluations", ("create_timestamp",), ()),
)
"""Where Dagster keeps when things were: a database, its table, columns of text, columns of seconds since 1970."""


@dataclass(frozen=True)
class Kept:
    """What there is at the end of a month."""

    runs: int
    event_files: int
    events: int
    ticks: int
    leases: int
    staged: int
    raw_objects: int
    lake_kb: int
    record_kb: int
    log_kb: int
    handles: int
    processes: int
    connections: int


@dataclass
class Year:
    """A platform with its upstream, and the month that it is in."""

    settings: Settings
    variables: dict[str, str]
    home: Path
    upstream: Publisher
    server: Upstream
    month: int = 0

    @contextlib.contextmanager
    def running(self) -> Iterator[LocalPlatform]:
        with running_platform(self.home, self.variables) as platform:
            yield platform

    def publish(self) -> None:
        """Another version of the newest month; the other one stays as it was first published."""
        self.month += 1
        self.upstream.publish(SECOND, rows=1_000 + self.month)

    def follow(self, platform: LocalPlatform) -> None:
        """Until every store has what upstream has, and Dagster has no run under way."""
        expected = {FIRST: 1_000, SECOND: 1_000 + self.month}
        platform.wait("the month in every store", lambda: self._whole() == expected)
        busy = dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTED])
        platform.wait("its runs to end", lambda: not platform.instance.get_runs(busy))

    def _whole(self) -> dict[str, int | None]:
        statuses = month_statuses(self.settings, [GREEN])
        return {f"{s.file_month:%Y-%m}": s.raw_rows if s.is_whole else None for s in statuses}

    def grow_old(self, days: int = 30) -> None:
        """Every record of Dagster's, but of what is under way, becomes so many days older."""
        for file, table, texts, seconds in AGED:
            changes = [f"{c} = strftime('%Y-%m-%d %H:%M:%f000', {c}, '-{days} days')" for c in texts]
            changes += [f"{c} = {c} - {days * 86_400}" for c in seconds]
            ended = " WHERE end_time IS NOT NULL" if seconds else ""
            with contextlib.closing(sqlite3.connect(self.home / file, timeout=60)) as database, database:
                database.execute(f"UPDATE {table} SET {', '.join(changes)}{ended}")

    def retain(self, platform: LocalPlatform) -> None:
        """The nightly job by the web server, daemon and a worker; and ``taxi prune``, as an operator's cron has it."""
        before = self._retentions(platform)
        platform.ask(LAUNCH, job=RETENTION_JOB)
        platform.wait("retention", lambda: self._retentions(platform) - before)
        done = Platform(self.home.parent, self.variables).taxi("prune", "--days", "0", "--yes")
        assert done.code == 0, done.text

    def materialized(self, layer: str) -> set[str]:
        """Months that Dagster holds for materialized."""
        with dg.DagsterInstance.from_config(str(self.home)) as instance:
            return {key[:7] for key in instance.get_materialized_partitions(asset_key(layer, "green"))}

    @staticmethod
    def _retentions(platform: LocalPlatform) -> set[str]:
        ended = dg.RunsFilter(job_name=RETENTION_JOB, statuses=[dg.DagsterRunStatus.SUCCESS])
        return {run.run_id for run in platform.instance.get_runs(ended)}

    def kept(self, platform: LocalPlatform) -> Kept:
        data = self.settings.data
        root = psutil.Process(platform.process.pid)
        processes = [root, *root.children(recursive=True)]
        with contextlib.closing(sqlite3.connect(self.home / "history/runs/index.db")) as events:
            (rows,) = events.execute("SELECT count(*) FROM event_logs").fetchone()
        with contextlib.closing(sqlite3.connect(self.home / "schedules/schedules.db")) as schedules:
            (ticks,) = schedules.execute("SELECT count(*) FROM job_ticks").fetchone()
        with psycopg.connect(self.variables["TAXI_POSTGRES"]) as connection:
            counted = connection.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
            (connections,) = counted.fetchone() or (0,)
        return Kept(
            runs=platform.instance.get_runs_count(),
            event_files=len(list((self.home / "history/runs").glob("*.db"))),
            events=rows,
            ticks=ticks,
            leases=len(list(data.rglob("*.lease"))),
            staged=len(list((data / "staging").glob("staged-*"))),
            raw_objects=len(list((data / "lake/raw").rglob("*.parquet"))),
            lake_kb=size(data / "lake") // 1024,
            record_kb=size(self.home / "history") // 1024,
            log_kb=(size(self.home / "logs") + platform.log.stat().st_size) // 1024,
            handles=sum(handles(process) for process in processes),
            processes=len(processes),
            connections=connections,
        )


def size(folder: Path) -> int:
    total = 0
    for file in folder.rglob("*"):
        with contextlib.suppress(OSError):
            total += file.stat().st_size
    return total


def handles(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.NoSuchProcess):
        return int(process.num_fds())
    return 0


@pytest.fixture
def year(variables: dict[str, str], upstream: Publisher, tmp_path: Path) -> Iterator[Year]:
    upstream.publish(FIRST)
    with serve(upstream.folder) as server:
        ours = {
            **variables,
            "TAXI_SOURCE_URL": server.url,
            "TAXI_AUTOMATION": "on",
            "TAXI_DATASETS": "green",
            "TAXI_LOOKBACK_MONTHS": "2",
            "TAXI_POLL_SECONDS": "2",
            "TAXI_KEEP_RUNS_DAYS": "45",
            "TAXI_GRACE_HOURS": "0",
        }
        yield Year(Settings.from_environment(ours), ours, tmp_path / "home", upstream, server)


def fails(year: Year, platform: LocalPlatform) -> None:
    """What goes wrong this month, before upstream has the version: nothing, a busy host, a page instead of a file."""
    kind = year.month % 3
    path = f"green/green_tripdata_{SECOND}.csv.gz"
    if kind == 1:
        year.server.fail(path, Fault.status(503), times=3)
    elif kind == 2:
        fetched = year.server.count("GET", path)
        year.upstream.publish_broken(SECOND)
        platform.wait("the broken file to be tried", lambda: year.server.count("GET", path) > fetched)


@pytest.mark.long
@pytest.mark.soak
def test_what_is_kept_stays_bounded(year: Year) -> None:
    history: list[Kept] = []
    while len(history) < ROUNDS:
        with year.running() as platform:
            while len(history) < ROUNDS:
                fails(year, platform)
                year.publish()
                year.follow(platform)
                year.grow_old()
                year.retain(platform)
                history.append(year.kept(platform))
                LOG.info("month %s: %s", len(history), history[-1])
                if len(history) % 2 == 0:
                    platform.go_down()
                    break
    standing = [year.materialized(layer) for layer in ALL]
    assert standing == [{FIRST, SECOND}] * len(ALL), "what the partitions stand on is still there"
    settled, last = history[SETTLED - 1], history[-1]
    grown = {f.name: (getattr(settled, f.name), getattr(last, f.name)) for f in fields(Kept)}
    # Runs that were under way, ticks of a longer or shorter month: noise, which does not grow with the rounds.
    most = {name: before * 1.5 + 20 for name, (before, _) in grown.items()}
    assert {name: pair for name, pair in grown.items() if pair[1] > most[name]} == {}
    assert last.leases == 0
    assert last.staged == 0
    assert last.raw_objects <= 3, "the current version of two months, and no other but the newest one's forerunner"
    assert last.connections <= 12
