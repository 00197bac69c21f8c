"""From a raw month to clean trips and quarantine: every upstream record ends up in exactly one of the two.

Belongs here: reading values by the contract, judging rows by its rules, and writing the pair of files. Does not:
what the columns and rules are (``contracts``), where files lie (``stores``), anything of Dagster. Importing this
package is cheap: Arrow and NumPy are loaded when the first month is cleaned.
"""

from __future__ import annotations

from taxi_platform.cleaning.month import clean_month
from taxi_platform.cleaning.options import CleaningOptions
from taxi_platform.cleaning.version import CLEANING_REVISION, clean_version, code_version
from taxi_platform.cleaning.zone_shapes import ZoneShapes

__all__ = ["CLEANING_REVISION", "CleaningOptions", "ZoneShapes", "clean_month", "clean_version", "code_version"]
