"""S5: judge everything that a run published by a registry of checks, then seal it (law L11).

A check states what must hold and how to find what does not: a condition on rows, a query, or a function. `registry`
lists them; `runner` gives each a verdict; `entry.validate` publishes the bundle or the report of a failure.
"""

from seg5b.validation.bundle.issues import Issue
from seg5b.validation.bundle.verify import Problem, VerifyReport, verify_validation_bundle
from seg5b.validation.entry import ValidationOutcome, validate
from seg5b.validation.records import Check, CheckResult, Compute, Finding, Query, RowCondition, Severity, Status
from seg5b.validation.registry import CHECKS
from seg5b.validation.unchanged import sealed_record, validation_key

__all__ = [
    "CHECKS",
    "Check",
    "CheckResult",
    "Compute",
    "Finding",
    "Issue",
    "Problem",
    "Query",
    "RowCondition",
    "Severity",
    "Status",
    "ValidationOutcome",
    "VerifyReport",
    "sealed_record",
    "validate",
    "validation_key",
    "verify_validation_bundle",
]
