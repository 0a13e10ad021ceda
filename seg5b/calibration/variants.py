"""What a sweep tries beside its base: every combination of some values of some keys, and named bundles of changes
(docs/laws#sweep)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from seg5b.calibration.policies import Change, PolicyKey, Value, parse_value
from seg5b.errors import PolicyError

HYBRID_P = "hybrid_policy.p_virtual_hybrid"
"""Written with four decimals, and named ``p_virtual_hybrid`` in matrices."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One candidate: its ``label`` in every table, and all that it changes together."""

    label: str
    changes: tuple[Change, ...]

    @property
    def values(self) -> dict[PolicyKey, Value]:
        """Changed values by key."""
        return {change.at: change.value for change in self.changes}


def grid(axes: Mapping[PolicyKey, Sequence[Value]]) -> list[Variant]:
    """Every combination of one value of each key, the last key's values running fastest; none without keys."""
    if not axes:
        return []
    short = short_names(axes)
    found = []
    for values in product(*axes.values()):
        changes = tuple(Change(at, rounded(at, value)) for at, value in zip(axes, values, strict=True))
        label = " ".join(f"{short[each.at].rpartition('.')[2]}={each.value}" for each in changes)
        found.append(Variant(label, changes))
    return found


def parse_axis(text: str) -> tuple[PolicyKey, tuple[Value, ...]]:
    """An axis of a grid from ``POLICY.KEY=VALUE,VALUE``. Raises `PolicyError` ``5B.CALIBRATION.KEY_UNKNOWN`` and
    ``5B.CALIBRATION.VARIANT_INVALID``."""
    key, sign, values = text.partition("=")
    wanted = tuple(parse_value(each.strip()) for each in values.split(",") if each.strip())
    if not sign or not wanted:
        raise _invalid(text, "names no values", "write POLICY.KEY=VALUE,VALUE")
    return PolicyKey.parse(key.strip()), wanted


def parse_bundle(text: str) -> Variant:
    """A bundle from ``NAME:POLICY.KEY=VALUE,POLICY.KEY=VALUE``. Raises as `parse_axis`."""
    form = "write NAME:POLICY.KEY=VALUE,POLICY.KEY=VALUE"
    name, sign, body = text.partition(":")
    if not sign or not name.strip() or not body.strip():
        raise _invalid(text, "has no name or changes nothing", form)
    changes = []
    for each in body.split(","):
        key, values = parse_axis(each)
        changes.append(Change(key, rounded(key, values[0])))
    if len({change.at for change in changes}) < len(changes):
        raise _invalid(text, "changes a key twice", form)
    return Variant(name.strip(), tuple(changes))


def short_names(keys: Iterable[PolicyKey]) -> dict[PolicyKey, str]:
    """Names of keys for columns and labels: without their policy where that is clear, ``p_virtual_hybrid`` for that key."""
    chosen = list(keys)
    plain = [each.key for each in chosen]
    return {each: _short(each, unique=plain.count(each.key) == 1) for each in chosen}


def _short(key: PolicyKey, *, unique: bool) -> str:
    if not unique:
        return str(key)
    return "p_virtual_hybrid" if key.key == HYBRID_P else key.key


def rounded(key: PolicyKey, value: Value) -> Value:
    """A value as it is written: ``p_virtual_hybrid`` with four decimals."""
    return round(value, 4) if key.key == HYBRID_P and isinstance(value, float) else value


def drift(value: Value | None, original: Value | None) -> float:
    """Distance of one value from the base's: of numbers their difference, else 0 or 1; None is a key that is absent."""
    if _is_number(value) and _is_number(original):
        return abs(float(value) - float(original))  # type: ignore[arg-type]
    return float(value != original)


def _is_number(value: Value | None) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _invalid(text: str, why: str, remedy: str) -> PolicyError:
    return PolicyError("5B.CALIBRATION.VARIANT_INVALID", f"{text!r} {why}", remedy=remedy)
