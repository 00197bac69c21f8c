"""``taxi metrics``: what monitoring asks, as text, as a file, or on a port of its own.

Belongs here: the Prometheus form of the numbers, and the server of ``/metrics`` and ``/healthz``. Does not: the
numbers (``inspection.gauges``, ``orchestration.health``).

A look at all months costs what ``taxi status`` costs. So the server looks every few minutes, and answers with the last
look; only the daemons are asked at every request.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import click

from taxi_platform import __version__
from taxi_platform.cli.instance import has_instance, opened_instance
from taxi_platform.errors import StoreError, TaxiError
from taxi_platform.inspection.gauges import Gauge, disk_gauges, month_gauges
from taxi_platform.settings import Settings

if TYPE_CHECKING:
    from socketserver import BaseServer

    import dagster as dg
    from prometheus_client import Metric

__all__ = ["print_metrics", "serve_metrics", "write_metrics"]

_LOG = logging.getLogger(__name__)
_TEXT = "text/plain; version=0.0.4; charset=utf-8"


def print_metrics(settings: Settings) -> None:
    """Print every number once."""
    click.echo(_text(_all_now(settings)).decode(), nl=False)


def write_metrics(settings: Settings, file: Path) -> None:
    """Write every number into a file for the textfile collector of Prometheus' node exporter; whole or not at all."""
    content = _text(_all_now(settings))
    try:
        with tempfile.NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}.", delete=False) as incoming:
            incoming.write(content)
        Path(incoming.name).chmod(0o644)  # the exporter is another user
        Path(incoming.name).replace(file)
    except OSError as error:
        raise StoreError(f"{file} cannot be written: {error.strerror}") from error


def serve_metrics(settings: Settings, host: str, port: int, every: float) -> None:
    """Answer ``/metrics`` and ``/healthz`` until Ctrl-C, looking at the months every so many seconds."""
    with opened_instance(settings) as instance:
        look = _Look(settings, instance)
        try:
            server = make_server(host, port, _application(look), _Server, _Handler)
        except OSError as error:
            raise StoreError(f"port {port} of {host} cannot be had: {error.strerror}; choose another") from error
        threading.Thread(target=_look_again, args=(look, every), daemon=True, name="look").start()
        click.echo(f"http://{host}:{server.server_port}/metrics and /healthz; Ctrl-C ends it")
        with server, contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()


@dataclass
class _Look:
    """The numbers of the last look at the months, and what is asked at each request."""

    settings: Settings
    instance: dg.DagsterInstance
    last: Iterable[Gauge] = ()

    def look(self) -> None:
        self.last = _of_stores(self.settings, self.instance)

    def gauges(self) -> list[Gauge]:
        from taxi_platform.orchestration.health import daemon_gauges

        return [*self.last, *daemon_gauges(self.instance), *disk_gauges(self.settings)]

    def silent(self) -> list[str]:
        from taxi_platform.orchestration.health import silent_daemons

        return silent_daemons(self.instance)


def _look_again(look: _Look, every: float) -> None:
    while True:
        try:
            look.look()
        except Exception:  # noqa: BLE001 - the next may succeed, and the age of the last is among the numbers
            _LOG.exception("the look failed")
        time.sleep(every)


def _all_now(settings: Settings) -> list[Gauge]:
    if not has_instance(settings):
        return [*_of_stores(settings, None), *disk_gauges(settings)]
    with opened_instance(settings) as instance:
        look = _Look(settings, instance)
        look.look()
        return look.gauges()


def _of_stores(settings: Settings, instance: dg.DagsterInstance | None) -> list[Gauge]:
    """The numbers of one look, and whether it succeeded."""
    begun = time.time()
    try:
        months, has_failed = month_gauges(settings), False
    except TaxiError as error:
        _LOG.warning("%s", error)
        months, has_failed = [], True
    return [
        Gauge("taxi_build_info", "The release that looks.", 1, {"version": __version__}),
        Gauge("taxi_look_timestamp_seconds", "When the last look at months, ticks and runs ended.", time.time()),
        Gauge("taxi_look_duration_seconds", "How long it took.", time.time() - begun),
        Gauge("taxi_look_failed", "1 if a store did not answer, so that months are not known.", float(has_failed)),
        *months,
        *(_of_dagster(instance) if instance is not None else ()),
    ]


def _of_dagster(instance: dg.DagsterInstance) -> Iterator[Gauge]:
    from taxi_platform.orchestration.health import run_gauges, tick_gauges

    yield from run_gauges(instance)
    yield from tick_gauges(instance)


def _text(gauges: Iterable[Gauge]) -> bytes:
    """The numbers in Prometheus' text format."""
    from prometheus_client import CollectorRegistry, generate_latest

    class Found:
        def collect(self) -> Iterator[Metric]:
            yield from _families(gauges)

    registry = CollectorRegistry()
    registry.register(Found())
    return generate_latest(registry)


def _families(gauges: Iterable[Gauge]) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    families: dict[str, GaugeMetricFamily] = {}
    for gauge in gauges:
        if gauge.name not in families:
            families[gauge.name] = GaugeMetricFamily(gauge.name, gauge.about, labels=list(gauge.labels))
        families[gauge.name].add_metric(list(gauge.labels.values()), gauge.value)
    yield from families.values()


class _Server(WSGIServer):
    daemon_threads = True


class _Handler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing of each request."""

    def __init__(self, request: Any, client_address: Any, server: BaseServer) -> None:
        request.settimeout(10)  # one client that sends nothing must not keep the others out
        super().__init__(request, client_address, server)


def _application(look: _Look) -> Callable[[dict[str, Any], Callable[..., Any]], list[bytes]]:
    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        try:
            status, kind, body = _answer(look, environ["PATH_INFO"])
        except Exception as error:  # noqa: BLE001 - whatever it is, somebody waits for an answer
            _LOG.exception("%s cannot be answered", environ["PATH_INFO"])
            said = f"the Dagster instance does not answer: {type(error).__name__}\n"
            status, kind, body = "503 Service Unavailable", _TEXT, said.encode()
        start_response(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
        return [body]

    return answer


def _answer(look: _Look, path: str) -> tuple[str, str, bytes]:
    if path == "/metrics":
        return "200 OK", _TEXT, _text(look.gauges())
    if path == "/healthz":
        silent = look.silent()
        said = f"not heard of for ten minutes: {', '.join(silent)}\n" if silent else "ok\n"
        return ("503 Service Unavailable" if silent else "200 OK"), _TEXT, said.encode()
    return "404 Not Found", _TEXT, b"there are /metrics and /healthz\n"
