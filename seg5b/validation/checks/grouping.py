"""S1 grouping: which series there are and which latent group each belongs to (law L3, docs/laws#group-ids)."""

from __future__ import annotations

import hashlib
from typing import Any

from seg5b.run_tables.subject import Subject
from seg5b.validation.records import MOST_KEYS, Check, Compute, Finding, Query

_CODE = "5B.S5.S1_GROUPING_INVALID"
_DOMAIN = "5B.S5.S1_S3_GRID_DOMAIN_MISMATCH"
_BLOCK = "structural_checks.grouping_complete"
_FIELD = "schema_partition_pk_ok"


def group_of(subject: Subject, row: dict[str, Any]) -> tuple[str, str]:
    """(zone group, group id) that the law gives to a row of the grouping."""
    policy = subject.policies.readings
    zone_byte = hashlib.sha256(f"5B.zone_group|{row['zone_representation']}".encode()).digest()[0]
    zone_group = f"zg{zone_byte % policy.zone_group_buckets:02d}"
    stratum = "|".join((row["demand_class"], row["channel_group"], row["virtual_band"], zone_group))
    message = f"5B.group|{subject.scenario_id}|{stratum}|{row['merchant_id']}"
    digest = hashlib.sha256(message.encode()).digest()
    bucket = int.from_bytes(digest[:8], "big") % policy.in_stratum_buckets
    return zone_group, f"g|{row['scenario_band']}|{stratum}|b{bucket:02d}"


def _group_law(subject: Subject) -> Finding:
    rows = subject.records("SELECT * FROM grouping ORDER BY position")
    wrong = []
    for row in rows:
        zone_group, group_id = group_of(subject, row)
        if (row["zone_group_id"], row["group_id"]) != (zone_group, group_id):
            key = {name: row[name] for name in ("merchant_id", "zone_representation", "channel_group", "group_id")}
            wrong.append({**key, "expected_group_id": group_id})
    return Finding(len(wrong), tuple(wrong[:MOST_KEYS]), len(rows))


CHECKS = (
    Check(
        "s1.grouping_order",
        "5B.S5.S1_GROUPING_INVALID",
        _FIELD,
        "structural_checks.primary_keys_unique",
        "series are unique and in canonical order: merchant, then zone bytes, then channel bytes",
        Query(
            """SELECT merchant_id, zone_representation, channel_group, position
               FROM (SELECT *, lag(merchant_id) OVER w AS m, lag(zone_representation) OVER w AS z,
                            lag(channel_group) OVER w AS c
                     FROM grouping WINDOW w AS (ORDER BY position))
               WHERE merchant_id < m OR (merchant_id = m AND (zone_representation < z
                     OR (zone_representation = z AND channel_group <= c)))""",
            "grouping",
        ),
        needs=("grouping",),
    ),
    Check(
        "s1.group_features",
        _CODE,
        _FIELD,
        _BLOCK,
        "all members of a group have one scenario band, class, channel, virtual band and zone group",
        Query(
            """SELECT group_id, count(*) AS kinds
               FROM (SELECT DISTINCT group_id, scenario_band, demand_class, channel_group, virtual_band, zone_group_id
                     FROM grouping) GROUP BY group_id HAVING count(*) > 1""",
            "grouping",
        ),
        needs=("grouping",),
    ),
    Check(
        "s1.group_bands",
        _CODE,
        _FIELD,
        _BLOCK,
        "scenario band is the scenario's, virtual band follows the merchant's virtual mode",
        Query(
            """SELECT merchant_id, zone_representation, scenario_band, virtual_band, classified_mode
               FROM grouping LEFT JOIN modes USING (merchant_id)
               WHERE scenario_band <> $band OR classified_mode IS NULL
                  OR virtual_band <> (CASE classified_mode WHEN 'NON_VIRTUAL' THEN 'physical' ELSE 'virtual' END)""",
            "grouping",
        ),
        needs=("grouping", "modes"),
    ),
    Check(
        "s1.group_law",
        _CODE,
        _FIELD,
        _BLOCK,
        "zone group and group id are those of the grouping law",
        Compute(_group_law),
        needs=("grouping",),
    ),
    Check(
        "s1.grouping_domain",
        _DOMAIN,
        _FIELD,
        _BLOCK,
        "series are exactly the keys of the sealed surface, each with its number of country components",
        Query(
            """SELECT merchant_id, zone_representation, channel_group, component_count, countries
               FROM grouping FULL JOIN (SELECT merchant_id, tzid AS zone_representation, channel_group,
                                               count(*) AS countries FROM components GROUP BY ALL)
               USING (merchant_id, zone_representation, channel_group)
               WHERE component_count IS DISTINCT FROM countries""",
            "grouping",
        ),
        needs=("grouping", "components"),
    ),
    Check(
        "s1.demand_class",
        _CODE,
        _FIELD,
        _BLOCK,
        "a series has the class of its components; of several, the one with the largest volume",
        Query(
            """WITH volumes AS (
                   SELECT merchant_id, tzid AS zone_representation, c.channel_group, p.demand_class AS class,
                          sum(volume) AS volume
                   FROM components c JOIN profile p USING (merchant_id, legal_country_iso, tzid) GROUP BY ALL),
               largest AS (SELECT * EXCLUDE (class, volume), max(volume) AS most FROM volumes GROUP BY ALL)
               SELECT merchant_id, zone_representation, channel_group, demand_class, volume, most
               FROM grouping LEFT JOIN largest USING (merchant_id, zone_representation, channel_group)
               LEFT JOIN volumes v ON v.merchant_id = grouping.merchant_id
                    AND v.zone_representation = grouping.zone_representation
                    AND v.channel_group = grouping.channel_group AND v.class = grouping.demand_class
               WHERE volume IS NULL OR volume < most * (1 - 1e-9)""",
            "grouping",
        ),
        needs=("grouping", "components", "profile"),
    ),
)
