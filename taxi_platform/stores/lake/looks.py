"""When upstream was last looked at: one small object per dataset in the lake.

Belongs here: that object. Does not: looking (``sources``), and when a look counts as stale.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone

from taxi_platform.stores.lake.objects.model import Objects

__all__ = ["Looks"]


class Looks:
    """``looks/{dataset}.json``; `Lake` says what each method promises."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def note(self, dataset: str, when: datetime) -> None:
        """Record a look at a dataset."""
        with self._objects.exclusive("looks"):
            self._objects.update(_path(dataset), lambda content: _with(content, when.astimezone(timezone.utc)))

    def last(self, dataset: str) -> datetime | None:
        """When a dataset was last looked at; None if never."""
        return _time(self._objects.read(_path(dataset)))


def _path(dataset: str) -> str:
    return f"looks/{dataset}.json"


def _with(content: bytes | None, when: datetime) -> bytes:
    """The document with that time, or with the one already in it if that is later."""
    times = [when, *filter(None, [_time(content)])]
    return json.dumps({"looked_at": max(times).isoformat(timespec="seconds")}).encode()


def _time(content: bytes | None) -> datetime | None:
    """The time in a document; None for a damaged one, which the next look writes again."""
    if content is None:
        return None
    try:
        return datetime.fromisoformat(json.loads(content)["looked_at"]).astimezone(timezone.utc)
    except (ValueError, KeyError, TypeError):
        return None
