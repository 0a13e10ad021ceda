"""S5 as one call: judge a run, then seal it or say why not (law L11)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seg5b import tzdb
from seg5b.canonical_json import canonical_json, plain
from seg5b.contracts import ContractSource
from seg5b.engines import Engine
from seg5b.errors import EvidenceError, ValidationFailure
from seg5b.gate import Gate
from seg5b.options import DEFAULT_MEMORY_GB
from seg5b.progress import unreported
from seg5b.publish import Outcome, staging_folder
from seg5b.run_tables.measures import run_measures
from seg5b.run_tables.outputs import dataset_path
from seg5b.run_tables.part_tables import forget_outdated
from seg5b.run_tables.subject import Subject
from seg5b.run_tables.whole_run import open_run_tables
from seg5b.runs import RunRoot
from seg5b.timers import Timers
from seg5b.validation.bundle.issues import Issue, collect_issues, issue_row, write_issues
from seg5b.validation.bundle.members import stage_evidence
from seg5b.validation.bundle.published import Published, judge_published, published_files
from seg5b.validation.bundle.report import make_report, run_totals, verdicts
from seg5b.validation.bundle.sealing import ISSUES, REPORT, publish_bundle, publish_failure, seal
from seg5b.validation.records import Check, CheckResult, Compute, Finding, Severity, Status
from seg5b.validation.rederived.everything import Asked, rederive_asked
from seg5b.validation.registry import CHECKS
from seg5b.validation.runner import Progress, judge_warnings, run_checks

Judged = Callable[[Sequence[CheckResult], Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True)
class ValidationOutcome:
    """Result of S5.

    ``status`` PASS or FAIL; ``checks`` in pipeline order; ``report`` and ``issues`` as published; ``bundle_path`` of a
    pass with its ``bundle_digest`` and whether it was written or there already (``published``), ``failed_path`` of a
    failure; ``metrics`` are the facts of the run record.
    """

    status: str
    checks: tuple[CheckResult, ...]
    report: dict[str, Any]
    issues: tuple[Issue, ...]
    bundle_path: Path | None
    published: Outcome | None
    bundle_digest: str
    failed_path: Path | None
    metrics: dict[str, Any]

    @property
    def first_failure(self) -> CheckResult | None:
        """The first check, in pipeline order, that failed."""
        return next((result for result in self.checks if result.status is Status.FAIL), None)

    def failure(self) -> ValidationFailure | None:
        """The error that a caller should raise: the first failure's own code, and how many others there are."""
        first = self.first_failure
        if first is None:
            return None
        others = sum(result.status is Status.FAIL for result in self.checks) - 1
        key = f", first {canonical_json(plain(first.keys[0])).decode()}" if first.keys else ""
        reason = f" ({first.reason})" if first.reason else ""
        more = f"; {others} more checks failed" if others else ""
        return ValidationFailure(
            first.code,
            f"does not hold: {first.check.states}{reason}: {first.violation_count} violations{key}{more}",
            where=str(self.failed_path or ""),
            remedy="read the report there, repair the state it names, and run S5 again",
        )


def validate(
    root: RunRoot,
    contracts: ContractSource,
    gate: Gate,
    *,
    mode: str | None = None,
    rederive: Asked | None = None,
    threads: int | None = None,
    engine: Engine | None = None,
    memory_limit_gb: float = DEFAULT_MEMORY_GB,
    progress: Progress | None = None,
    judged: Judged | None = None,
    timers: Timers | None = None,
) -> ValidationOutcome:
    """Judge a run by every check and publish what comes of it.

    PASS publishes ``validation_bundle_5B``; FAIL publishes report and issues below ``validation_failed`` and no bundle.
    ``mode``: ``full`` or ``sampled``, None for what the validation policy says. ``rederive``: beyond the policy's sample,
    derive ``all`` again, or so many arrivals and counts of each scenario; a difference fails the run, a pass leaves no trace
    in the bundle, which says what the policy asks for. ``memory_limit_gb``: 10^9 bytes for the
    queries; ``threads``: None for all cores; ``engine`` looks at parts of the arrivals, None
    for those threads. ``judged`` is called with results and metrics before anything is published,
    so that they are known even if publication fails; ``timers`` receive the seconds of each lane.

    Raises `GateError` and `PolicyError` for what the verdict would rest on; `PublishError`
    ``5B.S5.IO_WRITE_CONFLICT``, ``5B.S5.IO_WRITE_FAILED``; what is no verdict, as `run_checks`; never for violations, which
    are in the outcome.
    """
    report_progress, timers = progress or unreported, timers or Timers()
    with open_run_tables(
        root,
        contracts,
        label="S5_tables",
        gate=gate,
        mode=mode,
        threads=threads,
        engine=engine,
        memory_limit_gb=memory_limit_gb,
    ) as subject:
        results = run_checks(subject, CHECKS, report_progress, timers)
        forget_outdated(root, contracts, gate.scenario_ids)
        results.append(judge_warnings(subject, results))
        more: dict[str, Any] = {}
        if rederive is not None:
            with timers.lane("rederived"):
                more = _asked(subject, rederive, results, report_progress)
    if judged is not None:
        judged(results, {**_metrics(subject, results), **more})
    with staging_folder(root.tmp(), "S5") as folder:
        outcome = _conclude(subject, results, folder / "bundle", threads, report_progress, timers)
    return replace(outcome, metrics={**outcome.metrics, **more})


def _asked(subject: Subject, asked: Asked, results: list[CheckResult], progress: Progress) -> dict[str, Any]:
    """Derive again what was asked for, unless the run fails anyway; a difference is one more result. Gives the facts of the run
    record."""
    if any(result.status is Status.FAIL for result in results):
        return {}
    found = rederive_asked(subject, asked, progress)
    if found.status is Status.FAIL:
        results.append(found)
    return {"rederived": {"asked": asked, **{name: dict(facts) for name, facts in found.facts.items()}}}


def _conclude(
    subject: Subject, results: list[CheckResult], folder: Path, threads: int | None, progress: Progress, timers: Timers
) -> ValidationOutcome:
    folder.mkdir()
    digest, bundle, failed, published = "", None, None, None
    with timers.lane("hash"):  # also where another check failed: what lies there may not be what was published
        files = _published(subject, threads, progress)
    results.append(judge_published(subject.root, files))
    if not any(result.status is Status.FAIL for result in results):
        with timers.lane("evidence"):
            results.append(_bundle_check(stage_evidence(subject, folder, results, files), len(files)))
    issues = collect_issues(results)
    report = make_report(subject, results, len(issues))
    if report["status"] == "PASS":
        _write_core(subject, folder, report, issues)
        digest = seal(subject, folder, report)
        bundle = dataset_path(subject.root, subject.contracts, "validation_bundle_5B")
        published, digest = publish_bundle(subject, folder, bundle, digest)
    else:
        only = folder.parent / "failed"
        only.mkdir()
        _write_core(subject, only, report, issues)
        failed = publish_failure(subject.root, only)
    progress("sealed" if bundle else "failed", 1, 1)
    metrics = _metrics(subject, results)
    return ValidationOutcome(
        report["status"], tuple(results), report, issues, bundle, published, digest, failed, metrics
    )


def _published(subject: Subject, threads: int | None, progress: Progress) -> list[Published]:
    scenarios = subject.gate.scenario_ids
    return published_files(
        subject.root, subject.contracts, scenarios, threads=threads, done=lambda n: progress("hashing", n, n)
    )


_BUNDLE = Check(
    "bundle.members",
    "5B.S5.BUNDLE_MEMBER_MISSING_OR_HASH_MISMATCH",
    "bundle_integrity_ok",
    "bundle_layout_policy_5B",
    "every member that the layout policy demands is there, and copies equal what was published",
    Compute(lambda _: Finding()),
    per_scenario=False,
)


def _bundle_check(problems: list[str], files: int) -> CheckResult:
    status = Status.FAIL if problems else Status.PASS
    keys = tuple({"problem": problem} for problem in problems[:10])
    return CheckResult(_BUNDLE, status, Severity.ERROR, len(problems), keys, files)


def _write_core(subject: Subject, folder: Path, report: dict[str, Any], issues: tuple[Issue, ...]) -> None:
    """Report and issue table, checked against their contracts."""
    entries = subject.contracts.dictionary("5B").entries
    code = "5B.S5.CONTRACT_INVALID"
    payload = plain(report)
    ref = entries["validation_report_5B"].schema_ref
    subject.contracts.validate(ref, payload, code=code, where=REPORT, error=EvidenceError)
    for issue in issues:
        row = issue_row(subject.root.identity, issue)
        subject.contracts.validate_row("validation_issue_table_5B", row, code=code, where=ISSUES, error=EvidenceError)
    (folder / REPORT).write_bytes(canonical_json(payload))
    write_issues(folder / ISSUES, subject.root.identity, issues)


def _metrics(subject: Subject, results: list[CheckResult]) -> dict[str, Any]:
    """Facts of the run record (docs/laws#run-record). The release of the time-zone database stands here and not in the
    bundle: a bundle must not differ between releases that agree on every offset."""
    sentinels = subject.policies.validation.calibration_sentinels
    return {
        **run_totals(subject, run_measures(subject)),
        **verdicts(results),
        "calibration_evaluation_mode": sentinels.evaluation_mode,
        "mode": subject.mode,
        "checks": {status.value: sum(result.status is status for result in results) for status in Status},
        "tzdb_release": tzdb.DEFAULT,
    }
