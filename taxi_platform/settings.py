"""The environment, read once: which source, which stores, where the embedded defaults live.

Belongs here: every ``TAXI_…`` variable with its default, check and description. Does not: opening anything the
values point at (``sources``, ``stores``). No other module reads a ``TAXI_…`` variable.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

from taxi_platform.errors import SettingsError

__all__ = ["Settings", "variable"]

_PREFIX = "TAXI_"
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)


class Settings(BaseModel):
    """Every setting, validated and frozen; `from_environment` is the way to make one."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    source: Literal["auto", "dtc", "tlc", "sample"] = Field(
        "auto", description="Where months come from; auto takes dtc for 2019-01..2021-07 and tlc for every other month."
    )
    source_url: str | None = Field(
        None, description="Another http(s):// base or folder in the layout that TAXI_SOURCE names (dtc or tlc only)."
    )
    sample_rows: int = Field(100_000, ge=1_000, le=20_000_000, description="Rows per month of the sample source.")
    sample_format: Literal["csv.gz", "parquet"] = Field("csv.gz", description="File format of the sample source.")
    data: Path = Field(Path("data"), description="Folder below which every embedded default lives.")
    lake: str = Field("", description="Folder, gs://…, s3://… or az://… of the lake; by default {TAXI_DATA}/lake.")
    warehouse: str = Field(
        "",
        description="DuckDB file or bigquery://project/dataset?location=…; by default {TAXI_DATA}/warehouse.duckdb.",
    )
    postgres: SecretStr = Field(
        SecretStr("embedded"),
        description="postgresql://… of a server, or embedded (with embedded:PORT also on 127.0.0.1).",
    )
    wait_seconds: float = Field(600, gt=0, description="How long to wait for a store that another process holds.")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read the ``TAXI_…`` variables; an empty one counts as not set.

        Raises:
            SettingsError: a value cannot be used; the sentence names the variable and says what it takes.
        """
        environment = os.environ if environment is None else environment
        given = {name: environment[v] for name in cls.model_fields if environment.get(v := variable(name), "").strip()}
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            raise SettingsError(_sentence(error, given)) from None

    @field_validator("data", mode="after")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @field_validator("source_url", mode="after")
    @classmethod
    def _source_url(cls, value: str | None) -> str | None:
        if value is None or value.startswith(("http://", "https://")):
            return value and value.rstrip("/")
        return _folder(value, "an http(s):// address or a folder")

    @field_validator("postgres", mode="after")
    @classmethod
    def _postgres_url(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        if re.fullmatch(r"embedded(:\d{1,5})?", text) or text.startswith(("postgresql://", "postgres://")):
            return value
        raise ValueError("it takes embedded, embedded:PORT or postgresql://user:password@host:port/database")

    @model_validator(mode="before")
    @classmethod
    def _defaults_below_data(cls, values: dict[str, Any]) -> dict[str, Any]:
        data = Path(values.get("data") or cls.model_fields["data"].default).expanduser().resolve()
        filled = dict(values)
        filled["lake"] = _lake(values.get("lake") or str(data / "lake"))
        filled["warehouse"] = _warehouse(values.get("warehouse") or str(data / "warehouse.duckdb"))
        return filled

    @model_validator(mode="after")
    def _base_needs_a_layout(self) -> Settings:
        if self.source_url is not None and self.source not in ("dtc", "tlc"):
            raise ValueError(
                "TAXI_SOURCE_URL goes with TAXI_SOURCE=dtc or TAXI_SOURCE=tlc, which say how the files are laid out"
            )
        return self

    def exports(self) -> dict[str, str]:
        """The variables that make another process read the same settings, without secrets."""
        return {
            variable(name): str(value)
            for name, value in self
            if value is not None and not isinstance(value, SecretStr) and name in self.model_fields_set
        } | {"TAXI_DATA": str(self.data)}


def variable(field: str) -> str:
    """The environment variable of a setting: ``source_url`` → ``TAXI_SOURCE_URL``."""
    return _PREFIX + field.upper()


def _folder(value: str, takes: str) -> str:
    path = value.removeprefix("file://")
    if match := _SCHEME.match(path):
        raise ValueError(f"it takes {takes}, not {match[1]}://")
    return str(Path(path).expanduser().resolve())


def _lake(value: str) -> str:
    if value.startswith(("gs://", "s3://", "az://")):
        if not value.split("://", 1)[1].strip("/"):
            raise _refused("lake", value, "it names no bucket")
        return value.rstrip("/")
    try:
        return _folder(value, "a folder, gs://…, s3://… or az://…")
    except ValueError as error:
        raise _refused("lake", value, str(error)) from None


def _warehouse(value: str) -> str:
    if value.startswith("bigquery://"):
        project, _, dataset = value.removeprefix("bigquery://").partition("?")[0].partition("/")
        if not project or not dataset or "/" in dataset:
            raise _refused("warehouse", value, "it takes bigquery://project/dataset?location=…")
        return value
    try:
        return _folder(value, "a DuckDB file or bigquery://project/dataset?location=…")
    except ValueError as error:
        raise _refused("warehouse", value, str(error)) from None


def _refused(name: str, value: str, why: str) -> SettingsError:
    return SettingsError(f"{variable(name)}={value!r} cannot be used: {why}")


def _sentence(error: ValidationError, given: Mapping[str, str]) -> str:
    """The first problem as one sentence; a secret's value is never part of it."""
    problem = error.errors(include_url=False, include_context=False)[0]
    message = str(problem["msg"]).removeprefix("Value error, ")
    if not problem["loc"]:
        return message
    name = str(problem["loc"][0])
    value = "…" if Settings.model_fields[name].annotation is SecretStr else given.get(name, "")
    return f"{variable(name)}={value!r} cannot be used: {message[0].lower()}{message[1:]}"
