"""How a step fails for a known reason: with one sentence, and without a stack trace.

Belongs here: the form in which Dagster gets such a failure. Does not: the sentences, which the errors have.

Dagster prints the stack trace of every exception that ends a step, and shows three screens of its own frames on the
run's page. It takes only one kind of error as it is, without frames: that of another process.
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
    """A failure that its sentence explains; Dagster shows the sentence and no frames."""

    def __init__(self, sentence: str, metadata: Mapping[str, Any] | None = None) -> None:
        shown = [SerializableErrorInfo(sentence, [], cls_name=None)]
        DagsterUserCodeProcessError.__init__(self, sentence, user_code_process_error_infos=shown)  # type: ignore[no-untyped-call]
        plain = dg.Failure(sentence, metadata, allow_retries=False)
        self.description, self.metadata, self.allow_retries = plain.description, plain.metadata, plain.allow_retries


@contextlib.contextmanager
def in_a_sentence() -> Iterator[None]:
    """Turn the platform's own errors into a failure with only their sentence; other errors pass unchanged."""
    try:
        yield
    except TaxiError as error:
        raise ExpectedFailureError(str(error)) from error
