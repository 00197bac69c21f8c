"""dlt by its Arrow path: the file as one table through two pipelines, into Parquet files and into PostgreSQL by ADBC.

The fastest of what its documents have: PostgreSQL takes Parquet over ADBC in a fraction of the time of CSV. A table
read once, as a whole, saves a second reading and takes the memory.
"""

from __future__ import annotations

from typing import Any

from benchmarks.peers.peer import TABLE, Peer, Work

PEER = Peer(
    title="dlt, Arrow",
    does="raw Parquet, PostgreSQL",
    leaves_out="cleaning, quarantine, DuckDB, comparison with upstream, rows that do not parse",
    settings=(
        "[Arrow](https://dlthub.com/docs/dlt-ecosystem/verified-sources/arrow-pandas), the file read once; "
        "[Parquet for PostgreSQL by ADBC](https://dlthub.com/docs/dlt-ecosystem/destinations/postgres)"
    ),
    requirements=("dlt[postgres]==1.31.0", "pyarrow", "adbc-driver-manager==1.13.0", "adbc-driver-postgresql==1.13.0"),
)


def month(url: str) -> Any:
    """The file's rows as one Arrow table, read while they arrive."""
    import urllib.request

    import pyarrow as pa
    from pyarrow import csv

    with urllib.request.urlopen(url) as answer, pa.input_stream(answer, compression="gzip") as text:
        options = csv.ConvertOptions(column_types={"store_and_fwd_flag": "string"})
        return csv.read_csv(text, convert_options=options)


def main(work: Work) -> None:
    """Two pipelines over one file: dlt has one destination a pipeline."""
    import dlt

    table = month(work.file)
    lake = dlt.destinations.filesystem((work.folder / "lake").as_uri())
    tables = dlt.destinations.postgres(work.postgres)
    for name, destination in (("lake", lake), ("postgres", tables)):
        pipeline = dlt.pipeline(
            name, pipelines_dir=str(work.folder / "pipelines"), destination=destination, dataset_name="public"
        )
        rows = dlt.resource(table, name=TABLE)
        pipeline.run(rows, loader_file_format="parquet", write_disposition="replace").raise_on_failed_jobs()


if __name__ == "__main__":
    main(Work.of_command())
