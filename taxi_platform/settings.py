"""The environment, read once: which source, which stores, where the embedded defaults live.

Belongs here: every ``TAXI_…`` variable with its default, check and description, but for ``TAXI_ALERT_…``
(``orchestration.alerts.settings``). Does not: opening anything the values point at (``sources``, ``stores``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator, model_validator

from taxi_platform.machine.environment import read_environment, variable
from taxi_platform.stores.lake.objects.model import bucket_and_prefix

__all__ = ["OFF", "Settings"]

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_SECRET = re.compile(r"@|password", re.IGNORECASE)
OFF = "off"
"""The value by which a store of tables is not part of the platform."""
_SCHEMA_NAME = re.compile(r"(?!pg_|information_schema$)[a-z][a-z0-9_]{0,39}")
_BIGQUERY = re.compile(r"bigquery://[\w.:-]+/\w+(\?.*)?", re.ASCII)


class Settings(BaseModel):
    """Every setting, validated and frozen; `from_environment` is the way to make one."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True)

    source: Literal["auto", "dtc", "tlc", "sample"] = Field(
        "auto", description="Where months come from; auto takes dtc for 2019-01..2021-07 and tlc for every other month."
    )
    source_url: str | None = Field(
        None, description="Another http(s):// base or folder in the layout that TAXI_SOURCE names (dtc or tlc only)."
    )
    sample_rows: int = Field(100_000, ge=1_000, le=20_000_000, description="Rows per month of the sample source.")
    sample_format: Literal["csv.gz", "parquet"] = Field("csv.gz", description="File format of the sample source.")
    data: Path = Field(
        Path("data"),
        description="Folder below which every embedded default lives; data/sample for the sample source.",
    )
    lake: str = Field("", description="Folder, gs://…, s3://… or az://… of the lake; by default {TAXI_DATA}/lake.")
    warehouse: str = Field(
        "",
        description=(
            "DuckDB file, bigquery://project/dataset?location=…, or off for no warehouse; by default "
            "{TAXI_DATA}/warehouse.duckdb."
        ),
    )
    postgres: SecretStr = Field(
        SecretStr("embedded"),
        description=(
            "postgresql://… of a server, embedded (with embedded:PORT also on 127.0.0.1), or off for no PostgreSQL."
        ),
    )
    postgres_schema: str = Field(
        "taxi",
        description="Schema of the platform's tables in PostgreSQL: platforms with different ones share a database.",
    )
    wait_seconds: float = Field(
        600,
        gt=0,
        allow_inf_nan=False,
        description="How long a month waits, in all, for stores that are held or do not answer.",
    )
    grace_hours: float = Field(
        24,
        ge=0,
        allow_inf_nan=False,
        description="How long the lake keeps a month's files after newer ones have taken their place.",
    )
    automation: Literal["on", "off"] = Field(
        "off",
        description="on starts the sensors, schedules and automation of TAXI_DATASETS; off leaves them to the UI.",
    )
    datasets: str = Field(
        "yellow,green", description="Datasets that TAXI_AUTOMATION=on keeps up to date, with commas between them."
    )
    lookback_months: int = Field(15, ge=1, le=240, description="How many of the newest months automation looks after.")
    poll_seconds: int = Field(3600, ge=1, description="How often automation looks at upstream.")
    withdrawn: Literal["keep", "remove"] = Field(
        "keep", description="What automation does in every store with a month that upstream no longer has."
    )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read the ``TAXI_…`` variables; an empty one counts as not set.

        Raises:
            SettingsError: a value cannot be used; the sentence names the variable and says what it takes.
        """
        return read_environment(cls, environment, _without_secrets)

    @model_validator(mode="before")
    @classmethod
    def _generated_apart(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Generated months have a data root of their own, so that they never sit beside real ones by oversight."""
        return {"data": "data/sample", **values} if values.get("source") == "sample" else values

    @field_validator("data", mode="before")
    @classmethod
    def _data_folder(cls, value: str | Path) -> str:
        return _folder(str(value), "a folder")

    @field_validator("source_url", mode="after")
    @classmethod
    def _source_url(cls, value: str | None) -> str | None:
        if value is None or not value.startswith(("http://", "https://")):
            return value and _folder(value, "an http(s):// address or a folder")
        if not urlsplit(value).hostname:
            raise ValueError("it names no host")
        return _without_user(value).rstrip("/")

    @field_validator("lake", mode="after")
    @classmethod
    def _lake_url(cls, value: str, info: ValidationInfo) -> str:
        if not value.startswith(("gs://", "s3://", "az://")):
            return _below_data(value, "lake", info, "a folder, gs://…, s3://… or az://…")
        if not urlsplit(value).netloc:
            raise ValueError("it names no bucket")
        address = _without_user(value).rstrip("/")
        bucket_and_prefix(address)
        return address

    @field_validator("warehouse", mode="after")
    @classmethod
    def _warehouse_url(cls, value: str, info: ValidationInfo) -> str:
        takes = "bigquery://project/dataset?location=…"
        if value == OFF:
            return value
        if not value.startswith("bigquery://"):
            return _below_data(value, "warehouse.duckdb", info, f"a DuckDB file, {takes} or {OFF}")
        if not _BIGQUERY.fullmatch(value):
            raise ValueError(f"it takes {takes}")
        if unknown := parse_qs(urlsplit(value).query).keys() - {"location"}:
            raise ValueError(f"it takes {takes}, and nothing is known as {', '.join(sorted(unknown))}")
        return value

    @field_validator("postgres", mode="after")
    @classmethod
    def _postgres_url(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        embedded = re.fullmatch(r"embedded(?::(\d{1,5}))?", text, re.ASCII)
        if embedded and 0 < int(embedded[1] or 1) < 65_536:
            return value
        if text == OFF or text.startswith(("postgresql://", "postgres://")):
            return value
        raise ValueError(f"it takes embedded, embedded:PORT, postgresql://user:password@host:port/database or {OFF}")

    @field_validator("postgres_schema", mode="after")
    @classmethod
    def _schema_name(cls, value: str) -> str:
        if not _SCHEMA_NAME.fullmatch(value):
            raise ValueError(
                "it takes a name of at most 40 lower-case letters, digits and underscores that begins with a letter, "
                "and neither pg_… nor information_schema, which are PostgreSQL's own"
            )
        return value

    @field_validator("datasets", mode="after")
    @classmethod
    def _known_datasets(cls, value: str) -> str:
        from taxi_platform.contracts import CONTRACTS

        names = list(dict.fromkeys(name.strip() for name in value.split(",") if name.strip()))
        if not names or any(name not in CONTRACTS for name in names):
            raise ValueError(f"it takes {', '.join(CONTRACTS)}, with commas between them")
        return ",".join(names)

    @model_validator(mode="after")
    def _base_needs_a_layout(self) -> Settings:
        if self.source_url is not None and self.source not in ("dtc", "tlc"):
            raise ValueError(
                "TAXI_SOURCE_URL goes with TAXI_SOURCE=dtc or TAXI_SOURCE=tlc, which say how the files are laid out"
            )
        return self

    @property
    def warehouse_kind(self) -> Literal["bigquery", "duckdb", "off"]:
        """Which database the warehouse is."""
        if self.warehouse == OFF:
            return "off"
        return "bigquery" if self.warehouse.startswith("bigquery://") else "duckdb"

    @property
    def views(self) -> Path | None:
        """The DuckDB file of views over a lake on disk; None where the lake is a bucket, which DuckDB does not read."""
        return None if "://" in self.lake else self.data / "views.duckdb"

    @property
    def table_stores(self) -> tuple[str, ...]:
        """The stores of tables that are not off: of ``warehouse`` and ``postgres``, in this order."""
        given = {"warehouse": self.warehouse, "postgres": self.postgres.get_secret_value()}
        return tuple(name for name, value in given.items() if value != OFF)

    def automates(self, dataset: str) -> bool:
        """Whether the dataset's sensors, schedules and automation are to run without anybody starting them."""
        return self.automation == "on" and dataset in self.datasets.split(",")

    def exports(self) -> dict[str, str]:
        """The variables that make another process read the same settings, but for a secret PostgreSQL address."""
        given = {name: getattr(self, name) for name in Settings.model_fields if name in self.model_fields_set}
        if (postgres := given.pop("postgres", None)) and postgres.get_secret_value().startswith(("embedded", OFF)):
            given["postgres"] = postgres.get_secret_value()
        given["data"] = self.data
        return {variable(name): str(value) for name, value in given.items() if value is not None}


def _below_data(value: str, default: str, info: ValidationInfo, takes: str) -> str:
    """A path; where none is given, the default one in the data folder (absent where that was refused)."""
    return _folder(value or str(Path(info.data.get("data", "")) / default), takes)


def _folder(value: str, takes: str) -> str:
    """An absolute path."""
    path = value.removeprefix("file://") if value.startswith("file:///") else value
    if match := _SCHEME.match(path):
        raise ValueError(f"it takes {takes}, not {match[1]}://")
    try:
        return str(Path(path).expanduser().resolve())
    except (OSError, RuntimeError) as error:
        raise ValueError(f"it is no path that can be followed ({error})") from error


def _without_user(value: str) -> str:
    if "@" in urlsplit(value).netloc:
        raise ValueError("it carries a user name or password, which would be shown: leave them out")
    return value


def _without_secrets(name: str, value: str) -> str:
    """What may be told of a refused value: an address meant for another variable may hold a password too."""
    if Settings.model_fields[name].annotation is SecretStr:
        return "…"
    scheme = _SCHEME.match(value)
    return f"{scheme[1]}://…" if scheme and _SECRET.search(value) else value
