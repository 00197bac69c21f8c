"""``python -m taxi_platform_tests.torture``: every part, one count, one table.

Belongs here: the command's options and what it prints. Does not: any trial (``campaign``).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from taxi_platform_tests.torture import knife


def main() -> int:
    """Run the parts; the exit code is 1 where something was found."""
    parser = argparse.ArgumentParser(prog="python -m taxi_platform_tests.torture", description=__doc__)
    parser.add_argument("--one-in", type=int, default=1, metavar="N", help="try one in N of all cuts (default: every)")
    parser.add_argument("--inputs", type=int, default=100_000, help="hostile inputs in all (default: 100,000)")
    parser.add_argument("--seed", type=int, default=0, help="which of them, and which inputs (default: 0)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at once (default: all cores)")
    parser.add_argument("--parts", default="", help="parts with commas between them (default: all)")
    parser.add_argument("--json", type=Path, help="write the counts and what was found to that file")
    parser.add_argument("--write", action="store_true", help="write the table into docs/reliability.md")
    options = parser.parse_args()
    if not knife.is_loaded():
        knife.with_knife(Path(tempfile.gettempdir()) / f"taxi-torture-{os.geteuid()}", "taxi_platform_tests.torture")
    from taxi_platform_tests.torture import campaign, page

    with tempfile.TemporaryDirectory(prefix="taxi-torture-") as name:
        chosen = [part for part in options.parts.split(",") if part]
        plan = campaign.Plan(Path(name).resolve(), options.one_in, options.inputs, options.seed, options.jobs, chosen)
        report = campaign.run(plan, lambda line: print(line, flush=True))  # noqa: T201 - the command's output
    print(page.table(report))  # noqa: T201
    if options.json:
        options.json.write_text(json.dumps(report.to_json(), indent=1))
    if options.write:
        page.write(report)
    return 1 if report.defects else 0


if __name__ == "__main__":
    _code = main()
    sys.stdout.flush()
    os._exit(_code)  # what was imported only for the forks would be taken apart, and tell of it
