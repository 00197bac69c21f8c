"""Pages of the documentation whose commands can be run.

Belongs here: finding the commands of a page and what it says they print, and running them in one shell.
Does not: which pages (the tests).

A block is fenced as ``console``; a line that begins with ``$ `` is a command, and the lines below it are to be found in
its output, in that order; ``…`` in them stands for anything. A block below a comment ``<!-- not run: … -->`` is left.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Command", "commands", "left_out", "missing_lines", "run_all"]

_BLOCK = re.compile(r"(?:<!-- not run: (?P<reason>[^\n]+) -->\n)?```console\n(?P<text>.*?)```", re.DOTALL)
_TIMEOUT_SECONDS = 900


@dataclass(frozen=True)
class Command:
    """A command and the lines that the page shows below it."""

    text: str
    shown: tuple[str, ...]


def commands(page: str) -> list[Command]:
    """Every command of the page that is to be run, in order."""
    found: list[tuple[str, list[str]]] = []
    for block in _BLOCK.finditer(page):
        for line in "" if block["reason"] else block["text"].splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
    return [Command(text, tuple(shown)) for text, shown in found]


def left_out(page: str) -> list[str]:
    """Why each block that is not run is not."""
    return [block["reason"] for block in _BLOCK.finditer(page) if block["reason"]]


def run_all(wanted: Sequence[Command], folder: Path, environment: Mapping[str, str]) -> list[tuple[int, str]]:
    """Run the commands one after another in one shell, in an empty folder; exit code and output of each."""
    home, outputs = folder / "home", folder / "outputs"
    home.mkdir()
    outputs.mkdir()
    # Braces and not a subshell: what a command exports is there for the next.
    script = "".join(
        f"{{ {command.text}\n}} > '{outputs}/{i}.out' 2>&1\necho $? > '{outputs}/{i}.code'\n"
        for i, command in enumerate(wanted)
    )
    subprocess.run(
        ["bash", "-c", script],
        cwd=home,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        check=True,
        timeout=_TIMEOUT_SECONDS,
    )
    return [(int((outputs / f"{i}.code").read_text()), (outputs / f"{i}.out").read_text()) for i in range(len(wanted))]


def missing_lines(shown: Sequence[str], output: str) -> list[str]:
    """The shown lines that the output does not have, in their order; white space counts once."""
    lines = [" ".join(line.split()) for line in output.splitlines()]
    missing, at = [], 0
    for line in shown:
        pattern = re.compile(".*".join(re.escape(part.strip()) for part in " ".join(line.split()).split("…")))
        found = next((i for i in range(at, len(lines)) if pattern.search(lines[i])), None)
        if found is None:
            missing.append(line)
        else:
            at = found + 1
    return missing
