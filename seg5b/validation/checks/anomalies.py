"""S4's anomalies, every one of them made again from sealed inputs, groups and counts (docs/laws#arrival-anomalies)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from seg5b.run_tables.subject import Subject
from seg5b.validation.records import MOST_KEYS, Check, Compute, Finding, Key

_NAMES = ("anomaly_id", "anomaly_code", "severity", "context", "message")
_TOLD = {
    "DEMAND_CLASS_CONFLICT": ("INFO", "countries of one series differ in demand class; the larger volume decides"),
    "GROUP_WEIGHT_NOT_COVERED": ("WARN", "zone has arrivals but no group weight on some days"),
    "GROUP_WEIGHTS_ABSENT": ("WARN", "merchant has no group weights on some days; the bucket's zone serves"),
    "MADE_UP_SITE_USED": ("WARN", "no site at all; a made-up one serves"),
    "MERCHANT_WITHOUT_SITES_ON_EDGES": ("WARN", "no site at all; the edges serve"),
    "SITE_TABLE_OF_MERCHANT_USED": ("WARN", "no site in the zone; all sites of the merchant serve"),
}
"""Severity and message of each code."""
_PINNED = "zone_pinned_v1"

_CONFLICTS = """
    SELECT merchant_id::VARCHAR AS merchant_id, zone_representation AS tzid, channel_group, classes, demand_class AS taken
    FROM grouping JOIN (
        SELECT merchant_id, tzid AS zone_representation, list(DISTINCT demand_class) AS classes
        FROM profile GROUP BY ALL HAVING count(DISTINCT demand_class) > 1) USING (merchant_id, zone_representation)"""

_DAY_US = 86_400_000_000
_PHYSICAL_DAYS = f"""
    physical AS (SELECT k, merchant_id, zone_representation AS tzid FROM series JOIN modes USING (merchant_id)
                 WHERE virtual_mode <> 'VIRTUAL_ONLY'),
    weighted AS (SELECT DISTINCT merchant_id, tz_group_id AS tzid,
                        CAST(CAST(utc_day AS VARCHAR) AS DATE) - DATE '1970-01-01' AS day FROM group_weights),
    used AS (SELECT DISTINCT position // $buckets AS k, ($start_us + bucket_index * $bucket_us) // {_DAY_US} AS day
             FROM counts WHERE count_N > 0)"""
"""Series with physical arrivals, days and zones with weights, and the UTC days on which a series has arrivals."""

_UNCOVERED = f"""
    WITH {_PHYSICAL_DAYS}
    SELECT merchant_id::VARCHAR AS merchant_id, tzid, count(*) AS days
    FROM (FROM used JOIN physical USING (k)) ANTI JOIN weighted USING (merchant_id, tzid, day)
    GROUP BY k, merchant_id, tzid"""

_UNWEIGHTED = f"""
    WITH {_PHYSICAL_DAYS}, known AS (SELECT DISTINCT merchant_id, day FROM weighted)
    SELECT merchant_id::VARCHAR AS merchant_id, tzid, count(*) AS days
    FROM (FROM used JOIN physical USING (k)) ANTI JOIN known USING (merchant_id, day)
    GROUP BY k, merchant_id, tzid"""

_WHOLLY_COVERED = f"""
    WITH physical AS (SELECT DISTINCT merchant_id, zone_representation AS tzid FROM series JOIN modes USING (merchant_id)
                      WHERE virtual_mode <> 'VIRTUAL_ONLY'),
         weighted AS (SELECT merchant_id, tz_group_id AS tzid, count(DISTINCT utc_day) AS days FROM group_weights
                      WHERE CAST(CAST(utc_day AS VARCHAR) AS DATE) - DATE '1970-01-01'
                            BETWEEN $start_us // {_DAY_US} AND ($end_us - 1) // {_DAY_US} GROUP BY ALL)
    SELECT count(*) = 0 FROM physical LEFT JOIN weighted USING (merchant_id, tzid)
    WHERE coalesce(days, 0) <= ($end_us - 1) // {_DAY_US} - $start_us // {_DAY_US}"""
"""Whether every zone has weights on every day of the horizon: then it does not matter which days have arrivals."""

_WITHOUT_SITES = f"""
    WITH {_PHYSICAL_DAYS}, with_sites AS (SELECT DISTINCT merchant_id, tzid FROM sites WHERE country <> ''),
    wanted AS (FROM physical WHERE k IN (SELECT k FROM used)
               UNION ALL
               SELECT p.k, p.merchant_id, w.tzid FROM used JOIN physical p USING (k)
               JOIN weighted w ON w.merchant_id = p.merchant_id AND w.day = used.day WHERE $by_weight)
    SELECT merchant_id::VARCHAR AS merchant_id, tzid, merchant_id IN (SELECT merchant_id FROM with_sites) AS somewhere
    FROM wanted ANTI JOIN with_sites USING (merchant_id, tzid)"""
"""One row for each time that a table of sites is looked up and is not there: for a series with arrivals, and where group
weights pick the zone also for each zone of each of its days with arrivals."""


_ON_EDGES = """
    SELECT merchant_id::VARCHAR AS merchant_id, zone_representation AS tzid
    FROM series JOIN modes USING (merchant_id)
    WHERE classified_mode <> virtual_mode
      AND k IN (SELECT position // $buckets FROM counts WHERE count_N > 0)"""


def implied_anomalies(subject: Subject) -> list[tuple[str, str, str, str, str]]:
    """Id, code, severity, context and message of every anomaly that inputs, groups and counts imply, in order."""
    found = sorted(
        (code, json.dumps(context, sort_keys=True, separators=(",", ":"))) for code, context in _contexts(subject)
    )
    return [
        (f"a{number:06d}", code, _TOLD[code][0], context, _TOLD[code][1])
        for number, (code, context) in enumerate(found)
    ]


def _contexts(subject: Subject) -> Iterator[tuple[str, dict[str, Any]]]:
    """Code and context of each anomaly."""
    for row in subject.records(_CONFLICTS):
        yield "DEMAND_CLASS_CONFLICT", {**row, "classes": ",".join(sorted(row["classes"]))}
    routing = subject.policies.routing
    pinned = routing.tz_group_law == _PINNED
    if pinned and routing.use_group_weights and not subject.row(_WHOLLY_COVERED)[0]:
        for row in subject.records(_UNCOVERED):
            yield "GROUP_WEIGHT_NOT_COVERED", row
    if routing.tz_group_law == "group_weights_or_zone_v1":
        for row in subject.records(_UNWEIGHTED):
            yield "GROUP_WEIGHTS_ABSENT", row
    if routing.on_missing_site_table != "abort":
        for row in subject.records(_WITHOUT_SITES.replace("$by_weight", "FALSE" if pinned else "TRUE")):
            somewhere = row.pop("somewhere")
            yield "SITE_TABLE_OF_MERCHANT_USED" if somewhere else "MADE_UP_SITE_USED", row
        for row in subject.records(_ON_EDGES):
            yield "MERCHANT_WITHOUT_SITES_ON_EDGES", row


def _exact(subject: Subject) -> Finding:
    published = subject.rows(f"SELECT {', '.join(_NAMES)} FROM anomalies ORDER BY position")
    implied = implied_anomalies(subject)
    wrong: list[Key] = [
        {"row": row, "published": _named(found), "implied": _named(wanted)}
        for row, (found, wanted) in enumerate(zip_longest(published, implied))
        if found != wanted
    ]
    return Finding(len(wrong), tuple(wrong[:MOST_KEYS]), max(len(published), len(implied)))


def _named(row: tuple[Any, ...] | None) -> dict[str, Any] | None:
    return None if row is None else dict(zip(_NAMES, row, strict=True))


CHECKS = (
    Check(
        "anomalies.exact",
        "5B.S5.S4_ANOMALIES_MISMATCH",
        "routing_ok",
        "structural_checks.summary_matches",
        "S4 reports exactly the anomalies that inputs, groups and counts imply, in their order and with every column",
        Compute(_exact),
        needs=("anomalies", "grouping", "series", "counts", "modes", "profile", "group_weights", "sites"),
        must_have_rows=False,
    ),
)
