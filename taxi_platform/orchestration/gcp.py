"""Google Cloud for users' own assets: Dagster's own resources, pointed where the platform's stores are.

Belongs here: ``BigQueryResource`` and ``GCSResource`` from the settings. Does not: the platform's stores, which need
neither. The package costs two seconds and 130 MB to import, so that this is done by those alone who ask for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from taxi_platform.settings import Settings

if TYPE_CHECKING:
    from dagster_gcp import BigQueryResource, GCSResource

__all__ = ["gcp_resources"]


def gcp_resources(settings: Settings) -> dict[str, BigQueryResource | GCSResource]:
    """``bigquery`` and ``gcs``, to be merged into the resources of definitions.

    Project and location are those of ``TAXI_WAREHOUSE=bigquery://…``; without it, what Application Default Credentials
    say. Both find credentials, ``BIGQUERY_EMULATOR_HOST`` and ``STORAGE_EMULATOR_HOST`` as Google's clients do.
    """
    from dagster_gcp import BigQueryResource, GCSResource

    warehouse = settings.tables.get("warehouse")
    if warehouse is None or warehouse.kind != "bigquery":
        return {"bigquery": BigQueryResource(), "gcs": GCSResource()}
    from taxi_platform.stores.bigquery.connection import parse_address

    dataset = parse_address(warehouse.address)
    return {
        "bigquery": BigQueryResource(project=dataset.project, location=dataset.location),
        "gcs": GCSResource(project=dataset.project),
    }
