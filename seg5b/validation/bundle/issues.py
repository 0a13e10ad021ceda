"""The issue table: one row per named violation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seg5b.canonical_json import canonical_json, plain
from seg5b.runs import RunIdentity
from seg5b.tables import Constant, Masked, file_metadata, write_table
from seg5b.tables.columns import Column
from seg5b.tables.formats import ISSUE_TABLE
from seg5b.validation.records import CheckResult, Status


@dataclass(frozen=True, slots=True)
class Issue:
    """One violation. ``scenario_id`` is empty where it concerns the run; ``context`` is the JSON text of its keys."""

    issue_code: str
    severity: str
    scenario_id: str
    context: str
    message: str


def collect_issues(results: Iterable[CheckResult]) -> tuple[Issue, ...]:
    """Rows for every check that failed or warned, in the order of the checks."""
    return tuple(
        issue for result in results if result.status in (Status.FAIL, Status.WARN) for issue in _issues(result)
    )


def _issues(result: CheckResult) -> list[Issue]:
    common = {"check_id": result.check_id, "violation_count": result.violation_count}
    message = f"does not hold: {result.check.states}" + (f" ({result.reason})" if result.reason else "")
    return [
        Issue(
            result.code,
            result.severity.issue,
            str(key.get("scenario_id", "")),
            canonical_json(plain({**common, **key})).decode("ascii"),
            message,
        )
        for key in result.keys or ({},)
    ]


def write_issues(path: Path, identity: RunIdentity, issues: Sequence[Issue]) -> None:
    """Write ``validation_issue_table_5B``; a run without issues gives a table without rows."""
    count = len(issues)
    columns: dict[str, Column] = {
        "manifest_fingerprint": Constant(identity.manifest_fingerprint),
        "parameter_hash": Constant(identity.parameter_hash),
        "seed": Masked(np.full(count, identity.seed, np.uint64), np.ones(count, bool)),
        "scenario_id": np.array([issue.scenario_id or None for issue in issues], object),
        "issue_code": np.array([issue.issue_code for issue in issues], object),
        "severity": np.array([issue.severity for issue in issues], object),
        "context": np.array([issue.context for issue in issues], object),
        "message": np.array([issue.message for issue in issues], object),
    }
    write_table(path, ISSUE_TABLE, columns, count, file_metadata(identity))


def issue_row(identity: RunIdentity, issue: Issue) -> dict[str, object]:
    """An issue in the JSON form of its contract."""
    return {
        "manifest_fingerprint": identity.manifest_fingerprint,
        "parameter_hash": identity.parameter_hash,
        "seed": identity.seed,
        "scenario_id": issue.scenario_id or None,
        "issue_code": issue.issue_code,
        "severity": issue.severity,
        "context": issue.context,
        "message": issue.message,
    }
