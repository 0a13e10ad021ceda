"""Schema packs as JSON Schema 2020-12.

Packs use two shorthands that JSON Schema does not know: ``nullable: true``, and tables given as ``type: table`` with
``columns``. Both are rewritten once, when a pack is loaded; references between packs are resolved by one registry.
Source: docs/laws#schema-forms.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match
from jsonschema.validators import extend
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from seg5b.errors import brief, shown

_INT_BITS = {f"{sign}int{bits}": (sign, bits) for sign in ("", "u") for bits in (8, 16, 32, 64)}
_NATIVE_TYPES: dict[str, dict[str, Any]] = {
    "utf8": {"type": "string"},
    "float32": {"type": "number"},
    "float64": {"type": "number"},
    "double": {"type": "number"},
    "bool": {"type": "boolean"},
    **{
        name: {"type": "integer", "minimum": 0, "maximum": 2**bits - 1}
        if sign
        else {"type": "integer", "minimum": -(2 ** (bits - 1)), "maximum": 2 ** (bits - 1) - 1}
        for name, (sign, bits) in _INT_BITS.items()
    },
}
_COLUMN_ONLY = {"name", "nullable"}


def rewrite(node: Any) -> Any:
    """A pack, or part of one, with both shorthands replaced by plain JSON Schema and ``$id`` removed."""
    if isinstance(node, list):
        return [rewrite(child) for child in node]
    if not isinstance(node, dict):
        return node
    if node.get("type") == "table" and isinstance(node.get("columns"), list):
        return _row_schema(node["columns"])
    plain = {key: rewrite(child) for key, child in node.items() if key != "$id"}
    if isinstance(plain.get("pattern"), str):
        plain["pattern"] = _strict_end(plain["pattern"])
    if plain.get("nullable") is True:
        del plain["nullable"]
        return {"anyOf": [plain, {"type": "null"}]}
    return plain


def _strict_end(pattern: str) -> str:
    """A final ``$`` in JSON Schema is the end of the text; in Python it would also admit a trailing newline."""
    return f"{pattern[:-1]}\\Z" if pattern.endswith("$") and not pattern.endswith("\\$") else pattern


def _row_schema(columns: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Object schema of one row: every column present, null only where nullable, nothing else."""
    properties = {column["name"]: _column_schema(column) for column in columns}
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _column_schema(column: Mapping[str, Any]) -> Any:
    schema = {key: rewrite(child) for key, child in column.items() if key not in _COLUMN_ONLY}
    native = _NATIVE_TYPES.get(str(schema.get("type")))
    if native:
        schema = {**schema, **native}
    return rewrite({**schema, "nullable": bool(column.get("nullable"))})


def pack_registry(packs: Mapping[str, Mapping[str, Any]]) -> Registry[Any]:
    """Resolver over rewritten packs, keyed by file name, so that ``schemas.X.yaml#/a/b`` refers to pack X."""
    resources = [
        (name, Resource.from_contents(rewrite(pack), default_specification=DRAFT202012)) for name, pack in packs.items()
    ]
    return Registry().with_resources(resources)


def validator_for(schema_ref: str, registry: Registry[Any]) -> Draft202012Validator:
    """Validator of the schema behind a reference; formats are not checked."""
    return _Validator({"$ref": schema_ref}, registry=registry)


def _unique_items(_: object, wanted: bool, items: Any, __: object) -> Iterator[ValidationError]:
    """``uniqueItems`` in linear time; jsonschema compares all pairs of items that do not sort."""
    if wanted and isinstance(items, list):
        texts = [json.dumps(item, sort_keys=True, default=str) for item in items]
        if len(set(texts)) < len(texts):
            yield ValidationError(f"{shown(items)} has non-unique elements")


_Validator: type[Draft202012Validator] = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator, {"uniqueItems": _unique_items}
)


def readable(error: ValidationError) -> str:
    """One line: where in the instance, and what is wrong there."""
    deepest = best_match([error]) or error
    return brief(f"{json_path(deepest.absolute_path)}: {brief(deepest.message)}", 400)


def json_path(parts: Iterable[str | int]) -> str:
    """``$.a.b[3]`` from path parts."""
    return "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
