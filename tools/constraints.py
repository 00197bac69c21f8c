"""Resolve constraints.txt: one set of versions with which the project installs on every supported Python.

Belongs here: asking pip for the newest set that agrees, once per Python, and merging the answers. Does not: which
packages the project needs, and in which range (pyproject.toml), or an example with an environment of its own
(``requirements.txt`` beside its ``constraints.txt``).

`python -m tools.constraints` takes every supported Python that is on PATH or below ``$PYENV_ROOT/versions``. pip
only plans (``--dry-run``), in a virtual environment of its own that is thrown away, so nothing on the machine changes.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from packaging.utils import canonicalize_name
from packaging.version import Version

__all__ = ["PYTHONS", "find_python", "main", "merge", "resolve"]

PYTHONS = ("3.10", "3.11", "3.12", "3.13")
"""The supported Pythons, oldest first, as ``requires-python`` says."""

_ROOT = Path(__file__).resolve().parents[1]
_DBT = _ROOT / "examples" / "dbt"
_PROJECT = "taxi-platform"
_WANTED: dict[Path, tuple[str, ...]] = {
    _ROOT / "constraints.txt": (
        *("--group", f"{_ROOT / 'pyproject.toml'}:dev", "--group", f"{_ROOT / 'pyproject.toml'}:notebooks"),
        str(_ROOT),
    ),
    _DBT / "constraints.txt": ("--requirement", str(_DBT / "requirements.txt")),
}
"""Each file of versions → what pip is asked for."""
_PIP = "pip>=25.1"  # the first that installs dependency groups
_HEADER = """\
# The newest versions that agree with {asked} and with one another, for development and for running.
# Written by `make constraints` with pip on Linux, Python {pythons}; not to be edited by hand.
"""


def find_python(version: str) -> Path | None:
    """An interpreter of a version such as ``3.12``: on PATH, else pyenv's newest, else this very one; or None."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    installed = sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"), key=_patch_level, reverse=True)
    on_path = shutil.which(f"python{version}")
    candidates = [*([Path(on_path)] if on_path else []), *installed, Path(sys.executable)]
    return next((python for python in candidates if _says(python, version)), None)


def resolve(python: Path, wanted: Sequence[str]) -> dict[str, str]:
    """Every package that ``pip install WANTED`` brings on this Python → its version, without the project itself."""
    with tempfile.TemporaryDirectory(prefix="constraints-") as folder:
        report = Path(folder) / "report.json"
        pip = [str(Path(folder) / "venv" / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "-qq"]
        _run([str(python), "-m", "venv", str(Path(folder) / "venv")])
        _run([*pip, "install", "--upgrade", _PIP])
        _run([*pip, "install", "--dry-run", "--ignore-installed", "--report", str(report), *wanted])
        planned = [entry["metadata"] for entry in json.loads(report.read_text())["install"]]
    versions = {str(canonicalize_name(package["name"])): str(package["version"]) for package in planned}
    versions.pop(_PROJECT, None)
    return versions


def merge(resolved: Mapping[str, Mapping[str, str]], asked: str = "pyproject.toml") -> str:
    """The lines of a file of versions from Python → package → version; ``asked`` is the file that names packages.

    Where Pythons differ a version carries a marker; a Python that does not need the package has no say.
    """
    packages = sorted({package for versions in resolved.values() for package in versions})
    lines = [line for package in packages for line in _lines(package, resolved)]
    return _HEADER.format(asked=asked, pythons=", ".join(resolved)) + "".join(f"{line}\n" for line in lines)


def main() -> None:
    """Resolve on every supported Python of this machine and write every file, or those that are named (``dbt``)."""
    pythons = {version: python for version in PYTHONS if (python := find_python(version))}
    if missing := [version for version in PYTHONS if version not in pythons]:
        sys.exit(
            f"no Python {', '.join(missing)} on this machine: install it (pyenv does) so that no version is left out"
        )
    for target, wanted in _WANTED.items():
        if sys.argv[1:] and target.parent.name not in sys.argv[1:]:
            continue
        resolved = {}
        for version, python in pythons.items():
            print(f"Python {version} ({python})", flush=True)
            resolved[version] = resolve(python, wanted)
            print(f"  {len(resolved[version])} packages", flush=True)
        target.write_text(merge(resolved, "pyproject.toml" if target.parent == _ROOT else "requirements.txt"))
        print(f"wrote {target.relative_to(_ROOT)}")


def _lines(package: str, resolved: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    pythons_of: dict[str, list[str]] = defaultdict(list)
    for python, versions in resolved.items():
        if package in versions:
            pythons_of[versions[package]].append(python)
    needing = [python for python, versions in resolved.items() if package in versions]
    for version in sorted(pythons_of, key=Version):
        marker = _marker(pythons_of[version], needing)
        yield f"{package}=={version}" + (f" ; {marker}" if marker else "")


def _marker(pythons: Sequence[str], needing: Sequence[str]) -> str:
    """Says ``pythons`` among those that need the package; empty where that is all of them."""
    if list(pythons) == list(needing):
        return ""
    first, last = needing.index(pythons[0]), needing.index(pythons[-1])
    if list(pythons) != list(needing[first : last + 1]):
        return " or ".join(f'python_version == "{python}"' for python in pythons)
    ends = []
    if first > 0:
        ends.append(f'python_version >= "{pythons[0]}"')
    if last < len(needing) - 1:
        ends.append(f'python_version < "{needing[last + 1]}"')
    return " and ".join(ends)


def _patch_level(python: Path) -> Version:
    return Version(python.parents[1].name)


def _says(python: Path, version: str) -> bool:
    """Whether it starts at all: pyenv puts stand-ins on PATH for versions that are not switched on."""
    program = "import sys; print('%d.%d' % sys.version_info[:2])"
    answer = subprocess.run([str(python), "-c", program], capture_output=True, text=True, check=False)
    return answer.returncode == 0 and answer.stdout.strip() == version


def _run(command: Sequence[str]) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
