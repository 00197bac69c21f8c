"""The jobs people run and schedules launch: one per dataset, and one for the zones.

Belongs here: names and selections. Does not: anything a job does.
"""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from taxi_platform.contracts.contract import Contract

__all__ = ["ZONES_JOB", "build_jobs", "job_name"]

ZONES_JOB = "taxi_zones"
"""Not ``zones``: a job and an asset may not share a name."""


def job_name(dataset: str) -> str:
    """``green`` → ``green_months``: not ``green_trips``, for a job and an asset may not share a name."""
    return f"{dataset}_months"


def build_jobs(contracts: Sequence[Contract]) -> list[dg.UnresolvedAssetJobDefinition]:
    """A job over every layer of each dataset; datasets start at different months, so no job spans two."""
    jobs = [
        dg.define_asset_job(
            job_name(contract.dataset),
            dg.AssetSelection.groups(contract.dataset),
            description=f"Monthly {contract.title} files from upstream into the lake and every store of tables.",
        )
        for contract in contracts
    ]
    zones = dg.define_asset_job(
        ZONES_JOB, dg.AssetSelection.groups("zones"), description="The taxi zone lookup into every store."
    )
    return [*jobs, zones]
