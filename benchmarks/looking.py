"""How long a look at every month takes where the lake is in an object store that answers late, and what it asks.

    python -m benchmarks.looking
    python -m benchmarks.looking --milliseconds 100

Belongs here: `month_statuses`, as ``taxi status`` and the reconciliation call it, over four datasets with their whole
history in an emulated Cloud Storage, behind a proxy that answers each request so late and counts them by month and
layer. Stores of tables are off. One month of each dataset is generated, cleaned and stored; the others copy its
objects. It ends with an error where a month and layer takes more than two requests, or the look more than half a tick.
"""

from __future__ import annotations

import argparse
import http.client
import os
import re
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from taxi_platform.cleaning import clean_month
from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.contract import Contract
from taxi_platform.ingest import stage_raw
from taxi_platform.inspection.status import month_statuses
from taxi_platform.months import TripMonth, month_label
from taxi_platform.settings import Settings
from taxi_platform.sources import open_source
from taxi_platform.stores.lake.lake import Lake
from tools.emulators.gcs import create_bucket, emulated_gcs
from tools.emulators.process import EmulatorMissingError

LAST = date(2026, 8, 1)
MODEL = date(2024, 1, 1)
"""The month that is made; its objects are every other month's."""
LAYERS = ("raw", "trips", "quarantine")
HALF_A_TICK = 30.0
MOST_REQUESTS = 2
_BUCKET = "taxi-lake"
_OF_A_MONTH = re.compile(r"/(?P<layer>raw|trips|quarantine)/(?P<month>[a-z]+/month=\d{4}-\d{2})/")


class Late(ThreadingHTTPServer):
    """A proxy before ``server`` that passes every request on after so many seconds, and counts it."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, server: str, seconds: float) -> None:
        super().__init__(("127.0.0.1", 0), _Passing)
        self.behind, self.seconds = urlsplit(server), seconds
        self.counts: Counter[tuple[str, str]] = Counter()
        """Layer and month → requests; of other requests the layer is empty."""
        self.counting = threading.Lock()


class _Passing(BaseHTTPRequestHandler):
    server: Late
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        behind = self.server.behind
        self.upstream = http.client.HTTPConnection(behind.hostname or "", behind.port)

    def finish(self) -> None:
        self.upstream.close()
        super().finish()

    def do_GET(self) -> None:
        time.sleep(self.server.seconds)
        found = _OF_A_MONTH.search(unquote(self.path))
        with self.server.counting:
            self.server.counts[(found["layer"], found["month"]) if found else ("", "")] += 1
        self.upstream.request(self.command, self.path, headers=dict(self.headers))
        answer = self.upstream.getresponse()
        content = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "date", "server"):
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_HEAD = do_GET  # noqa: N815 (http.server's name)

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def answering_late(server: str, seconds: float) -> Iterator[Late]:
    """That proxy, running."""
    with Late(server, seconds) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()


def history(contract: Contract) -> list[TripMonth]:
    """Every month from the first."""
    first = contract.first_month.year * 12 + contract.first_month.month - 1
    last = LAST.year * 12 + LAST.month - 1
    return [contract.month(date(number // 12, number % 12 + 1, 1)) for number in range(first, last + 1)]


def fill(folder: Path) -> int:
    """Put every month of every dataset into the bucket; returns how many."""
    import obstore

    from taxi_platform.stores.lake.objects.clouds import connect

    store = connect("gs", _BUCKET, "").store
    objects: list[tuple[str, bytes]] = []
    for contract in CONTRACTS.values():
        lake = folder / contract.dataset
        _make(contract, lake, folder)
        standing = f"month={month_label(MODEL)}"
        for file in lake.glob(f"*/{contract.dataset}/{standing}/*.[jp]*"):
            path, content = str(file.relative_to(lake)), file.read_bytes()
            for month in history(contract):
                own = f"month={month.label}"
                changed = _renamed(content, month) if file.suffix == ".json" else content
                objects.append((path.replace(standing, own), changed))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda item: obstore.put(store, *item, use_multipart=False), objects))
    return sum(len(history(contract)) for contract in CONTRACTS.values())


def _renamed(manifest: bytes, month: TripMonth) -> bytes:
    """The manifest of the model as that month's."""
    for old, new in ((f"month={month_label(MODEL)}", f"month={month.label}"), (MODEL.isoformat(), month.partition_key)):
        manifest = manifest.replace(old.encode(), new.encode())
    return manifest


def _make(contract: Contract, lake: Path, folder: Path) -> None:
    month = contract.month(MODEL)
    source = open_source("sample", sample_rows=1_000, sample_format="parquet")
    version = source.stat(month)
    assert version is not None
    staged = stage_raw(contract, month, source.fetch(month, version, folder), folder)
    stored = Lake(str(lake))
    raw = stored.store_raw(staged)
    stored.store_clean(clean_month(contract, raw, lake / raw.path, folder))


def look(milliseconds: float, folder: Path, server: str) -> bool:
    """Look once, print, and return whether it keeps to what is promised."""
    months = fill(folder)
    with answering_late(server, milliseconds / 1000) as proxy:
        os.environ["STORAGE_EMULATOR_HOST"] = f"http://127.0.0.1:{proxy.server_port}"
        settings = Settings.from_environment(
            {"TAXI_LAKE": f"gs://{_BUCKET}", "TAXI_WAREHOUSE": "off", "TAXI_POSTGRES": "off"}
        )
        start, cpu = time.perf_counter(), time.process_time()
        statuses = month_statuses(settings, list(CONTRACTS.values()))
        wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    if len(statuses) != months or not all(status.is_whole for status in statuses):
        raise RuntimeError(f"{len(statuses)} of {months} months were found, not all of them whole: {statuses[:1]}")
    print(f"{months} months, each request answered after {milliseconds:.0f} ms, {os.cpu_count()} cores")
    print(f"{'':12}{'requests':>10}{'most a month':>14}")
    most = 0
    for layer in LAYERS:
        asked = [count for (of, _), count in proxy.counts.items() if of == layer]
        most = max(most, *asked)
        print(f"{layer:12}{sum(asked):>10,}{max(asked):>14}")
    print(f"{'other':12}{proxy.counts['', '']:>10,}")
    print(f"{wall:.1f} s, of half a tick of {HALF_A_TICK:.0f} s; {cpu:.1f} CPU s with the proxy's", flush=True)
    return most <= MOST_REQUESTS and wall <= HALF_A_TICK


def main() -> None:
    """Read the options, start the emulator and look."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--milliseconds", type=float, default=40.0, help="until a request is answered")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            with emulated_gcs(folder / "gcs.log") as server:
                create_bucket(server, _BUCKET)
                os.environ["STORAGE_EMULATOR_HOST"] = server
                keeps = look(options.milliseconds, folder, server)
        except EmulatorMissingError as error:
            sys.exit(f"the emulator cannot run on this machine: {error}")
    if not keeps:
        sys.exit("more requests, or a longer look, than promised")


if __name__ == "__main__":
    main()
