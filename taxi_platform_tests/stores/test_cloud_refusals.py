"""What a cloud refuses, in one sentence with its own reason; addresses, credentials, stores that lack something."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from taxi_platform.errors import SettingsError, StoreError
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.lake.objects import amazon, attached, clouds
from taxi_platform.stores.lake.objects.model import open_objects
from taxi_platform.stores.testing.months import MARCH, staged_raw
from taxi_platform_tests.support.answering import answering
from taxi_platform_tests.support.faults import Answer, Faults, Silence, Stripped, spoiling
from tools.emulators import azure, s3

AWS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_ENDPOINT_URL",
    "AWS_REGION",
)


def xml(code: str, message: str) -> bytes:
    return f"<?xml version='1.0'?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Faults]:
    """A proxy before a server that is never asked, which the environment takes for all three clouds."""
    with answering(lambda _: b"", 404) as server, spoiling(server) as proxy:
        for name, value in {
            **s3.ENVIRONMENT,
            **azure.ENVIRONMENT,
            "STORAGE_EMULATOR_HOST": proxy.url,
            "AWS_ENDPOINT_URL": proxy.url,
            "AZURE_STORAGE_ENDPOINT": f"{proxy.url}/{azure.ACCOUNT}",
        }.items():
            monkeypatch.setenv(name, value)
        yield proxy


REFUSALS = [
    (
        "s3",
        403,
        "SignatureDoesNotMatch",
        "The request signature does not match.",
        "the credentials are wrong .*: set AWS_",
    ),
    ("s3", 403, "InvalidAccessKeyId", "The key does not exist.", "the credentials are wrong .*: set AWS_ACCESS_KEY_ID"),
    ("s3", 400, "ExpiredToken", "The token has expired.", "the session token has expired .*: get new credentials"),
    ("s3", 403, "RequestTimeTooSkewed", "The difference is too large.", "this machine's clock differs .*: set it"),
    ("s3", 403, "InvalidObjectState", "Not valid for the storage class.", "the object is archived .*: restore it"),
    ("s3", 403, "AccessDenied", "Not authorized.", "permission denied .*: these credentials need s3:GetObject"),
    ("s3", 400, "AuthorizationHeaderMalformed", "Expecting eu-west-1.", "in another region.* .*: set AWS_REGION"),
    (
        "s3",
        403,
        "AllAccessDisabled",
        "All access is disabled.",
        "the account is disabled, or has no billing .*: settle",
    ),
    (
        "gs",
        403,
        "UserProjectAccountProblem",
        "Billing is off.",
        "the account is disabled, or has no billing .*: settle",
    ),
    ("gs", 403, "RetentionPolicyNotMet", "Held until 2030.", "held by a retention rule, .*: keep those away"),
    (
        "gs",
        403,
        "AccessDenied",
        "Access denied.",
        r"permission denied .*: these credentials need roles/storage\.objectUser",
    ),
    (
        "az",
        403,
        "AuthenticationFailed",
        "Check the Authorization header.",
        "the account's key is wrong, or .* clock is",
    ),
    ("az", 409, "BlobArchived", "Not permitted on an archived blob.", "the object is archived .*: restore it"),
    ("az", 409, "BlobImmutableDueToPolicy", "Immutable by a policy.", "held by a retention rule, .*: keep those away"),
    (
        "az",
        412,
        "LeaseIdMissing",
        "There is a lease.",
        "held by a retention rule, a hold or a lease .*: keep those away",
    ),
    ("az", 409, "SomethingElse", "Nobody foresaw this.", "the store answered 409 Conflict SomethingElse"),
    ("s3", 418, "", "", "the store answered 418 I'm a teapot"),
]


@pytest.mark.parametrize(("scheme", "status", "code", "message", "sentence"), REFUSALS, ids=lambda v: str(v)[:24])
def test_the_stores_own_reason_is_shown_with_what_to_do(
    refusing: Faults, scheme: str, status: int, code: str, message: str, sentence: str
) -> None:
    """At a GET, at a HEAD (whose answer has no body) and at a PUT."""
    refusing.spoil("*", Answer(status, xml(code, message) if code else b""), times=1_000)
    objects = open_objects(f"{scheme}://bucket")
    for ask in (
        lambda: objects.read("x"),
        lambda: objects.size("x"),
        lambda: objects.replace("x", Path(__file__), {}),
    ):
        with pytest.raises(
            StoreError, match=rf"^the lake cannot (read|write) {scheme}://bucket/x: .*{sentence}"
        ) as raised:
            ask()
        assert code in str(raised.value)
        assert message in str(raised.value)
        assert "already exists" not in str(raised.value)


def test_a_google_page_of_json_is_read_too(refusing: Faults) -> None:
    body = b'{"error": {"code": 403, "message": "Billing is disabled.", "errors": [{"reason": "accountDisabled"}]}}'
    refusing.spoil("*", Answer(403, body, "application/json"), times=9)
    with pytest.raises(StoreError, match=r"has no billing \(accountDisabled: Billing is disabled\.\): settle it"):
        open_objects("gs://bucket").read("x")


def test_another_region_without_a_word_of_it(refusing: Faults) -> None:
    refusing.spoil("*", Answer(301), times=9)
    with pytest.raises(StoreError, match=r"the bucket is in another region, or at another address.*: set AWS_REGION"):
        open_objects("s3://bucket").read("x")


# ---- stores that speak S3's protocol, and lack something


@pytest.fixture
def lacking(s3_server: str, s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Faults]:
    with spoiling(s3_server) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        yield proxy


@pytest.mark.parametrize(
    ("kind", "what"),
    [("condition", "a second creation of one object"), ("copy", "a copy over an object that is there")],
)
def test_a_store_that_ignores_conditions_is_refused(
    lacking: Faults, s3_bucket: str, tmp_path: Path, kind: str, what: str
) -> None:
    lacking.spoil(kind, Stripped(), times=1_000)
    for _ in range(2):
        with pytest.raises(StoreError, match=f"no lake can be kept at {lacking.url}: the store lets {what} pass"):
            Lake(f"s3://{s3_bucket}").store_raw(staged_raw(tmp_path))
    assert list(open_objects(f"s3://{s3_bucket}").paths("")) == []


def test_conditions_are_tried_once_per_lake(lacking: Faults, s3_bucket: str, tmp_path: Path) -> None:
    for version in ("v1", "v2"):
        Lake(f"s3://{s3_bucket}").store_raw(staged_raw(tmp_path, version))
    assert sum("probe" in path and kind == "copy" for kind, path in lacking.seen) == 1


@pytest.mark.parametrize(
    ("kind", "setting"),
    [("condition", "no writes or copies on condition.*AWS_COPY_IF_NOT_EXISTS=multipart"), ("copy", "AWS_")],
)
def test_what_is_not_implemented_says_which_setting_helps(
    lacking: Faults, s3_bucket: str, tmp_path: Path, kind: str, setting: str
) -> None:
    lacking.spoil(kind, Answer(501, xml("NotImplemented", "A header implies what is not implemented.")), times=1_000)
    with pytest.raises(StoreError, match=rf"{setting}.*"):
        Lake(f"s3://{s3_bucket}").store_raw(staged_raw(tmp_path))


def test_where_bulk_deletes_are_not_implemented_the_setting_helps(
    lacking: Faults, s3_bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacking.spoil("delete", Answer(501, xml("NotImplemented", "No.")), times=1_000, path="?delete")
    with pytest.raises(StoreError, match="set AWS_DISABLE_BULK_DELETE=true"):
        open_objects(f"s3://{s3_bucket}").remove("x")
    monkeypatch.setenv("AWS_DISABLE_BULK_DELETE", "true")
    open_objects(f"s3://{s3_bucket}").remove("x")


# ---- addresses and credentials


@pytest.mark.parametrize("url", ["gs://b/x//y", "s3://b/..", "az://b/x/../y", "gs://b/./x"])
def test_a_prefix_that_no_store_keeps_is_one_sentence(url: str) -> None:
    with pytest.raises(
        SettingsError, match=r"TAXI_LAKE=.* has an empty part, \. or \.\. in its prefix: leave those out"
    ):
        Lake(url)


@pytest.mark.parametrize(
    ("scheme", "variable"), [("s3", "AWS_ENDPOINT_URL"), ("az", "AZURE_STORAGE_ENDPOINT"), ("gs", "GOOGLE_BASE_URL")]
)
@pytest.mark.parametrize("value", ["localhost:9000", "minio", "ftp://host"])
def test_an_endpoint_without_a_scheme_is_one_sentence(
    scheme: str, variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    for name, other in {**s3.ENVIRONMENT, **azure.ENVIRONMENT, variable: value}.items():
        monkeypatch.setenv(name, other)
    with pytest.raises(SettingsError, match=f"{variable}={value} is no address: write it as https://host"):
        Lake(f"{scheme}://bucket").current_raw(MARCH)


def test_azure_without_an_account_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    with pytest.raises(SettingsError, match="no storage account is named for az://: set AZURE_STORAGE_ACCOUNT_NAME"):
        Lake("az://container").current_raw(MARCH)


def test_azure_without_credentials_is_one_sentence_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_KEY", raising=False)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    monkeypatch.setattr(attached, "_SECONDS", 0.2)
    with answering(lambda _: b"") as server, spoiling(server) as metadata:
        metadata.spoil("*", Silence(), times=9)
        monkeypatch.setattr(clouds, "METADATA", metadata.url)
        with pytest.raises(StoreError, match="no credentials for az://: set AZURE_STORAGE_ACCOUNT_KEY, or run where"):
            Lake("az://container").current_raw(MARCH)


def test_a_key_of_azure_that_is_none_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "no base64!")
    with pytest.raises(SettingsError, match="AZURE_STORAGE_ACCOUNT_KEY is not a key as Azure gives them out"):
        Lake("az://container").current_raw(MARCH)


def test_a_setting_that_is_none_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**s3.ENVIRONMENT, "AWS_COPY_IF_NOT_EXISTS": "bogus"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(
        SettingsError, match=r's3://bucket cannot be opened: Failed to parse "bogus" .*; check the AWS_'
    ):
        Lake("s3://bucket").current_raw(MARCH)


@pytest.fixture
def unknown_to_amazon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No credentials in the environment nor in a home folder, and where the command line's files would be."""
    for name in AWS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".aws").mkdir()
    return tmp_path / ".aws"


@pytest.mark.usefixtures("unknown_to_amazon")
def test_s3_without_credentials_is_one_sentence_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The metadata address hangs, as it does in many networks that are not Amazon's."""
    monkeypatch.setattr(attached, "_SECONDS", 0.2)
    with answering(lambda _: b"") as server, spoiling(server) as metadata:
        metadata.spoil("*", Silence(), times=9)
        monkeypatch.setenv("AWS_METADATA_ENDPOINT", metadata.url)
        with pytest.raises(
            StoreError, match=r"no credentials for S3: set AWS_ACCESS_KEY_ID .*, or AWS_PROFILE, or run"
        ) as e:
            Lake("s3://bucket").current_raw(MARCH)
        assert [path for _, path in metadata.seen] == ["/latest/api/token"]
    assert "169.254" not in str(e.value)


def test_a_profile_of_the_shared_files_is_who_we_are(
    unknown_to_amazon: Path, s3_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.create_bucket(s3_server, "of-a-profile")
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    monkeypatch.setenv("AWS_PROFILE", "taxi")
    (unknown_to_amazon / "credentials").write_text("[taxi]\naws_access_key_id = test\naws_secret_access_key = te%st\n")
    (unknown_to_amazon / "config").write_text("[profile taxi]\nregion = eu-west-3\n")
    lake = Lake("s3://of-a-profile")
    stored = lake.store_raw(staged_raw(tmp_path))
    assert lake.current_raw(MARCH) == stored
    assert amazon.credentials() == {
        "access_key_id": "test",
        "secret_access_key": "te%st",
        "region": "eu-west-3",
    }


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (
            "[profile taxi]\nsso_session = x\n",
            r"the AWS profile taxi holds no keys .*: run eval .*--profile taxi --format env",
        ),
        (
            "[profile other]\nregion = x\n",
            "AWS_PROFILE=taxi is a profile without keys, or none, in ~/.aws: name another",
        ),
        ("no section\n", r"config cannot be read as the AWS command line writes it"),
    ],
)
def test_a_profile_that_holds_no_keys_says_what_does(
    unknown_to_amazon: Path, monkeypatch: pytest.MonkeyPatch, config: str, sentence: str
) -> None:
    (unknown_to_amazon / "config").write_text(config)
    monkeypatch.setenv("AWS_PROFILE", "taxi")
    with pytest.raises(SettingsError, match=sentence):
        Lake("s3://bucket").current_raw(MARCH)
