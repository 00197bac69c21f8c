"""A PostgreSQL server that is starting again is waited for by a load as a whole, not only by each of its months."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from taxi_platform_tests.automation.conftest import Deployment
from taxi_platform_tests.support.postgres import Server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "server", "secret")
    try:
        yield server
    finally:
        with contextlib.suppress(RuntimeError):
            server.stop()


@pytest.fixture
def variables(variables: dict[str, str], server: Server) -> dict[str, str]:
    return {**variables, "TAXI_POSTGRES": server.start_anywhere(), "TAXI_WAREHOUSE": "off"}


class Restarting(logging.Handler):
    """Starts the server once somebody waits for it."""

    def __init__(self, server: Server) -> None:
        super().__init__(logging.WARNING)
        self.server = server
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if "trying again" in record.getMessage() and not self.told:
            self.told.append(record.getMessage())
            self.server.start_again()


def test_a_server_that_is_down_when_a_load_begins_is_waited_for(deployment: Deployment, server: Server) -> None:
    deployment.upstream.publish("2020-01")
    assert deployment.run("2020-01", ["raw", "trips"]).success
    server.stop()
    restarting = Restarting(server)
    logger = logging.getLogger("taxi_platform.orchestration.io_managers.isolation")
    logger.addHandler(restarting)
    try:
        assert deployment.run("2020-01", ["postgres"]).success
    finally:
        logger.removeHandler(restarting)
    (sentence,) = restarting.told
    assert sentence.startswith("postgres: PostgreSQL at postgresql://postgres:***@127.0.0.1:")
