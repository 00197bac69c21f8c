"""What ``taxi run`` costs beside the work: months that are unchanged, and a small new month.

    python -m benchmarks.start_up --rounds 5

Belongs here: CPU seconds of whole process families, the embedded PostgreSQL with its supervisor included, in turn with
``python -c "import dagster"``, by which they are told. Months are generated, so that no network is in the figures.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

_SUBREAPER = 36
"""``PR_SET_CHILD_SUBREAPER`` of prctl(2): what a command leaves running becomes this process's child."""
_IMPORT = [sys.executable, "-c", "import dagster"]
_RUN = [sys.executable, "-m", "taxi_platform.cli", "run", "--datasets", "green", "--months"]
_FIRST = "2018-01"


def main() -> None:
    """Measure in turn and print medians with their spread; with ``--measure``, be one of the measuring processes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, choices=range(1, 12))
    parser.add_argument("--rows", type=int, default=1_000)
    parser.add_argument("--measure", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        _measure(arguments.measure)
        return
    found: dict[str, list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        variables = {"TAXI_DATA": folder, "TAXI_SOURCE": "sample", "TAXI_SAMPLE_ROWS": str(arguments.rows)}
        _measured([*_RUN, _FIRST], variables)
        for number in range(2, arguments.rounds + 2):
            ways = {
                "import dagster": _IMPORT,
                "unchanged": [*_RUN, _FIRST],
                "a new month": [*_RUN, f"2018-{number:02}"],
            }
            for way, command in ways.items():
                found.setdefault(way, []).append(_measured(command, variables))
    _print(found)


def _print(found: dict[str, list[dict[str, float]]]) -> None:
    base = [each["cpu"] for each in found["import dagster"]]
    print(f"{'':16}{'CPU s':>8}{'of import':>10}{'spread':>14}{'wall s':>8}{'peak MiB':>10}")
    for way, each in found.items():
        ratios = [one["cpu"] / with_it for one, with_it in zip(each, base, strict=True)]
        middle = {name: statistics.median(one[name] for one in each) for name in ("cpu", "wall", "peak_mib")}
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        print(
            f"{way:16}{middle['cpu']:>8.2f}{statistics.median(ratios):>10.2f}{spread:>14}{middle['wall']:>8.1f}"
            f"{middle['peak_mib']:>10,.0f}"
        )


def _measured(command: Sequence[str], variables: dict[str, str]) -> dict[str, float]:
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("TAXI_", "DAGSTER_"))}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.start_up", "--measure", *command],
        env={**outside, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    cost: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return cost


def _measure(command: Sequence[str]) -> None:
    """Run the command, wait for all that it leaves behind, and print what the family cost."""
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    started = time.perf_counter()
    done = subprocess.run(command, check=False)
    wall = time.perf_counter() - started
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()
    if done.returncode:
        sys.exit(done.returncode)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(json.dumps({"cpu": used.ru_utime + used.ru_stime, "wall": wall, "peak_mib": used.ru_maxrss / 1024}))


if __name__ == "__main__":
    main()
