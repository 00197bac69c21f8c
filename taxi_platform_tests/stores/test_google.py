"""Who we are at Google: a service account's file, and acting as another account, through a real token server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from taxi_platform.stores import google
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.testing.months import MARCH, staged_raw
from taxi_platform_tests.support.answering import answering


@contextmanager
def token_server(asked: list[str]) -> Iterator[str]:
    """Gives out one token for a signed assertion (https://developers.google.com/identity/protocols/oauth2/service-account)."""

    def token(request: bytes) -> bytes:
        asked.append(parse_qs(request.decode())["grant_type"][0])
        return json.dumps({"access_token": "a-token", "expires_in": 3600, "token_type": "Bearer"}).encode()

    with answering(token) as address:
        yield f"{address}/token"


@pytest.fixture
def asked() -> list[str]:
    return []


@pytest.fixture
def service_account(asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A key file as Google gives it out, named by the environment."""
    rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa")
    from cryptography.hazmat.primitives import serialization

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with token_server(asked) as token_uri:
        info = {
            "type": "service_account",
            "project_id": "project",
            "private_key_id": "1",
            "private_key": key.decode(),
            "client_email": "loader@project.iam.gserviceaccount.com",
            "token_uri": token_uri,
        }
        (tmp_path / "key.json").write_text(json.dumps(info))
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
        yield


@pytest.mark.usefixtures("service_account")
def test_a_service_account_signs_for_a_token_and_keeps_it_while_it_is_valid(asked: list[str]) -> None:
    token = google.token_provider()
    assert asked == [], "nothing is asked before it is needed"
    first = token()
    assert first["token"] == "a-token"
    assert first["expires_at"] is not None
    assert first["expires_at"].tzinfo is not None
    assert token() == first
    assert asked == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]


@pytest.mark.usefixtures("service_account")
def test_a_lake_is_used_with_a_service_account(
    gcs_bucket: str, gcs_server: str, asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cloud Storage at another base URL, as private endpoints have it, is asked with real credentials."""
    monkeypatch.delenv("STORAGE_EMULATOR_HOST")
    monkeypatch.setenv("GOOGLE_BASE_URL", gcs_server)
    lake = Lake(f"gs://{gcs_bucket}")
    stored = lake.store_raw(staged_raw(tmp_path))
    assert lake.current_raw(MARCH) == stored
    assert len(asked) == 1


@pytest.mark.usefixtures("service_account")
def test_another_account_is_impersonated_where_the_environment_names_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_IMPERSONATE_SERVICE_ACCOUNT", "reader@project.iam.gserviceaccount.com")
    acting: Any = google.credentials()
    assert acting.service_account_email == "reader@project.iam.gserviceaccount.com"
    assert acting._source_credentials.service_account_email == "loader@project.iam.gserviceaccount.com"


def test_an_emulator_is_named_with_or_without_a_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    assert google.emulator("STORAGE_EMULATOR_HOST") is None
    for value in ("localhost:9023", "http://localhost:9023", "http://localhost:9023/"):
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", value)
        assert google.emulator("STORAGE_EMULATOR_HOST") == "http://localhost:9023"
