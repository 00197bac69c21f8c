"""The names that users write into their own queries, scripts and configuration, as one file: ``docs/names.yaml``.

Belongs here: collecting them, and when the file may lose or change one. Does not: what the names mean (the data
dictionary, the catalog, ``taxi --help``).

``python -m tools.names`` writes the file again. A name that is new is added in any version. One that is gone or of
another type is written only where the version promises less: a higher minor version while the major one is 0, a higher
major version after it (https://semver.org, items 4 and 8).
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import click
import yaml

from taxi_platform import __version__
from taxi_platform.cli import main as taxi
from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.model import ColumnType
from taxi_platform.inspection.catalog.relations import Relation, relations
from taxi_platform.machine.environment import variable
from taxi_platform.orchestration.alerts import AlertSettings
from taxi_platform.orchestration.build import build_definitions
from taxi_platform.settings import Settings

__all__ = ["FILE", "lost", "main", "may_lose", "names", "render"]

FILE = Path(__file__).resolve().parents[1] / "docs" / "names.yaml"

_HEAD = """\
# The names that your own queries, scripts and configuration may rely on: none of them goes or changes its type without
# a higher minor version (from 1.0 on: a higher major version) and a word in CHANGELOG.md. More may be added.
# Written by `make names`; CONTRIBUTING.md says when it may be. Not to be edited by hand.
"""
_PRINTED = {"TAXI_VIEWS": "printed by taxi env", "TAXI_WORKSPACE": "printed by taxi env"}

Document = Mapping[str, Any]


def names() -> dict[str, Any]:
    """Every frozen name of this tree, by kind, sorted within each kind."""
    return {
        "version": __version__,
        "variables": dict(sorted(_variables())),
        "commands": dict(sorted(_commands(taxi, "taxi"))),
        **_of_dagster(),
        "types": {t.name.lower(): f"{t.duckdb} | {t.postgres} | {t.bigquery}" for t in ColumnType},
        "tables": {relation.name: _relation(relation) for relation in relations(tuple(CONTRACTS.values()))},
    }


def render(document: Document) -> str:
    """The file's text."""
    return _HEAD + yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True, width=120)


def lost(before: Document, now: Document) -> list[str]:
    """Names that were there and are gone, or are of another type: ``tables: trips: columns: tip: double``."""
    kept = set(_lines({**now, "version": None}))
    return sorted(set(_lines({**before, "version": None})) - kept)


def may_lose(before: str, now: str) -> bool:
    """Whether version ``now`` may lack what version ``before`` promised."""
    old, new = ([int(part) for part in version.split(".")[:2]] for version in (before, now))
    return new > old if old[0] == 0 else new[0] > old[0]


def _lines(document: object, path: str = "") -> Iterator[str]:
    if isinstance(document, Mapping):
        for key, value in document.items():
            yield from _lines(value, f"{path}{key}: ")
    elif isinstance(document, list):
        yield from (f"{path}{value}" for value in document)
    else:
        yield f"{path}{document}"


def _variables() -> Iterator[tuple[str, str]]:
    for model, family in ((Settings, ""), (AlertSettings, "alert_")):
        for name, field in model.model_fields.items():
            literal = get_origin(field.annotation) is Literal
            yield variable(family + name), " | ".join(get_args(field.annotation)) if literal else "value"
    yield from _PRINTED.items()


def _commands(command: click.Command, name: str) -> Iterator[tuple[str, list[str]]]:
    if isinstance(command, click.Group):
        for child, sub in command.commands.items():
            yield from _commands(sub, f"{name} {child}")
        return
    yield name, [_parameter(parameter) for parameter in command.params]


def _parameter(parameter: click.Parameter) -> str:
    """``--days INTEGER``, ``--yes``, ``--format [csv|…]``, ``DATASET``, ``[SQL]``."""
    if isinstance(parameter, click.Argument):
        name = (parameter.name or "").upper()
        return name if parameter.required else f"[{name}]"
    spelled = "/".join(parameter.opts)
    if isinstance(parameter, click.Option) and parameter.is_flag:
        return spelled
    kind = parameter.type
    takes = f"[{'|'.join(map(str, kind.choices))}]" if isinstance(kind, click.Choice) else kind.name.upper()
    return f"{spelled} {takes}"


def _of_dagster() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        definitions = build_definitions(Settings.from_environment({"TAXI_DATA": folder}))
        repository = definitions.get_repository_def()
    graph = repository.asset_graph
    checks: dict[str, list[str]] = {}
    for check in sorted(graph.asset_check_keys, key=str):
        checks.setdefault(check.asset_key.to_user_string(), []).append(check.name)
    return {
        "assets": {
            key.to_user_string(): f"group {graph.get(key).group_name}"
            + (", by month" if graph.get(key).partitions_def else "")
            for key in sorted(graph.get_all_asset_keys())
        },
        "checks": {asset: sorted(found) for asset, found in sorted(checks.items())},
        "jobs": sorted(job.name for job in repository.get_all_jobs() if not job.name.startswith("__")),
        "schedules": sorted(schedule.name for schedule in repository.schedule_defs),
        "sensors": sorted(sensor.name for sensor in repository.sensor_defs),
        "resources": sorted(definitions.resources or ()),
    }


def _relation(relation: Relation) -> dict[str, Any]:
    """Raw views have the types of the files that came, so only the names of their columns are promised."""
    columns = {c.name: "of the files" if relation.has_types_of_files else c.type.name.lower() for c in relation.columns}
    parts = {"a table for each dataset, without the column dataset": [*relation.tables]} if relation.tables else {}
    return {"kind": "view" if relation.is_view else "table", **parts, "columns": columns}


def main() -> None:
    """Write the file again; ends with code 1 where this version may not lack what the file has."""
    now = names()
    before = yaml.safe_load(FILE.read_text()) if FILE.exists() else now
    if (gone := lost(before, now)) and not may_lose(before["version"], __version__):
        sys.exit(
            f"{FILE.name} stays as it is: version {__version__} may not lack what {before['version']} promised\n  "
            + "\n  ".join(gone)
        )
    FILE.write_text(render(now))
    print(f"wrote {FILE.relative_to(FILE.parents[1])}" + "".join(f"\n  no more: {line}" for line in gone))


if __name__ == "__main__":
    main()
