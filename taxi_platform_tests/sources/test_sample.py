"""Generated months: the same every time, shaped like upstream's, dirty like upstream's."""

from __future__ import annotations

import csv
import gzip
import hashlib
import subprocess
import sys
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.model import normalised
from taxi_platform.errors import SettingsError, StoreError, UpstreamChangedError
from taxi_platform.ingest.staging import stage_raw
from taxi_platform.months import TripMonth, add_months
from taxi_platform.sources import open_source
from taxi_platform.sources.sample import write_month
from taxi_platform.sources.sample.generations import DATASETS, csv_generation, parquet_schema
from taxi_platform_tests.sources.conftest import files_no_larger_than

ROWS = 3_000
MODERN = date(2024, 1, 1)


def generate(folder: Path, dataset: str, month: date, file_format: str, rows: int = ROWS) -> Path:
    path = folder / f"{dataset}-{month}-{rows}.{file_format}"
    write_month(dataset, month, rows, path, file_format)
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("file_format", ["csv.gz", "parquet"])
@pytest.mark.parametrize("dataset", DATASETS)
def test_the_same_month_is_the_same_file_and_any_other_is_not(tmp_path: Path, dataset: str, file_format: str) -> None:
    first = digest(generate(tmp_path, dataset, date(2020, 3, 1), file_format))
    assert digest(generate(tmp_path, dataset, date(2020, 3, 1), file_format)) == first
    assert digest(generate(tmp_path, dataset, date(2020, 4, 1), file_format)) != first
    assert digest(generate(tmp_path, dataset, date(2020, 3, 1), file_format, ROWS + 1)) != first


def test_another_process_generates_the_same_file(tmp_path: Path) -> None:
    """Nothing depends on hash seeds, the clock or what was generated before."""
    code = (
        "import sys, datetime, pathlib; from taxi_platform.sources.sample import write_month;"
        f"write_month('green', datetime.date(2020, 3, 1), {ROWS}, pathlib.Path(sys.argv[1]), 'csv.gz')"
    )
    there = tmp_path / "there.csv.gz"
    subprocess.run([sys.executable, "-c", code, str(there)], check=True)
    assert digest(there) == digest(generate(tmp_path, "green", date(2020, 3, 1), "csv.gz"))


@pytest.mark.parametrize("rows", [1_000, 131_072, 131_073, 131_076])
def test_a_month_has_exactly_the_rows_asked_for(tmp_path: Path, rows: int) -> None:
    assert pq.read_metadata(generate(tmp_path, "fhv", MODERN, "parquet", rows)).num_rows == rows
    with gzip.open(generate(tmp_path, "fhv", date(2020, 1, 1), "csv.gz", rows)) as lines:
        assert sum(1 for _ in lines) == rows + 1


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_month_is_written_in_columns_the_contract_knows(tmp_path: Path, dataset: str) -> None:
    contract = CONTRACTS[dataset]
    known = {spelling for column in contract.columns for spelling in column.known_as}
    month = contract.first_month
    while month < date(2027, 1, 1):
        trip_month = TripMonth(dataset, month)
        for names in (csv_generation(trip_month).columns, parquet_schema(trip_month).names):
            assert {normalised(name) for name in names} <= known
        month = add_months(month, 1)


@pytest.mark.parametrize("file_format", ["csv.gz", "parquet"])
@pytest.mark.parametrize("dataset", DATASETS)
def test_every_generation_reads_into_its_contract(tmp_path: Path, dataset: str, file_format: str) -> None:
    """Through the reader of real files: no record is left over as text, none is lost."""
    source, contract = open_source("sample", sample_rows=1_000, sample_format=file_format), CONTRACTS[dataset]
    for year in range(contract.first_month.year, 2027):
        for month in (contract.month(date(year, 1, 1)), contract.month(date(year, 8, 1))):
            if (version := source.stat(month)) is not None:
                staged = stage_raw(contract, month, source.fetch(month, version, tmp_path), tmp_path)
                assert (staged.raw.rows, staged.raw.unparsed_rows) == (1_000, 0), str(month)


def test_csv_headers_are_upstreams_byte_for_byte(tlc: Path, tmp_path: Path) -> None:
    heads = sorted((tlc / "heads").glob("*.csv"))
    assert heads
    for head in heads:
        dataset, _, month = head.stem.partition("_tripdata_")
        with gzip.open(generate(tmp_path, dataset, date.fromisoformat(f"{month}-01"), "csv.gz", 1_000)) as file:
            assert next(file) == head.read_bytes().splitlines(keepends=True)[0], head.name


def test_rows_have_the_quirks_of_their_generation(tlc: Path, tmp_path: Path) -> None:
    """As many fields per row as upstream, the blank lines, the quotes and the line ends, in every head there is."""
    for head in sorted((tlc / "heads").glob("*.csv")):
        dataset, _, month = head.stem.partition("_tripdata_")
        path = generate(tmp_path, dataset, date.fromisoformat(f"{month}-01"), "csv.gz", 1_000)
        theirs = head.read_bytes().splitlines(keepends=True)[1:-1]
        ours = gzip.decompress(path.read_bytes()).splitlines(keepends=True)[1:]
        assert (not theirs[0].strip()) == (not ours[0].strip()), head.name
        assert theirs[-1].count(b",") == ours[-1].count(b","), head.name
        assert theirs[-1][:1] == ours[-1][:1] or b'"' not in theirs[-1][:1] + ours[-1][:1], head.name
        assert theirs[-1].endswith(b"\r\n") == ours[-1].endswith(b"\r\n"), head.name


@pytest.mark.parametrize("name", ["green_tripdata_2020-12", "green_tripdata_2023-01", "green_tripdata_2024-01"])
def test_parquet_columns_and_types_are_upstreams(tlc: Path, name: str) -> None:
    dataset, _, month = name.partition("_tripdata_")
    ours = parquet_schema(TripMonth(dataset, date.fromisoformat(f"{month}-01")))
    theirs = pq.read_schema(tlc / "tlc" / "trip-data" / f"{name}.parquet")
    assert ours.remove_metadata() == theirs.remove_metadata()


@pytest.mark.parametrize("dataset", ["yellow", "green"])
def test_csv_and_parquet_of_a_month_are_the_same_trips(tmp_path: Path, dataset: str) -> None:
    month = date(2020, 3, 1)
    with gzip.open(generate(tmp_path, dataset, month, "csv.gz"), "rt", newline="") as file:
        texts = list(csv.DictReader(file))
    table = pq.read_table(generate(tmp_path, dataset, month, "parquet"))
    assert len(texts) == table.num_rows == ROWS
    for name in ("fare_amount", "tip_amount", "total_amount", "trip_distance", "congestion_surcharge"):
        assert [float(row[name]) if row[name] else None for row in texts] == table[name].to_pylist()
    prefix = "tpep" if dataset == "yellow" else "lpep"
    for name in (f"{prefix}_pickup_datetime", f"{prefix}_dropoff_datetime"):
        assert [row[name] for row in texts] == [str(moment) for moment in table[name].to_pylist()]
    late = [count is None for count in table["passenger_count"].to_pylist()]
    assert any(late)
    assert [row["VendorID"] == "" for row in texts] == late  # parquet files fill it in, CSV files do not


def counts(path: Path, month: TripMonth, **conditions: str) -> dict[str, int]:
    """Rows meeting each SQL condition; ``start`` and ``next`` are the month's bounds."""
    import duckdb

    start, following = month.bounds
    chosen = ", ".join(f"count(*) FILTER ({condition}) AS {name}" for name, condition in conditions.items())
    bounds = f"TIMESTAMP '{start}' AS start, TIMESTAMP '{following}' AS next"
    with duckdb.connect() as connection:
        cursor = connection.execute(f"SELECT {chosen} FROM (SELECT *, {bounds} FROM read_parquet('{path}'))")
        values = cursor.fetchall()[0]
    return dict(zip(conditions, values, strict=True))


@pytest.mark.parametrize("rows", [1_000, 20_000])
@pytest.mark.parametrize("dataset", ["yellow", "green"])
def test_a_taxi_month_has_each_kind_of_dirt(tmp_path: Path, dataset: str, rows: int) -> None:
    path, month = generate(tmp_path, dataset, MODERN, "parquet", rows), TripMonth(dataset, MODERN)
    pickup, dropoff = (f"{'tpep' if dataset == 'yellow' else 'lpep'}_{end}_datetime" for end in ("pickup", "dropoff"))
    found = counts(
        path,
        month,
        just_outside=f"{pickup} < start AND {pickup} >= start - INTERVAL 1 DAY",
        far_outside=f"{pickup} < start - INTERVAL 1 DAY OR {pickup} >= next + INTERVAL 1 DAY",
        backwards=f"{dropoff} < {pickup}",
        over_a_day=f"{dropoff} - {pickup} > INTERVAL 24 HOUR",
        left_on=f"{dropoff} - {pickup} BETWEEN INTERVAL 23 HOUR AND INTERVAL 24 HOUR",
        unknown_zone="PULocationID >= 264 OR DOLocationID >= 264",
        impossible_zone="PULocationID NOT BETWEEN 1 AND 265 OR DOLocationID NOT BETWEEN 1 AND 265",
        late="passenger_count IS NULL AND RatecodeID IS NULL AND store_and_fwd_flag IS NULL",
        torn_block="(passenger_count IS NULL) <> (congestion_surcharge IS NULL)",
        nobody="passenger_count = 0",
        impossible_distance="trip_distance > 1000",
        no_distance="trip_distance = 0",
        negative="total_amount < 0",
    )
    clean = {"impossible_zone", "torn_block"}
    assert {name for name, count in found.items() if count == 0} == clean
    assert sum(found[name] for name in ("far_outside", "backwards", "over_a_day", "negative")) < rows / 100


def test_copies_and_voids_lie_within_a_chunk_and_across_chunks(tmp_path: Path) -> None:
    import duckdb

    path = generate(tmp_path, "green", MODERN, "parquet", 300_000)
    key = "VendorID, lpep_pickup_datetime, lpep_dropoff_datetime, PULocationID, DOLocationID, trip_distance"
    with duckdb.connect() as connection:
        rows = f"read_parquet('{path}', file_row_number = true)"
        connection.execute(f"CREATE TABLE t AS SELECT *, file_row_number // 131072 AS chunk FROM {rows}")
        columns = [row[0] for row in connection.execute("DESCRIBE t").fetchall()]
        every = ", ".join(c for c in columns if c not in ("chunk", "file_row_number"))
        copies = connection.execute(
            f"SELECT count(*), count(*) FILTER (copies > 2), count(*) FILTER (chunks > 1) FROM "
            f"(SELECT count(*) AS copies, count(DISTINCT chunk) AS chunks FROM t GROUP BY {every} HAVING copies > 1)"
        ).fetchall()[0]
        voids = connection.execute(
            f"SELECT count(*), count(*) FILTER (chunks > 1) FROM (SELECT count(DISTINCT chunk) AS chunks FROM t "
            f"GROUP BY {key}, abs(total_amount) HAVING min(total_amount) < 0 AND max(total_amount) > 0)"
        ).fetchall()[0]
    assert all(copies)
    assert all(voids)


def test_months_are_plausible(tmp_path: Path) -> None:
    path, month = generate(tmp_path, "yellow", MODERN, "parquet", 50_000), TripMonth("yellow", MODERN)
    money = "fare_amount + extra + mta_tax + tip_amount + tolls_amount + improvement_surcharge"
    money += " + coalesce(congestion_surcharge, 0) + coalesce(Airport_fee, 0)"
    found = counts(
        path,
        month,
        afternoon="hour(tpep_pickup_datetime) BETWEEN 16 AND 19",
        early="hour(tpep_pickup_datetime) BETWEEN 2 AND 5",
        summing=f"abs({money} - total_amount) < 0.005",
        tip_by_card="payment_type = 1 AND tip_amount > 0",
        tip_by_cash="payment_type = 2 AND tip_amount <> 0",
        inside="tpep_pickup_datetime >= start AND tpep_pickup_datetime < next",
    )
    assert found["afternoon"] > 4 * found["early"]
    assert found["summing"] > 25_000
    assert found["summing"] < 50_000
    assert found["tip_by_card"] > 20_000
    assert found["tip_by_cash"] == 0
    assert found["inside"] > 49_900


def peak_kib(path: Path, rows: int) -> int:
    code = (
        "import sys, datetime, resource, pathlib; from taxi_platform.sources.sample import write_month;"
        "write_month('green', datetime.date(2024, 1, 1), int(sys.argv[1]), pathlib.Path(sys.argv[2]), 'parquet');"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(rows), str(path)], check=True, capture_output=True)
    return int(done.stdout)


def test_memory_does_not_grow_with_the_month(tmp_path: Path) -> None:
    """A million rows are 150 MB as Arrow; the difference of the peaks is a fraction of that."""
    small, large = (peak_kib(tmp_path / f"{rows}.parquet", rows) for rows in (200_000, 1_200_000))
    assert large - small < 60 * 1024


@pytest.mark.parametrize("rows", [0, 999, 20_000_001])
def test_sizes_out_of_bounds_are_refused(tmp_path: Path, rows: int) -> None:
    with pytest.raises(SettingsError, match=r"TAXI_SAMPLE_ROWS is .*1,000 to 20,000,000"):
        open_source("sample", sample_rows=rows)
    with pytest.raises(SettingsError, match="TAXI_SAMPLE_ROWS"):
        generate(tmp_path, "green", MODERN, "parquet", rows)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"TAXI_SAMPLE_FORMAT is 'csv': it can be csv\.gz or parquet"):
        open_source("sample", sample_format="csv")


@pytest.mark.parametrize("file_format", ["csv.gz", "parquet"])
def test_the_source_generates_what_write_month_does(tmp_path: Path, file_format: str) -> None:
    source = open_source("sample", sample_rows=ROWS, sample_format=file_format)
    month = TripMonth("yellow", date(2021, 7, 1))
    version = source.stat(month)
    assert version is not None
    assert version == source.stat(month)
    download = source.fetch(month, version, tmp_path / "staging")
    assert digest(download.file) == download.sha256
    assert download.sha256 == digest(generate(tmp_path, "yellow", month.first_day, file_format))
    assert download.size == download.file.stat().st_size
    assert download.is_parquet == (file_format == "parquet")
    assert download.file.name.endswith(f"yellow_tripdata_2021-07.{file_format}")


def test_another_size_or_format_is_another_version(tmp_path: Path) -> None:
    month = TripMonth("yellow", MODERN)
    small, large, columnar = (
        open_source("sample", sample_rows=rows, sample_format=file_format)
        for rows, file_format in ((1_000, "csv.gz"), (2_000, "csv.gz"), (1_000, "parquet"))
    )
    versions = [source.stat(month) for source in (small, large, columnar)]
    assert len({version.token for version in versions if version}) == 3
    assert versions[1] is not None
    with pytest.raises(UpstreamChangedError, match="look again"):
        small.fetch(month, versions[1], tmp_path)


@pytest.mark.parametrize("dataset", DATASETS)
def test_there_is_no_month_before_a_datasets_first(tmp_path: Path, dataset: str) -> None:
    source, first = open_source("sample"), CONTRACTS[dataset].first_month
    assert source.stat(TripMonth(dataset, first)) is not None
    assert source.stat(TripMonth(dataset, add_months(first, -1))) is None
    with pytest.raises(SettingsError, match=f"there is no {dataset} .* to generate"):
        generate(tmp_path, dataset, add_months(first, -1), "csv.gz")
    assert source.stat(TripMonth("bicycles", MODERN)) is None


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    source, month = open_source("sample", sample_rows=20_000), TripMonth("green", MODERN)
    version = source.stat(month)
    assert version is not None
    with files_no_larger_than(64 * 1024), pytest.raises(StoreError, match="no room is left"):
        source.fetch(month, version, tmp_path / "staging")
    assert list((tmp_path / "staging").iterdir()) == []


def test_the_zone_lookup_has_265_rows_and_its_na_is_text(tlc: Path, tmp_path: Path) -> None:
    source = open_source("sample")
    ours = source.fetch_zones(source.stat_zones(), tmp_path).file.read_bytes()
    theirs = (tlc / "dtc" / "misc" / "taxi_zone_lookup.csv").read_bytes()
    assert ours.splitlines(keepends=True)[0] == theirs.splitlines(keepends=True)[0]
    assert ours.splitlines(keepends=True)[-2:] == theirs.splitlines(keepends=True)[-2:]
    rows = [list(csv.reader(text.decode().splitlines())) for text in (ours, theirs)]
    assert len(rows[0]) == 266
    places = [[(zone, borough, service) for zone, borough, _, service in lookup] for lookup in rows]
    assert places[0] == places[1]
