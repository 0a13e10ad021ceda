"""The datasets that 5B publishes: where they lie and what they are called in SQL."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from seg5b.contracts import ContractSource, dataset_files
from seg5b.errors import InputError, RunError
from seg5b.runs import RunRoot
from seg5b.runs.dropped import dropped_datasets, how_to_make_again
from seg5b.tables import TableFormat
from seg5b.tables import formats as forms
from seg5b.tables.reading import row_count


@dataclass(frozen=True, slots=True)
class OutputTable:
    """One Parquet dataset of 5B. ``table`` is its name in SQL, ``state`` who wrote it; ``keys`` are SQL that names
    one of its rows; ``optional`` columns may be absent; ``required`` False: the whole dataset may be absent."""

    dataset_id: str
    table: str
    state: str
    form: TableFormat
    keys: str
    optional: tuple[str, ...] = ()
    required: bool = True


INCOMPLETE = "5B.RUN.DATASET_INCOMPLETE"
_BUCKET = "merchant_id, zone_representation, channel_group, bucket_index"
_LOCAL = ("scenario_labels", "local_day_of_week", "local_minutes_since_midnight", "is_weekend")

OUTPUT_TABLES = (
    OutputTable("s1_time_grid_5B", "grid", "S1", forms.TIME_GRID, "bucket_index", _LOCAL),
    OutputTable(
        "s1_grouping_5B", "grouping", "S1", forms.GROUPING, "merchant_id, zone_representation, channel_group, group_id"
    ),
    OutputTable("s2_realised_intensity_5B", "intensity", "S2", forms.REALISED_INTENSITY, _BUCKET),
    OutputTable("s2_latent_field_5B", "latent", "S2", forms.LATENT_FIELD, "group_id, bucket_index", required=False),
    OutputTable("s3_bucket_counts_5B", "counts", "S3", forms.BUCKET_COUNTS, _BUCKET),
    OutputTable(
        "arrival_events_5B",
        "arrivals",
        "S4",
        forms.ARRIVAL_EVENTS,
        "merchant_id, arrival_seq",
        ("lambda_realised", "tz_group_id"),
    ),
    OutputTable("s4_arrival_summary_5B", "summary", "S4", forms.ARRIVAL_SUMMARY, _BUCKET),
    OutputTable("s4_arrival_anomalies_5B", "anomalies", "S4", forms.ARRIVAL_ANOMALIES, "anomaly_id"),
)

BY_TABLE = {output.table: output for output in OUTPUT_TABLES}


def dataset_path(root: RunRoot, contracts: ContractSource, dataset_id: str, scenario_id: str | None = None) -> Path:
    """File or folder of a 5B dataset."""
    entry = contracts.dictionary("5B").entry(dataset_id)
    return root.resolve(entry.render(root.identity.tokens(scenario_id)))


def scans_folder(root: RunRoot, scenario_id: str) -> Path:
    """Where what is kept of the scans of a scenario's outputs lies (`seg5b.part_scan.kept`), an absolute path."""
    return root.kept().absolute() / "parts" / scenario_id


def output_files(root: RunRoot, contracts: ContractSource, output: OutputTable, scenario_id: str) -> list[Path]:
    """Files of an output in the order of its rows; empty when it was not published. Raises `InputError`
    ``5B.RUN.DATASET_INCOMPLETE`` as `dataset_files`, and for what is no file, which may never end."""
    place = dataset_path(root, contracts, output.dataset_id, scenario_id)
    files = dataset_files(place, code=INCOMPLETE) if place.exists() else []
    for file in files:
        if file.exists() and not file.is_file():
            remedy = "set it aside and run the state that writes it again"
            raise InputError(INCOMPLETE, f"{file.name} is no regular file", where=str(file), remedy=remedy)
    return files


def require_whole(root: RunRoot, contracts: ContractSource, scenario_ids: Iterable[str]) -> None:
    """Raise `InputError` ``5B.RUN.DATASET_INCOMPLETE`` where an output lies in parts that are not all there or not
    alone, or has a file without a readable footer."""
    for scenario_id in scenario_ids:
        for output in OUTPUT_TABLES:
            row_count(output_files(root, contracts, output, scenario_id), code=INCOMPLETE)


def require_published(
    root: RunRoot, contracts: ContractSource, scenario_id: str, tables: Iterable[str], *, code: str
) -> None:
    """Raise `RunError` ``code`` for the first of some ``tables`` that is not published, with the state that has not run, and
    ``5B.RUN.BODY_DROPPED`` for one that was dropped to save space."""
    wanted = [BY_TABLE[table] for table in tables]
    for output in wanted:
        if not output_files(root, contracts, output, scenario_id):
            if output.dataset_id in dropped_datasets(root):
                raise RunError(
                    "5B.RUN.BODY_DROPPED",
                    f"{output.dataset_id} was dropped by prune",
                    where=str(dataset_path(root, contracts, output.dataset_id, scenario_id)),
                    remedy=how_to_make_again(root),
                )
            raise RunError(
                code,
                f"state {output.state} has not run for scenario {scenario_id}: {output.dataset_id} is not published",
                where=str(dataset_path(root, contracts, output.dataset_id, scenario_id)),
                remedy=f"realise the run first: `seg5b run --to {wanted[-1].state} --run-id {root.identity.run_id}`",
            )
