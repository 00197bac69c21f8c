"""Cloud Storage for tests: gcp-storage-emulator, made to keep the promises that the lake is built on.

The package answers the JSON API. What it lacks is added here: requests served side by side, preconditions
(``ifGenerationMatch`` and its like; the package ignores them), and in ``gcs_xml`` the XML API, which obstore speaks.
Each addition has a test of its own in ``test_emulated_gcs`` that cites Google's reference.

Run by itself: ``python -m tools.emulators.gcs PORT [ADDRESS]``; objects are kept in memory.
"""

from __future__ import annotations

import importlib.util
import io
import json
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from tools.emulators.process import EmulatorMissingError, free_port, running

__all__ = ["create_bucket", "delete_bucket", "emulated_gcs"]

_LOCK = threading.RLock()
"""Held while a request is judged and carried out, never while bytes travel."""

_JSON_API = re.compile(r"/($|b($|/)|storage/|upload/|download/|batch/|wipe)")
_OBJECT = re.compile(
    r"(?:/upload|/download)?(?:/storage/v1)?/b/(?P<bucket>[^/]+)/o"
    r"(?:/(?P<name>.+?))?(?:/(?:copyTo|rewriteTo)/b/(?P<to_bucket>[^/]+)/o/(?P<to_name>.+)|/compose)?"
)
_CONDITIONS = {
    "ifGenerationMatch": ("generation", True),
    "ifGenerationNotMatch": ("generation", False),
    "ifMetagenerationMatch": ("metageneration", True),
    "ifMetagenerationNotMatch": ("metageneration", False),
}


@contextmanager
def emulated_gcs(log: Path, host: str = "127.0.0.1") -> Iterator[str]:
    """A running emulator: its URL, as ``STORAGE_EMULATOR_HOST`` takes it.

    Raises:
        EmulatorMissingError: the Python package gcp-storage-emulator is not installed.
    """
    if importlib.util.find_spec("gcp_storage_emulator") is None:
        raise EmulatorMissingError("the Python package gcp-storage-emulator is not installed")
    port = free_port()
    with running([sys.executable, "-m", __name__, str(port), host], port, log, host=host):
        yield f"http://{host}:{port}"


def create_bucket(url: str, bucket: str) -> None:
    """Create a bucket that drops what is deleted at once (by default a week of it would be kept, in memory here)."""
    import requests

    requests.post(f"{url}/storage/v1/b", json={"name": bucket}, timeout=10).raise_for_status()
    policy = {"softDeletePolicy": {"retentionDurationSeconds": "0"}}
    requests.patch(f"{url}/storage/v1/b/{bucket}", json=policy, timeout=10).raise_for_status()


def delete_bucket(url: str, bucket: str) -> None:
    """Delete a bucket with all that is in it, to free the emulator's memory."""
    import requests

    for item in requests.get(f"{url}/storage/v1/b/{bucket}/o", timeout=10).json()["items"]:
        requests.delete(f"{url}/storage/v1/b/{bucket}/o/{quote(item['name'], safe='')}", timeout=10).raise_for_status()
    requests.delete(f"{url}/storage/v1/b/{bucket}", timeout=10).raise_for_status()


def serve(port: int, host: str = "127.0.0.1") -> None:
    """Serve until killed."""
    from gcp_storage_emulator.storage import Storage

    handler = partial(_handler(), Storage(use_memory_fs=True))
    with _Server((host, port), handler) as server:
        server.serve_forever()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def _handler() -> Any:
    from gcp_storage_emulator.server import RequestHandler, Router

    from tools.emulators.gcs_xml import XmlRequest, carry_out

    class Handler(RequestHandler):  # type: ignore[misc]
        """One request: its body is read before the lock is taken, its answer sent after."""

        wfile: Any

        def serve(self) -> None:
            body = _whole_body(self)
            socket = self.wfile
            self.wfile = answer = io.BytesIO()
            self.rfile = io.BytesIO(body)
            with _LOCK:
                if _JSON_API.match(self.path):
                    self.json_api(body)
                else:
                    self.xml_api(body)
            socket.write(answer.getvalue())
            self.wfile = socket

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_PATCH = serve  # noqa: N815 (http.server's names)

        def json_api(self, body: bytes) -> None:
            failed = _failed_condition(self.storage, self.path, body)
            if failed is None:
                Router(self).handle(self.command)
                return
            error = {"code": 412, "message": f"{failed} does not hold", "errors": [{"reason": "conditionNotMet"}]}
            self.reply(412, {"Content-Type": "application/json"}, json.dumps({"error": error}).encode())

        def xml_api(self, body: bytes) -> None:
            url = urlsplit(self.path)
            bucket, _, name = url.path.lstrip("/").partition("/")
            query = {key: values[0] for key, values in parse_qs(url.query, keep_blank_values=True).items()}
            base_url = f"http://{self.headers['Host']}"
            request = XmlRequest(self.command, unquote(bucket), unquote(name), query, self.headers, body, base_url)
            self.reply(*carry_out(self.storage, request))

        def reply(self, status: int, headers: dict[str, str], content: bytes) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

    return Handler


def _whole_body(handler: Any) -> bytes:
    from gcp_storage_emulator.server import _read_raw_data

    body: bytes = _read_raw_data(handler) or b""
    del handler.headers["Transfer-Encoding"], handler.headers["Content-Length"]
    handler.headers["Content-Length"] = str(len(body))
    return body


def _failed_condition(storage: Any, path: str, body: bytes) -> str | None:
    """The first precondition of a JSON request that does not hold for the object it would read or write."""
    url = urlsplit(path)
    query = parse_qs(url.query)
    asked = {name: int(query[name][0]) for name in _CONDITIONS if name in query}
    match = _OBJECT.fullmatch(url.path)
    if not asked or match is None:
        return None
    bucket = unquote(match["to_bucket"] or match["bucket"])
    name = unquote(match["to_name"] or match["name"] or "") or _uploaded_name(storage, query, body)
    standing = live(storage, bucket, name) or {}
    for condition, value in asked.items():
        field, equal = _CONDITIONS[condition]
        if (int(standing.get(field, 0)) == value) != equal:
            return f"{condition}={value}"
    return None


def _uploaded_name(storage: Any, query: dict[str, list[str]], body: bytes) -> str:
    """The name of the object an upload makes: in the query, the session, or the metadata at the body's start."""
    if "name" in query:
        return query["name"][0]
    if "upload_id" in query:
        return str(storage.get_resumable_file_obj(query["upload_id"][0])["name"])
    start = body.index(b"{")
    metadata, _ = json.JSONDecoder().raw_decode(body[start : start + 65536].decode("utf-8", "replace"))
    return str(metadata["name"])


def live(storage: Any, bucket: str, name: str) -> dict[str, Any] | None:
    """The resource of an object that is there."""
    from gcp_storage_emulator.exceptions import NotFound

    try:
        found: dict[str, Any] = storage.get_file_obj(bucket, name)
    except NotFound:
        return None
    return found


if __name__ == "__main__":
    serve(int(sys.argv[1]), *sys.argv[2:3])
