"""What the state ledger of a run says: the last record of each state, and what was published."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seg5b.errors import RunError
from seg5b.runs.root import RunRoot

_PATTERN = "reports/layer2/segment_state_runs/segment=5B/*/segment_state_runs.jsonl"


def ledger_files(root: RunRoot) -> list[Path]:
    """Files of the ledger, oldest day first."""
    return sorted(root.path.glob(_PATTERN))


def last_records(root: RunRoot) -> dict[str, Mapping[str, Any]]:
    """Last record of each state that ran. Raises `RunError` ``5B.RUN.LEDGER_UNREADABLE``."""
    found: dict[str, Mapping[str, Any]] = {}
    for path in ledger_files(root):
        for record in read_records(path):
            found[record["state"]] = record
    return found


def read_records(path: Path) -> list[Mapping[str, Any]]:
    """Records of one ledger file. Raises `RunError` ``5B.RUN.LEDGER_UNREADABLE``."""
    try:
        records = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
        if not all(isinstance(record, dict) and "state" in record for record in records):
            raise ValueError("a line is no state record")
    except (OSError, ValueError) as cause:
        raise RunError(
            "5B.RUN.LEDGER_UNREADABLE", f"{path.name}: {cause}", where=str(path), remedy="remove the damaged lines"
        ) from cause
    return records


def published_digests(root: RunRoot) -> dict[str, str] | None:
    """SHA-256 by path, relative to the run, of every file that S1-S4 published, each by its last passing
    record; None if no record names any. Raises `RunError` ``5B.RUN.LEDGER_UNREADABLE``."""
    published: dict[str, Mapping[str, str]] = {}
    for path in ledger_files(root):
        for record in read_records(path):
            if record.get("status") == "PASS" and "published_files" in record:
                published[record["state"]] = record["published_files"]
    if not published:
        return None
    return {path: digest for files in published.values() for path, digest in files.items()}


def seconds_of(records: Mapping[str, Mapping[str, Any]], state: str) -> float | None:
    """Wall seconds of a state's last record, if it passed and was timed."""
    record = records.get(state, {})
    wall_ms = record.get("durations", {}).get("wall_ms")
    return wall_ms / 1000 if record.get("status") == "PASS" and wall_ms is not None else None


def passing_records(root: RunRoot, state: str) -> list[Mapping[str, Any]]:
    """Records of a state's passes, oldest first. Raises `RunError` ``5B.RUN.LEDGER_UNREADABLE``."""
    return [
        record
        for path in ledger_files(root)
        for record in read_records(path)
        if record["state"] == state and record.get("status") == "PASS"
    ]


def worked_record(root: RunRoot, state: str) -> Mapping[str, Any] | None:
    """The last passing record of a state that made its outputs (a rerun that found them there is no timing); any
    passing one if none says so, None if none passed. Raises `RunError` ``5B.RUN.LEDGER_UNREADABLE``."""
    passing = passing_records(root, state)
    worked = [record for record in passing if record.get("outcome") in (None, "written")]
    return next(reversed(worked or passing), None)


def worked_seconds_of(root: RunRoot, state: str) -> float | None:
    """Wall seconds of `worked_record`. Raises as it does."""
    record = worked_record(root, state)
    return None if record is None else seconds_of({state: record}, state)
