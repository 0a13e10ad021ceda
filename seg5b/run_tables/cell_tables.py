"""The small tables of a scenario's intensities and counts (`seg5b.part_scan.cells`) as SQL tables of the scenario.

S2 and S3 are cut at the same places, so a part of both is looked at together where the two have equally many rows. Large
files are looked at by ranges of row groups, so that several threads or workers share one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from seg5b.contracts import ContractSource
from seg5b.errors import InputError
from seg5b.part_scan import (
    CELL_TABLES,
    LARGEST,
    LATENT,
    NAMED,
    SCATTER,
    CellFacts,
    CellScan,
    PartFiles,
    part_files,
    placed,
)
from seg5b.query import parquet
from seg5b.run_tables.inputs import weight_salt
from seg5b.run_tables.outputs import BY_TABLE, output_files, scans_folder
from seg5b.run_tables.row_form import number_limits
from seg5b.run_tables.sampling import count_threshold
from seg5b.run_tables.scatter import Scatter
from seg5b.run_tables.subject import SAMPLED, Subject
from seg5b.run_tables.views import Catalogue
from seg5b.runs import RunRoot
from seg5b.runs.scratch import elsewhere
from seg5b.tables.reading import file_layout

_ROWS = 1 << 21
"""Rows of a range, at least."""
_LIMITS = (
    *("most_lambda", "least_factor", "most_factor", "lambda_cap", "zero_eps", "most_count", "count_cap"),
    *("reference_mean", "volume_power", "least_kappa", "most_kappa"),
)
_OWN = {"intensity": "intensity", "counts": "count"}
Files = tuple[Path | None, Path | None]


@dataclass(frozen=True, slots=True)
class CellTotals:
    """Totals of the intensities (or counts) of one scenario.

    ``rows``; ``factor_sum`` in billionths, None where a factor has no sum, and ``factor_bounds``, None without rows;
    ``judged`` rows of counts (a sample in sampled mode); ``residuals``: number, sum and sum of squares of (N - mu) / sqrt(mu)
    in millionths, over judged rows with mu > 1e-9; ``scatter``: what the count law says of these squares; ``drawn`` rows
    above the zero rule; positions of the first and the last of them in ``drawn_ends``; ``largest`` means as (position, mu).
    """

    rows: int = 0
    factor_sum: int | None = 0
    factor_bounds: tuple[float, float] | None = None
    judged: int = 0
    residuals: tuple[int, int, int] = (0, 0, 0)
    scatter: Scatter = field(default_factory=Scatter)
    drawn: int = 0
    drawn_ends: tuple[int, int] | None = None
    largest: tuple[tuple[int, float], ...] = ()


def cell_totals(subject: Subject, table: str) -> CellTotals:
    """Totals of ``intensity`` or ``counts``, whose ``*_series`` must exist."""
    totals: CellTotals = subject.shared["cells"][subject.scenario_id, table]
    return totals


def attach_cell_tables(catalogue: Catalogue) -> None:
    """Tables of the intensities and counts of a scenario, from one look at each range of rows.

    ``intensity_series``: rows, volume and moment (sums of baselines, and of baselines times the weight of their bucket), a
    digest of the path of factors and the steps of the latent path, by stretch of rows of one key that lie where series ``k``
    should; ``count_series``: rows, arrivals (sum of counts), rows that drew, and how counts scatter, likewise;
    ``count_buckets``: how counts scatter, by bucket, range by range; ``intensity_constants``, ``count_constants``: rows by
    identity; ``count_histogram``: rows by count; ``intensity_faults``, ``count_faults``: rows that violate a condition of
    `seg5b.part_scan.cells.conditions`, with ``places``, the positions of the first of them. Totals: `cell_totals`.
    """
    subject = catalogue.subject
    found: dict[str, list[PartFiles]] = {}
    for table, prefix in _OWN.items():
        catalogue.add(f"{prefix}_scans", partial(_scan, catalogue, table, found), needs=(table,))
        for name in CELL_TABLES:
            if name.startswith(prefix):
                load = partial(_load, subject, name, table, found)
                catalogue.add(name, load, needs=(f"{prefix}_scans",))
        catalogue.add(f"{prefix}_faults", partial(_attach_faults, subject, table, found), needs=(f"{prefix}_scans",))


def scanned_together(root: RunRoot, contracts: ContractSource, scenario_id: str) -> list[tuple[Path, ...]]:
    """Which files of S2 and S3 are looked at together: each set whose tables may be kept."""
    intensities, counts = (output_files(root, contracts, BY_TABLE[table], scenario_id) for table in _OWN)
    pairs = list(zip(intensities, counts, strict=False))
    return [*pairs, *((file,) for file in (*intensities, *counts))]


def _scan(catalogue: Catalogue, table: str, found: dict[str, list[PartFiles]]) -> None:
    """Scan a dataset, with the other one where both can be read and are alike; what was scanned with it is not again."""
    if table in found:
        return
    files = {name: _files(catalogue, name) for name in _OWN}
    rows = {
        name: [file_layout(file, {}, code="5B.S5.IO_READ_FAILED").group_rows for file in files[name]] for name in files
    }
    paired = [sum(groups) for groups in rows["intensity"]] == [sum(groups) for groups in rows["counts"]]
    if paired and len(files[table]):
        try:
            both = _run(catalogue, list(zip(files["intensity"], files["counts"], strict=True)))
            found.update(dict.fromkeys(_OWN, both))
            return
        except InputError:  # each alone then, so that only the one at fault is missing
            pass
    alone: list[Files] = [(file, None) if table == "intensity" else (None, file) for file in files[table]]
    found[table] = _run(catalogue, alone)


def _files(catalogue: Catalogue, table: str) -> list[Path]:
    subject = catalogue.subject
    if table not in catalogue.tables:
        return []
    return [
        file.absolute() for file in output_files(subject.root, subject.contracts, BY_TABLE[table], subject.scenario_id)
    ]


def _run(catalogue: Catalogue, files: Sequence[Files]) -> list[PartFiles]:
    scans = list(_scans(catalogue, files))
    subject = catalogue.subject
    spare = elsewhere(subject.scratch)
    ran = subject.engine.run(part_files, scans)
    found = {scan.key(): placed(tables, scan, subject.scratch, spare) for scan, tables in ran}
    return [found[scan.key()] for scan in scans]


def _scans(catalogue: Catalogue, files: Sequence[Files]) -> Iterator[CellScan]:
    """Each file, or pair of files, in ranges of row groups; in one range where the two are laid out differently."""
    subject = catalogue.subject
    known = "series" in catalogue.tables
    series = (
        subject.rows("SELECT merchant_id, zone_representation, channel_group, kappa, sigma, phi FROM series ORDER BY k")
        if known
        else []
    )
    shared = _facts(subject)
    buckets = int(shared["buckets"])
    folder = scans_folder(subject.root, subject.scenario_id)
    start = 0
    for pair in files:
        layouts = [file_layout(file, {}, code="5B.S5.IO_READ_FAILED").group_rows for file in pair if file]
        ranges = _ranges(layouts[0]) if layouts[0] == layouts[-1] else [(None, sum(layouts[0]))]
        for groups, rows in ranges:
            first, stop = start // buckets, -(-(start + rows) // buckets)
            facts = CellFacts(**shared, start=start, first_series=first, series=tuple(series[first:stop]))
            yield CellScan(*pair, groups, facts, folder)
            start += rows


def _ranges(group_rows: Sequence[int]) -> list[tuple[tuple[int, ...] | None, int]]:
    """Row groups and rows of each range of a file."""
    ranges: list[tuple[tuple[int, ...] | None, int]] = []
    first, rows = 0, 0
    for number, size in enumerate(group_rows, start=1):
        rows += size
        if rows >= _ROWS or number == len(group_rows):
            ranges.append((tuple(range(first, number)), rows))
            first, rows = number, 0
    return ranges or [(None, 0)]


def _facts(subject: Subject) -> dict[str, Any]:
    """What all ranges have in common."""
    constants = subject.constants
    sampled = subject.mode == SAMPLED and "counts" in subject.tables
    return {
        "buckets": int(constants["buckets"] or 0),
        "seconds": int(constants["bucket_us"] or 0) // 1_000_000,
        "salt": weight_salt(subject),
        "count_law": str(constants["count_law"]),
        "without_kappa": constants["count_law"] == "poisson",
        "threshold": count_threshold(subject) if sampled else None,
        "limits": tuple((name, float(constants[name] or 0)) for name in _LIMITS),
        "least": tuple((table, _least(table)) for table in _OWN),
    }


def _least(table: str) -> tuple[tuple[str, float], ...]:
    """The least number that the contract of an output allows, by column."""
    found = []
    for name, operator, bound in number_limits(BY_TABLE[table]):
        found.append((name, math.nextafter(bound, math.inf) if operator == "<=" else float(bound)))
    return tuple(found)


def _load(subject: Subject, name: str, table: str, found: Mapping[str, Sequence[PartFiles]]) -> None:
    source = parquet([part.tables[name] for part in found[table]])
    subject.run(f"CREATE OR REPLACE TABLE {name} AS SELECT {_SELECTS[name].format(source=source)}")


_KEY = "k, merchant_id, zone_representation, channel_group, sum(rows)::BIGINT AS rows"
_ALL = "FROM {source} GROUP BY ALL"
_LATENT, _SCATTER = (", ".join(f"sum({name}) AS {name}" for name in names) for names in (LATENT, SCATTER))
_SELECTS = {
    "intensity_series": f"""{_KEY}, sum(volume) AS volume, sum(moment) AS moment, bit_xor(path) AS path, {_LATENT} {_ALL}""",
    "intensity_constants": f"* EXCLUDE (rows), sum(rows)::BIGINT AS rows {_ALL}",
    "count_series": f"{_KEY}, sum(arrivals)::BIGINT AS arrivals, sum(drawn)::BIGINT AS drawn, {_SCATTER} {_ALL}",
    "count_constants": f"* EXCLUDE (rows), sum(rows)::BIGINT AS rows {_ALL}",
    "count_histogram": f"count_n, sum(rows)::BIGINT AS rows {_ALL}",
    "count_buckets": "*, file_index AS range FROM {source}",
}
"""How the tables of all ranges become one. A series that lies in two ranges has one row here: each of its sums has two terms,
so that their order cannot show. ``count_buckets`` is left as it is for whoever adds it up."""


def _attach_faults(subject: Subject, table: str, found: Mapping[str, Sequence[PartFiles]]) -> None:
    """Violating rows of a dataset, and its totals."""
    fact = "intensities" if table == "intensity" else "counts"
    own = [part.facts[fact] for part in found[table]]
    names = [*own[0]["faults"]] if own else []
    paired = table == "intensity" or all(part.facts["intensities"] is not None for part in found[table])
    columns: dict[str, list[Any]] = {"condition": [], "rows": [], "places": []}
    for name in names:
        columns["condition"].append(name)
        columns["rows"].append(sum(facts["faults"][name]["rows"] for facts in own))
        places = [place for facts in own for place in facts["faults"][name]["places"]]
        columns["places"].append(sorted(places)[:NAMED])
    subject.database.table(
        f"{_OWN[table]}_faults",
        {**columns, "places": [",".join(map(str, places)) for places in columns["places"]]},
        {"condition": "VARCHAR", "rows": "BIGINT", "places": "VARCHAR"},
    )
    totals = _intensity_totals(own) if table == "intensity" else _count_totals(own)
    shared = subject.shared.setdefault("cells", {})
    shared[subject.scenario_id, table] = totals
    shared[subject.scenario_id, "paired"] = paired


def _intensity_totals(own: Sequence[Mapping[str, Any]]) -> CellTotals:
    rows = sum(facts["rows"] for facts in own)
    summed = not any(facts["factor_unsummed"] for facts in own)
    least, most = zip(*(facts["factor_bounds"] for facts in own), strict=True)
    greatest = math.nan if any(math.isnan(bound) for bound in most) else max(most)
    return CellTotals(
        rows=rows,
        factor_sum=sum(facts["factor_sum"] for facts in own) if summed else None,
        factor_bounds=(min(least), greatest) if rows else None,
    )


def _count_totals(own: Sequence[Mapping[str, Any]]) -> CellTotals:
    number, first, second = (sum(facts["residuals"][place] for facts in own) for place in range(3))
    ends = [facts for facts in own if facts["drawn"]]
    largest = sorted((tuple(each) for facts in own for each in facts["largest"]), key=lambda each: (-each[1], each[0]))
    return CellTotals(
        rows=sum(facts["rows"] for facts in own),
        judged=sum(facts["judged"] for facts in own),
        residuals=(number, first, second),
        scatter=sum((Scatter(*facts["scatter"]) for facts in own), Scatter()),
        drawn=sum(facts["drawn"] for facts in own),
        drawn_ends=(ends[0]["first_drawn"], ends[-1]["last_drawn"]) if ends else None,
        largest=tuple(largest[:LARGEST]),
    )
