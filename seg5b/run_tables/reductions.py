"""Small tables that one pass over a large dataset gives, for checks to look at instead of its rows.

A cell is all arrivals of one series, bucket, route, primary zone and offset: tens of arrivals on average, so that a
hundred million rows become a few million. Its instants need no bounds of their own: they lie in its bucket, or
``s4.time_window`` says so.
"""

from __future__ import annotations

import numpy as np

from seg5b.errors import Seg5bError
from seg5b.run_tables.civil_time import attach_civil
from seg5b.run_tables.subject import Subject
from seg5b.run_tables.views import Catalogue
from seg5b.run_tables.zones import attach_zones

_REDUCTIONS = (
    (
        "cells",
        """SELECT merchant_id, zone_representation, channel_group, bucket_index, is_virtual, tzid_primary,
                  utc_offset_min_primary AS offset_min, count(*) AS arrivals
           FROM arrivals GROUP BY ALL""",
        ("arrivals",),
    ),
    (
        "bucket_arrivals",
        """SELECT merchant_id, zone_representation, channel_group, bucket_index, sum(arrivals)::BIGINT AS arrivals,
                  coalesce(sum(arrivals) FILTER (is_virtual), 0)::BIGINT AS virtual_arrivals
           FROM cells GROUP BY ALL""",
        ("cells",),
    ),
    (
        "merchant_parts",
        """SELECT merchant_id, part, part_start, whole.* EXCLUDE (merchant_id, part)
           FROM (SELECT merchant_id, part, count(*) AS arrivals, count_if(is_virtual) AS virtual_arrivals,
                        min(arrival_seq) AS first_seq, max(arrival_seq) AS last_seq,
                        min(CAST(position AS BIGINT) - arrival_seq) AS least_shift,
                        max(CAST(position AS BIGINT) - arrival_seq) AS greatest_shift
                 FROM arrivals_all GROUP BY merchant_id, part) AS whole JOIN parts USING (part)""",
        ("arrivals_all", "parts"),
    ),
    (
        "site_routes",
        """SELECT merchant_id, site_id, tzid_primary, count(*) AS arrivals
           FROM arrivals WHERE NOT is_virtual GROUP BY ALL""",
        ("arrivals",),
    ),
    (
        "edge_routes",
        """SELECT merchant_id, edge_id, tzid_primary, tzid_operational, tzid_settlement, count(*) AS arrivals
           FROM arrivals WHERE is_virtual GROUP BY ALL""",
        ("arrivals",),
    ),
    (
        "edge_clocks",
        """SELECT tzid_operational, utc_offset_min_operational AS operational_min, tzid_settlement,
                  utc_offset_min_settlement AS settlement_min, bucket_index, count(*) AS arrivals
           FROM arrivals WHERE is_virtual GROUP BY ALL""",
        ("arrivals",),
    ),
)
"""Name, query and what it needs, in the order in which they are made."""


def attach_reductions(subject: Subject) -> Subject:
    """The tables of a scenario that checks look at instead of its arrivals.

    ``series``: the grouping with positions; ``cells`` and ``bucket_arrivals``: arrivals by bucket; ``merchant_parts``:
    each merchant's stretch of each part; ``site_routes``, ``edge_routes``, ``edge_clocks``: where arrivals landed; and the
    zone tables of `attach_zones` and `attach_civil`.
    """
    catalogue = Catalogue(subject, set(subject.tables), dict(subject.missing))
    catalogue.add("series", lambda: _attach_series(subject), needs=("grouping",))
    for name, select, needs in _REDUCTIONS:
        catalogue.sql(name, select, needs=needs)
    attach_zones(catalogue)
    attach_civil(catalogue)
    return catalogue.finished(subject)


def _attach_series(subject: Subject) -> None:
    """The grouping in canonical order: ``k`` from 0, with the dispersion that the count policy gives it."""
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
    subject.run(
        """CREATE OR REPLACE TABLE series AS
           SELECT row_number() OVER (ORDER BY merchant_id, zone_representation, channel_group) - 1 AS k,
                  merchant_id, zone_representation, channel_group, group_id, kappa
           FROM grouping LEFT JOIN dispersion USING (scenario_band, demand_class)"""
    )


def _kappa(subject: Subject, band: str, demand_class: str) -> float:
    """Dispersion of a class; NaN (null in SQL) where the law has none or the policy does not know the names."""
    if subject.policies.count.count_law_id != "nb2":
        return float("nan")
    try:
        return subject.policies.count.kappa(band, demand_class)
    except Seg5bError:
        return float("nan")
