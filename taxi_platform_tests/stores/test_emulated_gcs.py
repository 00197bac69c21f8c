"""What our additions to gcp-storage-emulator promise, each with Google's own words for it."""

from __future__ import annotations

import base64
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

storage = pytest.importorskip("google.cloud.storage")


@pytest.fixture
def bucket(gcs_server: str, gcs_bucket: str) -> str:
    """The URL of an empty bucket in the XML API."""
    return f"{gcs_server}/{gcs_bucket}"


def client_bucket(name: str) -> Any:
    from google.auth.credentials import AnonymousCredentials

    anonymous: Any = AnonymousCredentials
    return storage.Client("project", credentials=anonymous()).bucket(name)


# ---- JSON API: preconditions, https://cloud.google.com/storage/docs/request-preconditions


def test_json_upload_if_generation_match_zero_creates_once(gcs_bucket: str) -> None:
    """If set to 0, the request only proceeds if the object does not exist; otherwise 412 Precondition Failed.

    https://cloud.google.com/storage/docs/request-preconditions#special-case
    """
    from google.api_core.exceptions import PreconditionFailed

    blob = client_bucket(gcs_bucket).blob("x")
    blob.upload_from_string(b"first", if_generation_match=0)
    with pytest.raises(PreconditionFailed):
        blob.upload_from_string(b"second", if_generation_match=0)
    assert blob.download_as_bytes() == b"first"


def test_json_upload_with_another_generation_is_refused(gcs_bucket: str) -> None:
    """https://cloud.google.com/storage/docs/json_api/v1/objects/insert, ifGenerationMatch."""
    from google.api_core.exceptions import PreconditionFailed

    blob = client_bucket(gcs_bucket).blob("x")
    blob.upload_from_string(b"first")
    generation = blob.generation
    blob.upload_from_string(b"second", if_generation_match=generation)
    with pytest.raises(PreconditionFailed):
        blob.upload_from_string(b"third", if_generation_match=generation)
    assert blob.download_as_bytes() == b"second"


def test_json_resumable_upload_checks_the_condition_when_it_ends(gcs_bucket: str) -> None:
    """https://cloud.google.com/storage/docs/resumable-uploads; an object that came meanwhile is not overwritten."""
    bucket = client_bucket(gcs_bucket)
    blob = bucket.blob("x", chunk_size=256 << 10)
    stream = blob.open("wb", if_generation_match=0)
    stream.write(os.urandom(300 << 10))
    bucket.blob("x").upload_from_string(b"first")
    with pytest.raises(storage.exceptions.InvalidResponse, match="412"):
        stream.close()
    stream._buffer.close()  # else it tries once more when it is collected
    assert blob.download_as_bytes() == b"first"


def test_json_copies_and_deletes_obey_conditions(gcs_bucket: str) -> None:
    """https://cloud.google.com/storage/docs/json_api/v1/objects/copy and …/objects/delete, ifGenerationMatch."""
    from google.api_core.exceptions import PreconditionFailed

    bucket = client_bucket(gcs_bucket)
    source, target = bucket.blob("source"), bucket.blob("target")
    source.upload_from_string(b"new")
    target.upload_from_string(b"old")
    with pytest.raises(PreconditionFailed):
        bucket.copy_blob(source, bucket, "target", if_generation_match=0)
    with pytest.raises(PreconditionFailed):
        target.delete(if_generation_match=1)
    assert target.download_as_bytes() == b"old"
    bucket.copy_blob(source, bucket, "target", if_generation_match=target.generation)
    assert target.download_as_bytes() == b"new"


def test_json_reads_obey_conditions(gcs_bucket: str) -> None:
    """https://cloud.google.com/storage/docs/json_api/v1/objects/get, ifGenerationMatch and ifMetagenerationMatch."""
    from google.api_core.exceptions import PreconditionFailed

    blob = client_bucket(gcs_bucket).blob("x")
    blob.upload_from_string(b"first")
    assert blob.download_as_bytes(if_generation_match=blob.generation) == b"first"
    with pytest.raises(PreconditionFailed):
        blob.reload(if_generation_match=1)
    with pytest.raises(PreconditionFailed):
        blob.reload(if_metageneration_match=99)


def test_twenty_creators_at_once_have_one_winner(bucket: str) -> None:
    """Requests are served side by side, their conditions judged one by one (strong consistency).

    https://cloud.google.com/storage/docs/consistency
    """

    def create(number: int) -> int:
        headers = {"x-goog-if-generation-match": "0"}
        return requests.put(f"{bucket}/x", data=b"%d" % number, headers=headers, timeout=30).status_code

    with ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(create, range(20)))
    assert sorted(statuses) == [200] + [412] * 19
    assert requests.get(f"{bucket}/x", timeout=10).content == b"%d" % statuses.index(200)


# ---- XML API


def put(bucket: str, name: str, content: bytes, **headers: str) -> requests.Response:
    done = requests.put(f"{bucket}/{name}", data=content, headers=headers, timeout=10)
    done.raise_for_status()
    return done


def test_xml_put_and_head_tell_generation_etag_and_hashes(bucket: str) -> None:
    """https://cloud.google.com/storage/docs/xml-api/reference-headers: ETag is the quoted hex MD5, x-goog-hash both."""
    done = put(bucket, "x", b"content", **{"Content-Type": "text/plain", "x-goog-meta-rows": "5"})
    head = requests.head(f"{bucket}/x", timeout=10)
    assert head.headers["ETag"] == done.headers["ETag"] == f'"{hashlib.md5(b"content").hexdigest()}"'
    assert head.headers["x-goog-generation"] == done.headers["x-goog-generation"]
    md5 = base64.b64encode(hashlib.md5(b"content").digest()).decode()
    assert f"md5={md5}" in head.headers["x-goog-hash"].split(",")
    assert head.headers["x-goog-meta-rows"] == "5"
    assert head.headers["Content-Type"] == "text/plain"
    assert head.headers["Content-Length"] == "7"


def test_xml_put_obeys_if_generation_match(bucket: str) -> None:
    """https://cloud.google.com/storage/docs/xml-api/reference-headers#xgoogifgenerationmatch."""
    generation = put(bucket, "x", b"first").headers["x-goog-generation"]
    put(bucket, "x", b"second", **{"x-goog-if-generation-match": generation})
    refused = requests.put(f"{bucket}/x", data=b"third", headers={"x-goog-if-generation-match": generation}, timeout=10)
    assert refused.status_code == 412
    assert b"<Code>PreconditionFailed</Code>" in refused.content
    assert requests.get(f"{bucket}/x", timeout=10).content == b"second"


def test_xml_reads_obey_etags_ranges_and_generations(bucket: str) -> None:
    """https://cloud.google.com/storage/docs/xml-api/get-object-download: If-Match, Range, the generation parameter."""
    first = put(bucket, "x", b"0123456789")
    url = f"{bucket}/x"

    def get(**headers: str) -> requests.Response:
        return requests.get(url, headers=headers, timeout=10)

    part = get(Range="bytes=2-4")
    assert (part.status_code, part.content, part.headers["Content-Range"]) == (206, b"234", "bytes 2-4/10")
    assert get(Range="bytes=-3").content == b"789"
    assert get(Range="bytes=8-").content == b"89"
    assert get(Range="bytes=10-").status_code == 416
    assert get(**{"If-None-Match": first.headers["ETag"]}).status_code == 304
    put(bucket, "x", b"replaced")
    assert get(**{"If-Match": first.headers["ETag"]}).status_code == 412
    gone = requests.get(url, params={"generation": first.headers["x-goog-generation"]}, timeout=10)
    assert gone.status_code == 404


def test_xml_copy_keeps_metadata_and_obeys_conditions_on_its_target(bucket: str, gcs_bucket: str) -> None:
    """https://cloud.google.com/storage/docs/xml-api/put-object-copy: metadata is copied unless replaced."""
    put(bucket, "source", b"content", **{"x-goog-meta-rows": "5"})
    copied = {"x-goog-copy-source": f"{gcs_bucket}/source", "x-goog-if-generation-match": "0"}
    assert requests.put(f"{bucket}/target", headers=copied, timeout=10).status_code == 200
    assert requests.head(f"{bucket}/target", timeout=10).headers["x-goog-meta-rows"] == "5"
    assert requests.put(f"{bucket}/target", headers=copied, timeout=10).status_code == 412
    absent = {"x-goog-copy-source": f"{gcs_bucket}/absent"}
    assert requests.put(f"{bucket}/other", headers=absent, timeout=10).status_code == 404


def test_xml_multipart_upload_appears_whole_with_a_crc32c_and_no_md5(bucket: str) -> None:
    """https://cloud.google.com/storage/docs/multipart-uploads: nothing is there before it is completed.

    Objects put in parts have no MD5 (https://cloud.google.com/storage/docs/hashes-etags#json-api).
    """
    started = requests.post(f"{bucket}/x?uploads", headers={"x-goog-meta-rows": "5"}, timeout=10)
    upload = started.text.partition("<UploadId>")[2].partition("<")[0]
    for number, part in ((2, b"second"), (1, b"first ")):
        requests.put(
            f"{bucket}/x", params={"partNumber": str(number), "uploadId": upload}, data=part, timeout=10
        ).raise_for_status()
    assert requests.head(f"{bucket}/x", timeout=10).status_code == 404
    parts = "".join(f"<Part><PartNumber>{number}</PartNumber></Part>" for number in (1, 2))
    body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>"
    requests.post(f"{bucket}/x", params={"uploadId": upload}, data=body, timeout=10).raise_for_status()
    found = requests.get(f"{bucket}/x", timeout=10)
    assert found.content == b"first second"
    assert found.headers["x-goog-meta-rows"] == "5"
    assert found.headers["x-goog-hash"].startswith("crc32c=")
    assert "md5=" not in found.headers["x-goog-hash"]


def test_xml_aborted_upload_leaves_nothing(bucket: str) -> None:
    """https://cloud.google.com/storage/docs/xml-api/delete-multipart."""
    started = requests.post(f"{bucket}/x?uploads", timeout=10)
    upload = started.text.partition("<UploadId>")[2].partition("<")[0]
    assert requests.delete(f"{bucket}/x", params={"uploadId": upload}, timeout=10).status_code == 204
    late = requests.put(f"{bucket}/x", params={"partNumber": "1", "uploadId": upload}, data=b"x", timeout=10)
    assert late.status_code == 404
    assert b"<Code>NoSuchUpload</Code>" in late.content


def test_xml_list_is_ordered_paged_and_folded_at_the_delimiter(bucket: str) -> None:
    """https://cloud.google.com/storage/docs/xml-api/get-bucket-list: list-type=2, prefix, delimiter, max-keys."""
    for name in ("a/1", "a/2", "b/1", "c", "a/3/deep"):
        put(bucket, name, b"x")

    def listed(**query: str) -> tuple[list[str], str]:
        text = requests.get(bucket, params={"list-type": "2", **query}, timeout=10).text
        names = [
            piece.partition("<")[0] for tag in ("<Key>", "<CommonPrefixes><Prefix>") for piece in text.split(tag)[1:]
        ]
        return sorted(names), text.partition("<NextContinuationToken>")[2].partition("<")[0]

    assert listed() == (["a/1", "a/2", "a/3/deep", "b/1", "c"], "")
    assert listed(prefix="a/", delimiter="/") == (["a/1", "a/2", "a/3/"], "")
    assert listed(delimiter="/") == (["a/", "b/", "c"], "")
    pages, token = [], ""
    while True:
        page, token = listed(**{"max-keys": "2", "delimiter": "/", "continuation-token": token})
        pages.append(page)
        if not token:
            break
    assert pages == [["a/", "b/"], ["c"]]


def test_xml_absence_names_the_object_or_the_bucket(bucket: str, gcs_server: str) -> None:
    """https://cloud.google.com/storage/docs/xml-api/reference-status#404%E2%80%94not_found."""
    assert b"<Code>NoSuchKey</Code>" in requests.get(f"{bucket}/absent", timeout=10).content
    assert b"<Code>NoSuchBucket</Code>" in requests.get(f"{gcs_server}/no-such-bucket/x", timeout=10).content
    assert requests.delete(f"{bucket}/absent", timeout=10).status_code == 404


def test_both_apis_see_the_same_objects(bucket: str, gcs_bucket: str) -> None:
    """https://cloud.google.com/storage/docs/interoperability: one store, two ways to speak to it."""
    done = put(bucket, "some/object", b"content", **{"x-goog-meta-rows": "5"})
    blob = client_bucket(gcs_bucket).get_blob("some/object")
    assert (str(blob.generation), blob.metadata) == (done.headers["x-goog-generation"], {"rows": "5"})
    assert blob.download_as_bytes() == b"content"
    blob.delete()
    assert requests.head(f"{bucket}/some/object", timeout=10).status_code == 404
