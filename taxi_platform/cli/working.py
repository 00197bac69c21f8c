"""``taxi worker``: this host executes runs that a server hands over.

Belongs here: what a host has to have before it takes a run. Does not: taking and executing it
(``orchestration.workers``).
"""

from __future__ import annotations

import importlib.util

from taxi_platform.cli.instance import dagster_home
from taxi_platform.errors import SettingsError
from taxi_platform.machine.pandas_free import let_pandas_in
from taxi_platform.settings import Settings

__all__ = ["be_a_worker"]


def be_a_worker(settings: Settings, concurrency: int, name: str) -> None:
    """Serve runs until the process is told to end; assets of users may make DataFrames."""
    if importlib.util.find_spec("dagster_celery") is None:
        raise SettingsError("a worker needs Celery, which is not installed: pip install 'taxi_platform[celery]'")
    home = dagster_home(settings)
    let_pandas_in()
    from taxi_platform.orchestration.workers import serve_runs

    serve_runs(home, concurrency, name)
