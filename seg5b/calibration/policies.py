"""Changing one value of a policy: which file, which key, which states it reaches."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seg5b.contracts import ContractSource, load_json, load_yaml
from seg5b.errors import PolicyError
from seg5b.foreign_json import parse_json
from seg5b.gate.catalogue import BY_ID
from seg5b.pipeline import STATE_IDS, STATES
from seg5b.policy import ADDITIONS, RECORDS, load_policy
from seg5b.runs.root import RunRoot
from seg5b.runs.scratch import reader_scratch
from seg5b.spelling import is_there, now, spelled_anew

CODE = "5B.CALIBRATION.KEY_UNKNOWN"
FIRST_STATE: Mapping[str, str] = {
    policy_id: next((state.id for state in STATES if policy_id in state.reads), STATE_IDS[-1])
    for policy_id, artefact in BY_ID.items()
    if artefact.role == "policy"
}
"""First state whose outputs a policy can change; everything before it is the same for both policies. A policy that no
other state reads can only change what S5 says."""

Value = bool | int | float | str


@dataclass(frozen=True, slots=True)
class PolicyKey:
    """One value of a policy: dotted ``key`` within the policy ``policy_id``."""

    policy_id: str
    key: str

    @classmethod
    def parse(cls, text: str) -> PolicyKey:
        """From ``<policy id>.<dotted key>``, as ``arrival_routing_policy_5B.hybrid_policy.p_virtual_hybrid``.

        Raises `PolicyError` ``5B.CALIBRATION.KEY_UNKNOWN``.
        """
        policy_id, _, key = text.partition(".")
        if policy_id not in FIRST_STATE or not key:
            what = f"{text!r} does not start with a policy and a key"
            raise PolicyError(CODE, what, remedy=f"write POLICY.KEY with one of {', '.join(sorted(FIRST_STATE))}")
        return cls(policy_id, key)

    def __str__(self) -> str:
        return f"{self.policy_id}.{self.key}"


@dataclass(frozen=True, slots=True)
class Change:
    """A value that a derived run's policy has instead of its base's."""

    at: PolicyKey
    value: Value

    def as_json(self) -> dict[str, Any]:
        """For the receipt."""
        return {"policy": self.at.policy_id, "key": self.at.key, "value": self.value}


def parse_value(text: str) -> Value:
    """A value from the command line: JSON where it is a number or a switch, else the text itself."""
    try:
        value = parse_json(text.encode("utf-8", "surrogateescape"))
    except ValueError:
        return text
    return value if isinstance(value, (bool, int, float, str)) else text


def policy_path(root: RunRoot, contracts: ContractSource, policy_id: str) -> tuple[str, Path]:
    """Contract path and file of a policy of the run. Raises `RunError` when it is nowhere."""
    rendered = contracts.dictionary("5B").entry(policy_id).render(root.identity.tokens())
    return rendered, root.resolve(rendered)


def read_policy(path: Path) -> dict[str, Any]:
    """A policy as it stands. Raises `PolicyError` ``5B.CALIBRATION.KEY_UNKNOWN`` for one that does not parse."""
    load = load_json if path.suffix == ".json" else load_yaml
    return load(path, error=PolicyError, code=CODE)


def current_value(root: RunRoot, contracts: ContractSource, at: PolicyKey) -> Value:
    """Value of a key in the run's policy. Raises `PolicyError` ``5B.CALIBRATION.KEY_UNKNOWN``."""
    _, path = policy_path(root, contracts, at.policy_id)
    payload, ((key, _), *_) = _spelled(read_policy(path), Change(at, ""), path)
    defaults = ADDITIONS[at.policy_id].keys if at.policy_id in ADDITIONS else {}
    value = (
        defaults[key] if key in defaults and not is_there(payload, key) else _parent(payload, at, key, path)[_last(key)]
    )
    if not isinstance(value, (bool, int, float, str)):
        raise _unknown(at, path, "is no single value")
    return value


def value_if_any(root: RunRoot, contracts: ContractSource, at: PolicyKey) -> Value | None:
    """As `current_value`; None where the policy leaves out a key that this engine adds."""
    _, path = policy_path(root, contracts, at.policy_id)
    payload, ((key, _), *_) = _spelled(read_policy(path), Change(at, ""), path)
    is_added = at.policy_id in ADDITIONS and key in ADDITIONS[at.policy_id].keys
    return None if is_added and not is_there(payload, key) else current_value(root, contracts, at)


def changed_policy(root: RunRoot, contracts: ContractSource, changes: Sequence[Change]) -> tuple[str, bytes]:
    """Contract path and new bytes of one policy after all ``changes`` (of that policy).

    The bytes are a function of the policy's content and the changes: comments are lost, numbers are not. A policy in the old
    spelling stays in it where the keys are its own, and is spelled anew where they are not; a key that this engine adds is
    added. Raises `PolicyError` ``5B.CALIBRATION.KEY_UNKNOWN`` for a key that the policy does not have.
    """
    rendered, path = policy_path(root, contracts, changes[0].at.policy_id)
    payload = read_policy(path)
    for change in changes:
        payload, said = _spelled(payload, change, path)
        for key, value in said:
            _parent(payload, change.at, key, path)[_last(key)] = value
    if path.suffix == ".json":
        return rendered, (json.dumps(payload, indent=2) + "\n").encode()
    notes = "".join(f"# changed: {change.at.key} = {change.value}\n" for change in changes)
    return rendered, (notes + _block(payload)).encode()


def by_policy(changes: Sequence[Change]) -> list[list[Change]]:
    """Changes of each policy, in order of the first of each."""
    named: dict[str, list[Change]] = {}
    for change in changes:
        named.setdefault(change.at.policy_id, []).append(change)
    return list(named.values())


def check_changes(root: RunRoot, contracts: ContractSource, changes: Sequence[Change]) -> None:
    """Read every changed policy as its states will, all of its changes together. Raises the `PolicyError` that a state would
    raise."""
    for own in by_policy(changes):
        rendered, content = changed_policy(root, contracts, own)
        with reader_scratch(root, "policy") as folder:
            file = folder / Path(rendered).name
            file.write_bytes(content)
            check_policy_file(own[0].at.policy_id, file, contracts)


def check_policy_file(policy_id: str, file: Path, contracts: ContractSource) -> None:
    """Read a policy file as its state will. Raises the `PolicyError` that the state would raise."""
    if policy_id in RECORDS:
        load_policy(RECORDS[policy_id], file, contracts)


def _spelled(payload: dict[str, Any], change: Change, path: Path) -> tuple[dict[str, Any], list[tuple[str, Any]]]:
    """A policy in the spelling that a change is made in, and what is to be set there."""
    policy_id, key = change.at.policy_id, change.at.key
    if is_there(payload, key):
        return payload, [(key, change.value)]
    try:
        return spelled_anew(policy_id, payload), list(now(policy_id, key, change.value))
    except ValueError as cause:
        raise _unknown(change.at, path, f"cannot be set: {cause}") from cause


def _last(key: str) -> str:
    return key.rpartition(".")[2]


def _parent(payload: dict[str, Any], at: PolicyKey, key: str, path: Path) -> dict[str, Any]:
    """The mapping that holds a key, or that is to hold one that this engine adds."""
    node: Any = payload
    is_added = at.policy_id in ADDITIONS and key in ADDITIONS[at.policy_id].keys
    *above, last = key.split(".")
    for part in above:
        node = (node.setdefault(part, {}) if is_added else node.get(part)) if isinstance(node, dict) else None
    if not isinstance(node, dict) or (last not in node and not is_added):
        raise _unknown(at, path, "is not in the policy")
    return node


def _unknown(at: PolicyKey, path: Path, why: str) -> PolicyError:
    return PolicyError(CODE, f"{at.key} {why}", where=str(path), remedy="name a key that the policy file has")


def _block(payload: Mapping[str, Any]) -> str:
    """YAML: one top-level key per line, everything below it in flow form."""
    return "".join(f"{_flow(key)}: {_flow(value)}\n" for key, value in payload.items())


def _flow(value: Any) -> str:
    """A value in YAML's flow form. Floats keep a point, without which YAML 1.1 would read 1e-09 as a text."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_flow(key)}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, float):
        mantissa, exponent, power = repr(value).partition("e")
        return (mantissa if "." in mantissa else f"{mantissa}.0") + exponent + power
    return json.dumps(value, ensure_ascii=True)
