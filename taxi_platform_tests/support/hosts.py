"""Hosts of a network of their own on this machine: network namespaces on a bridge, whose cable can be pulled.

Belongs here: making, cutting and removing them. Does not: what runs on them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest

__all__ = ["Host", "Network", "network"]


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


@dataclass(frozen=True)
class Host:
    """A namespace with one address; processes that ``command`` starts see that network alone, and the host's name."""

    name: str
    address: str

    def command(self, *arguments: str) -> list[str]:
        named = ["unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', self.name]
        return ["ip", "netns", "exec", self.name, *named, *arguments]

    def cut(self) -> None:
        """Pull its cable: packets vanish, connections stay as they are."""
        _ip("link", "set", f"{self.name}-b", "down")

    def mend(self) -> None:
        _ip("link", "set", f"{self.name}-b", "up")


@dataclass(frozen=True)
class Network:
    """The bridge's side has the addresses PREFIX.1 to .60, for servers."""

    prefix: str
    hosts: Sequence[Host]


@contextlib.contextmanager
def network(prefix: str, count: int) -> Iterator[Network]:
    """A bridge and so many hosts; skips where this user may make none, fails so in CI."""
    bridge = f"taxi{os.getpid() % 100_000}"
    hosts = [Host(f"{bridge}h{number}", f"{prefix}.{100 + number}") for number in range(count)]
    with contextlib.ExitStack() as stack:
        try:
            _made(stack, bridge, prefix, hosts)
        except (FileNotFoundError, RuntimeError) as error:
            missing = f"no network namespaces here: {error}" if shutil.which("ip") else "ip is not installed: iproute2"
            if os.environ.get("CI", "").lower() == "true":
                pytest.fail(missing)
            pytest.skip(missing)
        yield Network(prefix, hosts)


def _made(stack: contextlib.ExitStack, bridge: str, prefix: str, hosts: Sequence[Host]) -> None:
    _ip("link", "add", bridge, "type", "bridge")
    stack.callback(_ip, "link", "del", bridge)
    for number in range(1, 61):
        _ip("addr", "add", f"{prefix}.{number}/24", "dev", bridge)
    _ip("link", "set", bridge, "up")
    for host in hosts:
        _ip("netns", "add", host.name)
        stack.callback(_ip, "netns", "del", host.name)
        _ip("link", "add", f"{host.name}-b", "type", "veth", "peer", "name", "eth0", "netns", host.name)
        _ip("link", "set", f"{host.name}-b", "master", bridge, "up")
        inside = ("-n", host.name)
        _ip(*inside, "addr", "add", f"{host.address}/24", "dev", "eth0")
        _ip(*inside, "link", "set", "eth0", "up")
        _ip(*inside, "link", "set", "lo", "up")
