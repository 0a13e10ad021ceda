"""Small tables for checks to look at instead of the rows of a large dataset."""

from __future__ import annotations

import math

import numpy as np

from seg5b.errors import PolicyError
from seg5b.run_tables.cell_tables import attach_cell_tables
from seg5b.run_tables.civil_time import attach_civil
from seg5b.run_tables.part_tables import attach_part_tables
from seg5b.run_tables.subject import Subject
from seg5b.run_tables.views import Catalogue
from seg5b.run_tables.zones import attach_zones

_BUCKET_ARRIVALS = """
    SELECT merchant_id, zone_representation, channel_group, bucket_index, sum(arrivals)::BIGINT AS arrivals,
           coalesce(sum(arrivals) FILTER (is_virtual), 0)::BIGINT AS virtual_arrivals
    FROM cells GROUP BY ALL"""


def attach_reductions(subject: Subject) -> Subject:
    """The tables of a scenario that checks look at instead of its cells and arrivals.

    ``series``: the grouping with positions; the tables of `attach_cell_tables` and `attach_part_tables`;
    ``bucket_arrivals``: arrivals by series and bucket; and the zone tables of `attach_zones` and `attach_civil`.
    """
    catalogue = Catalogue(subject, set(subject.tables), dict(subject.missing))
    catalogue.add("series", lambda: _attach_series(subject), needs=("grouping",))
    attach_cell_tables(catalogue)
    attach_part_tables(catalogue)
    catalogue.sql("bucket_arrivals", _BUCKET_ARRIVALS, needs=("cells",))
    attach_zones(catalogue)
    attach_civil(catalogue)
    return catalogue.finished(subject)


def _attach_series(subject: Subject) -> None:
    """The grouping in canonical order: ``k`` from 0, with the dispersion that the count policy gives it, and in the first
    series of each group ``sigma`` and ``phi`` of the group's latent path, where it has one."""
    traits = subject.rows("SELECT DISTINCT scenario_band, demand_class FROM grouping")
    known = [(band, name, _kappa(subject, band, name)) for band, name in traits]
    subject.database.table(
        "dispersion",
        {
            "scenario_band": np.array([row[0] for row in known], object),
            "demand_class": np.array([row[1] for row in known], object),
            "kappa": np.array([row[2] for row in known], np.float64),
        },
        {"scenario_band": "VARCHAR", "demand_class": "VARCHAR", "kappa": "DOUBLE"},
    )
    _attach_field_laws(subject)
    subject.run(
        """CREATE OR REPLACE TABLE series AS
           SELECT * EXCLUDE (sigma, phi), CASE WHEN first THEN sigma END AS sigma, CASE WHEN first THEN phi END AS phi
           FROM (SELECT row_number() OVER (ORDER BY merchant_id, zone_representation, channel_group) - 1 AS k,
                        merchant_id, zone_representation, channel_group, group_id, demand_class, kappa, sigma, phi,
                        row_number() OVER (PARTITION BY group_id
                                           ORDER BY merchant_id, zone_representation, channel_group) = 1 AS first
                 FROM grouping LEFT JOIN dispersion USING (scenario_band, demand_class)
                 LEFT JOIN field_laws USING (scenario_band, demand_class, channel_group, virtual_band))"""
    )


def _attach_field_laws(subject: Subject) -> None:
    """Standard deviation and memory of latent paths, by what they depend on; null without a field, and where a factor is made
    of several paths."""
    keys = ("scenario_band", "demand_class", "channel_group", "virtual_band")
    rows = [(*row, *_field(subject, *row)) for row in subject.rows(f"SELECT DISTINCT {', '.join(keys)} FROM grouping")]
    kinds = {**dict.fromkeys(keys, "VARCHAR"), "sigma": "DOUBLE", "phi": "DOUBLE"}
    subject.database.table("field_laws", {name: [row[at] for row in rows] for at, name in enumerate(kinds)}, kinds)


def _field(
    subject: Subject, band: str, demand_class: str, channel: str, virtual: str
) -> tuple[float | None, float | None]:
    """Sigma, and correlation of neighbouring buckets, of a path."""
    read = subject.policies.readings
    if not read.has_field or read.has_levels:
        return None, None
    try:
        sigma, length = read.sigma(band, demand_class, channel, virtual), read.length(band, demand_class)
    except PolicyError:
        return None, None
    return sigma, math.exp(-1.0 / length) if length else 0.0


def _kappa(subject: Subject, band: str, demand_class: str) -> float:
    """Dispersion of a class; NaN (null in SQL) where the law has none or the policy does not know the names."""
    try:
        kappa = subject.policies.readings.kappa(band, demand_class)
    except PolicyError:
        kappa = None
    return float("nan") if kappa is None else kappa
