"""External tables for local-bigquery, which has none: Parquet objects of the emulated Cloud Storage, declared columns.

Belongs here: ``CREATE EXTERNAL TABLE`` with partition columns, and what a query of such a table reads. Does not: the
rest of what is added (``bigquery_server``). As with Google a column is read by its name, in the declared type or not at
all: a file that has it in another one fails the queries that read the column. Stricter than Google's, objects are
looked for when a table is defined. Each behaviour has a test of its own in ``test_emulated_bigquery_external`` that
cites Google's reference.
"""

from __future__ import annotations

import re
from typing import Any

import duckdb
from local_bigquery.catalog import metadata, names, options, tables
from local_bigquery.engine import database, types
from local_bigquery.engine.database import quote
from local_bigquery.errors import BigQueryError, already_exists
from local_bigquery.jobs import query
from local_bigquery.jobs.storage import literal, paths
from local_bigquery.models import JobStatistics2, Table, TableFieldSchema
from local_bigquery.sql import rules
from local_bigquery.sql.translate import parse
from sqlglot import exp

Target = tuple[str, str, str]

EXTERNAL = re.compile(r"(OR\s+REPLACE\s+)?EXTERNAL\s+TABLE\b", re.IGNORECASE)
KEYS = re.compile(r"\bWITH\s+PARTITION\s+COLUMNS\s*\((?P<keys>[^)]*)\)", re.IGNORECASE)
FILE_NAME = "_FILE_NAME"
CPP_TYPES = {"INTEGER": "INT64", "FLOAT": "DOUBLE", "STRING": "STRING"}

other_statements = query._run
all_columns = tables.columns


def install() -> None:
    """Make local-bigquery know external tables."""
    query._run = run
    tables.columns = columns
    tables.STORED_TYPES = (*tables.STORED_TYPES, "EXTERNAL")
    rules.STATEMENT_RULES.append(hide_file_name)


def run(cursor: Any, tree: Any, context: Any, destination: Any, config: Any, dry_run: bool, isolated: bool) -> Any:
    """Carry out a statement; ``CREATE [OR REPLACE] EXTERNAL TABLE [IF NOT EXISTS] … OPTIONS …`` here."""
    keys = ""
    if isinstance(tree, exp.Command) and tree.name == "CREATE" and EXTERNAL.match(tree.text("expression").strip()):
        # What sqlglot does not know of it is the partition columns.
        found = KEYS.search(tree.text("expression"))
        keys = found["keys"] if found else ""
        tree = parse(f"CREATE {KEYS.sub('', tree.text('expression'))}")[0]
    if not isinstance(tree, exp.Create) or not tree.find(exp.ExternalProperty):
        return other_statements(cursor, tree, context, destination, config, dry_run, isolated)
    target = names.reference(tree.find(exp.Table), context.project_id, context.dataset_id)
    operation = create(target, tree, keys, dry_run)
    reference = dict(zip(("projectId", "datasetId", "tableId"), target, strict=True))
    return JobStatistics2(
        statementType="CREATE_EXTERNAL_TABLE", ddlOperationPerformed=operation, ddlTargetTable=reference
    )


def create(target: Target, tree: Any, keys: str, dry_run: bool) -> str:
    """Create the table or what else the statement wants; the name of what was done."""
    standing = tables.exists(*target)
    if standing and not (tree.args.get("exists") or tree.args.get("replace")):
        raise already_exists("Table", names.label(*target))
    operation = "CREATE" if not standing else "REPLACE" if tree.args.get("replace") else "SKIP"
    if operation != "SKIP" and not dry_run:
        resource = declared(tree, keys, target)
        define(target, resource)
        tables.record(*target, resource)
    return operation


def declared(tree: Any, keys: str, target: Target) -> Any:
    """The resource of the table that the statement declares."""
    properties = tree.args["properties"]
    formats = [item.name.upper() for item in properties.find_all(exp.FileFormatProperty)]
    given = {item.name.lower(): item.args["value"] for item in properties.expressions if type(item) is exp.Property}
    if formats != ["PARQUET"]:
        raise BigQueryError("invalid", "Only external tables of Parquet are emulated")
    fields = [{"name": c.name, "type": c.args["kind"].sql("bigquery")} for c in tree.this.expressions]
    fields += [dict(zip(("name", "type"), key.split(), strict=True)) for key in keys.split(",") if key.strip()]
    standard = {standard: legacy for legacy, standard in types.STANDARD.items()}
    external: dict[str, Any] = {"sourceFormat": "PARQUET", "sourceUris": [u.name for u in given["uris"].expressions]}
    if keys:
        external["hivePartitioningOptions"] = {
            "mode": "CUSTOM",
            "sourceUriPrefix": given["hive_partition_uri_prefix"].name,
            "fields": [key.split()[0] for key in keys.split(",")],
        }
    described = options.options(
        exp.Properties(expressions=[item.copy() for item in properties.expressions if type(item) is exp.Property]),
        options.TABLE_OPTIONS,
        lambda node: node.name,
    )
    resource = {
        "type": "EXTERNAL",
        "schema": {"fields": [{**field, "type": standard.get(field["type"], field["type"])} for field in fields]},
        "externalDataConfiguration": external,
        **described,
    }
    return tables.defaults(*target).merged(Table.model_validate(resource))


def define(target: Target, resource: Any) -> None:
    """Make the table read the objects that its configuration names."""
    with database.cursor() as cursor:
        selects = [select(cursor, resource, uri) for uri in resource.externalDataConfiguration.sourceUris]
    database.execute(f"CREATE OR REPLACE VIEW {tables.name(*target)} AS {' UNION ALL '.join(selects)}")


def select(cursor: Any, resource: Any, uri: str) -> str:
    """The query of one object in the table's columns, partition columns and the pseudo column ``_FILE_NAME``."""
    keys = partition_values(resource.externalDataConfiguration.hivePartitioningOptions, uri)
    (path,) = paths(cursor, uri)
    try:
        found = cursor.sql(f"SELECT * FROM read_parquet({literal(path)}) LIMIT 0")
        physical = cursor.sql(f"SELECT name, type FROM parquet_schema({literal(path)})").fetchall()
    except duckdb.Error as error:
        raise BigQueryError("notFound", f"Not found: URI {uri}") from error
    kinds = {name.casefold(): kind for name, kind in physical}
    there = {n.casefold(): types.field(n, t) for n, t in zip(found.columns, found.types, strict=True)}
    chosen = [f"{literal(uri)} AS {quote(FILE_NAME)}"]
    for field in tables.fields(resource):
        folded = field.name.casefold()
        if field.name in keys:
            value = literal(keys[field.name])
        elif folded not in there:
            value = "NULL"
        elif there[folded].type == field.type:
            value = quote(there[folded].name)
        else:
            value = f"error({literal(mismatch(resource, field, kinds[folded]))})"
        chosen.append(f"CAST({value} AS {types.duckdb_type(field)}) AS {quote(field.name)}")
    return f"SELECT {', '.join(chosen)} FROM read_parquet({literal(path)})"


def mismatch(resource: Any, field: TableFieldSchema, physical: str) -> str:
    """Google's sentence for a file whose column is of another type than the table's."""
    reference = resource.tableReference
    table = f"{reference.projectId}.{reference.datasetId}.{reference.tableId}"
    return (
        f"Error while reading table: {table}, error message: Parquet column '{field.name}' has type {physical} "
        f"which does not match the target cpp_type {CPP_TYPES.get(field.type, field.type)}."
    )


def partition_values(hive: Any, uri: str) -> dict[str, str]:
    """The values of the partition columns, which stand in the object's path."""
    if hive is None:
        return {}
    if not uri.startswith(f"{hive.sourceUriPrefix}/"):
        raise BigQueryError("invalid", f"{uri} does not begin with the source URI prefix {hive.sourceUriPrefix}")
    folders = uri.removeprefix(f"{hive.sourceUriPrefix}/").split("/")[:-1]
    values = dict(folder.split("=", 1) for folder in folders if "=" in folder)
    if list(values) != list(hive.fields):
        raise BigQueryError("invalid", f"{uri} does not have the partition keys {hive.fields}")
    return values


def columns(*target: str) -> Any:
    """A table's columns; a pseudo column is none."""
    return [field for field in all_columns(*target) if field.name != FILE_NAME]


def hide_file_name(tree: Any, _: Any) -> Any:
    """A star does not stand for the pseudo column."""
    for table in list(tree.find_all(exp.Table)):
        if not (table.catalog and table.db and isinstance(table.this, exp.Identifier)):
            continue
        stored = metadata.load(Table, table.catalog, table.db, table.name)
        chosen = table.find_ancestor(exp.Select)
        if stored is None or stored.externalDataConfiguration is None or chosen is None:
            continue
        for star in chosen.expressions:
            if isinstance(star, exp.Star):
                star.set("except_", [*(star.args.get("except_") or []), exp.column(FILE_NAME, quoted=True)])
    return tree
