"""What can be measured of the months and their stores, as named numbers for monitoring.

Belongs here: the numbers, from the evidence that ``taxi status`` shows. Does not: daemons and runs
(``orchestration.health``), and the text form of the numbers (``cli.monitoring``). Names follow Prometheus: units at the
end, times as seconds since 1970 in UTC.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import get_args

from taxi_platform.contracts import CONTRACTS
from taxi_platform.inspection.status import MonthStatus, State, month_statuses
from taxi_platform.settings import Settings
from taxi_platform.stores.lake.lake import Lake

__all__ = ["Gauge", "disk_gauges", "month_gauges"]


@dataclass(frozen=True)
class Gauge:
    """One number at one time."""

    name: str
    about: str
    """One sentence; the same for every gauge of that name."""
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)
    """The same keys for every gauge of that name."""


def month_gauges(settings: Settings) -> list[Gauge]:
    """Numbers about every month in every store; what ``taxi status`` costs.

    Raises:
        TaxiError: a store does not answer.
    """
    lake = Lake(settings.lake, wait_seconds=settings.wait_seconds)
    statuses = month_statuses(settings, list(CONTRACTS.values()))
    found: list[Gauge] = []
    for dataset in CONTRACTS:
        own = [status for status in statuses if status.dataset == dataset]
        if own:
            found += _of_dataset(dataset, own)
        if (look := lake.last_look(dataset)) is not None:
            about = "When upstream was last looked at, and answered."
            found.append(Gauge("taxi_last_look_timestamp_seconds", about, look.timestamp(), {"dataset": dataset}))
    return found


def _of_dataset(dataset: str, statuses: Sequence[MonthStatus]) -> Iterator[Gauge]:
    states = Counter(status.state for status in statuses)
    for state in (state for state in get_args(State) if state != "under way"):  # runs are not looked at here
        labels = {"dataset": dataset, "state": state}
        yield Gauge("taxi_months", "Months by state.", states[state], labels)
    behind = Counter(layer for status in statuses for layer in status.behind)
    for layer in _layers(statuses[0]):
        labels = {"dataset": dataset, "layer": layer}
        yield Gauge("taxi_months_behind", "Months that a layer lacks or has in another version.", behind[layer], labels)
    rows = {
        "raw": [status.raw_rows for status in statuses],
        "trips": [status.trips_rows for status in statuses],
        "quarantine": [status.quarantined_rows for status in statuses],
        **{name: [status.table_rows[name] for status in statuses] for name in statuses[0].table_rows},
    }
    for layer, counts in rows.items():
        if layer not in statuses[0].off:
            total = sum(count or 0 for count in counts)
            yield Gauge("taxi_rows", "Rows of all months.", total, {"dataset": dataset, "layer": layer})
    whole = [status.file_month for status in statuses if status.is_whole]
    if whole:
        newest = datetime(max(whole).year, max(whole).month, 1, tzinfo=timezone.utc).timestamp()
        about = "The first day of the newest month that is whole in every store."
        yield Gauge("taxi_newest_month_timestamp_seconds", about, newest, {"dataset": dataset})


def _layers(status: MonthStatus) -> list[str]:
    layers = ("raw", "trips", *status.table_rows, *status.mart_rows)
    return [layer for layer in layers if layer not in status.off]


def disk_gauges(settings: Settings) -> list[Gauge]:
    """Free and whole space of the disks that the platform writes on, each by the setting that leads there."""
    places = {"TAXI_DATA": settings.data}
    if "://" not in settings.lake:
        places["TAXI_LAKE"] = Path(settings.lake)
    found: list[Gauge] = []
    for name, folder in places.items():
        there = next(path for path in (folder, *folder.parents) if path.exists())
        usage, labels = shutil.disk_usage(there), {"place": name}
        found.append(Gauge("taxi_disk_free_bytes", "Free space of the disk.", usage.free, labels))
        found.append(Gauge("taxi_disk_size_bytes", "Size of the disk.", usage.total, labels))
    return found
