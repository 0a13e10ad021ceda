"""Ledgers of runs, made by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def append_records(run_folder: Path, seconds: dict[str, float], **more: Any) -> Path:
    """Append a passing record of each state to the ledger of a run; gives its file. ``durations`` adds to theirs, ``facts`` gives
    those of each state, all else stands in every record."""
    path = run_folder / "reports/layer2/segment_state_runs/segment=5B/utc_day=2026-01-01/segment_state_runs.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    known = {"status": "PASS", "outcome": "written", "started_at_utc": "", "finished_at_utc": ""}
    durations, facts = more.pop("durations", {}), more.pop("facts", {})
    with path.open("a") as stream:
        for state, value in seconds.items():
            line = {"state": state, **known, **facts.get(state, {}), **more}
            stream.write(json.dumps({**line, "durations": {"wall_ms": 1000 * value, **durations}}) + "\n")
    return path
