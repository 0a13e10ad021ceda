"""What a run will come to, before it is run: rows, bytes, seconds, memory, and whether the disk has room."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from seg5b.contracts import ContractSource, dataset_files
from seg5b.costs import bytes_of_arrivals, bytes_of_axes, bytes_of_cells, run_bytes, run_memory, run_seconds
from seg5b.errors import RunError
from seg5b.gate import Scenario, scenarios_of_run
from seg5b.options import DEFAULT_MEMORY_GB
from seg5b.query import Database, open_database, parquet
from seg5b.runs.ledger import last_records
from seg5b.runs.root import RunRoot
from seg5b.runs.scratch import reader_scratch

SURFACE = "merchant_zone_scenario_local_5A"
MISSING = "5B.RUN.SURFACE_MISSING"


@dataclass(frozen=True, slots=True)
class PlannedTable:
    """A dataset of a scenario: the state that writes it, its ``rows`` and ``bytes``. ``exact``: the rows are known, not
    expected."""

    state: str
    dataset_id: str
    scenario_id: str
    rows: int
    bytes: int
    exact: bool


@dataclass(frozen=True, slots=True)
class RunPlan:
    """``tables`` in the order in which they are written; totals of S0-S5. ``seconds`` on two cores, ``memory_bytes`` at
    most: both within a factor of two. ``free_bytes`` on the disk of the run. ``finished``: states whose last record is
    PASS, which are not run again while nothing changes."""

    run_id: str
    tables: tuple[PlannedTable, ...]
    arrivals: int
    bytes: int
    seconds: float
    memory_bytes: int
    free_bytes: int
    finished: tuple[str, ...]

    @property
    def fits(self) -> bool:
        """Whether the disk has room for all of it twice: a run that is made again is staged beside what is published."""
        return self.free_bytes > 2 * self.bytes

    def as_dict(self) -> dict[str, Any]:
        """The same by name."""
        return {**asdict(self), "tables": [asdict(table) for table in self.tables], "fits": self.fits}


@dataclass(frozen=True, slots=True)
class _Surface:
    """What 5A expects of a scenario: ``series`` (merchant, zone, channel), ``buckets`` each, ``idle`` cells among them, and
    ``expected`` arrivals."""

    series: int
    buckets: int
    idle: int
    expected: float


def plan_run(root: RunRoot, contracts: ContractSource) -> RunPlan:
    """What S1-S5 will write, from the surface of 5A alone: the factor of S2 has mean 1, so as many arrivals are expected as
    intensities add up to. Reads, writes nothing into the run.

    Raises `RunError` ``5B.RUN.SURFACE_MISSING``, and `InputError` for a surface or a scenario manifest that cannot be read.
    """
    scenarios = scenarios_of_run(root, contracts)
    with (
        reader_scratch(root, "plan") as scratch,
        open_database(DEFAULT_MEMORY_GB, None, scratch) as database,
    ):
        surfaces = {each.scenario_id: _surface(root, contracts, each, database) for each in scenarios}
    tables = [table for scenario, found in surfaces.items() for table in _tables(scenario, found)]
    found = surfaces.values()
    cells, idle = sum(each.series * each.buckets for each in found), sum(each.idle for each in found)
    arrivals = sum(each.expected for each in found)
    records: Mapping[str, Mapping[str, Any]] = last_records(root)
    return RunPlan(
        root.identity.run_id,
        tuple(sorted(tables, key=lambda table: table.state)),
        round(arrivals),
        round(run_bytes(cells, idle, arrivals)),
        round(run_seconds(cells, arrivals), 1),
        round(run_memory(cells, max(each.series for each in found))),
        shutil.disk_usage(root.path).free,
        tuple(state for state, record in sorted(records.items()) if record["status"] == "PASS"),
    )


def _surface(root: RunRoot, contracts: ContractSource, scenario: Scenario, database: Database) -> _Surface:
    entry = contracts.dictionary("5A").entry(SURFACE)
    place = root.resolve(entry.render(root.identity.tokens(scenario.scenario_id)))
    if not place.exists():
        what = f"{SURFACE} of scenario {scenario.scenario_id} is not there"
        raise RunError(MISSING, what, where=str(place), remedy="restore the surface that 5A wrote")
    source = parquet(dataset_files(place, code=MISSING))
    names = {row[0] for row in database.rows(f"DESCRIBE SELECT * FROM {source}")}
    key = "merchant_id, tzid" + (", channel_group" if "channel_group" in names else "")
    series, buckets, idle, expected = database.row(
        f"""SELECT count(*), max(buckets), sum(idle), sum(expected) FROM (
              SELECT {key}, max(local_horizon_bucket_index) + 1 AS buckets, sum(lambda_local_scenario::DOUBLE) AS expected,
                     count(*) FILTER (lambda_local_scenario <= 0) AS idle
              FROM {source} GROUP BY {key})"""
    )
    return _Surface(int(series), int(buckets or 0), int(idle or 0), float(expected or 0.0))


def _tables(scenario_id: str, found: _Surface) -> list[PlannedTable]:
    cells = found.series * found.buckets
    grid, groups = bytes_of_axes(found.buckets, found.series)
    intensities, counts = bytes_of_cells(cells, found.idle)
    return [
        PlannedTable("S1", "s1_time_grid_5B", scenario_id, found.buckets, round(grid), True),
        PlannedTable("S1", "s1_grouping_5B", scenario_id, found.series, round(groups), True),
        PlannedTable("S2", "s2_realised_intensity_5B", scenario_id, cells, round(intensities), True),
        PlannedTable("S3", "s3_bucket_counts_5B", scenario_id, cells, round(counts), True),
        PlannedTable(
            "S4",
            "arrival_events_5B",
            scenario_id,
            round(found.expected),
            round(bytes_of_arrivals(found.expected)),
            False,
        ),
    ]
