"""Outputs have the columns and types of their contract, no null where none may be, and values within its limits."""

from __future__ import annotations

from collections.abc import Callable

from seg5b.errors import Seg5bError
from seg5b.query import literal
from seg5b.run_tables.outputs import OUTPUT_TABLES, OutputTable, output_files
from seg5b.run_tables.row_form import number_limits, sampled_rows, sql_type
from seg5b.run_tables.subject import Subject
from seg5b.validation.records import (
    MOST_KEYS,
    ArrivalCondition,
    CellCondition,
    Check,
    Compute,
    Finding,
    Key,
    RowCondition,
)

_FIELD = "schema_partition_pk_ok"
_BLOCK = "structural_checks.schemas"
_UNDER_JSON = 64
"""Rows per dataset and scenario that are checked in JSON form against the contract."""


def _absent(output: OutputTable, subject: Subject) -> str:
    if output.required or output.table in subject.tables:
        return ""
    return f"{output.dataset_id} is optional and not published"


def _wanted_absent(output: OutputTable, subject: Subject) -> set[str]:
    """Optional columns that the policies ask for or rule out, as ``+name`` and ``-name``."""
    if output.table == "arrivals":
        routing = subject.policies.routing
        asked = {"lambda_realised": routing.carry_lambda, "tz_group_id": routing.carry_tz_group}
    elif output.table == "grid":
        grid = subject.policies.time_grid
        local = ("local_day_of_week", "local_minutes_since_midnight", "is_weekend")
        asked = dict.fromkeys(local, grid.emit_local)
        asked["scenario_labels"] = "scenario_labels" in (*grid.carry_required, *grid.carry_optional)
    else:
        asked = {}
    return {f"+{name}" if wanted else f"-{name}" for name, wanted in asked.items()}


def _columns(output: OutputTable) -> Compute:
    def find(subject: Subject) -> Finding:
        found = {name: kind for name, kind, *_ in subject.rows(f"DESCRIBE {output.table}")}
        for helper in ("position", "part"):
            found.pop(helper, None)
        expected = {field.name: sql_type(field.type) for field in output.form.schema}
        for mark in _wanted_absent(output, subject):
            if mark.startswith("-"):
                expected.pop(mark[1:], None)
        names = [*expected, *(name for name in found if name not in expected)]
        wrong: list[Key] = [
            {"column": name, "type": found.get(name), "expected": expected.get(name)}
            for name in names
            if found.get(name) != expected.get(name)
        ]
        return Finding(len(wrong), tuple(wrong[:MOST_KEYS]), len(found))

    return Compute(find)


def _row_form(output: OutputTable) -> Compute:
    """A hash-spread sample of rows in JSON form against the contract's schema."""

    def find(subject: Subject) -> Finding:
        rows = sampled_rows(subject, output, _UNDER_JSON)
        wrong: list[Key] = []
        for row in rows:
            try:
                subject.contracts.validate_row(output.dataset_id, row, code="row", where=output.dataset_id)
            except Seg5bError as cause:
                wrong.append({"problem": cause.what})
        return Finding(len(wrong), tuple(wrong[:MOST_KEYS]), len(rows))

    return Compute(find)


def _limits(output: OutputTable) -> Callable[[Subject], str]:
    """SQL that is true for a row with a null that may not be, or a number outside the contract's limits.

    A column that its file declares required cannot hold a null, and is not decoded to see that. Intensities, counts and
    arrivals are walked instead; numbers of arrivals are pinned more tightly by other checks (bucket window, sequence, cache
    offsets, known sites and edges).
    """
    fields = [field for field in output.form.schema if field.name not in output.optional]
    numbers = [f"{name} {operator} {bound}" for name, operator, bound in number_limits(output)]

    def where(subject: Subject) -> str:
        loose = _may_hold_nulls(subject, output)
        nulls = [f"{field.name} IS NULL" for field in fields if not field.nullable and field.name in loose]
        return " OR ".join([*nulls, *numbers]) or "FALSE"

    return where


def _may_hold_nulls(subject: Subject, output: OutputTable) -> set[str]:
    """Columns that some file of an output does not declare required."""
    files = output_files(subject.root, subject.contracts, output, subject.scenario_id)
    listed = ", ".join(literal(str(file)) for file in files)
    rows = subject.rows(f"SELECT DISTINCT name FROM parquet_schema([{listed}]) WHERE repetition_type <> 'REQUIRED'")
    return {row[0] for row in rows}


_WALKED = {"intensity": "forbidden_intensity", "counts": "forbidden_count"}


def _tables(probe: Compute | RowCondition | ArrivalCondition | CellCondition) -> tuple[str, ...]:
    """Tables that a condition needs beside the one that it is about."""
    if isinstance(probe, ArrivalCondition):
        return ("row_faults",)
    return (probe.faults,) if isinstance(probe, CellCondition) else ()


def _checks(output: OutputTable) -> tuple[Check, ...]:
    code = f"5B.S5.{output.state}_SCHEMA_VIOLATION"
    required = output.table not in ("anomalies", "latent")

    def applies(subject: Subject) -> str:
        return _absent(output, subject)

    def values() -> RowCondition | ArrivalCondition | CellCondition:
        if output.table == "arrivals":
            return ArrivalCondition("null_value", output.keys)
        if output.table in _WALKED:
            return CellCondition(output.table, _WALKED[output.table], output.keys)
        return RowCondition(output.table, _limits(output), output.keys)

    def make(kind: str, states: str, probe: Compute | RowCondition | ArrivalCondition | CellCondition) -> Check:
        return Check(
            f"schema.{kind}.{output.table}",
            code,
            _FIELD,
            _BLOCK,
            f"{output.dataset_id} {states}",
            probe,
            needs=(output.table, *_tables(probe)),
            applies=applies,
            must_have_rows=required,
        )

    return (
        make("columns", "has the columns of its contract and policies, with their types", _columns(output)),
        make(
            "values",
            "has no null and no number that its contract forbids",
            values(),
        ),
        make("rows", "fits its JSON schema in a sample of rows spread over it", _row_form(output)),
    )


CHECKS = tuple(check for output in OUTPUT_TABLES for check in _checks(output))
