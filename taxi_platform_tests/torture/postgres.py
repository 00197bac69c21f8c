"""The part of PostgreSQL: killed at every message and answer, every line cut, every answer lost.

Belongs here: the walks whose messages are cut, and the server that they talk to. Does not: how a trial goes
(``trials``).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path

from taxi_platform.stores.postgres.embedded.sharing import EmbeddedPostgres
from taxi_platform_tests.torture.campaign import Part, Plan
from taxi_platform_tests.torture.disk import tortured
from taxi_platform_tests.torture.knife import Kind
from taxi_platform_tests.torture.walks import (
    Place,
    Step,
    Walk,
    after,
    delete,
    first,
    load,
    make_marts,
    nothing,
    second,
)

__all__ = ["run"]

_MESSAGES = Kind.SENT | Kind.GOT


def run(plan: Plan, say: Callable[[str], object]) -> list[Part]:
    """Cut every message of three walks."""
    with EmbeddedPostgres(plan.folder / "postgres").running() as address:
        return tortured(plan, say, _walks(address))


def _walks(address: str) -> list[Walk]:
    def walk(name: str, ready: Step, do: Step) -> Walk:
        return Walk(f"PostgreSQL: {name}", nothing, do, ready, partial(_somewhere, address), _MESSAGES)

    return [
        walk("the first month", first, load),
        walk("loaded again", after(first, load, second), load),
        walk("marts made again", after(first, load, make_marts, second, load), make_marts),
        walk("withdrawn", after(first, load, make_marts), delete),
    ]


def _somewhere(address: str, data: Path) -> Place:
    """A schema of its own for each trial."""
    return Place(data, postgres=address, schema=f"taxi_{uuid.uuid4().hex[:12]}")
