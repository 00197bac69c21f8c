"""Reads what Dagster recorded of months, by one look at its SQLite file, without Dagster.

Belongs here: the one place that reads Dagster's own tables. Does not: what follows from it (``unchanged``), and writing
records (``launch``).

Importing Dagster and opening an instance takes three quarters of a command that finds nothing to do. The tables are
those of Dagster 1.13; a test compares this with Dagster's own reading. If a record is elsewhere, or has another form,
it counts as unknown, and the command goes through Dagster.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

__all__ = ["Record", "read_record"]

_INDEX = Path("history", "runs", "index.db")
_ELSEWHERE = ("storage", "instance_class")
"""The last parts of keys in a ``dagster.yaml`` that move the record to another place."""
_EVENT = "ASSET_MATERIALIZATION"

Record = Mapping[str, Mapping[str | None, Mapping[str, Any]]]
"""Asset → partition → the newest materialization's metadata of simple types; empty for a partition that nobody asked
about."""


def read_record(home: Path, assets: Collection[str], partitions: Collection[str]) -> Record | None:
    """The record of those assets, whose keys have one part each; None if it cannot be read here.

    Every partition that was ever materialized is a key. Metadata is read only for ``partitions`` and for assets without
    partitions.
    """
    if not _is_kept_here(home):
        return None
    names = {json.dumps([name]): name for name in assets}
    marks = ", ".join("?" * len(names))
    sql = f"""
        SELECT newest.asset_key, newest.partition, event FROM (
            SELECT asset_key, partition, max(id) AS id FROM event_logs
            WHERE dagster_event_type = '{_EVENT}' AND asset_key IN ({marks}) GROUP BY asset_key, partition
        ) AS newest JOIN event_logs USING (id)
    """  # noqa: S608 - placeholders; values are bound
    wiped = f"SELECT 1 FROM asset_keys WHERE asset_key IN ({marks}) AND wipe_timestamp IS NOT NULL"  # noqa: S608 - bound
    found: dict[str, dict[str | None, Mapping[str, Any]]] = {name: {} for name in assets}
    try:
        # Not opened read-only, because SQLite needs to write in order to read the newest changes.
        with contextlib.closing(sqlite3.connect(f"{(home / _INDEX).as_uri()}?mode=rw", uri=True)) as connection:
            if connection.execute(wiped, [*names]).fetchone():
                return None
            for key, partition, event in connection.execute(sql, [*names]):
                is_wanted = partition is None or partition in partitions
                found[names[key]][partition] = _metadata(event) if is_wanted else {}
    except (sqlite3.Error, ValueError, KeyError, TypeError):
        return None
    return found


def _is_kept_here(home: Path) -> bool:
    """Whether the instance's configuration leaves the record in its usual place."""
    configuration = home / "dagster.yaml"
    try:
        lines = configuration.read_text().splitlines() if configuration.exists() else []
    except (OSError, ValueError):
        return False
    said = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    return (home / _INDEX).is_file() and not any(word in said for word in _ELSEWHERE)


def _metadata(event: str) -> Mapping[str, Any]:
    materialization = json.loads(event)["dagster_event"]["event_specific_data"]["materialization"]
    entries = {entry["label"]: entry["entry_data"] for entry in materialization["metadata_entries"]}
    return {label: data.get("text", data.get("value")) for label, data in entries.items()}
