"""The rights of others on a table or view, kept when another relation replaces it.

Belongs here: reading grants from the catalogue and granting them again. Does not: which relations are the platform's
(``tables``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from taxi_platform.contracts.schemas import quoted

if TYPE_CHECKING:
    from psycopg import Connection

__all__ = ["Keepsakes", "keepsakes_of"]


class Keepsakes:
    """Grants, owner and options of a relation that is about to be dropped."""

    def __init__(self, owner: str, kind: str, options: list[str], grants: list[tuple[str | None, str]]) -> None:
        self._owner = owner
        self._kind = kind
        self._options = options
        self._grants = grants

    def give_to(self, connection: Connection, relation: str) -> None:
        """Give them to the relation that took its place, and remove other grants.

        Grants on lost columns are dropped.
        """
        columns = {
            name
            for (name,) in connection.execute(
                "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0", [relation]
            )
        }
        given = "SELECT DISTINCT grantee FROM pg_class, aclexplode(relacl) WHERE oid = to_regclass(%s)"
        sql = f"SELECT {_ROLE} FROM ({given} AND grantee <> relowner) AS given"  # noqa: S608 - constants
        for (role,) in connection.execute(sql, [relation]).fetchall():
            connection.execute(f"REVOKE ALL ON {relation} FROM {role}")
        for column, grant in self._grants:
            if column is None or column in columns:
                connection.execute(grant.replace(_PLACE, relation, 1))
        if self._options:
            connection.execute(f"ALTER {self._kind} {relation} SET ({', '.join(self._options)})")
        current = "SELECT pg_get_userbyid(relowner) = %s FROM pg_class WHERE oid = to_regclass(%s)"
        if connection.execute(current, [self._owner, relation]).fetchone() == (False,):
            connection.execute(f"ALTER TABLE {relation} OWNER TO {quoted(self._owner)}")


_PLACE = "{relation}"
_ROLE = "CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END"


def keepsakes_of(connection: Connection, relation: str) -> Keepsakes | None:
    """The keepsakes of a table or view, by its quoted name; None if it does not exist."""
    sql = """
        SELECT pg_get_userbyid(relowner), CASE relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, reloptions
        FROM pg_class WHERE oid = to_regclass(%s)
    """
    row = connection.execute(sql, [relation]).fetchone()
    if row is None:
        return None
    owner, kind, options = row
    option = "CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END"
    grants = f"""
        SELECT NULL, format('GRANT %%s ON {_PLACE} TO %%s', privilege_type, {_ROLE}) || {option}
        FROM pg_class, aclexplode(relacl) WHERE oid = to_regclass(%(relation)s) AND grantee <> relowner
        UNION ALL
        SELECT attname, format('GRANT %%s (%%I) ON {_PLACE} TO %%s', privilege_type, attname, {_ROLE}) || {option}
        FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid, aclexplode(attacl)
        WHERE pg_class.oid = to_regclass(%(relation)s) AND grantee <> relowner
    """  # noqa: S608 - constants
    return Keepsakes(owner, kind, options or [], connection.execute(grants, {"relation": relation}).fetchall())
