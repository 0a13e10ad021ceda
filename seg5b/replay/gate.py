"""S0 again: the gate against the inputs as they are, and against the gate that the run was begun behind."""

from __future__ import annotations

from seg5b.contracts import ContractSource
from seg5b.errors import NO_VERDICT, Interruption, Seg5bError
from seg5b.gate import check_gate, open_gate
from seg5b.runs import RunRoot
from seg5b.runs.ledger import passing_records
from seg5b.validation import Problem


def judge_gate(root: RunRoot, contracts: ContractSource) -> tuple[str, list[Problem]]:
    """The digest of the gate, empty where it does not open; and where the published gate is not what S0
    would write now, or not the one that the run's records name.

    Inputs, policies and gate that were exchanged together agree with each other; the records of S0 still name the digest
    that it sealed.
    """
    try:
        check_gate(root, contracts)
        digest = open_gate(root, contracts, state="S1").digest
    except (*NO_VERDICT, Interruption):
        raise
    except Seg5bError as cause:
        return "", [Problem.of(root, cause, "S0 stops")]
    gates = recorded_gates(root)
    if not gates or digest == gates[-1][0]:
        return digest, []
    sealed, moment = gates[-1]
    what = f"is the gate of other inputs: digest {digest}, but S0 sealed {sealed} at {moment}"
    if len(gates) > 1:
        what += f", and first {gates[0][0]} at {gates[0][1]}"
    return digest, [Problem("5B.REPLAY.GATE_EXCHANGED", ".", what)]


def recorded_gates(root: RunRoot) -> list[tuple[str, str]]:
    """(digest, moment) of every gate that S0 wrote, oldest first: one, and one more for each time that
    the run was sealed anew."""
    passing = [record for record in passing_records(root, "S0") if record.get("gate_digest")]
    written = [record for record in passing if record.get("outcome") == "written"] or passing[:1]
    return [(str(record["gate_digest"]), str(record["finished_at_utc"])) for record in written]
