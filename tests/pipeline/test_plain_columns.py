"""S2-S4 read what other engines write: instants as RFC 3339 text, texts that are no dictionaries, a row for each country of a
series; and give the same bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from seg5b import api
from seg5b.axes import read_series_axis
from seg5b.axes.time import read_time_grid
from seg5b.contracts import ContractSource
from seg5b.digests import dataset_digests
from seg5b.errors import InputError
from seg5b.pipeline import run_states
from seg5b.runs.root import RunRoot
from tests.worlds import copy_run

CONTRACTS = ContractSource.packaged()
SCENARIOS = ("baseline_v1", "stress_peak_online_v1")


def plain(table: pa.Table) -> pa.Table:
    """Instants as text, texts as plain strings."""
    columns = {}
    for name in table.column_names:
        column = table[name]
        if pa.types.is_timestamp(column.type):
            texts = [f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z" for moment in column.to_pylist()]
            columns[name] = pa.chunked_array([pa.array(texts, pa.string())])
        elif pa.types.is_dictionary(column.type):
            columns[name] = column.cast(pa.string())
        else:
            columns[name] = column
    return pa.table(columns)


def by_country(table: pa.Table) -> pa.Table:
    """A row for each country, as the reference engine groups."""
    rows = np.repeat(np.arange(table.num_rows), table["component_count"].to_numpy())
    return plain(table).take(pa.array(rows)).drop_columns(["component_count"])


CHANGES: dict[str, Callable[[pa.Table], pa.Table]] = {
    "s1_time_grid_5B": plain,
    "s1_grouping_5B": by_country,
    "s2_realised_intensity_5B": plain,
    "s3_bucket_counts_5B": plain,
}


def rewrite(root: RunRoot, dataset_id: str) -> None:
    for scenario_id in SCENARIOS:
        place = api.Run(root, CONTRACTS).path(dataset_id, scenario_id)
        table = CHANGES[dataset_id](pq.ParquetFile(place).read())
        kinds = {field.type for field in table.schema}
        assert not any(pa.types.is_timestamp(kind) or pa.types.is_dictionary(kind) for kind in kinds)
        place.unlink()
        pq.write_table(table, place)


def test_the_same_bytes_come_of_plain_columns(tiny_world: Path, tiny_digests: dict[str, str], tmp_path: Path) -> None:
    root = copy_run(tiny_world, tmp_path)
    run_states(root, CONTRACTS, ("S0", "S1"))
    rewrite(root, "s1_time_grid_5B")
    rewrite(root, "s1_grouping_5B")
    run_states(root, CONTRACTS, ("S2",))
    rewrite(root, "s2_realised_intensity_5B")
    run_states(root, CONTRACTS, ("S3",))
    rewrite(root, "s3_bucket_counts_5B")
    run_states(root, CONTRACTS, ("S4",))
    found = dataset_digests(root, CONTRACTS)
    for dataset_id in ("arrival_events_5B", "s4_arrival_summary_5B", "s4_arrival_anomalies_5B"):
        assert found[dataset_id] == tiny_digests[dataset_id]
    changed = {name for name, digest in found.items() if digest != tiny_digests[name]}
    assert changed == CHANGES.keys()  # they were rewritten indeed


def test_intensities_and_counts_are_those_of_native_columns(
    tiny_world: Path, tiny_digests: dict[str, str], tmp_path: Path
) -> None:
    root = copy_run(tiny_world, tmp_path)
    run_states(root, CONTRACTS, ("S0", "S1"))
    rewrite(root, "s1_time_grid_5B")
    rewrite(root, "s1_grouping_5B")
    run_states(root, CONTRACTS, ("S2", "S3"))
    found = dataset_digests(root, CONTRACTS)
    for dataset_id in ("s2_realised_intensity_5B", "s3_bucket_counts_5B"):
        assert found[dataset_id] == tiny_digests[dataset_id]


def _grid(tmp_path: Path, *, kind: pa.DataType | None = None, start: str = "2026-01-01T00:00:00.000000Z") -> Path:
    ends = "2026-01-01T01:00:00.000000Z"
    columns = {
        "bucket_index": pa.array([0]),
        "bucket_start_utc": pa.array([start], kind or pa.string()),
        "bucket_end_utc": pa.array([ends], kind or pa.string()),
        "scenario_is_baseline": pa.array([True]),
    }
    pq.write_table(pa.table(columns), tmp_path / "grid.parquet")
    return tmp_path / "grid.parquet"


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_instants_as_text(tmp_path: Path, kind: pa.DataType) -> None:
    grid = read_time_grid(_grid(tmp_path, kind=kind), code="X")
    assert (grid.start_us, grid.bucket_us) == (1_767_225_600_000_000, 3_600_000_000)


@pytest.mark.parametrize(
    "start",
    [
        "2026-01-01T00:00:00Z",
        "2026-01-01T00:00:00.000000",
        "2026-01-01T00:00:00.000000+00:00",
        "2026-01-01 00:00:00.000000Z",
        "2026-02-30T00:00:00.000000Z",
        "2026-01-01T00:00:00.000000Z\n",
        "",
    ],
)
def test_other_forms_are_refused(tmp_path: Path, start: str) -> None:
    with pytest.raises(InputError, match="does not convert to moment") as caught:
        read_time_grid(_grid(tmp_path, start=start), code="X")
    assert caught.value.code == "X"


def test_countries_are_counted(tiny_arrivals: Path, tmp_path: Path) -> None:
    root = copy_run(tiny_arrivals, tmp_path)
    place = api.Run(root, CONTRACTS).path("s1_grouping_5B", SCENARIOS[0])
    native = read_series_axis(place, "baseline", code="X")
    table = by_country(pq.ParquetFile(place).read())
    pq.write_table(table, tmp_path / "plain.parquet")
    assert table.num_rows > len(native)
    found = read_series_axis(tmp_path / "plain.parquet", "baseline", code="X")
    assert (found.component_count == native.component_count).all()
    assert [found.key(series) for series in range(len(found))] == [native.key(series) for series in range(len(native))]
    assert found.groups == native.groups and (found.group == native.group).all()
    shuffled = table.take(pc.sort_indices(table, [("group_id", "ascending")]))
    pq.write_table(shuffled, tmp_path / "shuffled.parquet")
    with pytest.raises(Exception, match="repeats or is out of order"):
        read_series_axis(tmp_path / "shuffled.parquet", "baseline", code="X")
