"""What our additions to moto promise, each with Amazon's own words for it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

boto3 = pytest.importorskip("boto3")


@pytest.fixture
def client(s3_bucket: str) -> Any:
    """Amazon's own client; the environment tells it where and who."""
    return boto3.client("s3")


def test_a_copy_with_if_none_match_never_overwrites_and_keeps_metadata(client: Any, s3_bucket: str) -> None:
    """If-None-Match: * copies only if the key does not exist, otherwise S3 answers 412 Precondition Failed.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
    """
    client.put_object(Bucket=s3_bucket, Key="source", Body=b"new", Metadata={"rows": "5"})
    copy = {"Bucket": s3_bucket, "Key": "target", "CopySource": f"{s3_bucket}/source", "IfNoneMatch": "*"}
    client.copy_object(**copy)
    assert client.head_object(Bucket=s3_bucket, Key="target")["Metadata"] == {"rows": "5"}
    client.put_object(Bucket=s3_bucket, Key="target", Body=b"old")
    with pytest.raises(client.exceptions.ClientError, match="PreconditionFailed"):
        client.copy_object(**copy)
    assert client.get_object(Bucket=s3_bucket, Key="target")["Body"].read() == b"old"


@pytest.mark.parametrize("way", ["put_object", "copy_object"])
def test_twenty_creators_at_once_have_one_winner(client: Any, s3_bucket: str, way: str) -> None:
    """The first to finish succeeds, later conditional writes fail.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
    """
    client.put_object(Bucket=s3_bucket, Key="source", Body=b"copied")
    what = {"Body": b"put"} if way == "put_object" else {"CopySource": f"{s3_bucket}/source"}

    def create(number: int) -> str:
        try:
            getattr(client, way)(Bucket=s3_bucket, Key="x", IfNoneMatch="*", **what)
        except client.exceptions.ClientError as error:
            return str(error.response["Error"]["Code"])
        return "created"

    with ThreadPoolExecutor(20) as pool:
        assert sorted(pool.map(create, range(20))) == ["PreconditionFailed"] * 19 + ["created"]
