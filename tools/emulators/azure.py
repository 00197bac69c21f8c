"""Azure Blob Storage for tests: Microsoft's own emulator, Azurite, as it is.

Azurite is a package of npm's: it is taken from the path, or installed once into a cache folder.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path

from taxi_platform.machine.locks import exclusive
from tools.emulators.process import EmulatorMissingError, free_port, running

__all__ = ["ACCOUNT", "ENVIRONMENT", "create_container", "emulated_azure"]

ACCOUNT = "devstoreaccount1"
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Not a secret: Azurite's documentation publishes it for everyone."""
_PATIENCE = 600.0
"""Seconds for another process that is installing it."""
_AZURITE = "azurite@3"

ENVIRONMENT = {"AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT, "AZURE_STORAGE_ACCOUNT_KEY": _KEY}
"""The address comes with them as ``AZURE_STORAGE_ENDPOINT``."""


@contextmanager
def emulated_azure(log: Path) -> Iterator[str]:
    """A running emulator: its URL, as ``AZURE_STORAGE_ENDPOINT`` takes it.

    Raises:
        EmulatorMissingError: there is no Azurite, and no Node.js or npm to install it with.
    """
    program = shutil.which("azurite-blob") or _installed()
    port = free_port()
    options = ["--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry", "--silent"]
    with running([program, "--blobHost", "127.0.0.1", "--blobPort", str(port), *options], port, log):
        yield f"http://127.0.0.1:{port}/{ACCOUNT}"


def _installed() -> str:
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise EmulatorMissingError("Azurite is not installed, nor Node.js and npm to install it with")
    folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "taxi_platform" / "azurite"
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "node_modules" / ".bin" / "azurite-blob"
    with exclusive(folder / "install.lock", f"the installation in {folder}", _PATIENCE):
        if not program.exists():
            command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), _AZURITE]
            done = subprocess.run(command, capture_output=True, text=True, check=False, env={**_trust(), **os.environ})
            if done.returncode:
                raise EmulatorMissingError(f"npm cannot install Azurite: {done.stderr[-300:]}")
    return str(program)


def _trust() -> dict[str, str]:
    """Node trusts a list of its own; here, beside it, what the machine's other programs trust."""
    bundle = Path(ssl.get_default_verify_paths().capath or "/etc/ssl/certs") / "ca-certificates.crt"
    return {"NODE_EXTRA_CA_CERTS": str(bundle)} if bundle.is_file() else {}


def create_container(url: str, container: str) -> None:
    """Create a container by a request signed with the account's key (REST reference, Authorize with Shared Key)."""
    import requests

    headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-08-06"}
    signed = "\n".join(
        [
            "PUT",
            *[""] * 11,
            *(f"{k}:{v}" for k, v in headers.items()),
            f"/{ACCOUNT}/{ACCOUNT}/{container}",
            "restype:container",
        ]
    )
    signature = hmac.digest(base64.b64decode(_KEY), signed.encode(), hashlib.sha256)
    headers["Authorization"] = f"SharedKey {ACCOUNT}:{base64.b64encode(signature).decode()}"
    requests.put(f"{url}/{container}?restype=container", headers=headers, timeout=10).raise_for_status()
