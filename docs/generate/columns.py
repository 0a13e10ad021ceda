"""Columns of a dataset, from its schema and, where it is Parquet, from its form on disk."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from seg5b.contracts import ContractSource
from seg5b.tables import TableFormat

_PRIMITIVES = {
    "hex64": "text, 64 hex digits",
    "id64": "integer, 1..2^64-1",
    "uint64": "integer, 0..2^64-1",
    "index": "integer, >= 0",
    "iana_tzid": "text, IANA zone",
    "rfc3339_micros": "text, RFC 3339, UTC, microseconds",
    "local_micros": "text, wall clock, microseconds",
}
_KINDS = {"string": "text", "boolean": "true or false"}
_LIMITS = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<="}
_DESCRIPTION = re.compile(r"(?P<meaning>.+?)(?:\. Unit: (?P<unit>.+?))?(?:\. Law (?P<law>L\d+))?")


@dataclass(frozen=True, slots=True)
class Column:
    """One column or field. ``disk``: type in the file, empty where the dataset is JSON; ``form``: type in JSON; ``law``:
    number of the law that gives the value."""

    name: str
    disk: str
    form: str
    nullable: bool
    optional: bool
    meaning: str
    unit: str
    law: str


@dataclass(slots=True)
class _Shape:
    """A schema with what it refers to. ``properties``: the schemas of each property with their packs, outermost last."""

    keywords: dict[str, Any] = field(default_factory=dict)
    properties: dict[str, list[tuple[Mapping[str, Any], str]]] = field(default_factory=dict)
    required: set[str] = field(default_factory=set)
    primitive: str = ""
    pack: str = ""
    nullable: bool = False


def columns_of(contracts: ContractSource, schema_ref: str, table: TableFormat | None = None) -> tuple[Column, ...]:
    """Columns of a dataset: in the order of the file for a table, else in the order of the schema, nested fields as
    ``entries[].path``. Raises `ValueError` where the table and its schema have not the same columns."""
    root = _shape(contracts, [(contracts.schema(schema_ref), schema_ref.partition("#")[0])])
    found = {column.name: column for column in _fields(contracts, root, "")}
    if table is None:
        return tuple(found.values())
    if found.keys() != set(table.schema.names):
        raise ValueError(f"{schema_ref}: {sorted(found.keys() ^ set(table.schema.names))} are in schema or file only")
    return tuple(_on_disk(found[each.name], each) for each in table.schema)


def _on_disk(column: Column, stored: Any) -> Column:
    kind = str(stored.type)
    disk = "string" if kind.startswith("dictionary<values=string") else re.sub(r"<\w+: ", "<", kind)
    if column.nullable != stored.nullable:
        raise ValueError(f"{column.name} is nullable in schema or file only")
    return replace(column, disk=disk)


def _fields(contracts: ContractSource, shape: _Shape, prefix: str) -> Iterator[Column]:
    if shape.keywords.get("type") == "array" and isinstance(shape.keywords.get("items"), Mapping):
        inner = _shape(contracts, [(shape.keywords["items"], shape.pack)])
        yield from _fields(contracts, inner, prefix)
        return
    for name, schemas in _collapsed(shape).items():
        child = _shape(contracts, schemas)
        if name != "*":
            yield _column(contracts, f"{prefix}{name}", child, optional=name not in shape.required)
        yield from _nested(contracts, child, f"{prefix}{name}")


def _column(contracts: ContractSource, name: str, shape: _Shape, *, optional: bool) -> Column:
    told = _DESCRIPTION.fullmatch(str(shape.keywords.get("description", "")))
    meaning, unit, law = (text or "" for text in told.group("meaning", "unit", "law")) if told else ("", "", "")
    return Column(name, "", _form(contracts, shape), shape.nullable, optional, meaning, unit, law)


def _nested(contracts: ContractSource, child: _Shape, name: str) -> Iterator[Column]:
    if child.properties:
        yield from _fields(contracts, child, f"{name}.")
    elif _items(contracts, child).properties:
        yield from _fields(contracts, _items(contracts, child), f"{name}[].")


def _items(contracts: ContractSource, shape: _Shape) -> _Shape:
    items = shape.keywords.get("items")
    return _shape(contracts, [(items, shape.pack)]) if isinstance(items, Mapping) else _Shape()


def _collapsed(shape: _Shape) -> dict[str, list[tuple[Mapping[str, Any], str]]]:
    """Properties; as one named ``*`` where all have the same schema."""
    schemas = list(shape.properties.values())
    same = len(schemas) > 1 and all(each == schemas[0] for each in schemas)
    return {"*": schemas[0]} if same else shape.properties


def _shape(contracts: ContractSource, schemas: Sequence[tuple[Mapping[str, Any], str]]) -> _Shape:
    shape = _Shape()
    for schema, pack in schemas:
        _add(contracts, shape, schema, pack)
    return shape


def _add(contracts: ContractSource, shape: _Shape, schema: Mapping[str, Any], pack: str) -> None:
    """Lay a schema over a shape, what it refers to first."""
    branches = schema.get("anyOf", ())
    if {"type": "null"} in branches:
        shape.nullable = True
        _add(contracts, shape, branches[0], pack)
        return
    if "$ref" in schema:
        file, _, anchor = schema["$ref"].partition("#")
        shape.primitive = anchor.rpartition("/")[2]
        _add(contracts, shape, contracts.schema(f"{file or pack}#{anchor}"), file or pack)
    shape.pack = pack
    shape.required |= set(schema.get("required", ()))
    for name, child in schema.get("properties", {}).items():
        shape.properties.setdefault(name, []).append((child, pack))
    shape.keywords |= {key: value for key, value in schema.items() if key not in ("properties", "required", "$ref")}


def _form(contracts: ContractSource, shape: _Shape) -> str:
    """Type of a value in JSON, in words."""
    keys = shape.keywords
    if "const" in keys:
        return f"always {keys['const']}"
    if "enum" in keys:
        return f"one of {', '.join(map(str, keys['enum']))}"
    if shape.primitive in _PRIMITIVES:
        return _PRIMITIVES[shape.primitive]
    kind = str(keys.get("type", "not fixed"))
    if kind == "array":
        inner = _items(contracts, shape)
        return f"list of {'objects' if inner.properties else _form(contracts, inner)}"
    limits = [f"{sign} {keys[key]}" for key, sign in _LIMITS.items() if key in keys]
    return ", ".join([_KINDS.get(kind, kind), *limits])
