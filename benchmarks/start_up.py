"""What ``taxi run`` costs beside the work: months that are unchanged, and a small new month.

Beside them, what Dagster takes to record a run of the same assets and checks in which nothing is done (``empty_run``).

    python -m benchmarks.start_up --rounds 5

Belongs here: CPU seconds of whole process families, the embedded PostgreSQL with its supervisor included, in turn with
``python -c "import dagster"``, by which they are told. Months are generated, so that no network is in the figures.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.family import Cost, cost_of

_IMPORT = [sys.executable, "-c", "import dagster"]
_RUN = [sys.executable, "-m", "taxi_platform.cli", "run", "--datasets", "green", "--months"]
_EMPTY = [sys.executable, "-m", "benchmarks.empty_run"]
_FIRST = "2018-01"


def main() -> None:
    """Measure in turn and print medians with their spread."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, choices=range(1, 12))
    parser.add_argument("--rows", type=int, default=1_000)
    arguments = parser.parse_args()
    found: dict[str, list[Cost]] = {}
    with tempfile.TemporaryDirectory() as folder:
        settings = {"TAXI_DATA": folder, "TAXI_SOURCE": "sample", "TAXI_SAMPLE_ROWS": str(arguments.rows)}
        cost_of([*_RUN, _FIRST], settings)
        shape = Path(folder, "shape.json")
        cost_of([*_EMPTY, "shape", "green", str(shape)], settings)
        variables = {**settings, "DAGSTER_HOME": str(Path(folder, "dagster"))}
        for number in range(2, arguments.rounds + 2):
            ways = {
                "import dagster": _IMPORT,
                "an empty run": [*_EMPTY, "run", str(shape), f"2014-{number:02}-01"],
                "unchanged": [*_RUN, _FIRST],
                "a new month": [*_RUN, f"2018-{number:02}"],
            }
            for way, command in ways.items():
                found.setdefault(way, []).append(cost_of(command, variables))
    _print(found)


def _print(found: dict[str, list[Cost]]) -> None:
    print(
        f"{'':16}{'CPU s':>8}{'of import':>10}{'spread':>14}{'of empty':>10}{'spread':>14}{'wall s':>8}{'peak MiB':>10}"
    )
    for way, each in found.items():
        cpu, wall, peak = (
            statistics.median(getattr(one, name) for one in each) for name in ("cpu", "wall", "peak_mib")
        )
        beside = "".join(_ratios(each, found[base]) for base in ("import dagster", "an empty run"))
        print(f"{way:16}{cpu:>8.2f}{beside}{wall:>8.1f}{peak:>10,.0f}")


def _ratios(each: list[Cost], base: list[Cost]) -> str:
    """The median of the ratios of each round, and the lowest and the highest."""
    ratios = [one.cpu / with_it.cpu for one, with_it in zip(each, base, strict=True)]
    return f"{statistics.median(ratios):>10.2f}{f'{min(ratios):.2f} to {max(ratios):.2f}':>14}"


if __name__ == "__main__":
    main()
