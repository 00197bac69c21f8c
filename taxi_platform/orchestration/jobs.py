"""The jobs that people run and schedules launch: one per dataset, and one for the zones.

Belongs here: names and selections. Does not: anything a job does.
"""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from taxi_platform.contracts.contract import Contract

__all__ = ["ZONES_JOB", "build_jobs", "job_name", "marts_group"]

ZONES_JOB = "taxi_zones"
"""Not ``zones``, because a job and an asset cannot share a name."""


def job_name(dataset: str) -> str:
    """``green`` → ``green_months``. Not ``green_trips``, because a job and an asset cannot share a name."""
    return f"{dataset}_months"


def marts_group(dataset: str) -> str:
    """The group of the dataset's marts, beside the group of its months, which has the dataset's name."""
    return f"{dataset}_marts"


def build_jobs(contracts: Sequence[Contract]) -> list[dg.UnresolvedAssetJobDefinition]:
    """One job over every layer of each dataset. Datasets start at different months, so no job has two of them."""
    jobs = [
        dg.define_asset_job(
            job_name(contract.dataset),
            dg.AssetSelection.groups(contract.dataset, marts_group(contract.dataset)),
            description=(
                f"Monthly {contract.title} files from upstream into the lake and every store of tables, with marts."
            ),
        )
        for contract in contracts
    ]
    zones = dg.define_asset_job(
        ZONES_JOB,
        dg.AssetSelection.groups("zones"),
        description="The taxi zone lookup, dates and codes into every store.",
    )
    return [*jobs, zones]
