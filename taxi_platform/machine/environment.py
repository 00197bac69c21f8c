"""Environment variables into a validated model, and a refused value into one sentence.

Belongs here: the one way in which settings are read, and paths among them. Does not: which settings there are
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
"""What an address begins with, and a path does not."""


def variable(field: str) -> str:
    """The environment variable of a setting: ``source_url`` → ``TAXI_SOURCE_URL``."""
    return _PREFIX + field.upper()


def read_environment(
    model: type[M], environment: Mapping[str, str] | None, masked: Callable[[str, str], str], family: str = ""
) -> M:
    """The model from its variables; an empty one counts as not set.

    Args:
        model: whose fields are the settings.
        environment: the variables; this process's own for None.
        masked: turns a field and its refused value into what an error may repeat of it.
        family: what stands before the field in the variable's name, as in ``TAXI_ALERT_SMTP``.

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
    """An absolute path, of a path as people write it.

    Raises:
        ValueError: it is none; with half a sentence that says what the setting ``takes``.
    """
    path = value.removeprefix("file://") if value.startswith("file:///") else value
    if match := SCHEME.match(path):
        raise ValueError(f"it takes {takes}, not {match[1]}://")
    try:
        return str(Path(path).expanduser().resolve())
    except (OSError, RuntimeError) as error:
        raise ValueError(f"it is no path that can be followed ({error})") from error
