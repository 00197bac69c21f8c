"""Write what is generated again: pages of docs/, SELECTs of marts in other dialects, an example's sources.

`python -m tools.docs` does it. Belongs here: which file is generated from what. Does not: the pages' layout (beside
what they describe), turning SELECTs into other dialects (``tools.marts``), the sources of dbt (``tools.dbt_sources``).
"""

from __future__ import annotations

from pathlib import Path

from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.dictionary import render_dictionary
from taxi_platform.marts import MARTS, VIEWS
from taxi_platform.marts.dictionary import render_marts
from taxi_platform.marts.questions import QUESTIONS, render_questions
from tools.dbt_sources import render_sources
from tools.marts import write_translations

__all__ = ["main", "pages"]

_ROOT = Path(__file__).resolve().parents[1]


def pages() -> dict[Path, str]:
    """Every generated page, and the sources of dbt → its text as it must be."""
    contracts, docs = tuple(CONTRACTS.values()), _ROOT / "docs"
    return {
        docs / "data-dictionary.md": render_dictionary(contracts),
        docs / "marts.md": render_marts(MARTS, VIEWS, contracts),
        docs / "questions.md": render_questions(QUESTIONS),
        _ROOT / "examples/dbt/models/sources.yml": render_sources(contracts),
    }


def main() -> None:
    """Write the pages that are not current."""
    for path, text in pages().items():
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            print(f"wrote {path.relative_to(_ROOT)}")
    write_translations()


if __name__ == "__main__":
    main()
