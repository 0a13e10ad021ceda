"""A lock of how fast a run was and what it came to, to hold later runs against: times, and the structure without which times
say nothing (docs/laws#runtime-certificate)."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from seg5b.errors import PublishError, RunError
from seg5b.foreign_json import OBJECT, read_json
from seg5b.resources import code_digest, code_versions
from seg5b.runs.ledger import last_records, published_digests, read_records
from seg5b.runs.root import RunRoot

KIND: Final = "seg5b runtime baseline"
_ROWS: Final[Mapping[str, tuple[str, ...]]] = {
    "S1": ("bucket_count", "grouping_row_count", "group_id_count"),
    "S2": ("rows_written", "latent_rng_event_count"),
    "S3": ("count_rows", "sum_count_N", "count_rng_total_draws"),
    "S4": ("bucket_rows", "arrival_rows", "arrivals_total", "arrival_virtual", "missing_group_weights"),
}
"""Counts of each scenario in the record of a state that must not change when it gets faster."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """Seconds by state of an earlier run, and its structure (empty where the file holds times alone)."""

    seconds: Mapping[str, float]
    structure: Mapping[str, Any]


def structure_of(root: RunRoot) -> dict[str, Any]:
    """What a run came to by its records: ``identity``, ``rows`` by state and scenario, ``digests`` of every file of S1-S4, and
    the checks of S5 by outcome."""
    records, identity = last_records(root), root.identity
    rows = {
        state: {
            scenario: {name: facts[name] for name in names if name in facts}
            for scenario, facts in records.get(state, {}).get("details", {}).items()
        }
        for state, names in _ROWS.items()
    }
    return {
        "identity": {
            "seed": identity.seed,
            "parameter_hash": identity.parameter_hash,
            "manifest_fingerprint": identity.manifest_fingerprint,
        },
        "rows": rows,
        "digests": {
            # the log of draws names run and receipt; its totals are among the rows
            path: digest
            for path, digest in (published_digests(root) or {}).items()
            if path.startswith("data/")
        },
        "gates": {"status": records.get("S5", {}).get("status"), "checks": records.get("S5", {}).get("checks")},
    }


def structural_differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    """Where a run is another than the one that was locked, in words; nothing where rows, digests and gates agree."""
    if found["identity"] != wanted.get("identity"):
        yield "the baseline is of another world or seed"
        return
    for state, scenarios in found["rows"].items():
        if scenarios != wanted["rows"].get(state):
            yield f"{state}: other rows than the baseline"
    differing = [
        path
        for path in found["digests"].keys() | wanted["digests"].keys()
        if found["digests"].get(path) != wanted["digests"].get(path)
    ]
    if differing:
        yield f"{len(differing)} files have other digests, first {min(differing)}"
    if found["gates"] != wanted.get("gates"):
        yield "S5 came to other verdicts"


def read_baseline(file: Path) -> Baseline:
    """A lock, what `seg5b bench --json` printed, or a ``segment_state_runs.jsonl``. Raises `RunError`
    ``5B.BENCH.BASELINE_UNREADABLE``."""
    try:
        if file.suffix == ".jsonl":
            passing = [record for record in read_records(file) if record.get("status") == "PASS"]
            worked = [record for record in passing if record.get("outcome") in (None, "written")]
            if not worked:
                raise ValueError("no record of a state that passed")
            return Baseline({str(each["state"]): each["durations"]["wall_ms"] / 1000 for each in worked}, {})
        content = read_json(file, OBJECT)
        seconds = {str(each["state"]): float(each["elapsed_s"]) for each in content["states"]}
        structure = content["structure"] if content.get("kind") == KIND else {}
        _check_structure(structure)
        return Baseline(seconds, structure)
    except (OSError, RunError, KeyError, TypeError, ValueError, AttributeError) as cause:
        raise RunError(
            "5B.BENCH.BASELINE_UNREADABLE",
            f"{file.name} names no times of states: {cause}",
            where=str(file),
            remedy="give what `seg5b bench --lock` wrote or `seg5b bench --json` printed, or a segment_state_runs.jsonl",
        ) from cause


def _check_structure(structure: Mapping[str, Any]) -> None:
    if structure and not all(isinstance(structure[name], dict) for name in ("identity", "rows", "digests", "gates")):
        raise ValueError("its structure is none")


def write_lock(root: RunRoot, report: Mapping[str, Any], file: Path) -> None:
    """Write the lock of a run with its times by ``report`` to ``file``, and for people beside it as Markdown.

    Raises `PublishError` ``5B.BENCH.LOCK_NOT_WRITTEN``; a file that is there is not replaced.
    """
    lock = {
        "kind": KIND,
        "authority": {
            "run_id": root.identity.run_id,
            "generated_utc": report["generated_utc"],
            "sealed_inputs_digest": last_records(root).get("S0", {}).get("sealed_inputs_digest"),
            "code_digest": code_digest(),
            "versions": code_versions(),
            "python": platform.python_version(),
            "processor": platform.processor() or platform.machine(),
            "cpus": len(os.sched_getaffinity(0)),
            "backend": next((each["backend"] for each in report["states"] if each["state"] == "S4"), None),
        },
        "arrivals": report["arrivals"],
        "states": report["states"],
        "candidate_lane_s": report["candidate_lane_s"],
        "structure": structure_of(root),
    }
    try:
        for target, text in ((file, json.dumps(lock, indent=2, sort_keys=True) + "\n"), (_twin(file), _markdown(lock))):
            with target.open("x", encoding="utf-8") as stream:
                stream.write(text)
    except OSError as cause:
        raise PublishError(
            "5B.BENCH.LOCK_NOT_WRITTEN",
            f"the lock cannot be written: {cause.strerror or cause}",
            where=str(file),
            remedy="name a file that is not there yet, in a folder that is",
        ) from cause


def _twin(file: Path) -> Path:
    return file.with_suffix(".md")


def _markdown(lock: Mapping[str, Any]) -> str:
    authority = "\n".join(f"- {name}: `{value}`" for name, value in lock["authority"].items())
    states = "\n".join(
        f"| {each['state']} | {each['elapsed_s']:.2f} | {each['cold_s']:.2f} |" for each in lock["states"]
    )
    held = (
        f"- arrivals: {lock['arrivals']}\n- files of S1-S4: {len(lock['structure']['digests'])}, by digest in the lock"
    )
    return (
        f"# Runtime baseline\n\n{authority}\n{held}\n\n"
        f"| state | seconds | of them compiling |\n|---|---|---|\n{states}\n"
    )
