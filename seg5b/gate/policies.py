"""Policies at the gate: parsed, matched with the version that the dictionary declares, valid by their schema.

Source: docs/laws#policy-version.
"""

from __future__ import annotations

from seg5b.contracts import ContractSource
from seg5b.errors import PolicyError
from seg5b.gate.inputs import INCOMPLETE, FoundInput
from seg5b.policy import ADDITIONS, Additions, policy_version, policy_version_matches
from seg5b.policy.reading import check_payload, load_policy_file

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
