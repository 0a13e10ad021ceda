"""Documents compared value by value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

ABSENT = "–"
"""What stands where a value is on one side only."""


def different_leaves(left: Any, right: Any) -> list[tuple[str, str, str]]:
    """Keys, dotted, whose values differ between two documents, with both values as text; by key."""
    one, other = dict(_leaves(left, "")), dict(_leaves(right, ""))
    keys = sorted(one.keys() | other.keys())
    pairs = [(key, one.get(key, ABSENT), other.get(key, ABSENT)) for key in keys]
    return [pair for pair in pairs if pair[1] != pair[2]]


def _leaves(value: Any, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and (value or not key):
        for name, inner in value.items():
            yield from _leaves(inner, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list) and any(isinstance(each, Mapping | list) for each in value):
        for number, inner in enumerate(value):
            yield from _leaves(inner, f"{key}[{_named(inner, number)}]")
    else:
        yield key, _text(value)


def _named(element: Any, number: int) -> str:
    """An element of a list by its id or name, so that one more before it changes nothing."""
    if isinstance(element, Mapping):
        return str(element.get("id", element.get("name", number)))
    return str(number)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)
