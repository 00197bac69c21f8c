"""Reads environment variables into a validated model; a refused value becomes one sentence.

Belongs here: the one way in which settings are read, and the check of paths. Does not: which settings there are
(``settings``, ``orchestration.alerts.settings``).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from taxi_platform.errors import SettingsError

__all__ = ["SCHEME", "folder", "read_environment", "variable"]

M = TypeVar("M", bound=BaseModel)

_PREFIX = "TAXI_"
SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
"""How an address begins, and a path does not."""


def variable(field: str) -> str:
    """The name of a setting's environment variable: ``source_url`` → ``TAXI_SOURCE_URL``."""
    return _PREFIX + field.upper()


def read_environment(
    model: type[M], environment: Mapping[str, str] | None, masked: Callable[[str, str], str], family: str = ""
) -> M:
    """Read a model from its variables; an empty variable counts as not set.

    Args:
        model: the class whose fields are the settings.
        environment: the variables; None means this process's own.
        masked: turns a field and its refused value into what an error may repeat of it.
        family: the text before the field in the variable's name: ``alert_`` for ``TAXI_ALERT_SMTP``.

    Raises:
        SettingsError: a value cannot be used; the sentence names the variable and says what it takes.
    """
    environment = os.environ if environment is None else environment
    names = {field: variable(family + field) for field in model.model_fields}
    given = {field: value for field, name in names.items() if (value := environment.get(name, "").strip())}
    try:
        return model.model_validate(given)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
        message = str(problem["msg"]).removeprefix("Value error, ")
        if not problem["loc"]:
            raise SettingsError(message) from None
        field = str(problem["loc"][0])
        value = masked(field, given.get(field, ""))
        raise SettingsError(f"{names[field]}={value!r} cannot be used: {message[:1].lower()}{message[1:]}") from None


def folder(value: str, takes: str) -> str:
    """The absolute form of a path; ``~`` is expanded.

    Raises:
        ValueError: the text is not a path; the message is half a sentence that says what the setting ``takes``.
    """
    path = value.removeprefix("file://") if value.startswith("file:///") else value
    if match := SCHEME.match(path):
        raise ValueError(f"it takes {takes}, not {match[1]}://")
    try:
        return str(Path(path).expanduser().resolve())
    except (OSError, RuntimeError) as error:
        raise ValueError(f"it is no path that can be followed ({error})") from error
