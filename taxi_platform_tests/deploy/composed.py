"""The compose project as separate real processes on this machine, without containers.

Belongs here: starting services with the command, environment, files and health check that the compose file and the
Dockerfile give them. Does not: asserting.

What a container would change is changed in the text: a service gets a loopback address of its own in place of its name
(so ports stay as they are), and a folder of its own in place of ``/``.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from taxi_platform_tests.deploy.tools import REPOSITORY, resolved
from taxi_platform_tests.support.postgres import BINARIES, Server

__all__ = ["Composed", "Service"]

_FOLDERS = re.compile(r"(?<![\w./-])/(?:opt/(?:taxi|dagster)|run/(?:secrets|credentials)|data|sql)(?![\w-])")
_HEALTHY_WITHIN = _STOPPED_WITHIN = 120.0


@dataclass
class Service:
    """One service: its part of the resolved file, and its place on this machine."""

    name: str
    config: Mapping[str, Any]
    root: Path
    hosts: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None
    log: Path = field(init=False)

    def __post_init__(self) -> None:
        self.log = self.root.with_suffix(".log")

    @property
    def address(self) -> str:
        return self.hosts[self.name]

    def here(self, text: str) -> str:
        """What a container's text means on this machine."""
        text = re.sub(r"\b(?:0\.0\.0\.0|127\.0\.0\.1)\b", self.address, text)
        for host, address in self.hosts.items():
            text = re.sub(rf"(?:(?<=//)|(?<![\w/-])){host}(?![\w.-])", address, text)
        return _FOLDERS.sub(lambda found: f"{self.root}{found[0]}", text)

    @property
    def command(self) -> list[str]:
        parts = [*(self.config.get("entrypoint") or ()), *(self.config.get("command") or ())]
        return [self.here(part) for part in parts]

    @property
    def environment(self) -> dict[str, str]:
        image = _image_environment() if "taxi-platform" in self.config["image"] else {}
        path = os.pathsep.join((str(Path(sys.executable).parent), str(BINARIES), os.environ["PATH"]))
        given = {**image, **(self.config.get("environment") or {})}
        return {"HOME": str(self.root), **{name: self.here(value) for name, value in given.items()}, "PATH": path}

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.root,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def complete(self) -> None:
        """Run a one-shot service to its end; raises RuntimeError if it fails."""
        self.start()
        assert self.process is not None
        if self.process.wait(_HEALTHY_WITHIN):
            raise RuntimeError(f"{self.name} failed: {self.log.read_text()}")

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """``docker compose exec`` of a command."""
        return subprocess.run(
            [self.here(part) for part in command],
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def wait_until_healthy(self) -> None:
        """Ask the service's own health check until it says yes."""
        kind, *check = self.config["healthcheck"]["test"]
        assert kind == "CMD"
        deadline = time.monotonic() + _HEALTHY_WITHIN
        while (done := self.run(*check)).returncode:
            if self.process is None or self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} is not healthy: {done.stderr}\n{self.log.read_text()}")
            time.sleep(0.5)

    def stop(self) -> None:
        """As an engine does: the first process is asked, and when it has ended all others are killed."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(_STOPPED_WITHIN)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None


class Composed:
    """The project of a folder that holds a copy of deploy/docker, secrets included."""

    def __init__(
        self,
        folder: Path,
        state: Path,
        variables: Mapping[str, str],
        *,
        files: Sequence[str] = (),
        network: str | None = None,
        outside: Mapping[str, str] | None = None,
    ) -> None:
        """A project to start.

        Args:
            folder: of the compose files.
            state: an empty folder for what the services keep.
            variables: those of ``.env``.
            files: the compose files, where it is not ``compose.yaml`` alone.
            network: the first three numbers of the services' addresses, which this machine has; else loopback ones.
            outside: what every service's environment has beside the file's, such as addresses of emulators.
        """
        self.config = resolved(folder, *files, **variables)
        for config in self.config["services"].values():
            config["environment"] = {**(config.get("environment") or {}), **(outside or {})}
        self._state = state
        network = network or f"127.{secrets.randbelow(200) + 20}.{secrets.randbelow(256)}"
        hosts = {name: f"{network}.{number + 10}" for number, name in enumerate(self.config["services"])}
        self.services = {
            name: Service(name, config, state / name, hosts) for name, config in self.config["services"].items()
        }
        self._servers: dict[str, Server] = {}

    def __getitem__(self, name: str) -> Service:
        return self.services[name]

    @contextlib.contextmanager
    def up(self, without: Sequence[str] = ("pgadmin",)) -> Iterator[Composed]:
        """Every service but pgAdmin, in the order in which they depend on each other."""
        try:
            for name in _in_order(self.config["services"]):
                if name not in without:
                    self.bring_up(name)
            yield self
        finally:
            self.down()

    def down(self) -> None:
        for service in reversed(self.services.values()):
            service.stop()
        for server in self._servers.values():
            server.stop()
        self._servers.clear()

    def bring_up(self, name: str) -> None:
        """One service, as ready as those that depend on it expect; raises RuntimeError where it is not."""
        service = self.services[name]
        self.lay_out(service)
        if "POSTGRES_PASSWORD_FILE" in (service.config.get("environment") or {}):
            password = Path(service.environment["POSTGRES_PASSWORD_FILE"]).read_text()
            server = Server(self._state / "volumes" / service.name, password)
            server.start(service.address, 5432, (service.config.get("command") or ["postgres"])[1:])
            self._servers[service.name] = server
        elif service.config["restart"] == "no":
            service.complete()
        else:
            service.start()
            service.wait_until_healthy()

    def lay_out(self, service: Service) -> None:
        """The service's folder: what the image has, then volumes and secrets."""
        places = {target: REPOSITORY / source for source, target in _image_files()}
        for mount in service.config.get("volumes") or ():
            is_volume = mount["type"] == "volume"
            places[mount["target"]] = self._volume(mount["source"]) if is_volume else Path(mount["source"])
        for secret in service.config.get("secrets") or ():
            target = secret.get("target") or secret["source"]
            places[f"/run/secrets/{Path(target).name}"] = Path(self.config["secrets"][secret["source"]]["file"])
        for target, source in places.items():
            place = service.root / target.lstrip("/")
            if not place.parent.exists() or not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                _put(service, source, place)

    def _volume(self, name: str) -> Path:
        folder = self._state / "volumes" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def _put(service: Service, source: Path, place: Path) -> None:
    """A file with its text as it is meant here; a folder of files likewise; an empty folder (a volume) as it is."""
    if source.is_dir() and not any(file.suffix == ".sql" for file in source.iterdir()):
        place.symlink_to(source)
    elif source.is_dir():
        place.mkdir()
        for file in source.iterdir():
            _put(service, file, place / file.name)
    else:
        place.write_text(service.here(source.read_text()))
        shutil.copymode(source, place)


def _in_order(services: Mapping[str, Any]) -> Sequence[str]:
    """Names, each after those it depends on."""
    order: list[str] = []

    def visit(name: str) -> None:
        for other in services[name].get("depends_on") or ():
            visit(other)
        if name not in order:
            order.append(name)

    for name in services:
        visit(name)
    return order


def _last_stage() -> str:
    dockerfile = (REPOSITORY / "deploy/docker/Dockerfile").read_text().replace("\\\n", " ")
    return dockerfile[dockerfile.rindex("\nFROM") :]


def _image_files() -> list[tuple[str, str]]:
    """Source and target of what the image takes from the repository."""
    return re.findall(r"^COPY --chmod=\S+ (\S+) (\S+)$", _last_stage(), re.MULTILINE)


def _image_environment() -> dict[str, str]:
    (line,) = re.findall(r"^ENV (.*)$", _last_stage(), re.MULTILINE)
    pairs = dict(pair.split("=", 1) for pair in line.split())
    del pairs["PATH"]
    return pairs
