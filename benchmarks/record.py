"""What Dagster's SQLite record costs with its own storage, and with connections that are kept, as the command does.

    python -m benchmarks.record --events 50

Belongs here: CPU milliseconds of opening an instance, of events and of looking an asset up, in turn on one instance.
Every event is committed and synced in both.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from uuid import uuid4

import dagster as dg
from dagster._core.events import StepMaterializationData

from taxi_platform.cli.launch import open_instance

_OPENING: dict[str, Callable[[Path], dg.DagsterInstance]] = {
    "Dagster's": lambda home: dg.DagsterInstance.from_config(str(home)),
    "kept": open_instance,
}


def main() -> None:
    """Measure both in turn, twice, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=50)
    events = parser.parse_args().events
    print(f"{'CPU ms':12}{'opening':>10}{'materialization':>18}{'other event':>14}{'look at an asset':>18}")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "dagster.yaml").write_text("telemetry: { enabled: false }\n")
        for opening in _OPENING.values():  # what is made and imported once is not counted
            _measured(opening, home, 1)
        for name, opening in [*_OPENING.items()] * 2:
            print("{:12}{:>10.1f}{:>18.1f}{:>14.1f}{:>18.1f}".format(name, *_measured(opening, home, events)))


def _measured(opening: Callable[[Path], dg.DagsterInstance], home: Path, events: int) -> list[float]:
    started = time.process_time()
    with opening(home) as instance:
        instance.get_runs_count()
        instance.get_asset_keys(limit=1)
        opened = time.process_time() - started
        materialized = dg.AssetMaterialization("trips", partition="2018-01-01", metadata={"rows": 1_000})
        data = StepMaterializationData(materialized)
        kind, start = dg.DagsterEventType.ASSET_MATERIALIZATION.value, dg.DagsterEventType.STEP_START.value
        report = partial(instance.report_dagster_event, run_id=str(uuid4()))
        report(dg.DagsterEvent(start, "months"))  # makes the file of the run
        work: list[Callable[[], object]] = [
            lambda: report(dg.DagsterEvent(kind, "months", event_specific_data=data)),
            lambda: report(dg.DagsterEvent(start, "months")),
            lambda: instance.get_asset_records([dg.AssetKey("trips")]),
        ]
        return [1_000 * opened, *(_each(one, events) for one in work)]


def _each(work: Callable[[], object], times: int) -> float:
    started = time.process_time()
    for _ in range(times):
        work()
    return 1_000 * (time.process_time() - started) / times


if __name__ == "__main__":
    main()
