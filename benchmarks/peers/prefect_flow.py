"""The flow that courses teach on Prefect: pandas reads the file in chunks, and a task appends each to PostgreSQL.

The usual step that drops trips without passengers is left off, so that every row can be counted afterwards.
"""

from __future__ import annotations

import os
from typing import Any

from benchmarks.peers.peer import TABLE, Peer, Work

PEER = Peer(
    title="Prefect flow, pandas",
    does="PostgreSQL",
    leaves_out="the lake, cleaning, quarantine, DuckDB, checks, atomic replacement",
    settings="[flows and tasks](https://docs.prefect.io/v3/get-started/quickstart), its own temporary server",
    requirements=("prefect==3.9.1", "pandas==2.3.3", "sqlalchemy<2.1", "psycopg2-binary==2.9.11"),
    own_versions=True,
)
_CHUNK_ROWS = 100_000


def main(work: Work) -> None:
    """Run the flow in this process, with Prefect's files in the work's folder."""
    os.environ["PREFECT_HOME"] = str(work.folder)
    os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
    os.environ["PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"] = "300"
    import pandas as pd
    import sqlalchemy
    from prefect import flow, task

    engine = sqlalchemy.create_engine(work.postgres.replace("postgresql://", "postgresql+psycopg2://"))

    @task(retries=3)  # type: ignore[untyped-decorator]
    def transform(chunk: Any) -> Any:
        for name in ("tpep_pickup_datetime", "tpep_dropoff_datetime"):
            chunk[name] = pd.to_datetime(chunk[name])
        return chunk

    @task(retries=3)  # type: ignore[untyped-decorator]
    def load(chunk: Any) -> None:
        chunk.to_sql(TABLE, engine, if_exists="append", index=False)

    @flow  # type: ignore[untyped-decorator]
    def ingest(url: str) -> None:
        for chunk in pd.read_csv(url, chunksize=_CHUNK_ROWS, low_memory=False):
            load(transform(chunk))

    ingest(work.file)
    engine.dispose()


if __name__ == "__main__":
    main(Work.of_command())
