"""Amazon credentials, found before a request needs them.

Belongs here: credentials in the shared files of the AWS command line, and the question whether a role is attached to
this machine. Does not: what is signed with them (``clouds``). obstore itself reads credentials in the environment.
"""

from __future__ import annotations

import os
from configparser import ConfigParser, Error
from pathlib import Path
from typing import TYPE_CHECKING

from taxi_platform.errors import SettingsError, StoreError
from taxi_platform.stores.lake.objects.attached import METADATA, is_answered

if TYPE_CHECKING:
    from obstore.store import S3Config

__all__ = ["credentials"]

_IN_THE_ENVIRONMENT = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_SKIP_SIGNATURE",
)
_ROUNDABOUT = ("sso_session", "sso_start_url", "role_arn", "credential_process", "login_session")


def credentials() -> S3Config:
    """What obstore must be told besides the environment: a profile's keys and region; empty if it needs nothing.

    Raises:
        SettingsError: the profile in ``AWS_PROFILE`` does not exist, or gets its keys from another program.
        StoreError: there are no credentials at all.
    """
    if any(os.environ.get(name) for name in _IN_THE_ENVIRONMENT):
        return {}
    if (found := _of_profile()) is not None:
        return found
    if not _role_is_attached():
        raise StoreError(
            "no credentials for S3: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run where "
            "a role is attached"
        )
    return {}


def _of_profile() -> S3Config | None:
    """The keys of the profile in the shared files; None if there is none and none was named."""
    name = os.environ.get("AWS_PROFILE") or "default"
    keys = _section("AWS_SHARED_CREDENTIALS_FILE", "credentials", name)
    options = _section("AWS_CONFIG_FILE", "config", name if name == "default" else f"profile {name}")
    found = {**options, **keys}
    if {"aws_access_key_id", "aws_secret_access_key"} <= found.keys():
        config: S3Config = {
            "access_key_id": found["aws_access_key_id"],
            "secret_access_key": found["aws_secret_access_key"],
        }
        if token := found.get("aws_session_token"):
            config["session_token"] = token
        if (region := found.get("region")) and not (
            os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        ):
            config["region"] = region
        return config
    if any(option in found for option in _ROUNDABOUT):
        raise SettingsError(
            f"the AWS profile {name} holds no keys of its own (it signs in, takes a role or asks a program): run "
            f'eval "$(aws configure export-credentials --profile {name} --format env)" first'
        )
    if os.environ.get("AWS_PROFILE"):
        raise SettingsError(
            f"AWS_PROFILE={name} is a profile without keys, or none, in ~/.aws: name another, or add keys"
        )
    return None


def _section(variable: str, file: str, section: str) -> dict[str, str]:
    path = Path(os.environ.get(variable) or Path.home() / ".aws" / file).expanduser()
    parser = ConfigParser(interpolation=None)
    try:
        parser.read(path, encoding="utf-8")
    except (Error, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{path} cannot be read as the AWS command line writes it: {error}".splitlines()[0]
        ) from error
    return dict(parser[section]) if parser.has_section(section) else {}


def _role_is_attached() -> bool:
    if os.environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        return False
    address = os.environ.get("AWS_METADATA_ENDPOINT") or METADATA
    return is_answered("PUT", f"{address}/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "60"})
