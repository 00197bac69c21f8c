"""From an upstream file to a raw month: one Parquet file that holds every upstream record.

Belongs here: the one way in (`stage_raw`), what upstream's CSV files look like, and their conversion. Does not:
fetching (``sources``), keeping (``stores``), and judging rows (``cleaning``). Nothing here knows the lake or Dagster.
"""

from __future__ import annotations

from taxi_platform.ingest.staging import CONVERTER_REVISION, is_current_conversion, schema_fingerprint, stage_raw

__all__ = ["CONVERTER_REVISION", "is_current_conversion", "schema_fingerprint", "stage_raw"]
