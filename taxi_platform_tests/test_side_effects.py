"""What importing and running leave as they were: warnings, the environment, Arrow's memory."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pytest

from taxi_platform.cli.report import MonthWork
from taxi_platform.cli.runs import interruptible, run_range
from taxi_platform.contracts import CONTRACTS
from taxi_platform.machine.memory import thrifty_pool
from taxi_platform.orchestration.betas import knowingly
from taxi_platform.orchestration.build import build_definitions
from taxi_platform.settings import Settings
from taxi_platform.stores.lake.lake import Lake

_IMPORTING = """
import importlib, os, pkgutil, warnings
import dagster, dagster_gcp, pydantic, pyarrow.dataset, pandas, duckdb, psycopg, google.cloud.bigquery
before = dict(os.environ), list(warnings.filters), pyarrow.default_memory_pool().backend_name
import taxi_platform
names = [m.name for m in pkgutil.walk_packages(taxi_platform.__path__, "taxi_platform.") if "__main__" not in m.name]
for name in names:
    importlib.import_module(name)
after = dict(os.environ), list(warnings.filters), pyarrow.default_memory_pool().backend_name
for was, became in zip(before, after):
    assert was == became, (was, became)
print(len(names))
"""
GREEN = CONTRACTS["green"]


def test_importing_any_module_changes_nothing_of_the_process(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", _IMPORTING], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 150
    assert list(tmp_path.iterdir()) == []


def test_only_the_front_door_builds_definitions() -> None:
    program = (
        "import sys, dagster as dg\n"
        "made, first = [], dg.Definitions.__new__\n"
        "dg.Definitions.__new__ = lambda cls, *a, **k: (made.append(cls), first(cls))[1]\n"
        "import taxi_platform.orchestration.build, taxi_platform.cli.launch, taxi_platform.cli.runs\n"
        "print(len(made), 'taxi_platform.definitions' in sys.modules)\n"
        "import taxi_platform.definitions\n"
        "print(len(made) > 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "False", "True"]


def test_building_definitions_warns_of_nothing_and_leaves_the_filters(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", dg.BetaWarning)
        filters = list(warnings.filters)
        build_definitions(Settings.from_environment({"TAXI_DATA": str(tmp_path)})).get_repository_def()
        assert warnings.filters == filters


def test_other_betas_are_still_warned_of() -> None:
    with pytest.warns(dg.BetaWarning, match="of_another_kind"), knowingly():
        warnings.warn("Parameter `of_another_kind` of function `asset` is currently in beta", dg.BetaWarning, 1)


def test_a_run_is_made_from_the_settings_it_is_given_and_leaves_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    # What a process of its own would read here: it would find no such source, and bring nothing.
    monkeypatch.setenv("TAXI_DATA", str(tmp_path / "other"))
    monkeypatch.setenv("TAXI_SOURCE", "dtc")
    monkeypatch.setenv("TAXI_SOURCE_URL", str(tmp_path / "nothing"))
    given = {"TAXI_SOURCE": "sample", "TAXI_SAMPLE_ROWS": "1000", "TAXI_DATA": str(tmp_path / "mine")}
    settings = Settings.from_environment({**given, "TAXI_POSTGRES": "off", "TAXI_WAREHOUSE": "off"})
    before = dict(os.environ)
    month = GREEN.month(GREEN.first_month)
    work = {month: MonthWork()}
    with interruptible(settings, work) as session:
        run_range(session, GREEN, [month.first_day], {}, work)
        (run,) = session.instance.get_runs()
    assert dict(os.environ) == before
    assert work[month].error is None
    raw = Lake(settings.lake).current_raw(month)
    assert raw is not None
    assert raw.rows == 1000
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine"]
    # The UI and the daemon re-execute it by the code location's module, which reads the settings of their process.
    assert run.remote_job_origin is not None
    assert run.remote_job_origin.location_name == "taxi_platform"
    assert run.job_code_origin is not None
    assert str(tmp_path) not in str(run.job_code_origin)


def test_months_are_worked_on_in_the_pool_that_gives_memory_back() -> None:
    usual = pa.default_memory_pool()
    try:
        thrifty_pool()
        assert "jemalloc" in pa.supported_memory_backends()
        assert pa.default_memory_pool().backend_name == "jemalloc"
    finally:
        pa.set_memory_pool(usual)


def test_a_build_of_arrow_without_that_pool_keeps_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = pa.default_memory_pool().backend_name
    monkeypatch.setattr(pa, "supported_memory_backends", lambda: ["system"])
    thrifty_pool()
    assert pa.default_memory_pool().backend_name == usual


def test_a_command_goes_without_pandas_and_arrow_works() -> None:
    program = (
        "import contextlib, sys\n"
        "from taxi_platform.cli.__main__ import start\n"
        "sys.argv = ['taxi', '--version']\n"
        "with contextlib.suppress(SystemExit):\n"
        "    start()\n"
        "import numpy, pyarrow\n"
        "print(pyarrow.array(numpy.arange(3)).to_pylist(), 'pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[0, 1, 2] False"
