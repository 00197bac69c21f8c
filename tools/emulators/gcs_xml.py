"""Cloud Storage's XML API over the objects of gcp-storage-emulator: what obstore sends, and nothing else.

Belongs here: objects, multipart uploads, copies, lists (https://cloud.google.com/storage/docs/xml-api/reference-methods).
Does not: HTTP and locking (``gcs``). The caller holds the lock: a condition and its write are one step.
"""

from __future__ import annotations

import email.utils
import hashlib
import re
import uuid
from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree
from xml.sax.saxutils import escape

__all__ = ["Answer", "XmlRequest", "carry_out"]

Answer = tuple[int, dict[str, str], bytes]

_FIELDS = {
    "Cache-Control": "cacheControl",
    "Content-Disposition": "contentDisposition",
    "Content-Encoding": "contentEncoding",
    "Content-Language": "contentLanguage",
    "x-goog-storage-class": "storageClass",
}


@dataclass(frozen=True)
class XmlRequest:
    """One request; ``name`` is empty for a bucket."""

    method: str
    bucket: str
    name: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Looked up without regard to case, None where there is none (an `email.message.Message`)."""
    body: bytes
    base_url: str

    def header(self, name: str) -> str:
        return self.headers.get(name) or ""


@dataclass
class _Upload:
    resource: dict[str, Any]
    parts: dict[int, bytes] = field(default_factory=dict)


_UPLOADS: dict[str, _Upload] = {}


def carry_out(storage: Any, request: XmlRequest) -> Answer:
    """Carry out a request: status, headers, body."""
    from tools.emulators.gcs import live

    if request.bucket not in storage.buckets:
        return _error(404, "NoSuchBucket")
    if not request.name:
        return _list(storage, request)
    standing = live(storage, request.bucket, request.name)
    if _fails(request, standing):
        return _error(412, "PreconditionFailed")
    if "uploads" in request.query or "uploadId" in request.query:
        return _multipart(storage, request)
    if request.method == "PUT":
        return _copy(storage, request) if request.header("x-goog-copy-source") else _put(storage, request)
    if standing is None or request.query.get("generation", standing["generation"]) != standing["generation"]:
        return _error(404, "NoSuchKey")
    if request.method == "DELETE":
        storage.delete_file(request.bucket, request.name)
        return 204, {}, b""
    return _get(storage, request, standing)


def _fails(request: XmlRequest, standing: dict[str, Any] | None) -> bool:
    for header, key in (
        ("x-goog-if-generation-match", "generation"),
        ("x-goog-if-metageneration-match", "metageneration"),
    ):
        wanted = request.header(header)
        if wanted and int(wanted) != int(standing[key] if standing else 0):
            return True
    return False


def _put(storage: Any, request: XmlRequest) -> Answer:
    saved = _save(storage, request, request.body, _described(request))
    return 200, saved, b""


def _copy(storage: Any, request: XmlRequest) -> Answer:
    from tools.emulators.gcs import live

    bucket, _, name = unquote(request.header("x-goog-copy-source")).lstrip("/").partition("/")
    source = live(storage, bucket, name)
    if source is None:
        return _error(404, "NoSuchKey")
    kept = {key: source[key] for key in (*_FIELDS.values(), "contentType", "metadata") if source.get(key)}
    saved = _save(storage, request, storage.get_file(bucket, name), kept)
    return 200, saved, _document("CopyObjectResult", ETag=saved["ETag"])


def _multipart(storage: Any, request: XmlRequest) -> Answer:
    if "uploads" in request.query:
        upload_id = uuid.uuid4().hex
        _UPLOADS[upload_id] = _Upload(_described(request))
        return 200, {}, _document("InitiateMultipartUploadResult", UploadId=upload_id)
    upload = _UPLOADS.get(request.query["uploadId"])
    if upload is None:
        return _error(404, "NoSuchUpload")
    if request.method == "PUT":
        upload.parts[int(request.query["partNumber"])] = request.body
        return 200, {"ETag": f'"{hashlib.md5(request.body).hexdigest()}"'}, b""
    del _UPLOADS[request.query["uploadId"]]
    if request.method == "DELETE":
        return 204, {}, b""
    return _complete(storage, request, upload)


def _complete(storage: Any, request: XmlRequest, upload: _Upload) -> Answer:
    numbers = [int(e.text or 0) for e in ElementTree.fromstring(request.body).iter() if e.tag.endswith("PartNumber")]
    if not set(numbers) <= set(upload.parts):
        return _error(400, "InvalidPart")
    content = b"".join(upload.parts[number] for number in numbers)
    saved = _save(storage, request, content, upload.resource, composed=True)
    return 200, saved, _document("CompleteMultipartUploadResult", ETag=saved["ETag"])


def _described(request: XmlRequest) -> dict[str, Any]:
    """What the headers of an upload say about the object."""
    resource: dict[str, Any] = {key: request.header(name) for name, key in _FIELDS.items() if request.header(name)}
    resource["contentType"] = request.header("Content-Type") or "application/octet-stream"
    prefix = "x-goog-meta-"
    resource["metadata"] = {
        n.lower()[len(prefix) :]: v for n, v in request.headers.items() if n.lower()[: len(prefix)] == prefix
    }
    return resource


def _save(
    storage: Any, request: XmlRequest, content: bytes, resource: dict[str, Any], *, composed: bool = False
) -> dict[str, str]:
    from gcp_storage_emulator.handlers import objects

    named = (request.base_url, request.bucket, request.name, resource["contentType"], str(len(content)))
    made = objects._make_object_resource(*named, resource)
    made = objects._checksums(content, {**made, "metageneration": "1"})
    if composed:  # put in parts: no MD5 is known, and the ETag is none
        made = {**made, "md5Hash": None, "etag": f"composed-{made['generation']}"}
    storage.create_file(request.bucket, request.name, content, made)
    return {
        "ETag": _etag(made),
        "x-goog-generation": made["generation"],
        "x-goog-metageneration": "1",
        "x-goog-hash": _hashes(made),
    }


def _etag(resource: dict[str, Any]) -> str:
    md5 = resource.get("md5Hash")
    return f'"{b64decode(md5).hex()}"' if md5 else f'"{resource["etag"]}"'


def _hashes(resource: dict[str, Any]) -> str:
    md5 = resource.get("md5Hash")
    return f"crc32c={resource['crc32c']}" + (f",md5={md5}" if md5 else "")


def _get(storage: Any, request: XmlRequest, resource: dict[str, Any]) -> Answer:
    changed = datetime.fromisoformat(resource["updated"].replace("Z", "+00:00")).replace(microsecond=0)
    headers = {
        "ETag": _etag(resource),
        "Last-Modified": email.utils.format_datetime(changed, usegmt=True),
        "Accept-Ranges": "bytes",
        "Content-Type": resource["contentType"],
        "x-goog-generation": resource["generation"],
        "x-goog-metageneration": resource["metageneration"],
        "x-goog-hash": _hashes(resource),
        **{name: resource[key] for name, key in _FIELDS.items() if resource.get(key)},
        **{f"x-goog-meta-{key}": value for key, value in (resource.get("metadata") or {}).items()},
    }
    if request.header("If-Match") not in ("", "*", headers["ETag"]):
        return _error(412, "PreconditionFailed")
    if request.header("If-None-Match") in ("*", headers["ETag"]):
        return 304, headers, b""
    return _ranged(request, headers, storage.get_file(request.bucket, request.name))


def _ranged(request: XmlRequest, headers: dict[str, str], content: bytes) -> Answer:
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", request.header("Range"))
    if match is None:
        return 200, {**headers, "Content-Length": str(len(content))}, content
    first, last = match[1], match[2]
    start = int(first) if first else max(0, len(content) - int(last))
    end = min(len(content), int(last) + 1) if first and last else len(content)
    if start >= end:
        return _error(416, "InvalidRange")
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(content)}"
    return 206, {**headers, "Content-Length": str(end - start)}, content[start:end]


def _list(storage: Any, request: XmlRequest) -> Answer:
    """A page of a bucket, version 2 of the listing: ordered by name, folded at the delimiter."""
    limit = int(request.query.get("max-keys", 1000))
    entries: list[str] = []
    last = ""
    for key, entry in _entries(storage, request):
        if len(entries) == limit:
            entries.append(f"<NextContinuationToken>{escape(last)}</NextContinuationToken>")
            break
        entries.append(entry)
        last = key
    return 200, {"Content-Type": "application/xml"}, f"<ListBucketResult>{''.join(entries)}</ListBucketResult>".encode()


def _entries(storage: Any, request: XmlRequest) -> Iterator[tuple[str, str]]:
    prefix, delimiter = request.query.get("prefix", ""), request.query.get("delimiter", "")
    after = request.query.get("continuation-token") or request.query.get("start-after", "")
    for name, resource in sorted(storage.objects.get(request.bucket, {}).items()):
        folded = after.endswith(delimiter) and name.startswith(after) if delimiter and after else False
        if not name.startswith(prefix) or name <= after or folded:
            continue
        cut = name.find(delimiter, len(prefix)) if delimiter else -1
        if cut < 0:
            yield name, _contents(name, resource)
        else:
            after = name[: cut + len(delimiter)]
            yield after, f"<CommonPrefixes><Prefix>{escape(after)}</Prefix></CommonPrefixes>"


def _contents(name: str, resource: dict[str, Any]) -> str:
    return (
        f"<Contents><Key>{escape(name)}</Key><Generation>{resource['generation']}</Generation>"
        f"<LastModified>{resource['updated']}</LastModified><ETag>{escape(_etag(resource))}</ETag>"
        f"<Size>{resource['size']}</Size></Contents>"
    )


def _document(root: str, **elements: str) -> bytes:
    inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in elements.items())
    return f"<{root}>{inner}</{root}>".encode()


def _error(status: int, code: str) -> Answer:
    return status, {"Content-Type": "application/xml"}, _document("Error", Code=code, Message=code)
