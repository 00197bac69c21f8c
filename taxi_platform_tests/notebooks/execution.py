"""A notebook run from its first cell to its last, by the kernel that JupyterLab would start.

Belongs here: running one in a process of its own, and what it shows. Does not: asserting.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["NOTEBOOKS", "executed", "pictures", "printed"]

NOTEBOOKS = Path(__file__).resolve().parents[2] / "examples" / "notebooks"

_RUN = """
import sys
import nbclient, nbformat

source, folder, target, more = sys.argv[1:]
notebook = nbformat.read(source, 4)
if more:
    notebook.cells.append(nbformat.v4.new_code_cell(more))
resources = {"metadata": {"path": folder}}
nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3", resources=resources).execute()
nbformat.write(notebook, target)
"""


def executed(name: str, folder: Path, environment: Mapping[str, str], more: str = "") -> list[dict[str, Any]]:
    """Run the notebook, with one more cell at its end; returns its cells with what they show.

    Args:
        name: of the file.
        folder: where the process keeps what is its own.
        environment: of the kernel.
        more: the further cell.

    Raises:
        RuntimeError: a cell failed.
    """
    target = folder / name
    own = {"IPYTHONDIR": str(folder / "ipython"), "JUPYTER_RUNTIME_DIR": str(folder / "runtime")}
    done = subprocess.run(
        [sys.executable, "-c", _RUN, str(NOTEBOOKS / name), str(folder), str(target), more],
        env={**os.environ, **environment, **own, "JUPYTER_PLATFORM_DIRS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    cells: list[dict[str, Any]] = json.loads(target.read_text())["cells"]
    return cells


def printed(cells: list[dict[str, Any]]) -> str:
    """All that the notebook printed, and its values as text."""
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    texts = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in outputs]
    return "\n".join("".join(text) for text in texts)


def pictures(cells: list[dict[str, Any]]) -> list[str]:
    """The drawings, as SVG."""
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    return ["".join(o["data"]["image/svg+xml"]) for o in outputs if "image/svg+xml" in o.get("data", {})]
