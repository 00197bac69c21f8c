"""The jobs that people run and schedules launch: one per dataset, one for its report, and one for the zones.

Belongs here: names and selections. Does not: anything a job does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dagster as dg

from taxi_platform.contracts.contract import Contract
from taxi_platform.orchestration.keys import REPORT, asset_name

__all__ = ["REPORTS_GROUP", "VIEWS_GROUP", "ZONES_JOB", "build_jobs", "job_name", "marts_group", "report_job_name"]

ZONES_JOB = "taxi_zones"
"""Not ``zones``, because a job and an asset cannot share a name."""


REPORTS_GROUP = "reports"
"""The group of every dataset's report."""


VIEWS_GROUP = "views"
"""The group of what is over all datasets."""


def job_name(dataset: str) -> str:
    """``green`` → ``green_months``. Not ``green_trips``, because a job and an asset cannot share a name."""
    return f"{dataset}_months"


def marts_group(dataset: str) -> str:
    """The group of the dataset's marts, beside the group of its months, which has the dataset's name."""
    return f"{dataset}_marts"


def report_job_name(dataset: str) -> str:
    """``green`` → ``green_reports``."""
    return f"{dataset}_reports"


_SCRATCH = {"yellow": "4Gi", "green": "1Gi", "fhv": "4Gi", "fhvhv": "8Gi"}
"""Disk that a pod needs for one month on its way: upstream's file, the raw month, and the pair of clean files. Memory
is the same for every dataset, because a month passes through in blocks."""


def _pod(dataset: str) -> dict[str, Any]:
    """What a run of the dataset's job asks of Kubernetes, by the tag that Dagster's launcher for it reads."""
    scratch = _SCRATCH.get(dataset, "4Gi")
    requests = {"cpu": "1", "memory": "1Gi", "ephemeral-storage": scratch}
    resources = {"requests": requests, "limits": {"memory": "2Gi"}}
    return {"dagster-k8s/config": {"container_config": {"resources": resources}}}


def build_jobs(contracts: Sequence[Contract], *, has_reports: bool) -> list[dg.UnresolvedAssetJobDefinition]:
    """One job over every layer of each dataset, and one that makes its pages of the report if there are any.

    Datasets start at different months, so no job has two of them.
    """
    jobs = [
        dg.define_asset_job(
            job_name(contract.dataset),
            dg.AssetSelection.groups(contract.dataset, marts_group(contract.dataset)),
            description=(
                f"Monthly {contract.title} files from upstream into the lake and every store of tables, with marts."
            ),
            tags=_pod(contract.dataset),
        )
        for contract in contracts
    ]
    zones = dg.define_asset_job(
        ZONES_JOB,
        dg.AssetSelection.groups("zones"),
        description="The taxi zone lookup, dates and codes into every store.",
    )
    reports = [
        dg.define_asset_job(
            report_job_name(contract.dataset),
            dg.AssetSelection.assets(asset_name(REPORT, contract.dataset)),
            description=f"A page for each month of {contract.title} trips, from the marts that are there.",
        )
        for contract in contracts
        if has_reports
    ]
    return [*jobs, zones, *reports]
