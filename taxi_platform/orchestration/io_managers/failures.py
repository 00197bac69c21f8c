"""How a step fails for a reason that somebody can act on: with its sentence first, and without a stack trace.

Belongs here: the one form in which Dagster is told of such a failure. Does not: the sentences, which the errors bring.

Dagster prints the trace of every exception that ends a step, and shows it in the run's page, three screens of its own
frames. The one kind of error that it takes as it is told, without frames, is that of another process.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
from dagster._core.errors import DagsterUserCodeProcessError
from dagster_shared.error import SerializableErrorInfo

from taxi_platform.errors import TaxiError

__all__ = ["ExpectedFailureError", "in_a_sentence"]


class ExpectedFailureError(dg.Failure, DagsterUserCodeProcessError):
    """A failure that its sentence explains; Dagster shows that, and no frames."""

    def __init__(self, sentence: str, metadata: Mapping[str, Any] | None = None) -> None:
        shown = [SerializableErrorInfo(sentence, [], cls_name=None)]
        DagsterUserCodeProcessError.__init__(self, sentence, user_code_process_error_infos=shown)  # type: ignore[no-untyped-call]
        plain = dg.Failure(sentence, metadata, allow_retries=False)
        self.description, self.metadata, self.allow_retries = plain.description, plain.metadata, plain.allow_retries


@contextlib.contextmanager
def in_a_sentence() -> Iterator[None]:
    """What the platform raises on purpose ends the step with its sentence alone; other errors pass as they are."""
    try:
        yield
    except TaxiError as error:
        raise ExpectedFailureError(str(error)) from error
