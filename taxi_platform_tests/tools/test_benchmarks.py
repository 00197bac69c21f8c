"""The comparison with other ways: each is known to it, is read without its libraries, and its table tells all."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import subprocess
import sys
from pathlib import Path

from benchmarks import peers
from benchmarks.bench import PEERS, SLOW, Turn, _readme, _text
from benchmarks.chart import chart
from benchmarks.page import commands
from benchmarks.peers.peer import Peer

ROOT = Path(__file__).resolve().parents[2]
BESIDE = {"peer"}


def read(name: str) -> Peer:
    peer: Peer = importlib.import_module(f"benchmarks.peers.{name}").PEER
    return peer


def test_every_way_takes_part() -> None:
    assert {module.name for module in pkgutil.iter_modules(peers.__path__)} == {*PEERS, *BESIDE}
    assert set(SLOW) < set(PEERS)
    assert PEERS[0] == "platform"


def test_a_way_is_read_without_the_libraries_of_its_environment() -> None:
    names = [f"benchmarks.peers.{name}" for name in PEERS]
    heavy = {"dlt", "prefect", "pandas", "pyarrow", "dagster", "isal", "pgpq"}
    program = (
        f"import importlib, sys\nfor name in {names}: importlib.import_module(name)\nprint(*{heavy} & {{*sys.modules}})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_table_has_every_way_with_its_ratio_and_what_it_leaves_out() -> None:
    known = {name: read(name) for name in ("platform", "floor")}
    turns = {
        "platform": [Turn(6.0, 2.0, 4.0, 300.0), Turn(7.0, 3.0, 5.0, 310.0)],
        "floor": [Turn(3.0, 1.0, 2.0, 100.0), Turn(3.0, 1.0, 2.0, 100.0)],
    }
    text = _text(1_000, 2, known, turns, busy=True)
    assert (
        f"| {known['floor'].title} | raw Parquet, PostgreSQL | 2.0 | 3.0 + 1.0 | 100 | 0.45 (0.40 to 0.50) | 0.45 ("
        in text
    )
    assert "had other work" in text
    for peer in known.values():
        assert f"leaves out: {peer.leaves_out}" in text


def test_the_readme_gets_the_figures_of_the_same_turns() -> None:
    readme = (ROOT / "README.md").read_text()
    turns = {name: [Turn(place + 1.0, 0.0, 1.0, 100.0 * (place + 1))] for place, name in enumerate(PEERS)}
    written = _readme(readme, turns)
    prefect, stock, dlt = (float(PEERS.index(name) + 1) for name in ("prefect_flow", "stock_dagster", "dlt_arrow"))
    assert f"| CPU seconds, against this platform | {prefect:.2f} | {stock:.2f} | {dlt:.2f} | | 1.00 |" in written
    assert f"| {prefect * 100:.0f} | {stock * 100:.0f} | {dlt * 100:.0f} | a month is one DataFrame | 100 |" in written
    assert len(written.splitlines()) == len(readme.splitlines())


def test_the_chart_draws_the_longest_bar_over_the_whole_width() -> None:
    drawn = chart("seconds & more", {"a": (1.0, 2.0), "b <x>": (4.0, 3.0)})
    assert drawn.count("<rect") == 5
    assert 'width="430.0"' in drawn
    assert "seconds &amp; more" in drawn
    assert "b &lt;x&gt;" in drawn


def test_every_benchmark_of_the_page_is_run_with_it() -> None:
    page = (ROOT / "docs" / "performance.md").read_text()
    modules = [arguments[1] for arguments in commands(page)]
    assert {"benchmarks.run_memory", "benchmarks.marts", "benchmarks.start_up"} < set(modules)
    assert "benchmarks.bench" not in modules
    for module in modules:
        assert importlib.util.find_spec(module) is not None
