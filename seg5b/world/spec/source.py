"""A specification as it is written: files, single values on the command line, schema and defaults."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from seg5b.contracts import (
    document_fault,
    load_json,
    load_yaml,
    plain_dates,
    with_defaults,
    without_defaults,
    yaml_value,
)
from seg5b.errors import WorldError, brief
from seg5b.resources import resource_root
from seg5b.world.spec.refusal import SPEC_INVALID, refusal

SCHEMA_PATH: Final = "contracts/schemas/world/world_spec.schema.json"
PRESET_NAMES: Final = (
    "demo",
    "small",
    "reference",
    "large",
    "demo_classic",
    "small_classic",
    "reference_classic",
    "large_classic",
    "reference_as_found",
)
Document = Mapping[str, Any]


@cache
def schema() -> Mapping[str, Any]:
    """The published JSON Schema of specifications."""
    return load_json(resource_root() / SCHEMA_PATH)


def preset_path(name: str) -> Path:
    """The specification of a preset. Raises `WorldError` ``5B.WORLD.PRESET_UNKNOWN`` if there is none of that name."""
    if name not in PRESET_NAMES:
        raise WorldError(
            "5B.WORLD.PRESET_UNKNOWN",
            f"there is no preset {name!r}",
            where="preset",
            remedy=f"choose one of {', '.join(PRESET_NAMES)}",
        )
    return resource_root() / "config/worlds" / f"{name}.yaml"


def read_spec(path: Path) -> dict[str, Any]:
    """A specification as it stands in a file. Raises `WorldError` ``5B.WORLD.SPEC_INVALID`` where it is no strict YAML
    mapping (law L16)."""
    document: dict[str, Any] = plain_dates(load_yaml(path, error=WorldError, code=SPEC_INVALID))
    merchants = document.get("merchants")
    sites = merchants.get("sites") if isinstance(merchants, dict) else None
    for holder in (merchants, sites, document.get("places"), document.get("volume")):
        if isinstance(holder, dict) and isinstance(holder.get("file"), str):
            holder["file"] = str(path.parent / holder["file"])
    return document


def with_tables(document: Document, name: Callable[[str, str], str | None]) -> dict[str, Any]:
    """A resolved specification with the paths of its tables renamed, by ``name(merchants|sites|volume, path)``; one that
    becomes None is left out."""

    def renamed(key: str, holder: Document) -> dict[str, Any]:
        files = {"file": name(key, holder["file"])} if "file" in holder else {}
        return {each: value for each, value in {**holder, **files}.items() if value is not None}

    merchants = renamed("merchants", document["merchants"])
    sites = renamed("sites", merchants["sites"])
    volume = renamed("volume", document["volume"])
    return {**document, "merchants": {**merchants, "sites": sites}, "volume": volume}


def stated(document: Document) -> dict[str, Any]:
    """What a resolved specification says beyond the defaults of the schema, less its seeds and where its tables lie: what
    makes one world another."""
    plain = with_tables({key: value for key, value in document.items() if key != "seeds"}, lambda *_: None)
    found: dict[str, Any] = without_defaults(plain, schema())
    return found


def resolved(document: Document) -> dict[str, Any]:
    """A specification with every default written out. Raises `WorldError` ``5B.WORLD.SPEC_INVALID`` for the first key
    that the schema refuses."""
    fault = document_fault(document, schema())
    if fault:
        raise WorldError(
            SPEC_INVALID, f"{fault.key}: {fault.value} {fault.reason}", where=fault.key, remedy=fault.remedy
        )
    complete: dict[str, Any] = with_defaults(document, schema())
    return complete


def with_values(document: Document, values: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a specification with values by dotted key (``merchants.count``; digits count the entries of a list); None
    takes a key or an entry away.

    Raises `WorldError` ``5B.WORLD.SPEC_INVALID`` for a key below something that is neither mapping nor list.
    """
    changed: dict[str, Any] = plain_dates(document)
    for key, value in values.items():
        holder: Any = changed
        *parents, last = key.split(".")
        for part in parents:
            holder = _inside(holder, part, key, value)
        if isinstance(holder, list):
            _check_entry(holder, last, key, value)
            holder[int(last) : int(last) + 1] = [] if value is None else [value]
        elif isinstance(holder, dict) and value is None:
            holder.pop(last, None)
        elif isinstance(holder, dict):
            holder[last] = value
        else:
            raise refusal(key, value, "has no place: what is above it is a single value", "name another key")
    return changed


def assignments(texts: Iterable[str]) -> dict[str, Any]:
    """Values by key from ``key=value`` texts, each value written in YAML. Raises `WorldError`
    ``5B.WORLD.SPEC_INVALID``."""
    values = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise refusal("--set", text, "is not key=value", "write e.g. --set merchants.count=50")
        try:
            values[key.strip()] = yaml_value(value)
        except Exception as cause:  # YAML's own errors, and whatever its strict reader refuses
            raise refusal(key, value, f"is no YAML value: {brief(str(cause), 120)}", "quote it") from cause
    return values


def _inside(holder: Any, part: str, key: str, value: Any) -> Any:
    if isinstance(holder, list):
        _check_entry(holder, part, key, value)
        return holder[int(part)]
    if isinstance(holder, dict):
        return holder.setdefault(part, {})
    raise refusal(key, value, f"has no place: {part} is below a single value", "name another key")


def _check_entry(holder: list[Any], part: str, key: str, value: Any) -> None:
    if not part.isdigit() or int(part) >= len(holder):
        raise refusal(key, value, f"has no place: the list has no entry {part}", f"count from 0 to {len(holder) - 1}")
