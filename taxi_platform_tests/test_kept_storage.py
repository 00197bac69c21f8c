"""The record of a run in this process is the one that Dagster itself would have written, and reads."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.event_log import SqliteEventLogStorage

from taxi_platform.cli.launch import open_instance
from taxi_platform.orchestration.betas import knowingly


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An instance that Dagster has made."""
    with dg.DagsterInstance.from_config(str(_configured(tmp_path / "home"))) as instance:
        instance.get_runs_count()
    return tmp_path / "home"


def _configured(home: Path, more: str = "") -> Path:
    home.mkdir()
    (home / "dagster.yaml").write_text(f"telemetry: {{ enabled: false }}\n{more}")
    return home


@dg.asset(partitions_def=dg.StaticPartitionsDefinition(["a", "b"]))
def trips() -> dg.MaterializeResult[None]:
    return dg.MaterializeResult(metadata={"rows": 3})


with knowingly():

    @dg.asset(
        partitions_def=dg.StaticPartitionsDefinition(["a", "b", "c"]), backfill_policy=dg.BackfillPolicy.single_run()
    )
    def months() -> dg.MaterializeResult[None]:
        return dg.MaterializeResult(metadata={"rows": 3})


@dg.asset_check(asset=trips)
def whole() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


def materialize(instance: dg.DagsterInstance, partition: str) -> str:
    done = dg.materialize([trips, whole], instance=instance, partition_key=partition)
    assert done.success
    return done.run_id


def is_dagsters(instance: dg.DagsterInstance) -> bool:
    return type(instance.event_log_storage) is SqliteEventLogStorage


def shape(home: Path, run_id: str) -> set[tuple[str, ...]]:
    """Tables, indices and the revision of the file of a run."""
    with closing(sqlite3.connect(home / "history" / "runs" / f"{run_id}.db")) as file:
        declared = file.execute("SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE '%alembic%'").fetchall()
        mode = file.execute("PRAGMA journal_mode").fetchall()
        return {*declared, *file.execute("SELECT version_num FROM alembic_version").fetchall(), *mode}


def said(instance: dg.DagsterInstance, run_id: str) -> Iterator[str | None]:
    for entry in instance.all_logs(run_id):
        yield entry.dagster_event_type and entry.dagster_event_type.value


def test_a_run_is_recorded_as_dagster_records_it(home: Path) -> None:
    with open_instance(home) as kept:
        assert not is_dagsters(kept)
        ours = materialize(kept, "a")
    with dg.DagsterInstance.from_config(str(home)) as dagster:
        theirs = materialize(dagster, "b")
        run = dagster.get_run_by_id(ours)
        assert run is not None
        assert run.status is dg.DagsterRunStatus.SUCCESS
        assert list(said(dagster, ours)) == list(said(dagster, theirs))
        assert dagster.get_materialized_partitions(trips.key) == {"a", "b"}
        key = dg.AssetCheckKey(trips.key, "whole")
        checked = dagster.event_log_storage.get_asset_check_execution_history(key, limit=9)
        assert [record.run_id for record in checked] == [theirs, ours]
    assert shape(home, ours) == shape(home, theirs)


def index(home: Path, run_id: str) -> list[tuple[str, ...]]:
    """What the index of all runs has of a run, but for its numbers and times."""
    with closing(sqlite3.connect(home / "history" / "runs" / "index.db")) as file:
        events = (
            "SELECT dagster_event_type, asset_key, partition, step_key FROM event_logs WHERE run_id = ? ORDER BY id"
        )
        tags = "SELECT tags.asset_key, key FROM asset_event_tags AS tags JOIN event_logs AS at ON at.id = tags.event_id"
        known = "SELECT asset_key, asset_details, last_materialization IS NULL FROM asset_keys WHERE last_run_id = ?"
        return [
            *file.execute(events, [run_id]).fetchall(),
            *file.execute(f"{tags} WHERE run_id = ? ORDER BY at.id, key", [run_id]).fetchall(),
            *file.execute(known, [run_id]).fetchall(),
        ]


def test_the_months_of_a_range_are_recorded_together_as_one_by_one(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = []
    for instance in (open_instance(home), dg.DagsterInstance.from_config(str(home))):
        monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "0" if is_dagsters(instance) else "500")
        with instance:
            tags = {"dagster/asset_partition_range_start": "a", "dagster/asset_partition_range_end": "c"}
            done = dg.materialize([months], instance=instance, tags=tags)
            recorded = [*said(instance, done.run_id)]
            found.append((recorded, index(home, done.run_id), instance.get_materialized_partitions(months.key)))
    assert found[0] == found[1]
    assert found[0][0].count("ASSET_MATERIALIZATION") == 3
    assert "storing event batch" not in capsys.readouterr().err  # Dagster says so and goes on one by one


def test_what_another_process_records_meanwhile_is_seen(home: Path) -> None:
    with open_instance(home) as kept, dg.DagsterInstance.from_config(str(home)) as dagster:
        first = materialize(kept, "a")
        second = materialize(dagster, "b")
        assert kept.get_materialized_partitions(trips.key) == {"a", "b"}
        assert {run.run_id for run in kept.get_runs()} == {first, second}
        assert list(said(kept, second)) == list(said(dagster, second)) == list(said(dagster, first))


def test_files_of_few_runs_stay_open_and_none_when_the_instance_is_closed(home: Path) -> None:
    def opened() -> set[str]:
        links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
        return {name for name in map(os.readlink, links) if name.startswith(str(home))}

    with open_instance(home) as kept:
        runs = [materialize(kept, "a") for _ in range(6)]
        assert 0 < sum(name.endswith(f"{run}.db") for run in runs for name in opened()) <= 4
        with ThreadPoolExecutor(4) as threads:
            assert len({tuple(events) for events in threads.map(lambda run: list(said(kept, run)), runs)}) == 1
    assert not opened()


def test_a_file_without_a_revision_gets_one_as_dagster_gives_it(home: Path) -> None:
    found = []
    for make in (open_instance, lambda folder: dg.DagsterInstance.from_config(str(folder))):
        with closing(sqlite3.connect(home / "history" / "runs.db")) as file:
            file.execute("DROP TABLE alembic_version")
        with make(home) as instance:
            instance.get_runs_count()
        with closing(sqlite3.connect(home / "history" / "runs.db")) as file:
            found.append(file.execute("SELECT version_num FROM alembic_version").fetchall())
    assert found[0] == found[1] != []


def test_an_instance_that_says_where_its_record_is_keeps_it_there(tmp_path: Path) -> None:
    home = _configured(tmp_path / "home", f"storage: {{ sqlite: {{ base_dir: {tmp_path / 'elsewhere'} }} }}\n")
    with open_instance(home) as instance:
        materialize(instance, "a")
        assert is_dagsters(instance)
    assert (tmp_path / "elsewhere" / "history" / "runs.db").exists()
    assert not (home / "history").exists()
