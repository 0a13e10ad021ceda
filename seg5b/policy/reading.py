"""Reading a policy: parse, spell anew, check against its schemas, then hand out typed values by dotted key.

Whatever is wrong becomes one `PolicyError` with the code of the state that the policy steers, the key and a remedy.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from seg5b.contracts import ContractSource, load_json, load_yaml
from seg5b.errors import PolicyError
from seg5b.policy.additions import Additions
from seg5b.spelling import spelled_anew

_Record = TypeVar("_Record")


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """A parsed policy under the keys of today: its payload, where it was read, the code its faults carry, and what keys that it
    may leave out mean (dotted key -> value, None: what it is about is not there)."""

    payload: Mapping[str, Any]
    path: str
    code: str
    defaults: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(
        cls,
        path: Path,
        contracts: ContractSource,
        policy_id: str,
        *,
        code: str,
        missing_code: str = "",
        additions: Additions | None = None,
    ) -> PolicyFile:
        """Parse a YAML or JSON policy, spell it anew (`seg5b.spelling`), and check it as `check_payload`.

        Raises `PolicyError` ``missing_code`` (default ``code``) when the file is absent, ``code`` when it is
        malformed; `ContractError` when the contracts do not know the policy.
        """
        if not path.is_file():
            raise PolicyError(
                missing_code or code,
                f"policy {policy_id} does not exist",
                where=str(path),
                remedy=f"restore {path.name}; the shipped one lies below config/",
            )
        raw = load_policy_file(path, code=code)
        added = additions or Additions()
        payload = check_payload(policy_id, raw, contracts, added, code=code, where=str(path))
        return cls(payload, str(path), code, added.defaults)

    def fault(self, key: str, what: str, remedy: str) -> PolicyError:
        """The error to raise for a key."""
        return PolicyError(self.code, f"{key} {what}", where=f"{self.path}:{key}", remedy=remedy)

    def value(self, key: str) -> Any:
        """Value under a dotted key, or what its absence means. Raises `PolicyError` when it may not be absent."""
        node: Any = self.payload
        for part in key.split("."):
            if not isinstance(node, Mapping) or part not in node:
                if key in self.defaults:
                    return self.defaults[key]
                raise self.fault(key, "is missing", "add the key as in the shipped policy")
            node = node[part]
        return node

    def number(self, key: str) -> float:
        """A finite number."""
        return float(self._typed(key, lambda v: _is_number(v), "a finite number"))

    def integer(self, key: str) -> int:
        """A whole number (``3`` or ``3.0``)."""
        return int(self._typed(key, lambda v: _is_number(v) and v == int(v), "a whole number"))

    def text(self, key: str) -> str:
        """A text."""
        return str(self._typed(key, lambda v: isinstance(v, str), "a text"))

    def switch(self, key: str) -> bool:
        """``true`` or ``false``."""
        return bool(self._typed(key, lambda v: isinstance(v, bool), "true or false"))

    def names(self, key: str) -> tuple[str, ...]:
        """A list of texts, in file order."""
        return tuple(self._typed(key, lambda v: _is_list(v, str), "a list of texts"))

    def integers(self, key: str) -> tuple[int, ...]:
        """A list of whole numbers, in file order."""
        return tuple(self._typed(key, lambda v: _is_list(v, int), "a list of whole numbers"))

    def bounds(self, key: str) -> tuple[float, float]:
        """``[low, high]`` with low <= high. Raises `PolicyError`."""
        pair = self._typed(key, _is_pair, "a pair of finite numbers")
        low, high = float(pair[0]), float(pair[1])
        if low > high:
            raise self.fault(key, f"has its bounds reversed: {low} > {high}", "write the lower bound first")
        return low, high

    def positive_map(self, key: str, required: tuple[str, ...] = ()) -> dict[str, float]:
        """Names to positive numbers. Raises `PolicyError` when a required name is absent."""
        table = self._typed(key, _is_positive_map, "a mapping of names to positive numbers")
        absent = [name for name in required if name not in table]
        if absent:
            raise self.fault(key, f"has no value for {', '.join(absent)}", "add one for each known name")
        return {name: float(number) for name, number in table.items()}

    def ends(self, low_key: str, high_key: str) -> tuple[float, float]:
        """Two numbers that bound a range. Raises `PolicyError` where the first is above the second."""
        low, high = self.number(low_key), self.number(high_key)
        if low > high:
            raise self.fault(low_key, f"is above {high_key}, its bounds are reversed: {low} > {high}", "order the two")
        return low, high

    def block(self, key: str, record: Callable[..., _Record]) -> _Record:
        """A record whose fields are the keys below ``key``, each read by its declared type; a record within it is a block."""
        read: dict[str, Any] = {}
        for name, kind in get_type_hints(record).items():
            place = f"{key}.{name}"
            read[name] = self.block(place, kind) if dataclasses.is_dataclass(kind) else _BY_TYPE[kind](self, place)  # type: ignore[arg-type]
        return record(**read)

    def _typed(self, key: str, fits: Callable[[Any], bool], kind: str) -> Any:
        value = self.value(key)
        if not fits(value):
            raise self.fault(key, f"is {value!r}, not {kind}", f"give {kind}")
        return value


_BY_TYPE: Mapping[Any, Callable[[PolicyFile, str], Any]] = {
    bool: PolicyFile.switch,
    int: PolicyFile.integer,
    float: PolicyFile.number,
    str: PolicyFile.text,
    tuple[float, float]: PolicyFile.bounds,
    tuple[str, ...]: PolicyFile.names,
}


def load_policy_file(path: Path, *, code: str) -> dict[str, Any]:
    """A policy as it stands. Raises `PolicyError` ``code`` for one that does not parse."""
    load = load_json if path.suffix == ".json" else load_yaml
    return load(path, error=PolicyError, code=code)


def check_payload(
    policy_id: str, raw: Mapping[str, Any], contracts: ContractSource, additions: Additions, *, code: str, where: str
) -> dict[str, Any]:
    """A policy under the keys of today, once it is found good.

    It must fit the shipped schema, whose shape the records of this room rely on. Where the contracts in use are others, it must
    fit theirs too: as it stands, or without what this engine adds to the policies of the reference engine. Raises `PolicyError`
    ``code``; `ContractError` when the contracts do not know the policy.
    """
    try:
        payload = spelled_anew(policy_id, raw)
    except ValueError as cause:
        remedy = "write the keys as in the shipped policy"
        raise PolicyError(code, f"policy {policy_id}: {cause}", where=where, remedy=remedy) from cause
    packaged = ContractSource.packaged()
    _check_form(packaged, policy_id, payload, code, where)
    if contracts != packaged:
        schema = contracts.validator(contracts.dictionary().entry(policy_id).schema_ref)
        if not schema.is_valid(raw):
            _check_form(contracts, policy_id, additions.without(payload), code, where)
    return payload


def _check_form(contracts: ContractSource, policy_id: str, payload: Mapping[str, Any], code: str, where: str) -> None:
    contracts.validate(
        contracts.dictionary().entry(policy_id).schema_ref,
        payload,
        code=code,
        where=where,
        error=PolicyError,
        remedy="set the key as the policy schema says, or restore the shipped file",
    )


def named_number(table: Mapping[str, float], key: str, name: str, *, code: str) -> float:
    """The number that a policy's table gives for a name. Raises `PolicyError` ``code`` when it gives none; ``key`` says
    where the table stands."""
    if name not in table:
        raise PolicyError(
            code,
            f"{key} has no value for {name!r}",
            where=key,
            remedy="add the name to the policy, or correct it in the grouping",
        )
    return table[name]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_list(value: Any, kind: type) -> bool:
    return isinstance(value, list) and all(type(item) is kind for item in value)


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(_is_number(item) for item in value)


def _is_positive_map(value: Any) -> bool:
    return isinstance(value, Mapping) and all(_is_number(item) and item > 0 for item in value.values())
