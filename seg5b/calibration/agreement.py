"""Do two seeds share random numbers (docs/laws#certification)?

Independent seeds agree as often as chance has it. Compared are, over the same series and buckets: paths of the latent field,
what is left of counts after their means, and of buckets with one arrival under either seed its instant, its side of the
hybrid coin, its site and its edge. Places are compared with the next such bucket of the same merchant as well: what they
agree in more often at the same place than one place on is common randomness, under any routing law. Where the coin follows
the hour its next place is that of the same series at the same hour of the day.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from seg5b.calibration.policies import policy_path
from seg5b.contracts import ContractSource
from seg5b.digests import SIGNED
from seg5b.parallel import all_threads
from seg5b.policy import RoutingPolicy
from seg5b.query import Database, open_database, parquet
from seg5b.run_tables.outputs import BY_TABLE, INCOMPLETE, output_files
from seg5b.runs.root import RunRoot
from seg5b.runs.scratch import reader_scratch
from seg5b.tables.content import content_digest
from seg5b.tables.reading import row_count

MOST_Z = 5.0
LEAST_PAIRS = 200
LEAST_DIFFERING = 25
_LEAST_MEAN = 0.0625
_COINCIDENCE = 0.5
"""Of instants. A bucket has 10^9 microseconds, so chance gives none: one is taken for two standard deviations, three are a
fault."""
_CELLS, _ARRIVALS, _GROUPS = 4_000_000, 1_000_000, 400
_KEY = "merchant_id, zone_representation, channel_group"


@dataclass(frozen=True, slots=True)
class Agreement:
    """What two seeds have in common: ``pairs`` compared, and the agreement beyond chance in standard deviations ``z``."""

    scenario_id: str
    name: str
    seeds: tuple[int, int]
    pairs: int
    z: float

    @property
    def fault(self) -> str:
        """What is wrong, in words; nothing where the seeds are independent."""
        if abs(self.z) <= MOST_Z:
            return ""
        return f"{self.scenario_id}: {self.name} of seeds {self.seeds[0]} and {self.seeds[1]} agree (z {self.z:.1f})"

    def as_json(self) -> dict[str, Any]:
        """Its row of the report."""
        return {**asdict(self), "seeds": list(self.seeds), "fault": self.fault}


def agreements(
    roots: Sequence[RunRoot], contracts: ContractSource, scenario_ids: Sequence[str], *, memory_limit_gb: float
) -> list[Agreement]:
    """Every comparison that there is enough of, of all pairs of runs of the same world under different seeds.

    Large runs are looked at in part: whole merchants, spread over all. Raises `InputError` ``5B.QUERY.FAILED``, and as
    `RoutingPolicy.load`.
    """
    found: list[Agreement] = []
    if len(roots) < 2:
        return found
    with (
        reader_scratch(roots[0], "panel") as scratch,
        open_database(memory_limit_gb, None, scratch) as database,
    ):
        _, policy = policy_path(roots[0], contracts, "arrival_routing_policy_5B")
        by_hour = RoutingPolicy.load(policy, contracts).coins_have_hours
        for scenario_id in scenario_ids:
            for number, root in enumerate(roots):
                _attach(database, root, contracts, scenario_id, number)
            for one, other in combinations(range(len(roots)), 2):
                seeds = (roots[one].identity.seed, roots[other].identity.seed)
                for name, pairs, z in _compared(database, one, other, by_hour=by_hour):
                    found.append(Agreement(scenario_id, name, seeds, pairs, z))
    return found


def equal_datasets(roots: Sequence[RunRoot], contracts: ContractSource, scenario_ids: Sequence[str]) -> list[str]:
    """Datasets whose rows are the same under two seeds, the column ``seed`` apart, in words. A latent model that draws
    nothing leaves equal intensities, which are not looked at then. Raises as `content_digest`."""
    found = []
    for scenario_id in scenario_ids:
        for table in ("intensity", "counts", "arrivals"):
            output = BY_TABLE[table]
            if table == "intensity" and _constant(roots[0], contracts, scenario_id):
                continue
            own = [(root.identity.seed, output_files(root, contracts, output, scenario_id)) for root in roots]
            for one, other in _equal(own):
                found.append(f"{scenario_id}: {output.dataset_id} is the same under seeds {one} and {other}")
    return found


def _equal(datasets: Sequence[tuple[int, Sequence[Path]]]) -> Iterator[tuple[int, int]]:
    """Seeds whose files hold the same rows as those of a seed before them; only equally many rows are looked at."""
    rows = [row_count(files, code=INCOMPLETE) for _, files in datasets]
    seen = dict[str, int]()
    for (seed, files), number in zip(datasets, rows, strict=True):
        if rows.count(number) > 1:
            digest = content_digest(files, threads=all_threads(), without=(*SIGNED, "seed"))
            if digest in seen:
                yield seen[digest], seed
            seen.setdefault(digest, seed)


def _constant(root: RunRoot, contracts: ContractSource, scenario_id: str) -> bool:
    """Whether no factor was drawn."""
    source = parquet(output_files(root, contracts, BY_TABLE["intensity"], scenario_id))
    with reader_scratch(root, "panel") as scratch, open_database(1.0, None, scratch) as database:
        least, most = database.row(f"SELECT min(lambda_random_component), max(lambda_random_component) FROM {source}")
    return bool(least == most)


def _attach(database: Database, root: RunRoot, contracts: ContractSource, scenario_id: str, number: int) -> None:
    """Tables of one run: ``residuals_N``, ``paths_N``, ``single_N``."""
    grouping, intensity, counts, arrivals = (
        parquet(output_files(root, contracts, BY_TABLE[table], scenario_id))
        for table in ("grouping", "intensity", "counts", "arrivals")
    )
    if number == 0:
        _choose(database, grouping, counts, arrivals)
    chosen = "merchant_id IN (SELECT merchant_id FROM chosen)"
    database.run(
        f"""CREATE OR REPLACE TABLE residuals_{number} AS
            SELECT {_KEY}, bucket_index, (count_N - mu) / sqrt(mu + mu * mu * coalesce(1 / kappa, 0)) AS r
            FROM {counts} WHERE mu >= {_LEAST_MEAN} AND {chosen}"""
    )
    database.run(
        f"""CREATE OR REPLACE TABLE paths_{number} AS
            WITH own AS (SELECT {_KEY}, bucket_index, ln(lambda_random_component) AS z
                         FROM {intensity} SEMI JOIN chosen_series USING ({_KEY})),
                 centred AS (SELECT *, z - avg(z) OVER w AS c FROM own WINDOW w AS (PARTITION BY {_KEY})),
                 stepped AS (SELECT *, lag(c) OVER (PARTITION BY {_KEY} ORDER BY bucket_index) AS before FROM centred),
                 known AS (SELECT {_KEY}, sum(c * before) / nullif(sum(before * before), 0) AS phi FROM stepped GROUP BY ALL),
                 left_over AS (SELECT {_KEY}, bucket_index, c - phi * before AS e FROM stepped JOIN known USING ({_KEY})
                               WHERE before IS NOT NULL)
            SELECT {_KEY}, bucket_index, e / nullif(sqrt(avg(e * e) OVER (PARTITION BY {_KEY})), 0) AS r FROM left_over"""
    )
    database.run(
        f"""CREATE OR REPLACE TABLE single_{number} AS
            SELECT {_KEY}, bucket_index, any_value(is_virtual) AS is_virtual, any_value(site_id) AS site_id,
                   any_value(edge_id) AS edge_id, any_value(epoch_us(ts_utc)) AS at_us
            FROM {arrivals} WHERE {chosen} GROUP BY ALL HAVING count(*) = 1"""
    )


def _choose(database: Database, grouping: str, counts: str, arrivals: str) -> None:
    """``chosen``: merchants, spread over all, whose cells and arrivals are not too many; ``chosen_series``: the first series
    of some groups."""
    cells, _ = database.row(f"SELECT count(*), 0 FROM {counts}")
    events, _ = database.row(f"SELECT count(*), 0 FROM {arrivals}")
    stride = max(1, math.ceil(cells / _CELLS), math.ceil(events / _ARRIVALS))
    database.run(
        f"""CREATE OR REPLACE TABLE chosen AS
            SELECT merchant_id FROM (SELECT merchant_id, row_number() OVER (ORDER BY hash(merchant_id), merchant_id) AS place
                                     FROM (SELECT DISTINCT merchant_id FROM {grouping})) WHERE place % {stride} = 0"""
    )
    database.run(
        f"""CREATE OR REPLACE TABLE chosen_series AS
            SELECT {_KEY} FROM (SELECT {_KEY}, row_number() OVER (PARTITION BY group_id ORDER BY {_KEY}) AS first
                                FROM {grouping}) WHERE first = 1 ORDER BY hash({_KEY}), {_KEY} LIMIT {_GROUPS}"""
    )


def _compared(database: Database, one: int, other: int, *, by_hour: bool) -> Iterator[tuple[str, int, float]]:
    """Name, pairs, and agreement beyond chance of what two runs are compared in. ``by_hour``: the coin follows the hour."""
    for name, table in (("latent paths", "paths"), ("count residuals", "residuals")):
        pairs, product, squares = database.row(
            f"""SELECT count(*), coalesce(sum(a.r * b.r), 0), coalesce(sum(a.r * a.r * b.r * b.r), 0)
                FROM {table}_{one} a JOIN {table}_{other} b USING ({_KEY}, bucket_index)
                WHERE a.r IS NOT NULL AND b.r IS NOT NULL"""
        )
        if pairs >= LEAST_PAIRS and squares > 0.0:
            yield name, pairs, product / math.sqrt(squares)
    database.run(
        f"""CREATE OR REPLACE TABLE both_single AS
            SELECT a.{_KEY.replace(", ", ", a.")}, a.bucket_index, a.is_virtual AS va, b.is_virtual AS vb, a.site_id AS sa,
                   b.site_id AS sb, a.edge_id AS ea, b.edge_id AS eb, a.at_us AS ta, b.at_us AS tb
            FROM single_{one} a JOIN single_{other} b USING ({_KEY}, bucket_index)"""
    )
    yield from _places(database, by_hour=by_hour)


_PLACES = (
    ("sides of the hybrid coin", "va", "vb", "TRUE", "merchant_id"),
    ("sites", "sa", "sb", "NOT va AND NOT vb", "merchant_id, zone_representation"),
    ("edges", "ea", "eb", "va AND vb", "merchant_id"),
)


_OF_THE_HOUR = f"{_KEY}, ta // 3600000000 % 24"
"""Where the next place has the same coin, if it follows the hour."""


def _places(database: Database, *, by_hour: bool) -> Iterator[tuple[str, int, float]]:
    pairs, equal = database.row("SELECT count(*), count_if(ta = tb) FROM both_single")
    if pairs >= LEAST_PAIRS:
        yield "instants", pairs, equal / _COINCIDENCE
    for name, mine, yours, where, merchants in _PLACES:
        within = _OF_THE_HOUR if by_hour and mine == "va" else merchants
        pairs, gap, differing = database.row(
            f"""SELECT count(*), coalesce(sum(d), 0)::BIGINT, coalesce(sum(d * d), 0)::BIGINT
                FROM (SELECT ({mine} = {yours})::INTEGER - ({mine} = next)::INTEGER AS d
                      FROM (SELECT *, lead({yours}) OVER (PARTITION BY {within} ORDER BY {_KEY}, bucket_index) AS next
                            FROM both_single WHERE {where}) WHERE next IS NOT NULL)"""
        )
        if differing >= LEAST_DIFFERING:
            yield name, pairs, gap / math.sqrt(differing)
