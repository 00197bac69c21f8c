"""The address of PostgreSQL, for other programs: ``taxi postgres-url``.

Belongs here: the address, and its form as variables. Does not: keeping an embedded server up (``stores.postgres``).
"""

from __future__ import annotations

import shlex

from taxi_platform.errors import SettingsError
from taxi_platform.settings import Settings

__all__ = ["libpq_exports", "postgres_address"]


def postgres_address(settings: Settings, idle_seconds: float) -> str:
    """The address as a URL; an embedded server is up from then on until nobody has used it for so many seconds.

    Raises `SettingsError` where PostgreSQL is off.
    """
    if "postgres" not in settings.tables:
        raise SettingsError("PostgreSQL is off: set TAXI_POSTGRES to embedded or postgresql://…")
    address = settings.postgres.get_secret_value()
    kind, _, port = address.partition(":")
    if kind != "embedded":
        return address
    from taxi_platform.stores.postgres.embedded.sharing import EmbeddedPostgres

    server = EmbeddedPostgres(settings.data / "postgres", int(port) if port else None)
    kept = server.keep_alive(idle_seconds)
    return server.tcp_url or kept


def libpq_exports(address: str) -> str:
    """The parts of the address as ``export PGHOST=…``, one a line, by the names that libpq itself gives them.

    What the address leaves out is unset, so that no variable of before stays beside the new ones.
    """
    from psycopg.pq import Conninfo

    told = {option.keyword: option.val for option in Conninfo.parse(address.encode())}
    named = [(o.envvar.decode(), told[o.keyword]) for o in Conninfo.get_defaults() if o.envvar]
    unset = [name for name, value in named if value is None and name in ("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD")]
    exports = [f"export {name}={shlex.quote(value.decode())}" for name, value in named if value is not None]
    return "\n".join([*([f"unset {' '.join(unset)}"] if unset else []), *exports])
