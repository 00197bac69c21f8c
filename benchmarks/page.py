"""Every other benchmark that docs/performance.md names, one after another, and what they print.

    python -m benchmarks.page

Belongs here: running the page's commands. Does not: measuring (the modules they name), nor writing the page: a person
compares the figures first, and says what has changed. What is printed is kept in ``.cache/bench/figures.txt``.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

__all__ = ["commands"]

_ROOT = Path(__file__).parents[1]
_PAGE = _ROOT / "docs" / "performance.md"
_KEPT = _ROOT / ".cache" / "bench" / "figures.txt"
_COMMAND = re.compile(r"^`?(python -m benchmarks\.(?!bench\b)[^`\n]+)`?$", re.MULTILINE)
_OWN_INPUT = "--shapes"
"""The option of a benchmark that reads a file of upstream's, which the repository does not have."""


def commands(page: str) -> list[list[str]]:
    """The arguments of each command for Python that needs no file, in the order of the page."""
    found = (shlex.split(line)[1:] for line in dict.fromkeys(_COMMAND.findall(page)))
    return [arguments for arguments in found if _OWN_INPUT not in arguments]


def main() -> None:
    """Run each, print what it says as it comes, and end with an error if one failed."""
    _KEPT.parent.mkdir(parents=True, exist_ok=True)
    with _KEPT.open("w") as kept:
        failed = [arguments for arguments in commands(_PAGE.read_text()) if not _succeeds(arguments, kept)]
    if failed:
        sys.exit("\n".join(f"python {shlex.join(arguments)} failed" for arguments in failed))


def _succeeds(arguments: Sequence[str], kept: TextIO) -> bool:
    def say(line: str) -> None:
        for stream in (sys.stdout, kept):
            print(line, file=stream, flush=True)

    say(f"\n$ python {shlex.join(arguments)}")
    with subprocess.Popen([sys.executable, *arguments], cwd=_ROOT, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None, "it is a pipe"
        for line in running.stdout:
            say(line.rstrip("\n"))
    return running.returncode == 0


if __name__ == "__main__":
    main()
