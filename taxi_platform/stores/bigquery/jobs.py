"""Load jobs: one per month and table, with an id that keeps a retry from loading twice.

Belongs here: a job's configuration, its id, and what to do if the job exists. Does not: which months (``store``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING, Any

from taxi_platform.contracts.model import Table
from taxi_platform.contracts.schemas import bigquery_schema
from taxi_platform.errors import StoreError
from taxi_platform.stores.bigquery.connection import LABELS, BigQueryDataset
from taxi_platform.stores.bigquery.upload import load_file

if TYPE_CHECKING:
    from google.cloud import bigquery

    from taxi_platform.stores.lake.lake import Lake

__all__ = ["LoadedPartition", "MonthLoad", "facts_of", "load_config", "partition"]

_MOST_ATTEMPTS = 100


def load_config(table: Table, file_month: date | None) -> bigquery.LoadJobConfig:
    """The ``configuration.load`` of a job that replaces one month of a table, or the whole table, by Parquet files."""
    from google.cloud import bigquery

    options: Any = bigquery.ParquetOptions
    parquet = options()
    parquet.enable_list_inference = True  # makes a list of texts a repeated STRING and not a nested record
    config = bigquery.LoadJobConfig(
        source_format=bigquery.SourceFormat.PARQUET,
        schema=[bigquery.SchemaField.from_api_repr(field) for field in bigquery_schema(table)],
        create_disposition=bigquery.CreateDisposition.CREATE_NEVER,
        write_disposition=bigquery.WriteDisposition.WRITE_TRUNCATE,
        parquet_options=parquet,
        labels={**LABELS, "table": table.name},
    )
    if file_month is not None:
        config.schema_update_options = [bigquery.SchemaUpdateOption.ALLOW_FIELD_ADDITION]
        config.labels = {**config.labels, "file_month": f"{file_month:%Y-%m}"}
    return config


def partition(table_id: str, file_month: date) -> str:
    """The id of one month of a table, with BigQuery's partition decorator.

    https://cloud.google.com/bigquery/docs/managing-partitioned-table-data
    """
    return f"{table_id}${file_month:%Y%m}"


@dataclass(frozen=True)
class LoadedPartition:
    """The result of a load job."""

    rows: int
    adopted: bool
    """Whether the job of an earlier run had loaded it already."""
    facts: dict[str, Any]


@dataclass(frozen=True)
class MonthLoad:
    """Loads one Parquet object of the lake into one month's partition of a table, replacing its rows."""

    dataset: BigQueryDataset
    table: Table
    file_month: date
    data_version: str
    path: str
    """The object's path in the lake."""

    @property
    def destination(self) -> str:
        """The id of the table's partition that the job loads."""
        return partition(self.dataset.table_id(self.table.qualified_name), self.file_month)

    def job_id(self, attempt: int) -> str:
        """An id that is the same for the same table, month and data version; BigQuery runs a job id only once."""
        version = re.sub(r"[^A-Za-z0-9_-]", "-", self.data_version)
        return f"load_{self.dataset.name}_{self.table.name}_{self.file_month:%Y%m}_{version}_{attempt}"

    def run(self, lake: Lake, *, since: datetime | None, adopt: bool) -> LoadedPartition:
        """Load, or accept what a job of this id has loaded, and wait for the end; on an error the old month stays.

        Args:
            lake: the lake of the object. BigQuery reads ``gs://`` itself; from other lakes the object is uploaded.
            since: when the store's record says that the month was last replaced, in UTC; an earlier job was
            overwritten.
            adopt: whether the finished job of an earlier run is accepted.
        """
        return self.dataset.run(f"load {self.destination}", lambda: self._loaded(lake, since, adopt))

    def _loaded(self, lake: Lake, since: datetime | None, adopt: bool) -> LoadedPartition:
        for attempt in range(_MOST_ATTEMPTS):
            job, own = self._started(lake, self.job_id(attempt))
            if own or (adopt and _is_still_loaded(job, since)):
                job.result()
                bytes_moved = {"input_bytes": job.input_file_bytes, "output_bytes": job.output_bytes}
                return LoadedPartition(int(job.output_rows or 0), not own, {**facts_of(job), **bytes_moved})
        raise StoreError(f"{self.destination} was tried {_MOST_ATTEMPTS} times in this data version: clean it again")

    def _started(self, lake: Lake, job_id: str) -> tuple[Any, bool]:
        """The job of this id, and whether this call started it; a job that existed has ended when it is returned."""
        from google.api_core.exceptions import Conflict

        client, config = self.dataset.client, load_config(self.table, self.file_month)
        try:
            if lake.url.startswith("gs://"):
                uri = lake.uri(self.path)
                return client.load_table_from_uri(uri, self.destination, job_id, job_config=config), True
            with lake.local_copy(self.path) as file:
                return load_file(self.dataset, file, self.destination, config, job_id), True
        except Conflict:
            job: Any = client.get_job(job_id, location=self.dataset.location)
            if job.state != "DONE":
                job.exception()  # waits for the job's end
            return job, False


def facts_of(job: Any) -> dict[str, Any]:
    """What a job cost, and where to see it."""
    place = f"project={job.project}&j=bq:{job.location}:{job.job_id}"
    return {
        "job": job.job_id,
        "job_url": f"https://console.cloud.google.com/bigquery?{place}&page=queryresults",
        "slot_ms": int(job.to_api_repr().get("statistics", {}).get("totalSlotMs", 0)),
    }


def _is_still_loaded(job: Any, since: datetime | None) -> bool:
    """Whether the rows that a finished job loaded may still be there: it succeeded, and nothing was recorded later."""
    return job.error_result is None and (since is None or job.ended >= since.replace(tzinfo=timezone.utc))
