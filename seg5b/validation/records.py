"""A check, how it finds violations, and its result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seg5b.run_tables.subject import Subject

MOST_KEYS = 10
"""How many violating keys a result names."""

UNREADABLE = "5B.S5.IO_READ_FAILED"

Key = Mapping[str, Any]
Facts = Mapping[str, Any]


class Status(Enum):
    """Verdict of one check."""

    PASS = "PASS"
    FAIL = "FAIL"
    WARN = "WARN"
    NOT_APPLICABLE = "NOT_APPLICABLE"


class Severity(Enum):
    """What a violation means: ``ERROR`` fails the run, ``WARN`` counts as a warning, ``ADVICE`` is a warning that a policy
    asked for, of a sentinel that only warns or of what was allowed (reported, never counted), ``INFO`` is worth knowing and
    no more."""

    ERROR = "ERROR"
    WARN = "WARN"
    ADVICE = "ADVICE"
    INFO = "INFO"

    @property
    def issue(self) -> str:
        """Severity column of the issue table."""
        return "WARN" if self is Severity.ADVICE else self.value


@dataclass(frozen=True, slots=True)
class RowCondition:
    """Violations are the rows of ``table`` where ``where`` holds. All such checks of a table share one scan.

    ``where`` is SQL over the table's columns, or gives it for a subject; ``$name`` stands for a constant of the
    scenario; ``keys`` name a row. ``counted``: a smaller table with the columns that ``where`` looks at, each row standing
    for ``rows`` rows of ``table``; rows are counted there, and ``table`` is only asked to name offenders.
    """

    table: str
    where: str | Callable[[Subject], str]
    keys: str
    counted: str = ""

    def condition(self, subject: Subject) -> str:
        """The condition in SQL."""
        return self.where if isinstance(self.where, str) else self.where(subject)


@dataclass(frozen=True, slots=True)
class ArrivalCondition:
    """Violations are the judged arrivals for which a predicate of `seg5b.part_scan.conditions` is true, seen in the one
    walk over each part. ``name`` is the predicate's; ``keys`` name an arrival."""

    name: str
    keys: str


@dataclass(frozen=True, slots=True)
class CellCondition:
    """Violations are the rows of ``table`` (``intensity`` or ``counts``) for which a predicate of
    `seg5b.part_scan.cells.conditions` is true, seen in the one walk over each range of rows. ``name`` is the predicate's;
    ``keys`` name a row of ``source``, which must have its ``position`` (by default the table)."""

    table: str
    name: str
    keys: str
    source: str = ""

    @property
    def faults(self) -> str:
        """The table that says how many rows violate."""
        return "intensity_faults" if self.table == "intensity" else "count_faults"


@dataclass(frozen=True, slots=True)
class Query:
    """Violations are the rows of ``sql``; its columns are their keys. ``examined`` is a table or subquery whose rows
    were looked at."""

    sql: str
    examined: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Outcome of a computed check: violations with their first keys, rows looked at, measured facts.

    ``skipped`` says why there was nothing to judge (then nothing else counts).
    """

    violations: int = 0
    keys: tuple[Key, ...] = ()
    rows: int = 0
    facts: Facts = field(default_factory=dict)
    skipped: str = ""


@dataclass(frozen=True, slots=True)
class Compute:
    """A check that SQL alone cannot state. ``function`` receives the subject."""

    function: Callable[[Subject], Finding]


def always(_: Subject) -> str:
    """Applies to every run."""
    return ""


@dataclass(frozen=True, slots=True)
class Check:
    """One statement about a run.

    ``check_id`` names it; ``code`` is what a violation is called; ``field`` is the verdict of the report that it
    belongs to; ``block`` the key of the validation policy that asks for it; ``states`` what must hold. ``needs`` are
    tables that must be there. ``applies`` gives the reason why it is not applicable, or nothing. ``must_have_rows``:
    no rows to look at is a failure; else what holds of every row holds where there is none. ``graded``: the policy's
    evaluation mode decides whether a violation is an error or advice. ``per_scenario``: judged once per scenario, else
    once per run. ``switches`` are further keys of the policy that ask for it, true or false: where there are any, it runs as
    long as one of them is true.
    """

    check_id: str
    code: str
    field: str
    block: str
    states: str
    probe: RowCondition | ArrivalCondition | CellCondition | Query | Compute
    needs: tuple[str, ...] = ()
    severity: Severity = Severity.ERROR
    applies: Callable[[Subject], str] = always
    must_have_rows: bool = True
    graded: bool = False
    per_scenario: bool = True
    switches: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Verdict of one check on the whole run.

    ``violation_count`` violations, the first of them in ``keys`` (at most 10, each with its scenario);
    ``rows_examined`` rows looked at; ``reason`` why it was not applicable, or what kept it from running;
    ``facts`` measured values by scenario id (empty for the whole run); ``unreadable``: all that was found is that the
    data could not be read.
    """

    check: Check
    status: Status
    severity: Severity
    violation_count: int = 0
    keys: tuple[Key, ...] = ()
    rows_examined: int = 0
    reason: str = ""
    facts: Mapping[str, Facts] = field(default_factory=dict)
    unreadable: bool = False

    @property
    def check_id(self) -> str:
        """Name of the check."""
        return self.check.check_id

    @property
    def code(self) -> str:
        """Code of its violation; a check that could not read its data says that instead."""
        return UNREADABLE if self.unreadable else self.check.code

    def as_json(self) -> dict[str, Any]:
        """Entry of the report's list of checks."""
        return {
            "check_id": self.check_id,
            "code": self.code,
            "policy_block": self.check.block,
            "report_field": self.check.field,
            "states": self.check.states,
            "severity": self.severity.value,
            "status": self.status.value,
            "violation_count": self.violation_count,
            "first_violations": [dict(key) for key in self.keys],
            "rows_examined": self.rows_examined,
            "reason": self.reason,
        }
