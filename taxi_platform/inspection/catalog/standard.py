"""The contracts in the form of the Open Data Contract Standard 3.1, one document a dataset, mart and view.

Belongs here: the translation. Does not: any promise (the contracts' and marts' own). The standard:
https://bitol-io.github.io/open-data-contract-standard/v3.1.0/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from taxi_platform import __version__
from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.model import FILE_MONTH, Column, ColumnType
from taxi_platform.inspection.catalog.relations import Group, Relation

__all__ = ["documents", "written"]

_LOGICAL: Mapping[ColumnType, str] = {
    ColumnType.SMALLINT: "integer",
    ColumnType.INTEGER: "integer",
    ColumnType.BIGINT: "integer",
    ColumnType.DOUBLE: "number",
    ColumnType.TEXT: "string",
    ColumnType.TEXT_LIST: "array",
    ColumnType.TIMESTAMP: "timestamp",
    ColumnType.DATE: "date",
    ColumnType.BOOLEAN: "boolean",
    ColumnType.BINARY: "string",
}
"""The standard has no type for bytes; the physical types say what they are."""
_EACH = (Group.UNIFIED, Group.MARTS, Group.VIEWS)


def documents(relations: Sequence[Relation], contracts: Sequence[Contract]) -> dict[str, dict[str, Any]]:
    """File name → the document: a dataset's trips and quarantine, ``taxi.trips``, each mart, each view over marts."""
    by_name = {relation.name: relation for relation in relations}
    found = {f"{contract.dataset}.yaml": _of_dataset(contract, by_name) for contract in contracts}
    for relation in relations:
        if relation.group in _EACH:
            found[f"{relation.name}.yaml"] = _document(relation.name, relation.description, [_object(relation, ())])
    return found


def written(document: Mapping[str, Any]) -> str:
    """A document as YAML, in its own order."""
    import yaml

    text: str = yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True, width=110)
    return text


def _of_dataset(contract: Contract, by_name: Mapping[str, Relation]) -> dict[str, Any]:
    rules = [
        _rule(reason, f"A row of which this is true is in quarantine, not here: {meaning}")
        for reason, meaning in contract.reason_descriptions.items()
    ]
    conserved = _rule("nothing_lost", "In every file month, raw records = trips + quarantined rows.", "completeness")
    tables = [
        _object(by_name[contract.trips.name], [conserved, *rules]),
        _object(by_name[contract.quarantine.name], ()),
    ]
    document = _document(contract.dataset, contract.description, tables)
    document["customProperties"] = [
        {"property": "firstMonth", "value": f"{contract.first_month:%Y-%m}"},
        {
            "property": "fingerprint",
            "value": contract.fingerprint,
            "description": "Changes exactly when rows would be read, judged or stored differently.",
        },
    ]
    return document


def _document(name: str, description: str, objects: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": f"taxi-platform-{name.replace('_', '-')}",
        "name": name,
        "version": __version__,
        "status": "active",
        "domain": "new-york-taxi-trips",
        "description": {"purpose": description},
        "schema": list(objects),
    }


def _object(relation: Relation, quality: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    grain = relation.grain
    found: dict[str, Any] = {
        "name": relation.name,
        "physicalName": relation.name,
        "logicalType": "object",
        "physicalType": "view" if relation.is_view else "table",
        "description": relation.description,
        **({"dataGranularityDescription": f"One row for each {', '.join(grain)}."} if grain else {}),
        "properties": [_property(column, relation) for column in relation.columns],
    }
    rules = list(quality)
    return {**found, **({"quality": rules} if rules else {})}


def _property(column: Column, relation: Relation) -> dict[str, Any]:
    kind = column.type
    found: dict[str, Any] = {
        "name": column.name,
        "logicalType": _LOGICAL[kind],
        "physicalType": kind.postgres,
        "description": column.description,
        "required": not column.nullable,
    }
    if kind is ColumnType.TEXT_LIST:
        found["items"] = {"logicalType": "string", "physicalType": "text"}
    if column.name == FILE_MONTH.name and not relation.is_view:
        found |= {"partitioned": True, "partitionKeyPosition": 1}
    if column.source:
        found["authoritativeDefinitions"] = [{"url": column.source, "type": "businessDefinition"}]
    if column.codes:
        found["quality"] = [_known_codes(column)]
    return found | {"customProperties": list(_more(column))}


def _known_codes(column: Column) -> dict[str, Any]:
    return {
        "type": "library",
        "metric": "invalidValues",
        "name": f"{column.name}_known",
        "description": "A code that is not listed is kept, and a check names it.",
        "arguments": {"validValues": list(column.codes)},
        "mustBe": 0,
        "unit": "rows",
        "severity": "warning",
        "dimension": "conformity",
    }


def _more(column: Column) -> Iterable[dict[str, Any]]:
    if column.unit:
        yield {"property": "unit", "value": column.unit}
    if column.codes:
        yield {"property": "codes", "value": {str(code): meaning for code, meaning in column.codes.items()}}
    if column.spellings:
        yield {"property": "upstreamNames", "value": list(column.spellings)}
    yield {"property": "duckdbType", "value": column.type.duckdb}
    yield {"property": "bigqueryType", "value": column.type.bigquery}
    yield {"property": "arrowType", "value": column.type.arrow}


def _rule(name: str, text: str, dimension: str = "conformity") -> dict[str, Any]:
    return {"type": "text", "name": name, "description": text, "dimension": dimension}
