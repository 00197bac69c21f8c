"""Passwords and secret addresses stand in the environment alone: in no page, event, log or process list."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from typing_extensions import Self

from taxi_platform_tests.support.platform import Platform
from taxi_platform_tests.support.postgres import Server

pytestmark = pytest.mark.long

PASSWORD, WRONG, HOOK, SMTP = "pa55-of-the-trips", "wr0ng-of-the-trips", "h00k-of-the-alerts", "5mtp-of-the-alerts"
SECRETS = [secret.encode() for secret in (PASSWORD, WRONG, HOOK, SMTP)]
COMMANDS = (
    ("status",),
    ("env",),
    ("query", "--store", "postgres", "SELECT nothing FROM nowhere"),
    ("report", "--store", "postgres"),
    ("catalog",),
    ("metrics",),
    ("alert-test",),
    ("adopt", "postgres"),
)
MONTH = ("--datasets", "green", "--months", "2021-07")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that asks for the password, with an administrator's right."""
    server = Server(tmp_path_factory.mktemp("server"), PASSWORD)
    try:
        yield server.start_anywhere()
    finally:
        server.stop()


@pytest.fixture
def platform(tmp_path: Path, address: str) -> Platform:
    return Platform(
        tmp_path,
        {
            "TAXI_DATA": str(tmp_path / "data"),
            "TAXI_SOURCE": "sample",
            "TAXI_SAMPLE_ROWS": "1000",
            "TAXI_MARTS": "on",
            "TAXI_POSTGRES": address,
            "TAXI_ALERT_WEBHOOK": f"http://127.0.0.1:9/{HOOK}",
            "TAXI_ALERT_SLACK_WEBHOOK": f"http://127.0.0.1:9/services/{HOOK}",
            "TAXI_ALERT_SMTP": f"smtp://robot:{SMTP}@127.0.0.1:9",
            "TAXI_ALERT_EMAIL_FROM": "robot@example.org",
            "TAXI_ALERT_EMAIL_TO": "people@example.org",
        },
    )


class ProcessList(threading.Thread):
    """What ``ps`` shows of every process, looked at again and again until the context ends."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: set[bytes] = set()
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(0.02):
            for process in Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):
                    self.seen.add(process.read_bytes())

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join()


def contents(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file below the folder; of an SQLite database also what its values compress."""
    for file in folder.rglob("*"):
        if not file.is_file() or file.is_symlink():
            continue
        yield file, file.read_bytes()
        if file.suffix == ".db":
            with contextlib.closing(sqlite3.connect(file)) as database:
                sql = "SELECT m.name, p.name FROM sqlite_master m, pragma_table_info(m.name) p WHERE m.type = 'table'"
                for table, column in database.execute(sql).fetchall():
                    for (value,) in database.execute(f'SELECT "{column}" FROM "{table}"'):
                        with contextlib.suppress(TypeError, zlib.error):
                            yield file, zlib.decompress(value)


def test_no_secret_is_written_shown_or_listed(platform: Platform) -> None:
    wrong = platform.variables["TAXI_POSTGRES"].replace(PASSWORD, WRONG)
    said: list[str] = []
    with ProcessList() as listed:
        started = platform.start("run", *MONTH)
        done = platform.finish(started)
        assert done.code == 0, done.text
        said.append(done.text)
        refused = platform.taxi("run", *MONTH, "--force", TAXI_POSTGRES=wrong, TAXI_WAIT_SECONDS="1")
        assert refused.code == 1
        assert "password authentication failed" in refused.text
        said.append(refused.text)
        said += [platform.taxi(*command).text for command in COMMANDS]
        outcome = platform.dagster("asset", "materialize", "-m", "taxi_platform.definitions", "--select", "zones")
        said.append(outcome.text)
    shown = "".join(said).encode()
    assert b"could not be" in shown or b"refused" in shown, "a channel that does not answer says so"
    assert [secret for secret in SECRETS if secret in shown] == []
    assert any(b"taxi_platform.cli" in line for line in listed.seen)
    assert [line for line in listed.seen if any(secret in line for secret in SECRETS)] == []
    files = list(contents(platform.data))
    assert {"runs.db", "index.html"} <= {file.name for file, _ in files}
    assert sorted({file for file, content in files if any(secret in content for secret in SECRETS)}) == []
