"""Everything that S5 has to read is there and readable, and in parts as they may be (law L13)."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from seg5b.errors import InputError
from seg5b.query import parquet
from seg5b.run_tables.outputs import BY_TABLE, OutputTable, output_files
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


def _parts(output: OutputTable) -> Compute:
    """Parts are all there, alone, and cut between merchants. A single file is one part."""

    def find(subject: Subject) -> Finding:
        try:
            files = output_files(subject.root, subject.contracts, output, subject.scenario_id)
        except InputError as cause:
            return Finding(1, ({"file": subject.relative(Path(cause.where)), "problem": cause.what},), 1)
        if len(files) == 1:
            return Finding(0, (), 1)
        ends = [subject.row(f"SELECT min(merchant_id), max(merchant_id) FROM {parquet([file])}") for file in files]
        filled = [(file, *end) for file, end in zip(files, ends, strict=True) if end[0] is not None]
        wrong: list[Key] = [
            {"file": subject.relative(file), "problem": "begins within a merchant", "merchant_id": first}
            for (_, _, last), (file, first, _) in pairwise(filled)
            if first == last
        ]
        return Finding(len(wrong), tuple(wrong[:MOST_KEYS]), len(files))

    return Compute(find)


def _parts_check(check_id: str, code: str, table: str) -> Check:
    output = BY_TABLE[table]

    def applies(subject: Subject) -> str:
        return "" if subject.path(output.dataset_id).exists() else f"{output.dataset_id} is not published"

    return Check(
        check_id,
        code,
        _FIELD,
        "structural_checks.sorted_output",
        "one file, or a folder of part-000000.parquet and upward without a gap, nothing else, cut between merchants",
        _parts(output),
        applies=applies,
    )


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
    _parts_check("s2.parts", "5B.S5.PARTITION_OR_IDENTITY_VIOLATION", "intensity"),
    _parts_check("s3.parts", "5B.S5.PARTITION_OR_IDENTITY_VIOLATION", "counts"),
    _parts_check("summary.parts", "5B.S5.S4_PARTITION_OR_IDENTITY_VIOLATION", "summary"),
)
