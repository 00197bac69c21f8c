"""The embedded server: shared by processes, ended by the last, closed to everybody else on the machine."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from taxi_platform.errors import StoreError
from taxi_platform.machine.locks import open_lock, try_lock
from taxi_platform.stores.postgres.embedded.server import PostgresServer
from taxi_platform.stores.postgres.embedded.sharing import EmbeddedPostgres
from taxi_platform.stores.postgres.embedded.unprivileged import Identity
from taxi_platform.stores.postgres.layer import open_postgres
from taxi_platform_tests.stores.conftest import connected

ROOT = Path(__file__).parents[2]
USER = """
import sys
import tempfile
from taxi_platform.stores.postgres.embedded.sharing import EmbeddedPostgres
with EmbeddedPostgres(sys.argv[1]).running() as url:
    print(url, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose data were made once: each test has a server of its own on them, one after the other."""
    return tmp_path_factory.mktemp("embedded") / "private" / "postgres"


@pytest.fixture
def embedded(made: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(made)
    yield server
    server.stop()
    until(lambda: not in_use(server))


def in_use(embedded: EmbeddedPostgres) -> bool:
    users = open_lock(embedded.folder / "users.lock")
    try:
        return not try_lock(users)
    finally:
        os.close(users)


def is_up(embedded: EmbeddedPostgres) -> bool:
    return PostgresServer(embedded.folder).running() is not None


def until(condition: Callable[[], bool]) -> None:
    """Wait for what another process does by itself; a bound only against waiting for ever."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def user(embedded: EmbeddedPostgres) -> subprocess.Popen[str]:
    """Another process that uses the server until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", USER, str(embedded.folder)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("postgresql://taxi@/taxi?host=")
    return process


def one(url: str, sql: str) -> object:
    with connected(url) as connection:
        row = connection.execute(sql).fetchone()
    return row[0] if row else None


def test_it_runs_while_it_is_used_and_keeps_what_was_written(embedded: EmbeddedPostgres) -> None:
    with embedded.running() as url:
        with connected(url) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS kept AS SELECT 7 AS x")
        with embedded.running() as again:
            assert again == url
        assert one(url, "SELECT x FROM kept") == 7
    assert not is_up(embedded)
    with embedded.running() as url:
        assert one(url, "SELECT x FROM kept") == 7


def test_every_kind_of_client_takes_the_address(embedded: EmbeddedPostgres) -> None:
    import sqlalchemy

    with embedded.running() as url:
        engine = sqlalchemy.create_engine(url.replace("postgresql://", "postgresql+psycopg2://"))
        with engine.connect() as connection:
            assert connection.execute(sqlalchemy.text("SELECT current_user")).scalar() == "taxi"
        engine.dispose()
        assert one(url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False


def test_the_last_user_ends_it_and_no_other_does(embedded: EmbeddedPostgres) -> None:
    other = user(embedded)
    with embedded.running():
        other.communicate("")
        assert is_up(embedded)
    assert not is_up(embedded)
    other = user(embedded)
    with embedded.running():
        pass
    assert is_up(embedded)
    other.communicate("")
    assert not is_up(embedded)


def test_a_killed_user_does_not_keep_it_up(embedded: EmbeddedPostgres) -> None:
    with user(embedded) as other:
        other.kill()
    until(lambda: not is_up(embedded))


def test_a_ctrl_c_ends_the_user_and_not_the_server_under_others(embedded: EmbeddedPostgres) -> None:
    with embedded.running() as url, user(embedded) as other:
        server = one(url, "SELECT pg_postmaster_start_time()")
        assert os.getpgid(other.pid) == os.getpgid(0) != os.getpgid(PostgresServer(embedded.folder).running().pid)  # type: ignore[union-attr]
        other.send_signal(signal.SIGINT)
        other.wait()
        assert one(url, "SELECT pg_postmaster_start_time()") == server
    assert not is_up(embedded)


def test_a_killed_server_starts_again(embedded: EmbeddedPostgres) -> None:
    with embedded.running():
        server = PostgresServer(embedded.folder).running()
        assert server is not None
        os.kill(server.pid, signal.SIGKILL)
        until(lambda: not is_up(embedded))
        with embedded.running() as url:
            assert one(url, "SELECT 1") == 1
    assert not is_up(embedded)


def test_a_number_that_another_process_was_given_since_is_not_taken_for_the_server(embedded: EmbeddedPostgres) -> None:
    with embedded.running():
        pass
    stale = f"{os.getpid()}\n{embedded.folder / 'data'}\n1\n5432\n/tmp\n\n1 1\nready\n"
    (embedded.folder / "data" / "postmaster.pid").write_text(stale)
    with embedded.running() as url:
        assert one(url, "SELECT 1") == 1


def test_a_supervisor_that_was_killed_is_replaced(embedded: EmbeddedPostgres) -> None:
    with embedded.running():
        os.kill(int((embedded.folder / "supervisor.lock").read_text()), signal.SIGKILL)
        with user(embedded) as other:
            other.kill()
    assert not is_up(embedded)


def test_cleaned_temporary_folders_do_no_harm(embedded: EmbeddedPostgres) -> None:
    with embedded.running():
        sockets = Path(json.loads((embedded.folder / "sockets").read_text())["sockets"])
        for file in sockets.iterdir():
            file.unlink()
        sockets.rmdir()
        with embedded.running() as url:
            assert one(url, "SELECT 1") == 1


def test_a_copy_of_the_folder_is_another_server_and_leaves_the_first_alone(
    embedded: EmbeddedPostgres, tmp_path: Path
) -> None:
    with embedded.running() as url, connected(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS whose AS SELECT 'first' AS name")
    shutil.copytree(embedded.folder, tmp_path / "copied")
    copied = EmbeddedPostgres(tmp_path / "copied")
    with embedded.running() as url:
        with copied.running() as other:
            with connected(other) as connection:
                connection.execute("UPDATE whose SET name = 'copied'")
            assert one(url, "SELECT name FROM whose") == "first"
        assert one(url, "SELECT name FROM whose") == "first"


def test_nothing_is_opened_wider(embedded: EmbeddedPostgres) -> None:
    parent = embedded.folder.parent
    with embedded.running():
        parent.chmod(0o700)
    before = stat.S_IMODE(parent.stat().st_mode)
    with embedded.running():
        sockets = Path(json.loads((embedded.folder / "sockets").read_text())["sockets"])
        for folder in (embedded.folder, embedded.folder / "data", sockets):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            assert folder.stat().st_uid == os.geteuid()
        assert stat.S_IMODE((embedded.folder / "password").stat().st_mode) == 0o600
        assert stat.S_IMODE(parent.stat().st_mode) == before == 0o700


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_with_a_port_it_also_takes_the_password_over_tcp(made: Path) -> None:
    import psycopg

    embedded = EmbeddedPostgres(made, free_port())
    with embedded.running() as url:
        assert one(url, "SELECT 1") == 1
        assert embedded.tcp_url is not None
        assert one(embedded.tcp_url, "SELECT host(inet_server_addr())") == "127.0.0.1"
        with pytest.raises(psycopg.OperationalError, match="password"):
            connected(embedded.tcp_url.replace("taxi:", "taxi:wrong"))
    assert not is_up(embedded)


def test_without_a_port_nothing_listens(embedded: EmbeddedPostgres) -> None:
    with embedded.running() as url:
        assert one(url, "SHOW listen_addresses") == ""


def test_a_taken_port_is_one_sentence(made: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(StoreError, match=f"^the port {port} on 127.0.0.1 is taken by another program: choose"),
            EmbeddedPostgres(made, port).running(),
        ):
            pass
    assert not is_up(EmbeddedPostgres(made))


def test_a_port_is_added_to_a_server_that_nobody_else_uses(embedded: EmbeddedPostgres) -> None:
    port = free_port()
    with embedded.running(), pytest.raises(StoreError, match=f"runs without the port {port} for another process"):
        EmbeddedPostgres(embedded.folder, port).keep_alive(1)
    with EmbeddedPostgres(embedded.folder, port).running() as url:
        assert one(url, "SHOW port") == str(port)


def test_data_of_another_version_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "PG_VERSION").write_text("9\n")
    with (
        pytest.raises(StoreError, match=r"was made by PostgreSQL 9, but this installation has \d+ and \d+: move"),
        EmbeddedPostgres(folder).running(),
    ):
        pass


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(StoreError, match="has no folder to lie in"),
        EmbeddedPostgres(tmp_path / "file" / "x").running(),
    ):
        pass


def test_it_is_kept_up_after_a_command_until_nobody_comes_any_more(embedded: EmbeddedPostgres) -> None:
    url = embedded.keep_alive(0.5)
    with connected(url) as connection:
        connection.execute("SELECT pg_sleep(1.5)")
        assert is_up(embedded)
    until(lambda: not is_up(embedded))


def test_stop_ends_it_under_its_keeper(embedded: EmbeddedPostgres) -> None:
    embedded.keep_alive(600)
    embedded.stop()
    assert not is_up(embedded)


def test_the_store_opens_it_for_as_long_as_it_is_open(made: Path) -> None:
    with open_postgres("embedded", made) as store:
        assert store.kind == "postgres"
        assert is_up(EmbeddedPostgres(made))
    assert not is_up(EmbeddedPostgres(made))


def may_enter(folder: Path) -> bool:
    """Whether every user may, through all the folders above it."""
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in (folder, *folder.parents))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another user")
def test_a_program_out_of_reach_of_the_servers_user_is_named(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    program = closed / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    nobody = Identity((), pwd.getpwnam("nobody").pw_uid, switches_user=True)
    with pytest.raises(StoreError, match=f"no other user may enter {closed}: run as an ordinary user"):
        nobody.run([str(program)])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another user")
def test_without_namespaces_root_runs_it_as_nobody_where_nobody_may_enter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = tmp_path / "bin"
    commands.mkdir()
    refused = commands / "unshare"
    refused.write_text("#!/bin/sh\nexit 1\n")
    refused.chmod(0o755)
    monkeypatch.setenv("PATH", str(commands), prepend=os.pathsep)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with (
        pytest.raises(StoreError, match=r"does not run as root, and no other user may enter .*: run as an ordin"),
        EmbeddedPostgres(closed / "postgres").running(),
    ):
        pass
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        if not may_enter(Path(sys.prefix)):
            # Where root keeps the virtual environment to itself, the server's own programs are out of reach.
            with (
                pytest.raises(StoreError, match=r"no other user may enter .*pginstall.*: run as an ordinary user"),
                EmbeddedPostgres(Path(folder) / "postgres").running(),
            ):
                pass
            return
        with EmbeddedPostgres(Path(folder) / "postgres").running() as url:
            assert one(url, "SELECT 1") == 1
            server = PostgresServer(Path(folder) / "postgres").running()
            assert server is not None
            assert Path(f"/proc/{server.pid}").stat().st_uid == pwd.getpwnam("nobody").pw_uid
        assert stat.S_IMODE((Path(folder) / "postgres").stat().st_mode) == 0o700
