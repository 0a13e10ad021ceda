"""SQL views over the datasets that a scenario published."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import accumulate
from pathlib import Path

from seg5b.errors import NO_VERDICT, InputError, Seg5bError
from seg5b.gate import Scenario
from seg5b.query import identifier, literal, parquet
from seg5b.run_tables.outputs import OUTPUT_TABLES, output_files
from seg5b.run_tables.sampling import arrival_filter, count_filter
from seg5b.run_tables.subject import SAMPLED, Subject


@dataclass(slots=True)
class Catalogue:
    """Tables as they are made: names of those that exist, and why others could not be made."""

    subject: Subject
    tables: set[str] = field(default_factory=set)
    missing: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, make: Callable[[], None], *, needs: tuple[str, ...] = ()) -> None:
        """Make a table unless something it needs is missing; remember the reason if it fails. Raises what is no fault of the
        data (`seg5b.errors.NO_VERDICT`)."""
        absent = [table for table in needs if table not in self.tables]
        if absent:
            self.missing[name] = f"needs {', '.join(absent)}"
            return
        try:
            make()
        except NO_VERDICT:
            raise
        except Seg5bError as cause:
            self.missing[name] = cause.what
        else:
            self.tables.add(name)

    def sql(self, name: str, select: str, *, kind: str = "TABLE", needs: tuple[str, ...] = ()) -> None:
        """Make a table or view from a query; ``$name`` stands for a constant."""
        statement = f"CREATE OR REPLACE {kind} {identifier(name)} AS {select}"
        self.add(name, lambda: self.subject.run(statement), needs=needs)

    def finished(self, subject: Subject) -> Subject:
        """The subject with these tables."""
        return replace(subject, tables=subject.tables | self.tables, missing={**subject.missing, **self.missing})


def scenario_tables(run: Subject, scenario: Scenario) -> Subject:
    """A run narrowed to one scenario: its constants, and its published datasets as views, each row with its
    ``position`` in the dataset from 0 (arrivals: in their part).

    ``arrivals_all`` holds every arrival and the part it lies in; ``arrivals`` is what rows are judged on: the same, or
    a sample of it. ``parts`` lists the arrival files. ``counts_sample`` likewise.
    """
    subject = _scenario_subject(run, scenario)
    catalogue = Catalogue(subject)
    for output in OUTPUT_TABLES:
        try:
            files = output_files(subject.root, subject.contracts, output, subject.scenario_id)
        except InputError as cause:
            catalogue.missing[output.table] = cause.what
            continue
        if not files:
            if output.required:
                catalogue.missing[output.table] = f"{output.dataset_id} is not published"
            continue
        if output.table == "arrivals":
            _attach_arrivals(catalogue, files)
        else:
            catalogue.add(output.table, partial(_attach_rows, subject, output.table, files))
    sample = count_filter(subject) if subject.mode == SAMPLED and "counts" in catalogue.tables else "TRUE"
    catalogue.sql("counts_sample", f"SELECT * FROM counts WHERE {sample}", kind="VIEW", needs=("counts",))
    return catalogue.finished(subject)


def _attach_rows(subject: Subject, table: str, files: list[Path]) -> None:
    """The view of a dataset, ``position`` counted over all its files. Raises `InputError` ``5B.QUERY.FAILED``."""
    position = "file_row_number"
    if len(files) > 1:
        listed = ", ".join(literal(str(file)) for file in files)
        rows = dict(subject.rows(f"SELECT file_name, num_rows FROM parquet_file_metadata([{listed}])"))
        starts = [0, *accumulate(rows[str(file)] for file in files[:-1])]
        position += f" + [{', '.join(map(str, starts))}][file_index::BIGINT + 1]"
    subject.run(f"CREATE OR REPLACE VIEW {identifier(table)} AS SELECT *, {position} AS position FROM {parquet(files)}")


def _attach_arrivals(catalogue: Catalogue, files: list[Path]) -> None:
    source = parquet(files)
    every = f"SELECT *, file_index AS part, file_row_number AS position FROM {source}"
    catalogue.sql("arrivals_all", every, kind="VIEW")
    catalogue.sql(
        "parts",
        f"""SELECT part, part_file, num_rows::BIGINT AS part_rows,
                   coalesce(sum(num_rows) OVER (ORDER BY part ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
                            0)::BIGINT AS part_start
            FROM (SELECT file_index AS part, filename AS part_file FROM {source} WHERE file_row_number = 0)
            JOIN parquet_file_metadata([{", ".join(literal(str(file)) for file in files)}]) ON file_name = part_file""",
        needs=("arrivals_all",),
    )
    if "parts" not in catalogue.tables:
        catalogue.missing["arrivals"] = catalogue.missing.get("arrivals_all") or catalogue.missing["parts"]
        return
    sample = arrival_filter(catalogue.subject) if catalogue.subject.mode == SAMPLED else "TRUE"
    catalogue.sql("arrivals", f"SELECT * FROM arrivals_all WHERE {sample}", kind="VIEW", needs=("arrivals_all",))


def _scenario_subject(subject: Subject, scenario: Scenario) -> Subject:
    """The run's subject narrowed to one scenario, with the scenario's constants."""
    bucket_us = subject.policies.readings.bucket_s * 1_000_000
    constants = {
        **subject.constants,
        "scenario": scenario.scenario_id,
        "start_us": scenario.start_us,
        "end_us": scenario.end_us,
        "bucket_us": bucket_us,
        "buckets": (scenario.end_us - scenario.start_us) // bucket_us,
        "is_baseline": scenario.is_baseline,
        "is_stress": scenario.is_stress,
        "band": "baseline" if scenario.is_baseline else "stress",
    }
    return replace(subject, scenario=scenario, constants=constants)
