"""Environment variables into a validated model, and a refused value into one sentence.

Belongs here: the one way in which settings are read. Does not: which settings there are (``settings``,
``orchestration.alerts.settings``).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from taxi_platform.errors import SettingsError

__all__ = ["read_environment", "variable"]

M = TypeVar("M", bound=BaseModel)

_PREFIX = "TAXI_"


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
