"""Damaging a run and judging it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from seg5b import api
from seg5b.contracts import ContractSource
from seg5b.gate import Gate
from seg5b.run_tables import RunPolicies, open_run_tables
from seg5b.runs import RunRoot
from seg5b.validation.records import Check, CheckResult
from seg5b.validation.runner import run_checks
from seg5b.world.plan import BASELINE


@dataclass(frozen=True)
class Run:
    """A realised world and its open gate."""

    root: RunRoot
    contracts: ContractSource
    gate: Gate

    def path(self, dataset_id: str, part: int = 0) -> Path:
        """File of a dataset of the one scenario; ``part`` for arrivals. Logs: the file of S3, or the audit log."""
        place = api.Run(self.root, self.contracts).path(dataset_id, BASELINE)
        return place / f"part-{part:06d}.parquet" if dataset_id == "arrival_events_5B" else place

    def trace(self, state: str) -> Path:
        """Trace log of a state."""
        return self.path("rng_trace_log") / f"state={state}" / f"scenario_id={BASELINE}" / "rng_trace_log.jsonl"

    def event_log(self, name: str) -> Path:
        """Event log of a family, in Parquet."""
        return self.path(f"rng_event_{name}") / f"scenario_id={BASELINE}" / "part-000000.parquet"

    def judge(
        self,
        checks: Sequence[Check],
        *,
        mode: str = "full",
        policies: Callable[[RunPolicies], RunPolicies] | None = None,
    ) -> dict[str, CheckResult]:
        """Results by check id; ``policies`` replaces what the sealed ones say."""
        with open_run_tables(
            self.root,
            self.contracts,
            label="judge",
            gate=self.gate,
            mode=mode,
            threads=2,
            memory_limit_gb=1.0,
            change_policies=policies,
        ) as subject:
            results = run_checks(subject, checks, lambda label, done, total: None)
        return {result.check_id: result for result in results}


Change = Callable[[pa.Table], pa.Table]


def edit(path: Path, *changes: Change) -> None:
    """Rewrite a Parquet file after some changes to its table; its footer states what it stated."""
    table = pq.ParquetFile(path).read()
    stated = table.schema.metadata
    for change in changes:
        table = change(table)
    table = pa.table(
        [column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column for column in table.columns],
        names=table.column_names,
        metadata=stated,
    )
    pq.write_table(table, path, row_group_size=4096)


def restate(path: Path, **stated: str | None) -> None:
    """Rewrite a Parquet file whose footer states something else under some keys (``seg5b.`` left out, but for ``pandas``);
    nothing under those that are None."""
    table = pq.ParquetFile(path).read()
    changes = {key if key == "pandas" else f"seg5b.{key}": value for key, value in stated.items()}
    kept = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
    whole = {key: value for key, value in {**kept, **changes}.items() if value is not None}
    pq.write_table(table.replace_schema_metadata(whole), path)


def put(column: str, value: Any, rows: Callable[[pa.Table], list[int]] | None = None) -> Change:
    """Set a column in some rows (all by default); ``value`` may be a function of the old value."""

    def change(table: pa.Table) -> pa.Table:
        place = table.column_names.index(column)
        field = table.field(column)
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        array = table.column(column).combine_chunks()
        array = array.dictionary_decode() if pa.types.is_dictionary(field.type) else array
        instant = pa.types.is_timestamp(kind)
        values = (array.cast(pa.int64()) if instant else array).to_pylist()
        for row in range(len(values)) if rows is None else rows(table):
            values[row] = value(values[row]) if callable(value) else value
        new = pa.array(values, pa.int64()).cast(kind) if instant else pa.array(values, kind)
        return table.set_column(place, pa.field(column, kind, nullable=True), new)

    return change


def cast(column: str, kind: pa.DataType) -> Change:
    """Store a column as another type."""

    def change(table: pa.Table) -> pa.Table:
        place = table.column_names.index(column)
        return table.set_column(place, column, table.column(column).cast(kind))

    return change


def drop(row: int) -> Change:
    """Leave out a row (negative counts from the end)."""

    def change(table: pa.Table) -> pa.Table:
        place = row % table.num_rows
        return pa.concat_tables([table.slice(0, place), table.slice(place + 1)])

    return change


def swap(first: int, second: int) -> Change:
    """Exchange two rows."""

    def change(table: pa.Table) -> pa.Table:
        order = list(range(table.num_rows))
        order[first], order[second] = order[second], order[first]
        return table.take(order)

    return change


def exchange(column: str, first: int, second: int) -> Change:
    """Exchange the values of a column between two rows."""

    def change(table: pa.Table) -> pa.Table:
        one, other = (table.column(column)[row].as_py() for row in (first, second))
        return put(column, one, at(second))(put(column, other, at(first))(table))

    return change


def repeat(row: int) -> Change:
    """A row twice, one after the other."""
    return lambda table: table.take([*range(row + 1), *range(row, table.num_rows)])


def at(*places: int) -> Callable[[pa.Table], list[int]]:
    """These rows."""
    return lambda table: list(places)


def where(column: str, holds: Callable[[Any], bool], most: int | None = 1) -> Callable[[pa.Table], list[int]]:
    """The first rows whose value in a column satisfies a condition; all with ``most`` None."""

    def rows(table: pa.Table) -> list[int]:
        return [row for row, value in enumerate(table.column(column).to_pylist()) if holds(value)][:most]

    return rows


PHYSICAL = where("is_virtual", lambda value: not value)
VIRTUAL = where("is_virtual", bool)


def states_read(policy: str, **values: Any) -> Callable[[RunPolicies], RunPolicies]:
    """Policies of which the states read other numbers than are written there."""
    return lambda policies: replace(policies, **{policy: replace(getattr(policies, policy), **values)})


def twin_reads(**values: Any) -> Callable[[RunPolicies], RunPolicies]:
    """Policies of which the twin reads other numbers: a run that was made by wrong ones looks like that."""
    return lambda policies: replace(policies, readings=replace(policies.readings, **values))


def replaced(block: str, **values: Any) -> Callable[[RunPolicies], RunPolicies]:
    """Policies whose validation policy has other values in a block (dotted for a nested one)."""

    def change(policies: RunPolicies) -> RunPolicies:
        def inner(record: Any, names: list[str]) -> Any:
            if not names:
                return replace(record, **values)
            return replace(record, **{names[0]: inner(getattr(record, names[0]), names[1:])})

        return replace(policies, validation=inner(policies.validation, block.split(".")))

    return change
