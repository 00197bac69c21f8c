"""IO managers: they store what an asset returns, and load what an asset's arguments ask for.

Belongs here: putting the platform's IO managers together. Does not: what each does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from taxi_platform.settings import Settings

__all__ = ["io_managers"]


def io_managers(settings: Settings, resources: Mapping[str, Any] | None = None) -> dict[str, object]:
    """``lake_io``, and ``warehouse_io``, ``postgres_io``, … for the settings' stores; a store that is off has none.

    Where a store has marts, ``report_io`` too, over the first of them.

    Args:
        settings: the stores.
        resources: the resources of those settings, if they exist already.
    """
    from taxi_platform.orchestration.io_managers.lake import LakeIOManager
    from taxi_platform.orchestration.io_managers.report import ReportIOManager
    from taxi_platform.orchestration.io_managers.tables import TableIOManager
    from taxi_platform.orchestration.resources import resources as build_resources

    given: Mapping[str, Any] = build_resources(settings) if resources is None else resources
    common = {"lake": given["lake"], "staging": given["staging"]}
    stores = {name: store.layer for name, store in settings.tables.items()}
    managers = {layer.io_manager_key: TableIOManager(**common, tables=given[name]) for name, layer in stores.items()}
    showing_raw = [given[name] for name, layer in stores.items() if layer.has_raw_views]
    managed: dict[str, object] = {"lake_io": LakeIOManager.beside(*showing_raw)(lake=given["lake"]), **managers}
    if with_marts := next(iter(settings.marts_in.values()), None):
        marts = given[with_marts.layer.name]
        managed["report_io"] = ReportIOManager(lake=given["lake"], tables=marts, folder=str(settings.report))
    return managed
