"""The example of a proxy with a login, in front of the stack's web server: who comes in, and what they can do there."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import trustme
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from taxi_platform_tests.deploy.composed import Composed
from taxi_platform_tests.deploy.tools import REPOSITORY

pytestmark = pytest.mark.long

ANNA = ("anna", "correct horse")
ASKED = {"query": "{ version }"}
LIVE = Subprotocol("graphql-ws")


@pytest.fixture(scope="module")
def door(stack: Composed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The proxy's address, and the certificate that it shows."""
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None:
        if os.environ.get("CI"):
            pytest.fail("nginx is not installed: apt-get install nginx-light")
        pytest.skip("nginx is not installed: apt-get install nginx-light")
    folder = tmp_path_factory.mktemp("proxy")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    authority = trustme.CA()
    own = authority.issue_cert("localhost")
    own.private_key_pem.write_to_path(folder / "key.pem")
    for pem in own.cert_chain_pems:
        pem.write_to_path(folder / "certificate.pem", append=True)
    authority.cert_pem.write_to_path(folder / "authority.pem")
    hashed = subprocess.run(["openssl", "passwd", "-6", ANNA[1]], capture_output=True, text=True, check=True).stdout
    (folder / "users").write_text(f"{ANNA[0]}:{hashed}")
    text = (REPOSITORY / "deploy/proxy/nginx.conf").read_text()
    text = text.replace("127.0.0.1:8443", f"127.0.0.1:{port}")
    text = text.replace("127.0.0.1:3000", f"{stack['webserver'].address}:3000")
    # Started by root, its workers are somebody else, who may not look into a folder of tests.
    somebody = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(f"{somebody} pid {folder}/pid; error_log stderr;\n{text}")
    command = [nginx, "-p", str(folder), "-c", "nginx.conf", "-g", "daemon off;"]
    with (folder / "log").open("w") as log:
        proxy = subprocess.Popen(command, stderr=log)
    try:
        _wait_for(port, proxy, folder / "log")
        yield f"https://localhost:{port}", str(folder / "authority.pem")
    finally:
        proxy.terminate()
        proxy.wait(timeout=60)


def _wait_for(port: int, proxy: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        assert proxy.poll() is None, log.read_text()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(log.read_text())


def test_nobody_comes_in_without_a_password(door: tuple[str, str]) -> None:
    url, authority = door
    for auth in (None, ("anna", "wrong"), ("ben", ANNA[1])):
        for path in ("/", "/server_info", "/graphql"):
            assert requests.get(f"{url}{path}", auth=auth, verify=authority, timeout=60).status_code == 401
        assert requests.post(f"{url}/graphql", json=ASKED, auth=auth, verify=authority, timeout=60).status_code == 401


def test_who_has_one_reads_pages_and_asks_and_is_told_live(door: tuple[str, str]) -> None:
    url, authority = door
    page = requests.get(f"{url}/", auth=ANNA, verify=authority, timeout=60)
    assert (page.status_code, "Dagster" in page.text) == (200, True)
    answer = requests.post(f"{url}/graphql", json=ASKED, auth=ANNA, verify=authority, timeout=60)
    assert "version" in answer.json()["data"]
    live = f"{url.replace('https', 'wss')}/graphql"
    trusted = ssl.create_default_context(cafile=authority)
    with pytest.raises(InvalidStatus):
        connect(live, ssl=trusted, subprotocols=[LIVE], open_timeout=60)
    basic = requests.Request("GET", url, auth=ANNA).prepare().headers["Authorization"]
    headers = {"Authorization": basic}
    with connect(live, ssl=trusted, additional_headers=headers, subprotocols=[LIVE], open_timeout=60) as socket_:
        assert socket_.protocol.subprotocol == LIVE
