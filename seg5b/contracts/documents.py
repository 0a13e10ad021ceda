"""A document that a user writes, held against a JSON Schema of its own: what is wrong, what is left out, and YAML in
small."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match, relevance

from seg5b.contracts.files import parse_yaml
from seg5b.errors import brief, shown

_LARGEST: Final = 1e15
_EXPONENT: Final = re.compile(r"[-+]?[0-9.]+[eE][-+]?[0-9]+")


@dataclass(frozen=True, slots=True)
class DocumentFault:
    """The first thing that a schema refuses: ``key`` (``merchants.classes.shop``), the ``value`` as shown, the
    ``reason``, and what to do about it (empty where the reason says it)."""

    key: str
    value: str
    reason: str
    remedy: str


def document_fault(document: Mapping[str, Any], schema: Mapping[str, Any]) -> DocumentFault | None:
    """What is wrong with a document, or None."""
    odd = next(_odd_numbers(document, ()), None)
    if odd is not None:
        key, value = odd
        return DocumentFault(
            key, shown(value), "is no number that can be used", "fractions go to 1e15, whole numbers have 64 bits"
        )
    error = best_match(Draft202012Validator(dict(schema)).iter_errors(document), key=relevance)
    return None if error is None else _fault(error)


def _odd_numbers(document: Any, path: tuple[str, ...]) -> Iterator[tuple[str, float]]:
    """What no document may hold: infinite fractions, those that are no number or too large to be added up, and whole numbers of
    more than 64 bits."""
    if isinstance(document, Mapping):
        for key, child in document.items():
            yield from _odd_numbers(child, (*path, str(key)))
    elif isinstance(document, list):
        for place, child in enumerate(document):
            yield from _odd_numbers(child, (*path, str(place)))
    elif (isinstance(document, float) and not abs(document) <= _LARGEST) or (
        isinstance(document, int) and abs(document) >= 1 << 64
    ):
        yield ".".join(path), document


def with_defaults(document: Any, schema: Mapping[str, Any], root: Mapping[str, Any] | None = None) -> Any:
    """A document that fits its schema with every ``default`` written out, keys in the order of the schema, and every number
    of type ``number`` a float, so that documents that mean the same are equal."""
    root = schema if root is None else root
    if "$ref" in schema:
        return with_defaults(document, root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    if isinstance(document, Mapping):
        known = schema.get("properties", {})
        other = schema.get("additionalProperties")
        absent = {key: child["default"] for key, child in known.items() if key not in document and "default" in child}
        whole = {**document, **absent}
        ordered = [*(key for key in known if key in whole), *(key for key in whole if key not in known)]
        further = other if isinstance(other, Mapping) else {}
        return {key: with_defaults(whole[key], known.get(key, further), root) for key in ordered}
    if isinstance(document, list):
        return [with_defaults(item, schema.get("items", {}), root) for item in document]
    if schema.get("type") == "number":
        return float(document)
    is_whole = schema.get("type") == "integer" or "enum" in schema
    return int(document) if is_whole and isinstance(document, float) else document


def without_defaults(document: Any, schema: Mapping[str, Any], root: Mapping[str, Any] | None = None) -> Any:
    """What `with_defaults` made, less what is only said by default. It stays the same when a schema gets a further key, whose
    default is what was so before."""
    root = schema if root is None else root
    if "$ref" in schema:
        return without_defaults(document, root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    if isinstance(document, Mapping):
        known, other = schema.get("properties", {}), schema.get("additionalProperties")
        further = other if isinstance(other, Mapping) else {}
        stated: dict[str, Any] = {}
        for key, value in document.items():
            child = known.get(key, further)
            if "default" not in child or value != with_defaults(child["default"], child, root):
                stated[key] = without_defaults(value, child, root)
        return stated
    if isinstance(document, list):
        return [without_defaults(item, schema.get("items", {}), root) for item in document]
    return document


def plain_dates(value: Any) -> Any:
    """The same with dates and times, which YAML reads as such, as texts: 2026-11-01, 2026-11-01T06:00:00Z."""
    if isinstance(value, Mapping):
        return {key: plain_dates(child) for key, child in value.items()}
    if isinstance(value, list):
        return [plain_dates(child) for child in value]
    if isinstance(value, datetime):
        moment = value if value.tzinfo is None else value.astimezone(UTC)
        return f"{moment:%Y-%m-%dT%H:%M:%S}{'' if value.tzinfo is None else 'Z'}"
    return value.isoformat() if isinstance(value, date) else value


def yaml_value(text: str) -> Any:
    """One value written in YAML, as after ``key: ``. Raises `ValueError` where it is none that a document may hold."""
    return plain_dates(parse_yaml(f"value: {text}".encode())["value"])


def yaml_text(document: Mapping[str, Any]) -> str:
    """A document as YAML, keys in their order."""
    return yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True, width=110)


def _fault(error: Any) -> DocumentFault:
    key = ".".join(str(part) for part in error.absolute_path)
    if error.validator == "additionalProperties":
        known = error.schema.get("properties", {})
        stray = next(name for name in error.instance if name not in known)
        near = difflib.get_close_matches(stray, known, 1)
        remedy = f"did you mean {near[0]}?" if near else f"use one of {', '.join(known)}"
        return DocumentFault(f"{key}.{stray}".lstrip("."), shown(error.instance[stray]), "is an unknown key", remedy)
    if error.validator == "required":
        missing = next(name for name in error.validator_value if name not in error.instance)
        return DocumentFault(f"{key}.{missing}".lstrip("."), "nothing", "is needed", "state it")
    in_key = list(error.absolute_schema_path)[-2:-1] == ["propertyNames"] or "propertyNames" in error.schema_path
    where = f"{key}.{error.instance}".lstrip(".") if in_key else key
    return DocumentFault(where, shown(error.instance), *_reason(error))


def _reason(error: Any) -> tuple[str, str]:
    wanted, meaning = error.validator_value, str(error.schema.get("description", ""))
    hint = brief(meaning.partition(". ")[0], 160)
    if isinstance(error.instance, bool) and error.validator == "type":
        return f"is a truth value, not {_words(wanted)}", 'quote it: YAML reads NO, on and yes as truth values ("NO")'
    words = {
        "type": lambda: f"is not {_words(wanted)}",
        "enum": lambda: f"is none of {', '.join(map(str, wanted))}",
        "minimum": lambda: f"is below {wanted:g}" if math.isfinite(wanted) else "is too small",
        "exclusiveMinimum": lambda: f"is not above {wanted:g}",
        "maximum": lambda: f"is above {wanted:,}",
        "pattern": lambda: f"does not have the form {wanted}",
        "minItems": lambda: f"has fewer than {wanted} entries",
        "maxItems": lambda: f"has more than {wanted} entries",
        "minProperties": lambda: "is empty",
        "maxProperties": lambda: f"has more than {wanted} entries",
        "uniqueItems": lambda: "has an entry twice",
    }
    if error.validator == "type" and wanted == "number" and _EXPONENT.fullmatch(str(error.instance)):
        return "is a text to YAML", "write the exponent with a point and a sign, as 1.0e+5, or the number in full"
    says: Any = words.get(str(error.validator))
    return (says() if says else brief(error.message)), hint


def _words(kind: str | list[str]) -> str:
    names = {
        "object": "a mapping",
        "array": "a list",
        "string": "a text",
        "integer": "a whole number",
        "number": "a number",
    }
    return " or ".join(names.get(each, each) for each in ([kind] if isinstance(kind, str) else kind))
