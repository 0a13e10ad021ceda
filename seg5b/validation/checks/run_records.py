"""What the states' records say of their outputs (docs/laws#run-record): a record is no reason to refuse a run (law L16), but
one that contradicts what is published is worth knowing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seg5b.run_tables.measures import run_measures
from seg5b.run_tables.subject import Subject
from seg5b.runs.ledger import passing_records
from seg5b.validation.records import MOST_KEYS, Check, Compute, Finding, Key, Severity

_STATES = ("S1", "S2", "S3", "S4")


def _expected(subject: Subject) -> dict[str, dict[str, Any]]:
    """By state, what its last record of a pass should say."""
    measures, identity = run_measures(subject), subject.root.identity
    own = {
        "run_id": identity.run_id,
        "seed": identity.seed,
        "parameter_hash": identity.parameter_hash,
        "manifest_fingerprint": identity.manifest_fingerprint,
    }
    totals: dict[str, dict[str, int]] = {
        "S2": {"total_rows_written": measures.buckets},
        "S3": {"total_rows_written": measures.buckets, "sum_count_N": measures.arrivals},
        "S4": {"total_arrivals": measures.arrivals, "total_virtual": measures.virtual},
    }
    return {state: {**own, **totals.get(state, {})} for state in _STATES}


def _contradictions(state: str, record: Mapping[str, Any], expected: Mapping[str, Any]) -> list[Key]:
    """Facts that a record states otherwise; those that it does not state say nothing."""
    return [
        {"state": state, "fact": name, "record": record[name], "published": value}
        for name, value in expected.items()
        if name in record and record[name] != value
    ]


def _records(subject: Subject) -> Finding:
    """The last record of a pass of each state that left one. States of a derived run's base left theirs there."""
    expected = _expected(subject)
    last = {state: records[-1] for state in _STATES if (records := passing_records(subject.root, state))}
    if not last:
        return Finding(skipped="no run record tells of S1 to S4")
    wrong = [fault for state, record in last.items() for fault in _contradictions(state, record, expected[state])]
    # Of all states, whichever left records: a bundle must not depend on how often states ran.
    return Finding(len(wrong), tuple(wrong[:MOST_KEYS]), len(_STATES))


CHECKS = (
    Check(
        "outputs.records",
        "5B.S5.RUN_RECORD_CONTRADICTS",
        "bundle_integrity_ok",
        "structural_checks",
        "the states' run records name this run, and the numbers of rows and arrivals that it has",
        Compute(_records),
        severity=Severity.INFO,
        per_scenario=False,
    ),
)
