"""What this engine adds to the policies of the reference engine: keys that a policy may leave out, and values beyond its own.

The table of each policy stands in its record; a policy that states none of this is one that the reference engine reads too.
Law: docs/laws#policy-additions.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from seg5b.spelling import is_there


@dataclass(frozen=True, slots=True)
class Additions:
    """What a record reads beyond the keys and values of the reference engine.

    ``keys``: added dotted keys and what they mean where they are absent (None: what they are about is not there).
    ``determined``: keys of the reference engine that older releases of it did not have, and the only thing that they can mean.
    ``values``: keys of the reference engine that admit more here: its one value, or, of each value that it does not know, what
    is nearest there; ``[]`` stands for every entry of a list. ``items``: lists of the reference engine that may hold more here,
    by the field that names an entry, and the names that it does not know with what holds where an entry is absent.
    """

    keys: Mapping[str, Any] = field(default_factory=dict)
    determined: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    items: Mapping[str, tuple[str, Mapping[str, str]]] = field(default_factory=dict)

    @property
    def defaults(self) -> dict[str, Any]:
        """What every key that may be absent means then."""
        return {**self.keys, **self.determined}

    def absent_from(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """The added keys and entries of lists that a policy leaves out, and what holds instead."""
        keys = {key: value for key, value in self.keys.items() if not is_there(payload, key)}
        for key, (name, added) in self.items.items():
            stated = {entry.get(name) for entry in payload.get(key, ())}
            keys |= {f"{key}[{entry}]": holds for entry, holds in added.items() if entry not in stated}
        return keys

    def completed(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """A copy of a policy that states every added key that means something where it is absent."""
        complete: dict[str, Any] = copy.deepcopy(dict(payload))
        for key, value in self.keys.items():
            if value is not None and not is_there(complete, key):
                _set_new(complete, key, copy.deepcopy(value))
        return complete

    def without(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """A copy of a policy as the reference engine would have it."""
        reduced: dict[str, Any] = copy.deepcopy(dict(payload))
        for key in self.keys:
            _take(reduced, key)
        for key, (name, added) in self.items.items():
            reduced[key] = [entry for entry in reduced.get(key, ()) if entry.get(name) not in added]
        for key, value in self.values.items():
            _set_everywhere(reduced, key.split("."), value)
        return reduced


def _holder(payload: dict[str, Any], key: str) -> tuple[dict[str, Any], str]:
    *above, last = key.split(".")
    for part in above:
        payload = payload[part]
    return payload, last


def _set_new(payload: dict[str, Any], key: str, value: Any) -> None:
    """Set a key that is not there, with what holds it."""
    *above, last = key.split(".")
    for part in above:
        payload = payload.setdefault(part, {})
    payload[last] = value


def _take(payload: dict[str, Any], key: str) -> None:
    """Remove a key, and what holds nothing then."""
    if not is_there(payload, key):
        return
    holder, last = _holder(payload, key)
    del holder[last]
    above = key.rpartition(".")[0]
    if above and not holder:
        _take(payload, above)


def _set_everywhere(node: Any, parts: list[str], value: Any) -> None:
    """Set a key that is there; ``[]`` stands for every entry of a list."""
    first, *rest = parts
    if first == "[]":
        for item in node:
            _set_everywhere(item, rest, value)
    elif isinstance(node, dict) and first in node:
        if rest:
            _set_everywhere(node[first], rest, value)
        else:
            node[first] = value.get(node[first], node[first]) if isinstance(value, Mapping) else value
