"""Dagster as its lessons teach it: an asset that saves the file, and one that loads it with pandas."""

from __future__ import annotations

import os

from benchmarks.peers.peer import TABLE, Peer, Work

PEER = Peer(
    title="stock Dagster, pandas",
    does="the file as it is, PostgreSQL",
    leaves_out="Parquet, cleaning, quarantine, DuckDB, checks, comparison with upstream, atomic replacement",
    settings="[assets](https://docs.dagster.io/guides/build/assets/defining-assets), `dg.materialize` on an instance",
    requirements=("dagster", "pandas", "sqlalchemy", "psycopg2-binary"),
)
_CHUNK_ROWS = 100_000


def main(work: Work) -> None:
    """Materialize both assets in this process, recorded in an instance in the work's folder."""
    os.environ["DAGSTER_HOME"] = str(work.folder)
    (work.folder / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    import urllib.request

    import dagster as dg
    import pandas as pd
    import sqlalchemy

    saved = work.folder / "yellow.csv.gz"

    @dg.asset
    def trips_file() -> None:
        urllib.request.urlretrieve(work.file, saved)

    @dg.asset(deps=[trips_file])
    def trips() -> None:
        engine = sqlalchemy.create_engine(work.postgres.replace("postgresql://", "postgresql+psycopg2://"))
        times = ["tpep_pickup_datetime", "tpep_dropoff_datetime"]
        with engine.begin() as connection:
            for chunk in pd.read_csv(saved, chunksize=_CHUNK_ROWS, parse_dates=times, low_memory=False):
                chunk.to_sql(TABLE, connection, if_exists="append", index=False)
        engine.dispose()

    with dg.DagsterInstance.get() as instance:
        dg.materialize([trips_file, trips], instance=instance)


if __name__ == "__main__":
    main(Work.of_command())
