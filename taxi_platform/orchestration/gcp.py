"""Google Cloud for users' own assets: Dagster's resources, configured like the platform's stores.

Belongs here: ``BigQueryResource`` and ``GCSResource`` from the settings. Does not: the platform's stores, which do not
use them. Importing the package costs two seconds and 130 MB, so only code that asks for it does so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from taxi_platform.settings import Settings

if TYPE_CHECKING:
    from dagster_gcp import BigQueryResource, GCSResource

__all__ = ["gcp_resources"]


def gcp_resources(settings: Settings) -> dict[str, BigQueryResource | GCSResource]:
    """``bigquery`` and ``gcs``, to be added to the resources of definitions.

    Project and location are those of ``TAXI_WAREHOUSE=bigquery://…``, or else those of Application Default Credentials.
    Both resources find credentials, ``BIGQUERY_EMULATOR_HOST`` and ``STORAGE_EMULATOR_HOST`` as Google's clients do.
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
