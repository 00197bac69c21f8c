"""Generated months: for a machine without a network, for benchmarks, and for trying things out.

Belongs here: files that look like upstream's, of any size, the same on every run. Does not: real data. A generated
month has the header, types and quirks of its generation, plausible distributions and the dirt real months have.

Modules: ``generations`` (what a file of a month looks like), ``rows`` (chunks of columns), ``taxis`` and ``hires``
(drawing trips), ``city`` (when and where trips happen), ``dirt``, ``writing`` (months as files), ``zones`` (the
lookup), ``shapes`` (theirs) and ``source`` (all that as a `Source`).
"""

from __future__ import annotations

from taxi_platform.sources.sample.source import SampleSource
from taxi_platform.sources.sample.writing import write_month

__all__ = ["SampleSource", "write_month"]
