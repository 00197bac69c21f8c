"""dlt by its Arrow path: record batches through the pipeline, into Parquet files and into PostgreSQL by COPY of CSV."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.peers.peer import TABLE, Peer, Work

PEER = Peer(
    title="dlt, Arrow",
    does="raw Parquet, PostgreSQL",
    leaves_out="cleaning, quarantine, DuckDB, comparison with upstream, rows that do not parse",
    settings=(
        "[Arrow](https://dlthub.com/docs/dlt-ecosystem/verified-sources/arrow-pandas), "
        "[CSV for PostgreSQL](https://dlthub.com/docs/dlt-ecosystem/destinations/postgres)"
    ),
    requirements=("dlt[postgres]==1.31.0", "pyarrow"),
)


def batches(url: str) -> Iterator[Any]:
    """The file's rows as Arrow tables, read while they arrive."""
    import urllib.request

    import pyarrow as pa
    from pyarrow import csv

    with urllib.request.urlopen(url) as answer, pa.input_stream(answer, compression="gzip") as text:
        options = csv.ConvertOptions(column_types={"store_and_fwd_flag": "string"})
        for batch in csv.open_csv(text, csv.ReadOptions(block_size=16 << 20), convert_options=options):
            yield pa.Table.from_batches([batch])


def main(work: Work) -> None:
    """Two pipelines over one file: dlt has one destination a pipeline."""
    import dlt

    rows = dlt.resource(batches, name=TABLE)
    lake = dlt.destinations.filesystem((work.folder / "lake").as_uri())
    tables = dlt.destinations.postgres(work.postgres)
    for name, destination, file_format in (("lake", lake, "parquet"), ("postgres", tables, "csv")):
        pipeline = dlt.pipeline(
            name, pipelines_dir=str(work.folder / "pipelines"), destination=destination, dataset_name="public"
        )
        pipeline.run(
            rows(work.file), loader_file_format=file_format, write_disposition="replace"
        ).raise_on_failed_jobs()


if __name__ == "__main__":
    main(Work.of_command())
