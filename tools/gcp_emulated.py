"""``make run-gcp-emulated``: a run on Cloud Storage and BigQuery as emulators show them, on one machine, no account.

Belongs here: starting the emulators and pointing a run at them. Does not: the emulators (``emulators``). What they
hold ends with the run; PostgreSQL is the embedded one, in a data root of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from taxi_platform.contracts import CONTRACTS
from tools.emulators.bigquery import PROJECT, emulated_bigquery
from tools.emulators.gcs import create_bucket, emulated_gcs
from tools.emulators.process import EmulatorMissingError

_BUCKET = "taxi-lake"


def main() -> None:
    """Run ``taxi run`` with the arguments given, over the emulators."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            with emulated_gcs(folder / "gcs.log") as gcs, emulated_bigquery(folder, gcs) as bigquery:
                create_bucket(gcs, _BUCKET)
                code = _run(folder, gcs, bigquery)
        except EmulatorMissingError as error:
            sys.exit(f"the emulators cannot run on this machine: {error}")
    sys.exit(code)


def _run(folder: Path, gcs: str, bigquery: str) -> int:
    stores = {
        "STORAGE_EMULATOR_HOST": gcs,
        "BIGQUERY_EMULATOR_HOST": bigquery,
        "TAXI_LAKE": f"gs://{_BUCKET}",
        "TAXI_WAREHOUSE": f"bigquery://{PROJECT}/taxi?location=US",
        "TAXI_DATA": os.environ.get("TAXI_DATA", str(folder / "taxi")),
    }
    print(f"lake {stores['TAXI_LAKE']} and warehouse {stores['TAXI_WAREHOUSE']}, emulated")
    command = [sys.executable, "-m", "taxi_platform.cli", "run", *sys.argv[1:]]
    os.environ.update(stores)
    code = subprocess.run(command, check=False).returncode
    _show_raw_months(stores["TAXI_WAREHOUSE"])
    print("The emulators have ended, and with them all that they held.")
    return code


def _show_raw_months(warehouse: str) -> None:
    """What the views over raw months show, as any client of BigQuery sees it."""
    from taxi_platform.stores.bigquery.store import BigQueryStore
    from taxi_platform.stores.bigquery.tables import existing_tables

    dataset = BigQueryStore(warehouse).dataset
    for view in sorted(existing_tables(dataset) & {f"raw_{name}" for name in CONTRACTS}):
        rows = dataset.query(f"SELECT COUNT(DISTINCT file_month), COUNT(*) FROM {dataset.sql(view)}")
        months, count = next(iter(rows)).values()
        print(f"{dataset.name}.{view} in BigQuery: {count:,} rows of {months} months, as upstream published them")


if __name__ == "__main__":
    main()
