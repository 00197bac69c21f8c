"""The Dagster instance of a data root, and the environment that makes every dagster command use it.

Belongs here: where ``DAGSTER_HOME`` is and what stands in it, and remembering the settings of the last run, so that
``taxi dev``, ``taxi status`` and ``taxi env`` look where ``taxi run`` wrote. Does not: anything about months.
This process's environment is read and never changed: settings are passed on, and a program that we start is given its
own environment.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from taxi_platform.errors import SettingsError, StoreError
from taxi_platform.machine.locks import exclusive
from taxi_platform.settings import LAST_RUN, Settings, default_data

if TYPE_CHECKING:
    from dagster import DagsterInstance

__all__ = [
    "dagster_home",
    "exports",
    "has_instance",
    "is_emulated",
    "last_settings",
    "opened_instance",
    "remember_run",
]

_HOME = "DAGSTER_HOME"
_CONFIGURATION = "dagster.yaml"
_SHIPPED = Path(__file__).parents[1] / _CONFIGURATION
_LOG = logging.getLogger(__name__)


def dagster_home(settings: Settings) -> Path:
    """``DAGSTER_HOME`` where it is set; else ``{TAXI_DATA}/dagster`` with the platform's own ``dagster.yaml``."""
    if named := os.environ.get(_HOME):
        return _named_home(Path(named))
    home = settings.data / "dagster"
    link = home / _CONFIGURATION
    try:
        home.mkdir(parents=True, exist_ok=True)
        if link.is_symlink() and _is_ours(link) and link.readlink() != _SHIPPED:
            link.unlink()
        if not link.is_symlink() and not link.exists():
            link.symlink_to(_SHIPPED)
    except OSError as error:
        raise StoreError(
            f"the Dagster instance cannot be kept in {home}: {error.strerror}; set TAXI_DATA to a folder you may write"
        ) from error
    if not link.exists():
        raise StoreError(f"{link} leads to {link.readlink()}, which is not there: put it back, or delete the link")
    return home


def _named_home(home: Path) -> Path:
    """The folder that ``DAGSTER_HOME`` names, as dagster commands demand it."""
    if not home.is_absolute():
        raise SettingsError(f"{_HOME}={home} is not a whole path, and dagster commands take no other: begin it with /")
    if not home.is_dir():
        raise SettingsError(f"{_HOME}={home} is no folder: make it with a copy of {_SHIPPED}, or unset the variable")
    if not (home / _CONFIGURATION).exists():
        _LOG.warning("%s=%s has no %s: Dagster goes without pools and retries there", _HOME, home, _CONFIGURATION)
    return home


def _is_ours(link: Path) -> bool:
    """Whether an earlier command made it: a user's own file or link is never touched."""
    target = link.readlink()
    in_checkout = (target.parent / "taxi_platform" / "definitions.py").exists()
    return target.name == _CONFIGURATION and (target.parent.name == "taxi_platform" or in_checkout)


def has_instance(settings: Settings) -> bool:
    """Whether a run has ever been recorded there: looking must not make an instance."""
    home = Path(os.environ.get(_HOME) or settings.data / "dagster")
    return (home / _CONFIGURATION).exists()


@contextlib.contextmanager
def opened_instance(settings: Settings) -> Iterator[DagsterInstance]:
    """The Dagster instance of the data root, made by one process at a time.

    Two processes that make the same SQLite storage at once leave it broken (measured: 2 of 7 starts).
    """
    from taxi_platform.cli.launch import open_instance

    with contextlib.ExitStack() as stack:
        home = dagster_home(settings)
        with exclusive(home / "opening.lock", f"the opening of the Dagster instance {home}", settings.wait_seconds):
            instance = stack.enter_context(open_instance(home))
            instance.get_runs_count()
            instance.get_asset_keys(limit=1)
        yield instance


def exports(settings: Settings) -> dict[str, str]:
    """The variables that make a dagster command use the settings and the instance, but for a secret address."""
    return {**settings.exports(), _HOME: str(dagster_home(settings))}


def is_emulated() -> bool:
    """Whether the stores are emulators, which end with their run."""
    return bool(os.environ.get("STORAGE_EMULATOR_HOST"))


def remember_run(settings: Settings) -> None:
    """Note the settings of a run (never a secret) in the default data folder; emulated stores end with their run."""
    if is_emulated():
        return
    folder = default_data()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / LAST_RUN).write_text(json.dumps(settings.exports(), indent=2) + "\n")
    except OSError:
        return  # a convenience only: where nothing can be noted, TAXI_DATA says what the note would have said


def last_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings of the environment; where it names no ``TAXI_DATA``, the last run's fill what it leaves open."""
    environment = os.environ if environment is None else environment
    note = default_data() / LAST_RUN
    if environment.get("TAXI_DATA") or not note.is_file():
        return Settings.from_environment(environment)
    return Settings.from_environment({**json.loads(note.read_text()), **environment})
