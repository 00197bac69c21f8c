"""One month from the web into a lake and tables, by this platform and by other ways, in turn.

    python -m benchmarks.bench --rows 7667792 --rounds 3 --write

Belongs here: the input, turns, checks, the table and the chart. Does not: a way (``peers``, one module each).

Every way runs in an environment of its own, gets its own new PostgreSQL server with the settings of the embedded one,
and reads the same generated file over HTTP. CPU seconds are those of all its processes and of the PostgreSQL server.
A time counts only if PostgreSQL then has every row, and the sum of their amounts is that of the file.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import psutil

from benchmarks.chart import chart
from benchmarks.family import cost_of
from benchmarks.peers.peer import AMOUNT, MONTH, Peer
from taxi_platform.sources.sample.writing import write_month
from taxi_platform.sources.sample.zones import lookup_csv
from taxi_platform.stores.postgres.embedded.sharing import EmbeddedPostgres

PEERS = (
    "platform",
    "platform_without_marts",
    "platform_postgres",
    "floor",
    "dlt_arrow",
    "plain_pandas",
    "prefect_flow",
    "stock_dagster",
)
"""The modules of ``peers``; the first is what the others are compared with."""
SLOW = ("plain_pandas", "prefect_flow", "stock_dagster")
"""Left out above `FEW_ROWS` rows, where they would take many minutes, unless they are named."""
FEW_ROWS = 500_000
_ROOT = Path(__file__).parents[1]
_PAGE = _ROOT / "docs" / "performance.md"
_README = _ROOT / "README.md"
_OF_README = ("prefect_flow", "stock_dagster", "dlt_arrow", "platform")
"""The ways in the README's table, in its order; a column without figures is before the last."""
_CHARTS = _ROOT / "docs" / "images"
_BEGIN, _END = "<!-- {} written by make bench -->", "<!-- end of what make bench wrote -->"
_EVERY_WAY, _WHOLE_MONTH = "bench", "bench-month"
"""Two tables of the page with a chart each: a month in which every way takes part, and a large one."""
_PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Turn:
    """What one turn of one way cost: CPU seconds of its own processes and of the server, seconds, MiB."""

    own: float
    server: float
    wall: float
    peak_mib: float

    @property
    def cpu(self) -> float:
        """CPU seconds of all."""
        return self.own + self.server


@dataclass(frozen=True)
class Expected:
    """What every way must bring."""

    rows: int
    amount: float


def main() -> None:
    """Make the input, let the ways take turns, print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=7_667_792)
    parser.add_argument("--rounds", type=int, default=3, choices=range(1, 12))
    parser.add_argument("--peers", help=f"comma-separated, of {', '.join(PEERS)}")
    parser.add_argument("--write", action="store_true", help="write table and chart into docs/performance.md")
    options = parser.parse_args()
    usual = [name for name in PEERS if options.rows <= FEW_ROWS or name not in SLOW]
    names = options.peers.split(",") if options.peers else usual
    peers = {name: _peer(name) for name in names}
    pythons = {name: _environment(name, peer) for name, peer in peers.items()}
    busy = os.getloadavg()[0] > 0.5
    turns: dict[str, list[Turn]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder, _served(Path(folder), options.rows) as (url, expected):
        for number in range(options.rounds):
            for name in names[number % len(names) :] + names[: number % len(names)]:
                turns[name].append(_turn(name, peers[name], pythons[name], url, expected))
                cost = turns[name][-1]
                print(
                    f"round {number + 1}, {name}: {cost.wall:.1f} s, {cost.cpu:.1f} CPU s", file=sys.stderr, flush=True
                )
    text = _text(options.rows, options.rounds, peers, turns, busy=busy)
    print(text)
    if options.write:
        table = _EVERY_WAY if options.rows <= FEW_ROWS else _WHOLE_MONTH
        _write(text, table)
        bars = {
            peers[name].title.replace("`", ""): (_middle(turns[name], "wall"), _middle(turns[name], "cpu"))
            for name in names
        }
        title = f"{options.rows:,} rows: seconds, and CPU seconds with the server's"
        (_CHARTS / f"{table}.svg").write_text(chart(title, bars))
        if table == _EVERY_WAY and set(_OF_README) <= set(names):
            _README.write_text(_readme(_README.read_text(), turns))


def _peer(name: str) -> Peer:
    if name not in PEERS:
        sys.exit(f"there is no {name}: choose from {', '.join(PEERS)}")
    peer: Peer = importlib.import_module(f"benchmarks.peers.{name}").PEER
    return peer


def _environment(name: str, peer: Peer) -> str:
    """The Python of the way's environment, which is made once; the platform has this one."""
    if not peer.requirements:
        return sys.executable
    folder = _ROOT / ".cache" / "bench" / name
    python, note = folder / "bin" / "python", folder / "requirements.txt"
    wanted = "\n".join((*peer.requirements, platform.python_version()))
    if not note.exists() or note.read_text() != wanted:
        print(f"an environment for {name}", file=sys.stderr, flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        ours = [] if peer.own_versions else ["--constraint", str(_ROOT / "constraints.txt")]
        subprocess.run([*pip, *ours, *peer.requirements], check=True)
        note.write_text(wanted)
    return str(python)


@contextlib.contextmanager
def _served(folder: Path, rows: int) -> Iterator[tuple[str, Expected]]:
    """The generated month on a server of its own process, and what it has."""
    month = folder / "yellow" / f"yellow_tripdata_{MONTH}.csv.gz"
    month.parent.mkdir()
    write_month("yellow", date.fromisoformat(f"{MONTH}-01"), rows, month, "csv.gz")
    (folder / "misc").mkdir()
    (folder / "misc" / "taxi_zone_lookup.csv").write_bytes(lookup_csv())
    port = _free_port()
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(folder)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_for(url)
        yield url, _expected(month)
    finally:
        server.terminate()
        server.wait()


def _expected(month: Path) -> Expected:
    from pyarrow import compute, csv

    options = csv.ConvertOptions(include_columns=[AMOUNT], column_types={AMOUNT: "float64"})
    rows, amount = 0, 0.0
    with csv.open_csv(month, convert_options=options) as batches:
        for batch in batches:
            rows += batch.num_rows
            amount += compute.sum(batch[AMOUNT]).as_py() or 0.0
    return Expected(rows, amount)


def _turn(name: str, peer: Peer, python: str, url: str, expected: Expected) -> Turn:
    with tempfile.TemporaryDirectory() as folder:
        embedded = EmbeddedPostgres(Path(folder) / "postgres", _free_port())
        with embedded.running():
            postgres = embedded.tcp_url
            assert postgres is not None, "it has a port"
            server = psutil.Process(int((embedded.folder / "data" / "postmaster.pid").read_text().split()[0]))
            before = _server_seconds(server)
            work = Path(folder) / "work"
            work.mkdir()
            cost = cost_of([python, "-m", f"benchmarks.peers.{name}", url, postgres, str(work)], {}, work)
            seconds = _server_seconds(server) - before
            _check(name, peer, postgres, expected)
    return Turn(cost.cpu, seconds, cost.wall, cost.peak_mib)


def _server_seconds(server: psutil.Process) -> float:
    """CPU seconds of a server and of all its processes, those that have ended as well."""
    own = server.cpu_times()
    total: float = own.user + own.system + own.children_user + own.children_system
    for child in server.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = child.cpu_times()
            total += times.user + times.system
    return total


def _check(name: str, peer: Peer, postgres: str, expected: Expected) -> None:
    import psycopg

    with psycopg.connect(postgres) as connection:
        row: Any = connection.execute(peer.check).fetchone()
    rows, amount = int(row[0]), float(row[1])
    if rows != expected.rows or abs(amount - expected.amount) > 0.01:
        sys.exit(
            f"{name} brought {rows:,} rows of {amount:,.2f}; the file has {expected.rows:,} of {expected.amount:,.2f}"
        )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(url):
            return
        time.sleep(0.05)
    sys.exit(f"{url} does not answer")


def _middle(turns: list[Turn], name: str) -> float:
    middle: float = statistics.median(getattr(turn, name) for turn in turns)
    return middle


def _text(rows: int, rounds: int, peers: dict[str, Peer], turns: dict[str, list[Turn]], *, busy: bool) -> str:
    first = next(iter(turns))
    measured = "one round" if rounds == 1 else f"medians of {rounds} rounds"
    beside = ", on a machine that had other work as well" if busy else ""
    lines = [
        (
            f"{rows:,} rows of yellow {MONTH}, generated, csv.gz over HTTP; {measured}{beside}. "
            f"Ratios are to {peers[first].title} in the same round, lowest to highest:"
        ),
        "",
        "| | brings | wall s | CPU s: own + server's | largest process MiB | times the wall | times the CPU |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, peer in peers.items():
        mine = turns[name]
        costs = f"{_middle(mine, 'wall'):.1f} | {_middle(mine, 'own'):.1f} + {_middle(mine, 'server'):.1f}"
        ratios = " | ".join(_ratio(mine, turns[first], what) for what in ("wall", "cpu"))
        lines.append(f"| {peer.title} | {peer.does} | {costs} | {_middle(mine, 'peak_mib'):,.0f} | {ratios} |")
    lines += ["", *(f"* {p.title} leaves out: {p.leaves_out}. Settings: {p.settings}." for p in peers.values())]
    return "\n".join(lines)


def _ratio(mine: list[Turn], first: list[Turn], name: str) -> str:
    ratios = [getattr(one, name) / getattr(other, name) for one, other in zip(mine, first, strict=True)]
    middle = f"{statistics.median(ratios):.2f}"
    lowest, highest = f"{min(ratios):.2f}", f"{max(ratios):.2f}"
    return middle if lowest == highest else f"{middle} ({lowest} to {highest})"


def _write(text: str, table: str) -> None:
    page, begin = _PAGE.read_text(), _BEGIN.format(table)
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(_END)
    _PAGE.write_text(f"{before}{begin}\n{text}\n{_END}{after}")


def _readme(text: str, turns: dict[str, list[Turn]]) -> str:
    """The README with the figures of those turns in its table."""
    first = turns[PEERS[0]]
    figures: dict[str, Callable[[list[Turn]], str]] = {
        "CPU seconds, against this platform": lambda mine: _ratio(mine, first, "cpu"),
        "largest process, MiB": lambda mine: f"{_middle(mine, 'peak_mib'):,.0f}",
    }
    for row, cell in figures.items():
        *others, ours = (cell(turns[name]) for name in _OF_README)
        old = next(line for line in text.splitlines() if line.startswith(f"| {row} |"))
        beside = old.split("|")[-3].strip()
        text = text.replace(old, f"| {' | '.join((row, *others, beside, ours))} |".replace("|  |", "| |"))
    return text


if __name__ == "__main__":
    main()
