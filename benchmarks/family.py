"""What a command costs with all that it starts: the time of a whole family of processes, and its memory.

Belongs here: measuring a family. Does not: what is run (the other modules).
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["Cost", "cost_of"]

_SUBREAPER = 36
"""``PR_SET_CHILD_SUBREAPER`` of prctl(2): what a command leaves running becomes this process's child."""


@dataclass(frozen=True)
class Cost:
    """What a family cost: seconds of computing and of waiting, and the memory of its largest process."""

    cpu: float
    wall: float
    peak_mib: float


def cost_of(command: Sequence[str], variables: Mapping[str, str], folder: Path | None = None) -> Cost:
    """Run the command to its end and the end of all that it starts; ends this process where the command fails."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("TAXI_", "DAGSTER_"))}
    here = str(Path(__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.family", *command],
        env={**outside, "PYTHONPATH": here, **variables},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-2_000:]}\n{done.stderr[-4_000:]}")
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


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
    print(json.dumps(asdict(Cost(used.ru_utime + used.ru_stime, wall, used.ru_maxrss / 1024))))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("command", nargs=argparse.REMAINDER)
    _measure(parser.parse_args().command)
