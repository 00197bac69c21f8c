"""What it costs to make a raw Parquet file of a month of csv.gz: this platform's way beside two plain ones and a floor.

    python -m benchmarks.ingest --rows 7667792
    python -m benchmarks.ingest --file yellow_tripdata_2019-01.csv.gz

Each way runs in a process of its own, after another, on the same file. CPU seconds are of the whole process, imports
included; the peak is that of its resident memory. Run it on an idle machine: wall seconds say little otherwise.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

from taxi_platform.machine.pandas_free import go_without_pandas

_MONTH = date(2019, 1, 1)
_TIMES = ["tpep_pickup_datetime", "tpep_dropoff_datetime"]
_KIB_PER_UNIT = 1 / 1024 if sys.platform == "darwin" else 1  # ru_maxrss counts bytes there


def with_this_platform(source: Path, folder: Path) -> int:
    """`stage_raw`: typed by the contract, streaming, every record counted and kept."""
    from taxi_platform.contracts import CONTRACTS
    from taxi_platform.ingest import stage_raw
    from taxi_platform.months import TripMonth
    from taxi_platform.sources.model import Download, Version

    version = Version(source.as_uri(), token="benchmark")
    download = Download(version, source, sha256="0" * 64, size=source.stat().st_size)
    return stage_raw(CONTRACTS["yellow"], TripMonth("yellow", _MONTH), download, folder).raw.rows


def with_pandas(source: Path, folder: Path) -> int:
    """The usual two lines."""
    import pandas as pd

    frame = pd.read_csv(source, parse_dates=_TIMES, low_memory=False)
    frame.to_parquet(folder / "pandas.parquet", compression="zstd")
    return len(frame)


def with_pyarrow(source: Path, folder: Path) -> int:
    """The same two lines with pyarrow, which holds the whole month as well."""
    import pyarrow.csv
    import pyarrow.parquet as pq

    table = pyarrow.csv.read_csv(source)
    pq.write_table(table, folder / "pyarrow.parquet", compression="zstd")
    rows: int = table.num_rows
    return rows


def with_the_libraries(source: Path, folder: Path) -> int:
    """The floor: the libraries alone, streaming, nothing looked at on the way (``peers.floor``)."""
    import pyarrow.parquet as pq

    from benchmarks.peers.floor import beside, parsed

    rows, writer = 0, None
    for batch in beside(parsed(source.as_uri())):
        if writer is None:
            writer = pq.ParquetWriter(folder / "floor.parquet", batch.schema, compression="zstd", compression_level=1)
        writer.write_batch(batch)
        rows += batch.num_rows
    assert writer is not None, "the file has rows"
    writer.close()
    return rows


WAYS: dict[str, Callable[[Path, Path], int]] = {
    "taxi_platform": with_this_platform,
    "floor": with_the_libraries,
    "pandas": with_pandas,
    "pyarrow, whole file": with_pyarrow,
}


def generate(rows: int, path: Path) -> None:
    """Write a month of the built-in sample source, in a process of its own so that its memory is not counted here."""
    code = (
        "import sys; from datetime import date; from pathlib import Path; "
        "from taxi_platform.sources.sample.writing import write_month; "
        "write_month('yellow', date.fromisoformat(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), 'csv.gz')"
    )
    subprocess.run([sys.executable, "-c", code, _MONTH.isoformat(), str(rows), str(path)], check=True)


def measure(way: str, source: Path, folder: Path) -> None:
    """Run one way here and print what it cost as JSON."""
    if way != "pandas":
        go_without_pandas()  # as the command does, and a script without pandas in its environment
    start = time.perf_counter()
    rows = WAYS[way](source, folder)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    size = max(file.stat().st_size for file in folder.glob("*.parquet"))
    print(
        json.dumps(
            {
                "rows": rows,
                "cpu": usage.ru_utime + usage.ru_stime,
                "wall": time.perf_counter() - start,
                "peak_mib": usage.ru_maxrss * _KIB_PER_UNIT / 1024,
                "parquet_mib": size / 2**20,
            }
        )
    )


def compare(source: Path, ways: Sequence[str]) -> None:
    """Run every way in a process of its own and print a line for each."""
    print(f"{source.name}: {source.stat().st_size / 2**20:,.0f} MiB, {os.cpu_count()} cores")
    print(f"{'':22}{'rows':>12}{'CPU s':>8}{'wall s':>8}{'peak MiB':>10}{'Parquet MiB':>13}")
    for way in ways:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "benchmarks.ingest", "--measure", way, "--file", str(source)]
            done = subprocess.run([*command, "--folder", folder], check=True, capture_output=True, text=True)
        cost = json.loads(done.stdout)
        print(
            f"{way:22}{cost['rows']:>12,}{cost['cpu']:>8.1f}{cost['wall']:>8.1f}{cost['peak_mib']:>10,.0f}"
            f"{cost['parquet_mib']:>13,.0f}"
        )


def main() -> None:
    """Read the options and compare, on a generated file where none is given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the generated month")
    parser.add_argument("--file", type=Path, help="a yellow csv.gz month of 2019-01 to use instead")
    parser.add_argument("--without", action="append", default=[], choices=WAYS, help="leave a way out")
    parser.add_argument("--measure", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    ways = [way for way in WAYS if way not in options.without]
    if options.measure:
        measure(options.measure, options.file.resolve(), options.folder)
    elif options.file:
        compare(options.file.resolve(), ways)
    else:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / f"yellow_tripdata_{_MONTH:%Y-%m}.csv.gz"
            generate(options.rows, source)
            compare(source, ways)


if __name__ == "__main__":
    main()
