"""Stands in for ``docker compose`` in the stack script: ``exec`` runs the command against the processes of a test.

Belongs here: what a container's shell would find there. Does not: anything the script decides. ``python -m`` takes
a file that describes the services (`describe`), then compose's own arguments; what is no ``exec`` does nothing.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from taxi_platform_tests.deploy.composed import Composed, Service

__all__ = ["describe"]


def describe(composed: Composed) -> str:
    services = composed.services.values()
    return json.dumps([[s.name, dict(s.config), str(s.root), dict(s.hosts)] for s in services])


def main(description: str, *arguments: str) -> None:
    if arguments[:2] != ("exec", "-T"):
        return
    known = {
        name: (config, Path(root), hosts) for name, config, root, hosts in json.loads(Path(description).read_text())
    }
    service = Service(arguments[2], *known[arguments[2]])
    environment = service.environment
    if password := environment.get("POSTGRES_PASSWORD_FILE"):
        # In its container the administrator needs neither address nor password.
        environment |= {"PGHOST": service.address, "PGPASSWORD": Path(password).read_text()}
    command = [service.here(part) for part in arguments[3:]]
    os.execvpe(command[0], command, environment)


if __name__ == "__main__":
    main(*sys.argv[1:])
