"""pandas as tutorials have it: the file in chunks, each into PostgreSQL by ``to_sql``."""

from __future__ import annotations

from benchmarks.peers.peer import TABLE, Peer, Work

PEER = Peer(
    title="pandas, `to_sql`",
    does="PostgreSQL",
    leaves_out="the lake, cleaning, quarantine, DuckDB, checks, record, atomic replacement",
    settings="[`to_sql`](https://pandas.pydata.org/docs/reference/api/pandas.DataFrame.to_sql.html)",
    requirements=("pandas", "sqlalchemy", "psycopg2-binary"),
)
_CHUNK_ROWS = 100_000


def main(work: Work) -> None:
    """Read, convert the times, append."""
    import pandas as pd
    import sqlalchemy

    engine = sqlalchemy.create_engine(work.postgres.replace("postgresql://", "postgresql+psycopg2://"))
    times = ["tpep_pickup_datetime", "tpep_dropoff_datetime"]
    with engine.begin() as connection:
        for chunk in pd.read_csv(work.file, chunksize=_CHUNK_ROWS, parse_dates=times, low_memory=False):
            chunk.to_sql(TABLE, connection, if_exists="append", index=False)
    engine.dispose()


if __name__ == "__main__":
    main(Work.of_command())
