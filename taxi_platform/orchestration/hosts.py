"""Where the runs of an instance are: on this machine, or on others too, which share no disk with it.

Belongs here: telling it by the instance's run launcher, and refusing stores that one machine keeps. Does not: which
stores those are (``Settings.of_one_host``).
"""

from __future__ import annotations

import dagster as dg

from taxi_platform.errors import SettingsError
from taxi_platform.settings import Settings

__all__ = ["check_hosts", "one_host_only"]

_HERE = ("dagster", "dagster_docker")
"""The packages of launchers whose runs are processes or containers beside the code location: Dagster's own, Docker's.

Celery, Kubernetes, ECS, Cloud Run and whatever else there is may launch them anywhere."""


def one_host_only(settings: Settings) -> str | None:
    """The sentence with which a launcher of other machines is refused; None if it is not."""
    if settings.hosts == "one" or not settings.of_one_host:
        return None
    return settings.not_on_many_hosts("{launcher} launches runs on others (TAXI_HOSTS=one says that it does not)")


def check_hosts(instance: dg.DagsterInstance, one_host: str | None) -> None:
    """Raise `SettingsError` with the sentence of `one_host_only` if the instance launches runs on other machines."""
    # By its name: a worker has not always the package by which it was launched.
    launcher = instance.get_ref().run_launcher_data if instance.is_persistent else None
    if one_host is not None and launcher is not None and launcher.module_name.split(".")[0] not in _HERE:
        raise SettingsError(one_host.replace("{launcher}", launcher.class_name))
