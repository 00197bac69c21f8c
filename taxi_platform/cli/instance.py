"""The Dagster instance of a data root, and the environment by which every dagster command uses it.

Belongs here: the place and content of ``DAGSTER_HOME``, and remembering the settings of the last run, so that ``taxi
dev``, ``taxi status`` and ``taxi env`` look where ``taxi run`` wrote. Does not: anything about months. This process's
environment is read and never changed. Settings are passed on as values, and a program that is started gets an
environment of its own.
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
from taxi_platform.machine.environment import variable
from taxi_platform.machine.locks import exclusive
from taxi_platform.settings import LAST_RUN, Settings, default_data
from taxi_platform.stores.layer import OFF

if TYPE_CHECKING:
    from dagster import DagsterInstance

__all__ = [
    "dagster_home",
    "environment",
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
    """``DAGSTER_HOME`` if it is set; otherwise ``{TAXI_DATA}/dagster``, with the platform's own ``dagster.yaml``."""
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
    """The folder in ``DAGSTER_HOME``; raises `SettingsError` if dagster commands would refuse it."""
    if not home.is_absolute():
        raise SettingsError(f"{_HOME}={home} is not a whole path, and dagster commands take no other: begin it with /")
    if not home.is_dir():
        raise SettingsError(f"{_HOME}={home} is no folder: make it with a copy of {_SHIPPED}, or unset the variable")
    if not (home / _CONFIGURATION).exists():
        _LOG.warning("%s=%s has no %s: Dagster goes without pools and retries there", _HOME, home, _CONFIGURATION)
    return home


def _is_ours(link: Path) -> bool:
    """Whether an earlier command made the link; a user's own file or link is never touched."""
    target = link.readlink()
    in_checkout = (target.parent / "taxi_platform" / "definitions.py").exists()
    return target.name == _CONFIGURATION and (target.parent.name == "taxi_platform" or in_checkout)


def has_instance(settings: Settings) -> bool:
    """Whether a run was ever recorded there. Looking does not make an instance."""
    home = Path(os.environ.get(_HOME) or settings.data / "dagster")
    return (home / _CONFIGURATION).exists()


@contextlib.contextmanager
def opened_instance(settings: Settings) -> Iterator[DagsterInstance]:
    """Open the Dagster instance of the data root; only one process at a time can make it.

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
    """The variables by which a dagster command uses the settings and the instance; no secret address is among them."""
    return {**settings.exports(), _HOME: str(dagster_home(settings))}


def is_emulated() -> bool:
    """Whether the stores are emulators, whose contents end with their run."""
    return bool(os.environ.get("STORAGE_EMULATOR_HOST"))


def environment(*, without_marts: bool = False) -> dict[str, str]:
    """This process's environment as a command's options change it."""
    return {**os.environ, **({variable("marts"): OFF} if without_marts else {})}


def remember_run(settings: Settings) -> None:
    """Note the settings of a run, without secrets, in the default data folder; nothing is noted for emulators."""
    if is_emulated():
        return
    folder = default_data()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / LAST_RUN).write_text(json.dumps(settings.exports(), indent=2) + "\n")
    except OSError:
        return  # The note is only a convenience: without it, people set TAXI_DATA themselves.


def last_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings of the environment; if it does not set ``TAXI_DATA``, the last run's settings complete it."""
    environment = os.environ if environment is None else environment
    if environment.get("TAXI_DATA") or not (note := default_data() / LAST_RUN).is_file():
        return Settings.from_environment(environment)
    return Settings.from_environment({**json.loads(note.read_text()), **environment})
