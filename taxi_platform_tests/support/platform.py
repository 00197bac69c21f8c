"""A platform of a test's own: a data root and the ``taxi`` command over it, each in a process of its own.

Belongs here: starting commands and reading what they leave. Does not: asserting.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from taxi_platform.contracts import CONTRACTS
from taxi_platform.inspection.status import MonthStatus, month_statuses
from taxi_platform.months import month_label
from taxi_platform.settings import Settings
from taxi_platform_tests.support.forked import Done, run_module

__all__ = ["Done", "Platform"]

_TIMEOUT_SECONDS = 300


@dataclass
class Platform:
    """Settings below one folder; every command sees these variables and no other ``TAXI_…`` ones.

    Marts are off unless the variables say otherwise, because they have tests of their own.
    """

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.variables = {"TAXI_MARTS": "off", **self.variables}

    @property
    def data(self) -> Path:
        return Path(self.variables.get("TAXI_DATA", self.folder / "data"))

    @property
    def environment(self) -> dict[str, str]:
        outside = {k: v for k, v in os.environ.items() if not k.startswith(("TAXI_", "DAGSTER_"))}
        return {**outside, "COLUMNS": "200", **self.variables}

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        """``taxi …`` in the background, as the leader of a process group of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "taxi_platform.cli", *arguments],
            cwd=self.folder,
            env={**self.environment, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def taxi(self, *arguments: str, **variables: str) -> Done:
        """``taxi …`` to its end."""
        return self._run("taxi_platform.cli", arguments, {**self.environment, **variables})

    def finish(self, process: subprocess.Popen[str]) -> Done:
        out, err = process.communicate(timeout=_TIMEOUT_SECONDS)
        return Done(process.returncode, out, err)

    def dagster(self, *arguments: str) -> Done:
        """A plain ``dagster …`` command with the exports of ``taxi env``."""
        return self._run("dagster", arguments, self.exported())

    def python(self, module: str) -> Done:
        """``python -m MODULE``, a file of the platform's folder, with those exports."""
        return self._run(module, (), self.exported())

    def exported(self) -> dict[str, str]:
        """The variables of a shell after ``eval "$(taxi env)"``."""
        exports = f"{self.taxi('env').out}\nenv -0"
        shell = subprocess.run(["/bin/sh", "-c", exports], env=self.environment, capture_output=True, check=True)
        return dict(entry.split("=", 1) for entry in os.fsdecode(shell.stdout).split("\0") if entry)

    def _run(self, module: str, arguments: Sequence[str], environment: Mapping[str, str]) -> Done:
        return run_module(module, arguments, self.folder, environment, _TIMEOUT_SECONDS)

    def status(self) -> list[dict[str, Any]]:
        """What ``taxi status --json`` prints."""
        done = self.taxi("status", "--json")
        if not done.out:  # code 1 says that a month is behind
            raise RuntimeError(done.text)
        statuses: list[dict[str, Any]] = json.loads(done.out)
        return statuses

    def statuses(self) -> list[MonthStatus]:
        """What that command prints, looked at in this process; the data root has to be among the variables."""
        return month_statuses(Settings.from_environment(self.variables), [*CONTRACTS.values()])

    def rows(self) -> dict[str, tuple[int | None, ...]]:
        """``green 2020-03`` → rows raw, in trips, quarantined, in the warehouse, in PostgreSQL; likewise."""
        return {f"{s.dataset} {month_label(s.file_month)}": s.rows for s in self.statuses()}

    def copied(self, folder: Path) -> Platform:
        """The same with a data root below that folder, which has all that this one's has; no command may be running."""
        shutil.copytree(self.data, folder / "data", symlinks=True)
        return Platform(folder, {**self.variables, "TAXI_DATA": str(folder / "data")})
