"""PostgreSQL's errors as sentences, and as error types that say whether a retry makes sense.

Belongs here: SQLSTATEs, and advice for the user. Does not: which of them may pass (``transience``), sessions
(``session``), waiting for locks (``waiting``).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from taxi_platform.errors import StoreBusyError, StoreError, StoreUnavailableError
from taxi_platform.transience import Failure, of_sqlstate

if TYPE_CHECKING:
    import psycopg

__all__ = ["masked", "refusal", "sqlstate_of"]

_REMEDIES = {
    "08": "check the address in TAXI_POSTGRES, and that the server runs",
    "22P05": "the database's encoding has no such character: load into a database made with ENCODING 'UTF8'",
    "28P01": "check the user and the password in TAXI_POSTGRES",
    "28000": "check the user in TAXI_POSTGRES and the server's pg_hba.conf",
    "2BP01": "drop what depends on it first, and make it again afterwards",
    "3D000": "create the database, or name another one in TAXI_POSTGRES",
    "42501": "grant that role the right, or name another role in TAXI_POSTGRES",
    "53100": "the server's disk is full: free space there, then run it again",
    "53300": "the server has no connection left: let others end, then run it again",
    "55P03": "another session keeps it locked: let it end, then run it again",
    "57P": "the server is starting or ending: run it again once it is up",
}
"""SQLSTATE, or its beginning → advice."""

_WITHOUT_SQLSTATE = (
    # Before a session exists, libpq gives texts and no SQLSTATE. They are in order, the most specific first.
    (r"password authentication failed|no password supplied|SASL authentication failed", "28P01"),
    (r"no pg_hba\.conf entry|role \S+ does not exist|authentication failed|no such user|login denied", "28000"),
    (r"database \S+ does not exist|no such database", "3D000"),
    (r"permission denied for database|not permitted to log in", "42501"),
    (r"too many (clients|connections)|remaining connection slots|no more connections allowed", "53300"),
    (r"the database system is|shutting down|terminating connection", "57P03"),
    (r"Name or service not known|could not translate host name|failed to resolve host", "08001"),
    (r"refused|No such file|timeout|timed out|unreachable|No route|reset by peer|in name resolution", "08001"),
    (r"closed the connection|connection (is|was) (lost|closed)|has been closed|consuming input failed", "08006"),
)
_LOCKED = "55P03"
_DATA_CLASSES = ("22", "23")
_LONGEST_DATA, _LONGEST_DETAIL = 200, 1000


def masked(text: str) -> str:
    """An address, or a message with addresses in it, without passwords."""
    hidden = re.sub(r"(//[^:/@?\s]*):\S*@", r"\1:***@", text)
    return re.sub(r"(?i)\b(\w*(?:password|secret|client_key|server_key)=)[^&\s]*", r"\1***", hidden)


def sqlstate_of(error: psycopg.Error) -> str:
    """The server's SQLSTATE, or the one that matches the text of an error without it; empty if none does."""
    if error.sqlstate:
        return error.sqlstate
    text = str(error)
    return next((state for pattern, state in _WITHOUT_SQLSTATE if re.search(pattern, text)), "")


def refusal(server: str, error: psycopg.Error) -> StoreError | StoreBusyError | StoreUnavailableError:
    """An error with one sentence: the server's message, its DETAIL and HINT, and what to do; it never has a password.

    libpq and the server never repeat a password that they were given. Only text that is no valid address may contain
    one, and is masked like an address. Removing the password's text from messages would be wrong: it may be "taxi".
    """
    state = sqlstate_of(error)
    parts = [_line(error.diag.message_primary or str(error) or type(error).__name__)]
    if error.diag.message_detail:
        longest = _LONGEST_DATA if state.startswith(_DATA_CLASSES) else _LONGEST_DETAIL
        parts[0] += f" ({_line(error.diag.message_detail).rstrip('.')[:longest]})"
    parts += [_line(error.diag.message_hint or "").rstrip("."), _remedy(state)]
    sentence = masked("; ".join(filter(None, parts)))
    if state == _LOCKED:
        return StoreBusyError(f"PostgreSQL at {server} refused: {sentence}")
    kind = StoreUnavailableError if of_sqlstate(state) is Failure.TRANSIENT else StoreError
    return kind(f"PostgreSQL at {server} refused: {sentence}")


def _remedy(state: str) -> str:
    return next((_REMEDIES[state[:length]] for length in (5, 3, 2) if state[:length] in _REMEDIES), "")


def _line(text: str) -> str:
    return " ".join(text.split())
