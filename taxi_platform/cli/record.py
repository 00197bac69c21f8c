"""What Dagster's record names of months, read in one look at its file, without Dagster.

Belongs here: the one place that reads Dagster's own SQLite tables. Does not: what follows from it (``unchanged``), and
anything that writes a record (``launch``).

Importing Dagster and opening an instance takes three quarters of a command that finds nothing to do. The tables are
those of Dagster 1.13; a test holds this reading against Dagster's own. A record that lies elsewhere, or looks
otherwise, is unknown: then the way through Dagster is taken.
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
"""How the keys of a ``dagster.yaml`` end that move the record away from where it lies by itself."""
_EVENT = "ASSET_MATERIALIZATION"

Record = Mapping[str, Mapping[str | None, Mapping[str, Any]]]
"""Asset → partition → what the newest materialization says in words, numbers or yes and no; empty of a partition that
nobody asked about."""


def read_record(home: Path, assets: Collection[str], partitions: Collection[str]) -> Record | None:
    """What is on record of those assets, one word each; None where that cannot be read here.

    Every partition that was ever materialized is a key; metadata is read of those in ``partitions`` alone, and of
    assets without any.
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
    wiped = f"SELECT 1 FROM asset_keys WHERE asset_key IN ({marks}) AND wipe_timestamp IS NOT NULL"  # noqa: S608
    found: dict[str, dict[str | None, Mapping[str, Any]]] = {name: {} for name in assets}
    try:
        # Not as a read-only file: only who may write can read what was written last.
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
    """Whether the instance's configuration leaves the record where it lies by itself: it says no word of storage."""
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
