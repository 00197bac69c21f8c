"""Two hundred generated files, cleaned, loaded into every store at once, and compared cell by cell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from taxi_platform.cleaning import clean_month
from taxi_platform.cleaning.writing import TableFile
from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.contract import Contract
from taxi_platform.references import CleanFacts, StagedClean
from taxi_platform.stores.bigquery.store import BigQueryStore
from taxi_platform.stores.duckdb.store import DuckDBStore
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.model import TableStore
from taxi_platform.stores.postgres.store import PostgresStore
from taxi_platform.stores.testing.tables import assert_same_cells
from taxi_platform_tests.ingest.staging import stage
from taxi_platform_tests.stores.conftest import connected
from taxi_platform_tests.stores.generated_cells import MONTHS, GeneratedFile, write_file

_FILES = 200


@pytest.mark.long
def test_every_store_holds_every_cell_as_it_was_meant(
    lake: Lake, tmp_path: Path, postgres_url: str, bigquery_url: str
) -> None:
    cleaned: dict[str, list[StagedClean]] = {dataset: [] for dataset in MONTHS}
    for number in range(_FILES):
        folder = tmp_path / str(number)
        folder.mkdir()
        generated = write_file(number, folder)
        cleaned[generated.dataset].append(_cleaned(generated, folder))
    stores: dict[str, TableStore] = {
        "duckdb": DuckDBStore(tmp_path / "warehouse.duckdb"),
        "postgres": PostgresStore(postgres_url),
        "bigquery": BigQueryStore(bigquery_url),
    }
    for dataset, months in cleaned.items():
        contract = CONTRACTS[dataset]
        together = lake.store_clean(_together(contract, months, tmp_path / dataset))
        facts = together.facts
        assert facts.trips_rows > 500  # the usual row is a trip, and there are many of the others
        assert facts.quarantined_rows > 200
        for store in stores.values():
            store.replace_month(contract, together, lake)
            assert_same_cells(store, contract, together, lake)
        with connected(postgres_url) as connection:
            read = connection.execute(f"SELECT count(raw::jsonb) FROM taxi.{contract.quarantine.name}").fetchone()
        assert read == (facts.quarantined_rows,)


def _cleaned(generated: GeneratedFile, folder: Path) -> StagedClean:
    """The file's trips and rejected rows, after a look whether they are what its cells say."""
    contract = CONTRACTS[generated.dataset]
    staged = stage(generated.file, folder)
    clean = clean_month(contract, staged.raw, staged.file, folder)
    pickups = {row["pickup_datetime"]: row for row in pq.read_table(clean.trips_file).to_pylist()}
    expected = generated.trips
    found = {pickup: {name: row[name] for name in expected.get(pickup, ())} for pickup, row in pickups.items()}
    assert _exactly(found) == _exactly(expected), generated
    reasons = Counter(clean.facts.reasons)
    assert reasons == Counter(unparseable=generated.rows - len(expected)), (generated, reasons)
    return clean


def _exactly(rows: dict[Any, dict[str, Any]]) -> dict[Any, dict[str, str]]:
    """By their Python form, which tells -0.0 from 0.0 and 1 from 1.0."""
    return {key: {name: repr(value) for name, value in row.items()} for key, row in rows.items()}


def _together(contract: Contract, months: Sequence[StagedClean], folder: Path) -> StagedClean:
    """All of them as one month."""
    folder.mkdir()
    counts = [month.facts for month in months]
    facts: CleanFacts = replace(
        counts[0],
        raw_rows=sum(each.raw_rows for each in counts),
        trips_rows=sum(each.trips_rows for each in counts),
        quarantined_rows=sum(each.quarantined_rows for each in counts),
    )
    trips, quarantine = folder / "trips.parquet", folder / "quarantine.parquet"
    parts = {trips: [month.trips_file for month in months], quarantine: [month.quarantine_file for month in months]}
    for table, file in ((contract.trips, trips), (contract.quarantine, quarantine)):
        with TableFile(table, file) as written:
            for part in parts[file]:
                for batch in pq.read_table(part).to_batches():
                    written.add(batch.columns)
            written.finish(facts)
    return replace(months[0], facts=facts, trips_file=trips, quarantine_file=quarantine)
