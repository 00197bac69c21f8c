"""The wheel and the sdist of this very tree.

Belongs here: building them. Does not: installing, asserting.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["ROOT", "built"]

ROOT = Path(__file__).resolve().parents[2]

_PACKED = ("CHANGELOG.md", "LICENSE", "MANIFEST.in", "NOTICE", "README.md", "SECURITY.md", "constraints.txt")
_BUILDING = ("pyproject.toml", "setup.py", "dagster.yaml")


def built(folder: Path) -> tuple[Path, Path]:
    """Wheel and sdist, as ``make dist`` makes them, of a copy in that folder, so that nothing is left in the tree."""
    source, dist = folder / "source", folder / "dist"
    skipped = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "taxi_platform", source / "taxi_platform", symlinks=True, ignore=skipped)
    for name in (*_PACKED, *_BUILDING):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(dist), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,), (sdist,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
    return wheel, sdist
