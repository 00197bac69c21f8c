"""Lines typed at a terminal, with history, completion of names and statements over several lines.

Belongs here: what keys do, by prompt_toolkit. Does not: what a statement does (``shell``).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from taxi_platform.cli.statements import split_statements

if TYPE_CHECKING:
    from prompt_toolkit.completion import Completer
    from prompt_toolkit.history import History

__all__ = ["prompted"]

_CONTINUES = "-> "


def prompted(prompt: str, history: Path) -> Iterator[str]:
    """What is typed, until Ctrl-D: statements that end with a semicolon, a command, or a word to end with.

    Enter begins another line of a statement that has no end yet. Ctrl-C forgets it.

    Args:
        prompt: what stands before the first line; further lines are set in as far.
        history: the file that keeps what was typed; without its folder nothing is kept.
    """
    from prompt_toolkit import PromptSession
    from prompt_toolkit.application import get_app
    from prompt_toolkit.filters import Condition
    from prompt_toolkit.lexers import PygmentsLexer
    from pygments.lexers.sql import SqlLexer

    session: PromptSession[str] = PromptSession(
        prompt,
        multiline=Condition(lambda: not _is_whole(get_app().current_buffer.text)),
        prompt_continuation=lambda width, _line, _wrapped: _CONTINUES.rjust(width),
        history=_history(history),
        lexer=PygmentsLexer(SqlLexer),
        completer=_names(),
        complete_while_typing=False,
    )
    while True:
        try:
            text = session.prompt()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return
        if text.strip():
            yield text


def _is_whole(text: str) -> bool:
    """Whether Enter sends it."""
    word = text.strip()
    return not word or word.startswith("\\") or word in ("quit", "exit") or not split_statements(text)[1]


def _history(file: Path) -> History:
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    if not os.access(file if file.exists() else file.parent, os.W_OK):
        return InMemoryHistory()
    file.touch(mode=0o600)  # what somebody asked is their own
    return FileHistory(str(file))


def _names() -> Completer:
    """Names of tables, their columns and words of SQL, from the declarations: no store is asked."""
    from prompt_toolkit.completion import WordCompleter

    from taxi_platform.contracts import CONTRACTS
    from taxi_platform.contracts.unified import UNIFIED
    from taxi_platform.contracts.zones import MAPPED_ZONES
    from taxi_platform.marts import MARTS, VIEWS

    own = [table for contract in CONTRACTS.values() for table in (contract.trips, contract.quarantine)]
    views = [*(mart.view for mart in MARTS), *(view.view for view in VIEWS)]
    tables = [*own, UNIFIED, MAPPED_ZONES, *views]
    words = {table.qualified_name for table in tables} | {name for table in tables for name in table.column_names}
    sql = "SELECT FROM WHERE GROUP ORDER BY LIMIT JOIN LEFT USING ON AND OR NOT NULL AS COUNT SUM AVG DISTINCT DATE"
    return WordCompleter([*sorted(words), *sql.split()], ignore_case=True, WORD=True)
