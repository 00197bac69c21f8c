"""``{dataset}_trips``: raw months cleaned by the dataset's contract into trips and quarantine.

Belongs here: whether a month has to be cleaned at all. Does not: cleaning itself (``cleaning``).

Who calls whom: the asset's function ``trips`` gets `RawMonths` from ``LakeIOManager.load_input`` and returns
`CleanMonths` with the function ``clean``. Dagster gives that to ``LakeIOManager.handle_output``. It opens each month,
which calls ``clean``. That opens the raw month and calls `cleaned`, which calls ``cleaning.clean_month``. The IO
manager then stores the pair of files.
"""

# No postponed annotations here: Dagster reads the types of arguments when it gets the function.
import contextlib
import logging
import threading
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from taxi_platform.cleaning.options import CleaningOptions
from taxi_platform.cleaning.refusals import is_refused, refusal
from taxi_platform.cleaning.version import code_version, version_now
from taxi_platform.cleaning.zone_shapes import ZoneShapes
from taxi_platform.contracts.contract import Contract
from taxi_platform.errors import BrokenFileError, ChangedFormatError, DamagedError, RefusedMonthError
from taxi_platform.months import TripMonth
from taxi_platform.orchestration.automation.conditions import follows
from taxi_platform.orchestration.columns import trips_columns
from taxi_platform.orchestration.io_managers.failures import ExpectedFailureError
from taxi_platform.orchestration.io_managers.values import CleanMonths, RawMonths
from taxi_platform.orchestration.keys import SHAPES, asset_name
from taxi_platform.orchestration.partitions import monthly_partitions
from taxi_platform.orchestration.resources import LakeResource, StagingResource
from taxi_platform.references import CleanMonth, RawMonth, StagedClean, WithdrawnMonth

if TYPE_CHECKING:
    from taxi_platform.stores.lake.lake import Lake

__all__ = ["CleaningConfig", "trips_asset"]

_LOG = logging.getLogger(__name__)


class CleaningConfig(dg.Config):
    """Options of a run for clean months."""

    drop_zero_passengers: bool = Field(
        False, description=CleaningOptions.model_fields["drop_zero_passengers"].description
    )
    fill_missing_passengers: bool = Field(
        False, description=CleaningOptions.model_fields["fill_missing_passengers"].description
    )
    raw_version: str | None = Field(
        None,
        description=(
            "Clean this stored version of the raw month, not the current one, in a run over one month. `taxi versions` "
            "names them."
        ),
    )

    @property
    def options(self) -> CleaningOptions:
        """The options in the form that cleaning takes."""
        return CleaningOptions(
            drop_zero_passengers=self.drop_zero_passengers, fill_missing_passengers=self.fill_missing_passengers
        )


def trips_asset(contract: Contract, runs: dg.BackfillPolicy) -> dg.AssetsDefinition:
    """The asset of one dataset's clean months; the module's text says who calls whom."""

    @dg.asset(
        key=asset_name("trips", contract.dataset),
        ins={"raw": dg.AssetIn(key=asset_name("raw", contract.dataset))},
        deps=[asset_name(SHAPES, SHAPES)] if contract.derived else [],
        partitions_def=monthly_partitions(contract),
        backfill_policy=runs,
        group_name=contract.dataset,
        io_manager_key="lake_io",
        kinds={"parquet", "silver"},
        code_version=code_version(contract),
        automation_condition=follows("raw", and_shapes=bool(contract.derived)),
        metadata=trips_columns(contract),
        description=(
            f"{contract.description} One contract for every month since {contract.first_month:%Y-%m}; rows that break "
            "a rule stand in quarantine with every reason, so that raw = trips + quarantine."
        ),
    )
    def trips(config: CleaningConfig, raw: RawMonths, lake: LakeResource, staging: StagingResource) -> CleanMonths:
        shapes = _CurrentShapes(lake)

        # Called by LakeIOManager.handle_output, once for each month, when it opens the month.
        @contextlib.contextmanager
        def clean(month: TripMonth) -> Iterator[StagedClean | CleanMonth | WithdrawnMonth]:
            with _raw_month(month, raw, lake, config) as raw_month:
                if isinstance(raw_month, WithdrawnMonth):
                    yield raw_month
                    return
                with cleaned(contract, raw_month, lake, staging, config.options, shapes) as value:
                    yield value

        if config.raw_version is not None and len(raw) != 1:
            raise ExpectedFailureError(f"raw_version goes with a run over one month, and this one has {len(raw)}")
        return CleanMonths(raw.months, clean)

    return trips


class _CurrentShapes:
    """The zones' shapes of one step, whose months are cleaned in several threads."""

    def __init__(self, lake: LakeResource) -> None:
        self._lake = lake
        self._turn = threading.Lock()
        self._is_said = False

    def get(self) -> ZoneShapes | None:
        """The lake's current version; None if it has none."""
        lake = self._lake.open()
        stored = lake.stored_zone_shapes()
        return None if stored is None else ZoneShapes(stored.version, partial(lake.zone_polygons, stored))

    def say_missing(self) -> None:
        """Say once that months with points get no zones."""
        with self._turn:
            if not self._is_said:
                _LOG.warning(
                    "the lake has no shapes of the zones: trips with coordinates have no zones until %s brings them",
                    SHAPES,
                )
            self._is_said = True


@contextlib.contextmanager
def cleaned(
    contract: Contract,
    raw: RawMonth,
    lake: LakeResource,
    staging: StagingResource,
    options: CleaningOptions,
    shapes: "_CurrentShapes",
) -> Iterator[StagedClean | CleanMonth]:
    """One month for the lake. The IO manager calls it, through ``clean`` in `trips_asset`, and stores what it yields.

    If nothing that the month depends on has changed, it is a reference to the lake's pair. Otherwise the raw month is
    cleaned in a private folder, which is removed when the context ends.

    Yields:
        `StagedClean`: a new pair. `CleanMonth`: the lake's pair, unchanged.

    Raises:
        RefusedMonthError: the file's format has changed, and nobody has accepted that; the lake keeps it as refused.
        DamagedError: the raw object cannot be read any more; it was moved aside, to be fetched again.
    """
    from taxi_platform.cleaning import clean_month

    store = lake.open()
    if raw.refused is not None and is_refused(contract, raw):
        raise RefusedMonthError(raw.refused.sentence)
    current = store.current_clean(raw.month)
    current_shapes = shapes.get() if contract.derived else None
    if current is not None and _stays(contract, raw, current, options, current_shapes, store):
        _LOG.info("%s: clean months unchanged", raw.month)
        yield current
        return
    options = options.model_copy(update={"accept_changed_format": raw.accepts_changed_format})
    with staging.open() as folder, store.local_copy(raw.path) as file:
        try:
            staged = clean_month(contract, raw, file, folder, options, current_shapes)
        except BrokenFileError as error:
            if problem := store.set_aside_unreadable_raw(raw):
                raise DamagedError(f"{problem}; run {raw.month} again, which fetches it again") from error
            raise
        except ChangedFormatError as error:
            store.refuse_raw(raw.month, raw.version, refusal(contract, raw, str(error)))
            raise RefusedMonthError(str(error)) from error
        facts = staged.facts
        _LOG.info("%s: %s trips, %s quarantined", raw.month, f"{facts.trips_rows:,}", f"{facts.quarantined_rows:,}")
        for column, zones in facts.zones.items():
            _LOG.warning("%s: times of %s have a zone: %s", raw.month, column, zones)
        if facts.located and facts.zone_shapes is None:
            shapes.say_missing()
        yield staged


def _stays(
    contract: Contract,
    raw: RawMonth,
    current: CleanMonth,
    options: CleaningOptions,
    shapes: ZoneShapes | None,
    store: "Lake",
) -> bool:
    """Whether cleaning would make that pair again, or a person restored it from a snapshot and asks for no option."""
    asked = options.model_copy(update={"accept_changed_format": raw.accepts_changed_format})
    if current.facts.version == version_now(
        contract, raw.version, current.facts, shapes.version if shapes else None, asked
    ):
        return True
    is_restored = store.manifest(raw.month).restored_from is not None and current.facts.raw_version == raw.version
    return is_restored and not options.switched_on


@contextlib.contextmanager
def _raw_month(
    month: TripMonth, raw: RawMonths, lake: LakeResource, config: CleaningConfig
) -> Iterator[RawMonth | WithdrawnMonth]:
    if config.raw_version is not None:
        yield lake.open().raw_version(month, config.raw_version)
        return
    with raw.open(month) as stored:
        assert isinstance(stored, RawMonth | WithdrawnMonth), "what comes from the lake is stored"
        yield stored
