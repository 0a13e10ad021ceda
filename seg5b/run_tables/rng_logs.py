"""Reading the published random-number logs: audit records and trace rows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seg5b.errors import EvidenceError
from seg5b.foreign_json import read_json_lines
from seg5b.refusals import pass_on_refusal
from seg5b.run_tables.outputs import dataset_path
from seg5b.run_tables.subject import Subject

INCOMPLETE = "5B.S5.RNG_ACCOUNTING_INCOMPLETE"
DRAWING_STATES = ("S2", "S3", "S4")

Record = Mapping[str, Any]


def audit_file(subject: Subject) -> Path:
    """The audit log of the run."""
    return dataset_path(subject.root, subject.contracts, "rng_audit_log")


def trace_file(subject: Subject, state: str) -> Path:
    """The trace log of one state and scenario."""
    folder = dataset_path(subject.root, subject.contracts, "rng_trace_log")
    return folder / f"state={state}" / f"scenario_id={subject.scenario_id}" / "rng_trace_log.jsonl"


def read_lines(path: Path, name: str) -> list[Record]:
    """Objects of a JSON-lines file. Raises `EvidenceError` ``5B.S5.RNG_ACCOUNTING_INCOMPLETE``."""
    try:
        return read_json_lines(path)
    except (OSError, ValueError) as cause:
        pass_on_refusal(cause)
        raise EvidenceError(
            INCOMPLETE, f"{name} is not usable: {cause}", where=name, remedy="restore the log or run the state"
        ) from cause


def traces(subject: Subject) -> dict[str, list[Record]]:
    """Trace rows of the scenario by state, each file read once. Raises as `read_lines`."""
    key = f"traces {subject.scenario_id}"
    if key not in subject.shared:
        subject.shared[key] = {
            state: read_lines(trace_file(subject, state), f"trace of {state}, {subject.scenario_id}")
            for state in DRAWING_STATES
        }
    found: dict[str, list[Record]] = subject.shared[key]
    return found
