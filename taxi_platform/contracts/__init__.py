"""What the data is: one contract per dataset, from which every schema, check and page of documentation follows.

Belongs here: the register of datasets. A new dataset is one module beside this one and one line in `CONTRACTS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.fhv import FHV
from taxi_platform.contracts.fhvhv import FHVHV
from taxi_platform.contracts.green import GREEN
from taxi_platform.contracts.yellow import YELLOW

__all__ = ["CONTRACTS"]

CONTRACTS: Mapping[str, Contract] = MappingProxyType({c.dataset: c for c in (YELLOW, GREEN, FHV, FHVHV)})
"""Every dataset, by name."""
