"""Running the checks: one scan per table for all row checks, then the others, then a verdict over all scenarios."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby

from seg5b.errors import NO_VERDICT, Seg5bError
from seg5b.run_tables.cell_tables import cell_totals
from seg5b.run_tables.civil_time import recount_civil
from seg5b.run_tables.inputs import attach_scenario_inputs
from seg5b.run_tables.measures import measure
from seg5b.run_tables.reductions import attach_reductions
from seg5b.run_tables.subject import Subject
from seg5b.run_tables.views import scenario_tables
from seg5b.timers import Timers
from seg5b.validation.records import (
    MOST_KEYS,
    ArrivalCondition,
    CellCondition,
    Check,
    CheckResult,
    Compute,
    Finding,
    Query,
    RowCondition,
    Severity,
    Status,
)

Progress = Callable[[str, int, int], None]
NOTHING = Finding()
_GATES = ("realism_ok", "civil_time_gate_ok", "calibration_gate_ok")
"""Verdicts that ``report_only`` turns into warnings; structure and evidence always fail closed."""


@dataclass(frozen=True, slots=True)
class Partial:
    """Outcome of a check in one scenario (or in the run): a finding, or why there is none."""

    scope: str
    finding: Finding = NOTHING
    not_applicable: str = ""
    broken: str = ""


def run_checks(
    run: Subject, checks: Sequence[Check], progress: Progress, timers: Timers | None = None
) -> list[CheckResult]:
    """Judge every scenario, then the run, whose tables `open_run_tables` made. Leaves the measures of each scenario in
    ``run.shared``, and their seconds in the lanes ``inputs``, ``totals``, ``rows``, ``measures`` and ``run``.

    Raises what is no verdict (law L16): `SystemRefusal`, `EngineError`, `OSError`, `MemoryError`."""
    scenarios, lane = run.gate.scenarios, (timers or Timers()).lane
    local = [check for check in checks if check.per_scenario]
    partials: dict[str, list[Partial]] = {check.check_id: [] for check in checks}
    steps = 1 + 4 * len(scenarios)
    measures = run.shared.setdefault("measures", {})
    for number, scenario in enumerate(scenarios):
        name = scenario.scenario_id
        progress(f"{name}: outputs and inputs", 4 * number, steps)
        with lane("inputs"):
            view = attach_scenario_inputs(scenario_tables(run, scenario))
        progress(f"{name}: arrival totals", 4 * number + 1, steps)
        with lane("totals"):
            view = attach_reductions(view)
        progress(f"{name}: rows", 4 * number + 2, steps)
        with lane("rows"):
            found = judge(view, local)
        if found.get("clock.primary_wall", Partial("")).finding.violations and "inexact_clocks" in view.tables:
            recount_civil(view)
        with lane("measures"):
            measures[name] = measure(view)
        for check in local:
            partials[check.check_id].append(found[check.check_id])
        progress(f"{name}: judged", 4 * number + 3, steps)
    progress("run", steps - 1, steps)
    with lane("run"):
        for check_id, verdict in judge(run, [check for check in checks if not check.per_scenario]).items():
            partials[check_id].append(verdict)
    results = [combine(run, check, partials[check.check_id]) for check in checks]
    progress("run", steps, steps)
    return results


def judge(subject: Subject, checks: Sequence[Check]) -> dict[str, Partial]:
    """What each check finds in one subject."""
    found: dict[str, Partial] = {}
    pending: list[Check] = []
    for check in checks:
        reason = _skip(subject, check)
        if isinstance(reason, Partial):
            found[check.check_id] = reason
        elif isinstance(check.probe, RowCondition):
            pending.append(check)
        else:
            found[check.check_id] = _attempt(subject, partial(_find, subject, check))
    pending.sort(key=_table)
    for table, group in groupby(pending, key=_table):
        found.update(_scan(subject, table, list(group)))
    return found


def _table(check: Check) -> str:
    assert isinstance(check.probe, RowCondition)
    return check.probe.counted or check.probe.table


def _skip(subject: Subject, check: Check) -> Partial | None:
    """Why a check does not run here, if it does not."""
    scope = subject.scenario_id
    if off := _switched_off(subject, check):
        return Partial(scope, not_applicable=f"{off} false in validation_policy_5B")
    absent = [
        f"{table} ({subject.missing.get(table, 'not made')})" for table in check.needs if table not in subject.tables
    ]
    try:
        # a dataset that may be absent says so itself; only then is a missing table a reason of its own
        reason = check.applies(subject)
    except NO_VERDICT:
        raise
    except Seg5bError as cause:
        return Partial(scope, not_applicable=f"needs {', '.join(absent)}") if absent else _broken(scope, cause)
    if reason:
        return Partial(scope, not_applicable=reason)
    return Partial(scope, not_applicable=f"needs {', '.join(absent)}") if absent else None


def _switched_off(subject: Subject, check: Check) -> str:
    """Which policy keys switch a check off, and their verb; nothing where none does."""

    def is_off(key: str) -> bool:
        node: object = subject.policies.validation
        for part in key.split("."):
            node = getattr(node, part, None)
        return node is False

    if is_off(check.block):
        return f"{check.block} is"
    if check.switches and all(map(is_off, check.switches)):
        return f"{', '.join(check.switches)} {'is' if len(check.switches) == 1 else 'are'}"
    return ""


def _broken(scope: str, cause: Seg5bError) -> Partial:
    return Partial(scope, broken=f"{cause.code}: {cause.what}")


def _attempt(subject: Subject, find: Callable[[], Finding]) -> Partial:
    try:
        return Partial(subject.scenario_id, find())
    except NO_VERDICT:
        raise
    except Seg5bError as cause:
        return _broken(subject.scenario_id, cause)


def _find(subject: Subject, check: Check) -> Finding:
    if isinstance(check.probe, Compute):
        return check.probe.function(subject)
    if isinstance(check.probe, ArrivalCondition):
        return _arrivals_finding(subject, check.probe)
    if isinstance(check.probe, CellCondition):
        return _cells_finding(subject, check.probe)
    assert isinstance(check.probe, Query)
    examined, wrong = subject.row(
        f"SELECT (SELECT count(*) FROM {check.probe.examined}), (SELECT count(*) FROM ({check.probe.sql}))"
    )
    keys = subject.records(f"FROM ({check.probe.sql}) ORDER BY ALL LIMIT {MOST_KEYS}") if wrong else []
    return Finding(wrong, tuple(keys), examined)


def _scan(subject: Subject, table: str, checks: list[Check]) -> Mapping[str, Partial]:
    """All row checks of a table in one scan; one by one where they do not run together."""
    try:
        probes = [check.probe for check in checks if isinstance(check.probe, RowCondition)]
        number = "sum(rows)" if probes[0].counted else "count(*)"
        sums = [f"coalesce({number} FILTER ({probe.condition(subject)}), 0)::BIGINT" for probe in probes]
        rows, *wrong = subject.row(f"SELECT coalesce({number}, 0)::BIGINT, {', '.join(sums)} FROM {table}")
    except NO_VERDICT:
        raise
    except Seg5bError as cause:
        if len(checks) == 1:
            return {checks[0].check_id: _broken(subject.scenario_id, cause)}
        return {check.check_id: one for check in checks for one in _scan(subject, table, [check]).values()}
    found = {}
    for check, violations in zip(checks, wrong, strict=True):
        found[check.check_id] = _attempt(subject, partial(_row_finding, subject, check, violations, rows))
    return found


def _row_finding(subject: Subject, check: Check, violations: int, rows: int) -> Finding:
    assert isinstance(check.probe, RowCondition)
    if not violations:
        return Finding(0, (), rows)
    probe = check.probe
    where = probe.condition(subject)
    keys = subject.records(f"SELECT {probe.keys} FROM {probe.table} WHERE {where} LIMIT {MOST_KEYS}")
    return Finding(violations, tuple(keys), rows)


def _arrivals_finding(subject: Subject, probe: ArrivalCondition) -> Finding:
    wrong, rows = subject.row(
        f"""SELECT (SELECT coalesce(sum(arrivals), 0)::BIGINT FROM row_faults WHERE condition = '{probe.name}'),
                   (SELECT coalesce(sum(judged), 0)::BIGINT FROM part_tables)"""
    )
    if not wrong:
        return Finding(0, (), rows)
    places = f"SELECT part, position FROM fault_places WHERE condition = '{probe.name}' ORDER BY ALL LIMIT {MOST_KEYS}"
    keys = subject.records(
        f"""SELECT {probe.keys} FROM arrivals_all WHERE (part, position) IN ({places})
            ORDER BY arrivals_all.part, arrivals_all.position"""
    )
    return Finding(wrong, tuple(keys), rows)


def _cells_finding(subject: Subject, probe: CellCondition) -> Finding:
    wrong, places = subject.row(f"SELECT rows, places FROM {probe.faults} WHERE condition = '{probe.name}'")
    rows = cell_totals(subject, probe.table).rows
    if not wrong:
        return Finding(0, (), rows)
    keys = subject.records(
        f"""SELECT {probe.keys} FROM {probe.source or probe.table}
            WHERE {probe.table}.position IN ({places}) ORDER BY {probe.table}.position"""
    )
    return Finding(wrong, tuple(keys), rows)


def combine(subject: Subject, check: Check, partials: Iterable[Partial]) -> CheckResult:
    """Verdict of a check over all scenarios."""
    severity = severity_of(subject, check)
    judged = [part for part in partials if not part.not_applicable]
    skipped = [part for part in partials if part.not_applicable]
    if not judged:
        reason = "; ".join(dict.fromkeys(part.not_applicable for part in skipped))
        return CheckResult(check, Status.NOT_APPLICABLE, severity, reason=reason)
    return _verdict(check, severity, judged)


def _verdict(check: Check, severity: Severity, judged: list[Partial]) -> CheckResult:
    reasons, keys, violations, rows = [], [], 0, 0
    empty = 0
    for part in judged:
        finding = part.finding
        scenario = {"scenario_id": part.scope} if part.scope else {}
        violations += finding.violations + (1 if part.broken else 0)
        rows += finding.rows
        keys += [{**scenario, **key} for key in finding.keys]
        if part.broken:
            reasons.append(f"could not be judged: {part.broken}")
        elif finding.skipped:
            reasons.append(finding.skipped)
            empty += 1
        elif check.must_have_rows and not finding.rows and not finding.violations:
            reasons.append("there are no rows to look at")
            violations += 1
    status = Status.PASS
    if violations:
        status = Status.FAIL if severity is Severity.ERROR else Status.WARN
    elif empty == len(judged):
        status = Status.NOT_APPLICABLE
    facts = {part.scope: part.finding.facts for part in judged if part.finding.facts}
    reason = "; ".join(dict.fromkeys(reasons))
    unread = sum(part.broken.startswith("5B.QUERY.") for part in judged)
    return CheckResult(
        check, status, severity, violations, tuple(keys[:MOST_KEYS]), rows, reason, facts, 0 < unread == violations
    )


def severity_of(subject: Subject, check: Check) -> Severity:
    """Severity of a check under the policy."""
    policy = subject.policies.validation
    severity = check.severity
    if check.graded:
        warns = policy.calibration_sentinels.severity_on_fail == "WARN"
        severity = Severity.ADVICE if warns else Severity.ERROR
    if policy.failure_policy.mode == "report_only" and check.field in _GATES and severity is Severity.ERROR:
        return Severity.ADVICE
    return severity


WARNINGS = Check(
    "policy.max_warnings",
    "5B.S5.WARNINGS_EXCEED_LIMIT",
    "warnings_ok",
    "failure_policy.max_warnings",
    "no more warnings than the policy allows (advice is not: sentinels that only warn, what routing was allowed)",
    Compute(lambda _: Finding()),
    per_scenario=False,
)


def judge_warnings(subject: Subject, results: Sequence[CheckResult]) -> CheckResult:
    """Whether the warnings of all other checks stay within the policy."""
    policy = subject.policies.validation.failure_policy
    warned = [result for result in results if result.status is Status.WARN and result.severity is Severity.WARN]
    count = sum(result.violation_count for result in warned)
    allowed = policy.mode == "report_only" or count <= policy.max_warnings
    keys = tuple({"check_id": result.check_id, "warnings": result.violation_count} for result in warned)
    status = Status.PASS if allowed else Status.FAIL
    base = CheckResult(WARNINGS, status, Severity.ERROR, 0 if allowed else count, (), len(results))
    return base if allowed else replace(base, keys=keys[:MOST_KEYS])
