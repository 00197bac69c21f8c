"""The settings, read once from the environment: the source, the stores and the data folder.

Belongs here: every ``TAXI_…`` variable with its default, check and description, and which stores of tables there are.
Does not: ``TAXI_ALERT_…`` (``orchestration.alerts.settings``), and opening what the values point at (``sources``,
``stores``).

A store of tables is a field whose annotation is its layer. A new store is a package in ``stores`` and one line here.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Mapping
from itertools import takewhile
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator, model_validator

from taxi_platform.errors import SettingsError
from taxi_platform.machine.environment import SCHEME, folder, read_environment, variable
from taxi_platform.stores.lake.objects.model import bucket_and_prefix
from taxi_platform.stores.layer import OFF, StoreAt, TableLayer
from taxi_platform.stores.postgres.layer import POSTGRES
from taxi_platform.stores.warehouse import WAREHOUSE

__all__ = ["LAST_RUN", "Settings", "default_data"]

_SECRET = re.compile(r"@|password", re.IGNORECASE)
_SCHEMA_NAME = re.compile(r"(?!pg_|information_schema$)[a-z][a-z0-9_]{0,39}")
LAST_RUN = "last-run.json"
"""The note that ``taxi run`` leaves of its settings in the default data folder."""
_A_YEAR = 12
"""Months of a run where many machines share a backfill: starting one is a hundredth of it, and a lost one costs little.
"""
_FILLED = (LAST_RUN, *(f"{root}{kept}" for root in ("", "sample/") for kept in ("lake/lake.json", "staging/runs")))
"""What a data folder has one of as soon as a run has used it."""


def default_data() -> Path:
    """The data folder where ``TAXI_DATA`` names none: the same one in a project's folder and everywhere below it.

    It is the folder ``data`` that a run has used, in the current folder or else in the nearest one above it, as git
    finds a repository. The search upward ends at a folder that everybody may write to, such as ``/tmp``, and leaves out
    what belongs to another user. Where no run has used any, it is ``data`` in the current folder.
    """
    try:
        here = Path.cwd()
    except OSError:  # the folder was removed: whoever uses the path says so
        return Path("data")
    above = (parent / "data" for parent in takewhile(_is_private, here.parents))
    return next((data for data in (here / "data", *filter(_is_own, above)) if _is_filled(data)), here / "data")


def _is_private(parent: Path) -> bool:
    with contextlib.suppress(OSError):
        return not parent.stat().st_mode & stat.S_IWOTH
    return False


def _is_own(data: Path) -> bool:
    with contextlib.suppress(OSError):
        return data.is_dir() and data.stat().st_uid == os.geteuid()
    return False


def _is_filled(data: Path) -> bool:
    with contextlib.suppress(OSError):  # a folder that may not be looked into
        return any((data / kept).exists() for kept in _FILLED)
    return False


class Settings(BaseModel):
    """Every setting, validated and frozen; made by `from_environment`."""

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
        default_factory=default_data,
        description=(
            "Folder below which every embedded default lives; by default data, in the current folder or the nearest "
            "one above it that has one in use, and data/sample for the sample source."
        ),
    )
    lake: str = Field("", description="Folder, gs://…, s3://… or az://… of the lake; by default {TAXI_DATA}/lake.")
    warehouse: Annotated[str, WAREHOUSE] = Field(
        "",
        description=(
            "DuckDB file, bigquery://project/dataset?location=…, or off for no warehouse; by default "
            "{TAXI_DATA}/warehouse.duckdb."
        ),
    )
    postgres: Annotated[SecretStr, POSTGRES] = Field(
        SecretStr("embedded"),
        description=(
            "postgresql://… of a server, embedded (with embedded:PORT also on 127.0.0.1), or off for no PostgreSQL."
        ),
    )
    postgres_schema: str = Field(
        "taxi",
        description="Schema of the platform's tables in PostgreSQL: platforms with different ones share a database.",
    )
    marts: Literal["on", "off"] = Field(
        "on", description="on makes the marts of every month in every store of tables; off makes none."
    )
    hosts: Literal["auto", "one", "many"] = Field(
        "auto",
        description=(
            "Whether runs are on one machine or on many, which share no disk; auto tells it by the instance's run "
            "launcher."
        ),
    )
    run_months: int | None = Field(
        None,
        ge=1,
        le=1_200,
        description=(
            "How many months each run of a backfill has at most; by default 12 with TAXI_HOSTS=many, and otherwise all."
        ),
    )
    wait_seconds: float = Field(
        600,
        gt=0,
        allow_inf_nan=False,
        description="How long a month waits, in all, for stores that are held or do not answer.",
    )
    lease_seconds: float = Field(
        60,
        ge=15,
        le=3_600,
        description="How long a worker may be out of its instance's reach, on PostgreSQL, before its run is lost.",
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
    keep_runs_days: int = Field(
        180, ge=1, le=36_500, description="How many days the records of runs are kept that nothing stands on any more."
    )
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
        """Give generated months a data root of their own, so that they never mix with real ones by accident."""
        return {"data": default_data() / "sample", **values} if values.get("source") == "sample" else values

    @field_validator("data", mode="before")
    @classmethod
    def _data_folder(cls, value: str | Path) -> str:
        return folder(str(value), "a folder")

    @field_validator("source_url", mode="after")
    @classmethod
    def _source_url(cls, value: str | None) -> str | None:
        if value is None or not value.startswith(("http://", "https://")):
            return value and folder(value, "an http(s):// address or a folder")
        if not urlsplit(value).hostname:
            raise ValueError("it names no host")
        return _without_user(value).rstrip("/")

    @field_validator("lake", mode="after")
    @classmethod
    def _lake_url(cls, value: str, info: ValidationInfo) -> str:
        if not value.startswith(("gs://", "s3://", "az://")):
            return folder(value or str(Path(info.data.get("data", "")) / "lake"), "a folder, gs://…, s3://… or az://…")
        if not urlsplit(value).netloc:
            raise ValueError("it names no bucket")
        address = _without_user(value).rstrip("/")
        bucket_and_prefix(address)
        return address

    @field_validator("*", mode="after")
    @classmethod
    def _address_of_tables(cls, value: Any, info: ValidationInfo) -> Any:
        """Let the store's own layer check its address."""
        layers = {layer.name: layer for layer in cls.table_layers()}
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if info.field_name not in layers or text == OFF:
            return value
        return type(value)(layers[info.field_name].checked(text, Path(info.data.get("data", ""))))

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

    @model_validator(mode="after")
    def _many_hosts_share_the_stores(self) -> Settings:
        if self.hosts == "many" and self.of_one_host:
            raise ValueError(self.not_on_many_hosts("TAXI_HOSTS=many says that runs are on several"))
        return self

    @property
    def of_one_host(self) -> tuple[str, ...]:
        """The variables of the stores that only this machine reaches: a folder, a file, an embedded server."""
        addresses = {"lake": self.lake, **{name: store.address for name, store in self.tables.items()}}
        return tuple(variable(name) for name, address in addresses.items() if "://" not in address)

    @property
    def months_of_a_run(self) -> int | None:
        """How many months each run of a backfill has at most; None if it has all of a range."""
        return _A_YEAR if self.run_months is None and self.hosts == "many" else self.run_months

    def not_on_many_hosts(self, why: str) -> str:
        """The sentence that refuses the stores of one machine, with the reason to refuse them."""
        *others, last = self.of_one_host
        named = f"{', '.join(others)} and {last} are" if others else f"{last} is"
        return (
            f"{named} on the disk of one machine, and {why}: name a bucket for the lake, and for tables a server, "
            "BigQuery or off"
        )

    @property
    def views(self) -> Path | None:
        """The DuckDB file of views over the lake; None if the lake is a bucket, which the views cannot read."""
        return None if "://" in self.lake else self.data / "views.duckdb"

    @property
    def report(self) -> Path:
        """The folder of the report's pages."""
        return self.data / "report"

    @classmethod
    def table_layers(cls) -> tuple[TableLayer, ...]:
        """Every store of tables, including those that are off, in the order of the fields."""
        metadata = (part for field in cls.model_fields.values() for part in field.metadata)
        return tuple(part for part in metadata if isinstance(part, TableLayer))

    @property
    def tables(self) -> Mapping[str, StoreAt]:
        """Layer → where its tables are, for the stores that are not off, in the order of the fields."""
        given = {layer: getattr(self, layer.name) for layer in self.table_layers()}
        addresses = {k: v.get_secret_value() if isinstance(v, SecretStr) else v for k, v in given.items()}
        return {
            layer.name: StoreAt(layer, address, self.data, self.wait_seconds, self._options(layer))
            for layer, address in addresses.items()
            if address != OFF
        }

    @property
    def marts_in(self) -> Mapping[str, StoreAt]:
        """Layer of marts (``warehouse_marts``) → the store of tables that they are in; empty if marts are off."""
        stores = self.tables.values() if self.marts == "on" else ()
        return {store.layer.marts: store for store in stores if store.layer.has_marts}

    def store_at(self, name: str | None) -> StoreAt:
        """The store of that layer, or the first that is on; raises `SettingsError` where there is none."""
        tables = self.tables
        if name is None and not tables:
            named = " or ".join(f"TAXI_{layer.name.upper()}" for layer in self.table_layers())
            raise SettingsError(f"every store of tables is off: set {named}")
        found = tables.get(name or next(iter(tables)))
        if found is None:
            raise SettingsError(f"{name} is off: set TAXI_{str(name).upper()}, or ask another store")
        return found

    def _options(self, layer: TableLayer) -> Mapping[str, str]:
        """The settings whose names begin with the layer's: ``postgres_schema`` becomes ``schema``."""
        start = f"{layer.name}_"
        names = [name for name in type(self).model_fields if name.startswith(start)]
        return {name.removeprefix(start): str(getattr(self, name)) for name in names}

    @property
    def names_a_store(self) -> bool:
        """Whether somebody has set where a store is, or which part of it is the platform's."""
        starts = tuple(layer.name for layer in self.table_layers())
        return any(name == "lake" or name.startswith(starts) for name in self.model_fields_set)

    def automates(self, dataset: str) -> bool:
        """Whether the dataset's sensors, schedules and automation are on without anybody starting them."""
        return self.automation == "on" and dataset in self.datasets.split(",")

    def exports(self) -> dict[str, str]:
        """The variables that give another process the same settings, without addresses that may contain a secret."""
        given = {name: getattr(self, name) for name in Settings.model_fields if name in self.model_fields_set}
        given["data"] = self.data
        told = {name: v.get_secret_value() if isinstance(v, SecretStr) else v for name, v in given.items()}
        secret = {name for name, v in given.items() if isinstance(v, SecretStr) and "://" in told[name]}
        return {variable(name): str(v) for name, v in told.items() if v is not None and name not in secret}


def _without_user(value: str) -> str:
    if "@" in urlsplit(value).netloc:
        raise ValueError("it carries a user name or password, which would be shown: leave them out")
    return value


def _without_secrets(name: str, value: str) -> str:
    """What an error may repeat of a refused value. An address meant for another variable may contain a password."""
    if Settings.model_fields[name].annotation is SecretStr:
        return "…"
    scheme = SCHEME.match(value)
    return f"{scheme[1]}://…" if scheme and _SECRET.search(value) else value
