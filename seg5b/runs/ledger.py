"""What the state ledger of a run says: the last record of each state, and what was published."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seg5b.foreign_json import parse_json
from seg5b.runs.root import RunRoot

_PATTERN = "reports/layer2/segment_state_runs/segment=5B/*/segment_state_runs.jsonl"
_log = logging.getLogger("seg5b")


def ledger_files(root: RunRoot) -> list[Path]:
    """Files of the ledger, oldest day first."""
    return sorted(root.path.glob(_PATTERN))


def last_records(root: RunRoot) -> dict[str, Mapping[str, Any]]:
    """Last record of each state that ran."""
    return {record["state"]: record for path in ledger_files(root) for record in read_records(path)}


def read_records(path: Path) -> list[Mapping[str, Any]]:
    """Records of one ledger file, oldest first. A line that is no record, torn by a power cut or damaged, is left out, as a
    file that cannot be read is; the log says so. A ledger is never a reason to refuse a run (law L16)."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as cause:
        _log.warning("%s cannot be read (%s): what it says of earlier attempts is not known", path, cause.strerror)
        return []
    found = [_record(line) for line in lines if line.strip()]
    records = [record for record in found if record is not None]
    if len(records) < len(found):
        _log.warning("%s: %d of %d lines are no records and left out", path, len(found) - len(records), len(found))
    return records


def _record(line: bytes) -> Mapping[str, Any] | None:
    try:
        record = parse_json(line)
        texts = [record[name] for name in ("state", "status", "started_at_utc", "finished_at_utc")]
        texts += [part for pair in record.get("published_files", {}).items() for part in pair]
        sound = isinstance(record["durations"]["wall_ms"], int | float) and all(isinstance(text, str) for text in texts)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return record if sound else None


def published_digests(root: RunRoot) -> dict[str, str] | None:
    """SHA-256 by path, relative to the run, of every file that S1-S4 published, each by its last passing
    record; None if no record names any."""
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
    """Records of a state's passes, oldest first."""
    return [
        record
        for path in ledger_files(root)
        for record in read_records(path)
        if record["state"] == state and record.get("status") == "PASS"
    ]


def worked_record(root: RunRoot, state: str) -> Mapping[str, Any] | None:
    """The last passing record of a state that made its outputs (a rerun that found them there is no timing); any
    passing one if none says so, None if none passed."""
    passing = passing_records(root, state)
    worked = [record for record in passing if record.get("outcome") in (None, "written")]
    return next(reversed(worked or passing), None)


def worked_seconds_of(root: RunRoot, state: str) -> float | None:
    """Wall seconds of `worked_record`."""
    record = worked_record(root, state)
    return None if record is None else seconds_of({state: record}, state)
