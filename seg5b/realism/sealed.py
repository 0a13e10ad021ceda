"""Whether S5 passed the outputs that are to be graded: a run that breaks its laws is shown, and has no grade."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from seg5b.contracts import ContractSource
from seg5b.errors import RunError, brief
from seg5b.foreign_json import TEXT, Form, Maybe
from seg5b.realism.files import read_report
from seg5b.run_tables.outputs import dataset_path
from seg5b.runs.ledger import last_records
from seg5b.runs.root import RunRoot
from seg5b.validation.bundle.sealing import REPORT, last_failure
from seg5b.validation.bundle.verify import verify_validation_bundle

FAILED_FORM: Form = {
    "first_failure_code": Maybe(TEXT),
    "checks": Maybe([{"check_id": TEXT, "status": Maybe(TEXT)}]),
}
"""What is read of the report of a failed validation."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """What S5 says of the present outputs. ``status``: ``PASS``, ``FAIL``, ``STALE`` (it passed other outputs, inputs or
    policies than those that are there), ``NOT_RUN``; ``reason`` and ``remedy`` for all but ``PASS``; ``failed_checks`` the
    ids of what failed."""

    status: str
    reason: str = ""
    remedy: str = ""
    failed_checks: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the run may be graded."""
        return self.status == "PASS"

    def as_json(self) -> dict[str, Any]:
        """The same as the boards tell it."""
        return {**asdict(self), "failed_checks": list(self.failed_checks)}


def sealed_by_s5(root: RunRoot, contracts: ContractSource, *, threads: int | None = None) -> Sealed:
    """What S5 last said, and whether the files that it hashed are still those that lie there. Reads every published and
    sealed file; raises nothing for damage."""
    again = f"`seg5b s5 --run-id {root.identity.run_id}`"
    record = last_records(root).get("S5")
    if record is not None and record["status"] != "PASS":
        return _failed(root, record, again)
    if not dataset_path(root, contracts, "validation_bundle_5B").exists():
        return Sealed("NOT_RUN", "S5 has not judged this run", f"run {again}")
    problems = verify_validation_bundle(root, contracts, threads=threads, remember=True).problems
    if problems:
        more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
        reason = f"S5 passed other files than those that are there: {problems[0].path} {problems[0].what}{more}"
        return Sealed("STALE", reason, f"run {again}, or `seg5b verify` to see every file")
    return Sealed("PASS")


def _failed(root: RunRoot, record: Mapping[str, Any], again: str) -> Sealed:
    code, context = str(record.get("error_code") or "no code is recorded"), record.get("error_context")
    checks = _failed_checks(root, code)
    if not checks:
        what = context.get("what") if isinstance(context, Mapping) else None
        return Sealed(
            "FAIL",
            f"S5 ended without a verdict ({code}): {brief(str(what or 'no reason is recorded'))}",
            f"run {again}",
        )
    names = ", ".join(checks[:3]) + (f" and {len(checks) - 3} more" if len(checks) > 3 else "")
    remedy = f"read its report, repair the state that it names, and run {again}"
    return Sealed("FAIL", f"S5 rejected this run: {names} ({code})", remedy, tuple(checks))


def _failed_checks(root: RunRoot, code: str) -> list[str]:
    """Ids of the checks that failed last, if that began with ``code``; none where the report is not there or not readable."""
    folder = last_failure(root)
    if folder is None:
        return []
    try:
        report = read_report(folder / REPORT, FAILED_FORM)
    except RunError:
        return []
    if report.get("first_failure_code") != code:
        return []
    return [check["check_id"] for check in report.get("checks", ()) if check.get("status") == "FAIL"]
