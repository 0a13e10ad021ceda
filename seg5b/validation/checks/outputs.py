"""Everything that S5 has to read is there and readable."""

from __future__ import annotations

from seg5b.run_tables.outputs import BY_TABLE
from seg5b.run_tables.subject import Subject
from seg5b.validation.records import MOST_KEYS, Check, Compute, Finding, Key

_FIELD = "schema_partition_pk_ok"
_BLOCK = "structural_checks"


def _published(subject: Subject) -> Finding:
    wrong: list[Key] = []
    for table, reason in subject.missing.items():
        if table in BY_TABLE and reason.endswith("is not published"):
            wrong.append({"dataset_id": BY_TABLE[table].dataset_id})
    if subject.policies.lgcp.emit_latent_field and "latent" not in subject.tables:
        wrong.append({"dataset_id": BY_TABLE["latent"].dataset_id})
    return Finding(len(wrong), tuple(wrong), len(BY_TABLE))


def _readable(subject: Subject) -> Finding:
    wrong: list[Key] = [
        {"table": table, "reason": reason}
        for table, reason in subject.missing.items()
        if not reason.endswith("is not published") and not reason.startswith("needs ")
    ]
    return Finding(len(wrong), tuple(wrong[:MOST_KEYS]), len(subject.tables))


CHECKS = (
    Check(
        "outputs.published",
        "5B.S5.DOMAIN_DISCOVERY_FAILED",
        _FIELD,
        _BLOCK,
        "S1-S4 published all their datasets for the scenario",
        Compute(_published),
    ),
    Check(
        "outputs.readable",
        "5B.S5.IO_READ_FAILED",
        _FIELD,
        _BLOCK,
        "outputs and sealed inputs can be read, and have the columns that the checks look at",
        Compute(_readable),
    ),
)
