"""Policies at the gate: parsed, matched with the version that the dictionary declares, valid by their schema; where each was
found, and what holds where it leaves out what this engine adds.

Source: docs/laws#policy-version, docs/laws#policy-additions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from seg5b.contracts import ContractSource
from seg5b.errors import PolicyError
from seg5b.gate.inputs import INCOMPLETE, FoundInput
from seg5b.policy import ADDITIONS, Additions, policy_version, policy_version_matches
from seg5b.policy.reading import check_payload, load_policy_file
from seg5b.resources import resource_root
from seg5b.runs import RunRoot
from seg5b.spelling import spelled_anew

Source = Literal["run", "external", "packaged"]
_INVALID = "5B.S0.SEALED_INPUTS_SCHEMA_INVALID"


def check_policy(found: FoundInput, contracts: ContractSource) -> None:
    """Check one policy file.

    Raises `PolicyError` ``5B.S0.SEALED_INPUTS_SCHEMA_INVALID`` for a file that does not parse or does not fit
    its schema, ``5B.S0.SEALED_INPUTS_INCOMPLETE`` for a version that is absent or not the declared one.
    """
    path = found.places[0].path
    payload = load_policy_file(path, code=_INVALID)
    if not policy_version_matches(found.entry.version, payload):
        raise PolicyError(
            INCOMPLETE,
            f"{found.entry.id} has version {policy_version(payload)!r}, the dictionary declares "
            f"{found.entry.version!r}",
            where=str(path),
            remedy="use the policy of the declared version, or update the dictionary",
        )
    added = ADDITIONS.get(found.entry.id, Additions())
    check_payload(found.entry.id, payload, contracts, added, code=_INVALID, where=str(path))


@dataclass(frozen=True, slots=True)
class PolicyOrigin:
    """Where a sealed policy was found: in the ``run``, below an ``external`` root, or ``packaged``; and the keys that this
    engine adds to it and that it leaves out, with what holds instead (None: what a key is about is not there)."""

    policy_id: str
    source: Source
    defaults: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """For the run record."""
        return {"policy": self.policy_id, "source": self.source, "defaults": dict(self.defaults)}

    @property
    def told(self) -> str:
        """What it leaves out, as a line of the log."""
        held = ", ".join(f"{key} = {'none' if value is None else value}" for key, value in self.defaults.items())
        return f"{self.policy_id} does not state {held}"


def policy_origins(root: RunRoot, inputs: Iterable[FoundInput]) -> tuple[PolicyOrigin, ...]:
    """Origin of every policy among the inputs, which `check_policy` found good. Raises `PolicyError` for one that has changed
    since."""
    return tuple(_origin(root, found) for found in inputs if found.artefact.role == "policy")


def _origin(root: RunRoot, found: FoundInput) -> PolicyOrigin:
    path, policy_id = found.places[0].path, found.entry.id
    payload = spelled_anew(policy_id, load_policy_file(path, code=_INVALID))
    source: Source = "external"
    if path.is_relative_to(root.path):
        source = "run"
    elif path.is_relative_to(resource_root()):
        source = "packaged"
    return PolicyOrigin(policy_id, source, ADDITIONS.get(policy_id, Additions()).absent_from(payload))
