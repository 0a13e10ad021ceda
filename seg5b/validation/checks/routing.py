"""S4: which site or edge each arrival landed on (law L7.routing)."""

from __future__ import annotations

from seg5b.run_tables.subject import Subject
from seg5b.validation.records import ArrivalCondition, Check, Query, RowCondition

_SITE = "5B.S5.PHYSICAL_ROUTING_INVALID"
_EDGE = "5B.S5.VIRTUAL_ROUTING_INVALID"
_FIELD = "routing_ok"
_BLOCK = "structural_checks.routing_ids_known"
_KEYS = "merchant_id, arrival_seq"
_CELL = "merchant_id, zone_representation, bucket_index, tzid_primary, arrivals"


def no_physical(subject: Subject) -> str:
    """Why a check of physical arrivals does not apply."""
    return "" if subject.row("SELECT count(*) FROM site_routes")[0] else "no physical arrivals"


def no_virtual(subject: Subject) -> str:
    """Why a check of virtual arrivals does not apply."""
    return "" if subject.row("SELECT count(*) FROM edge_routes")[0] else "no virtual arrivals"


def _pinned(subject: Subject) -> str:
    law = subject.policies.routing.tz_group_law
    return no_physical(subject) if law == "zone_pinned_v1" else f"the routing policy says {law}"


def _weighted(subject: Subject) -> str:
    law = subject.policies.routing.tz_group_law
    return no_physical(subject) if law != "zone_pinned_v1" else f"the routing policy says {law}"


def _carries_group(subject: Subject) -> str:
    return "" if subject.policies.routing.carry_tz_group else "the routing policy does not ask for tz_group_id"


def _carries_lambda(subject: Subject) -> str:
    return "" if subject.policies.routing.carry_lambda else "the routing policy does not ask for lambda_realised"


def _foreign_group(subject: Subject) -> str:
    """SQL that is true for a physical arrival whose zone group is not where it was routed by. The walk over the arrivals
    does not decode this optional column."""
    if subject.policies.routing.tz_group_law == "zone_pinned_v1":
        return "NOT is_virtual AND tz_group_id <> zone_representation"
    sites = "(merchant_id, tz_group_id) IN (SELECT (merchant_id, tzid) FROM sites)"
    return f"NOT is_virtual AND tz_group_id <> tzid_primary AND (NOT $any_site OR {sites})"


CHECKS = (
    Check(
        "route.flag",
        "5B.S5.SITE_EDGE_FLAG_INCONSISTENT",
        _FIELD,
        "structural_checks.s4_arrival_events.require_routing_keys_present",
        "a physical arrival has a site and no edge, a virtual one an edge and no site",
        ArrivalCondition("wrong_route", f"{_KEYS}, is_virtual, site_id, edge_id"),
        needs=("arrivals", "row_faults"),
    ),
    Check(
        "route.mode",
        _EDGE,
        _FIELD,
        _BLOCK,
        "NON_VIRTUAL merchants have no virtual arrival, VIRTUAL_ONLY ones no other, every merchant has a mode",
        Query(
            """SELECT merchant_id, virtual_mode, sum(arrivals)::BIGINT AS arrivals,
                      sum(virtual_arrivals)::BIGINT AS virtual_arrivals
               FROM merchant_parts LEFT JOIN modes USING (merchant_id) GROUP BY ALL
               HAVING virtual_mode IS NULL OR virtual_mode NOT IN ('NON_VIRTUAL', 'HYBRID', 'VIRTUAL_ONLY')
                   OR (virtual_mode = 'NON_VIRTUAL' AND sum(virtual_arrivals) > 0)
                   OR (virtual_mode = 'VIRTUAL_ONLY' AND sum(virtual_arrivals) < sum(arrivals))""",
            "merchant_parts",
        ),
        needs=("merchant_parts", "modes"),
        switches=("realism_checks.routing_realism.require_physical_and_virtual_coverage_when_present",),
    ),
    Check(
        "route.site_known",
        _SITE,
        _FIELD,
        _BLOCK,
        "a physical arrival's site is one of its merchant's weighted sites and lies in the primary zone",
        Query(
            """SELECT r.* FROM site_routes r ANTI JOIN sites s
               ON s.site_id = r.site_id AND s.merchant_id = r.merchant_id AND s.tzid = r.tzid_primary
                  AND s.weight > 0""",
            "site_routes",
        ),
        needs=("site_routes", "sites"),
        applies=no_physical,
    ),
    Check(
        "route.site_in_zone",
        _SITE,
        _FIELD,
        _BLOCK,
        "under zone_pinned_v1 the site lies in the bucket's zone (unless the policy allows any site where none does)",
        Query(
            f"""SELECT {_CELL} FROM cells c
                WHERE NOT is_virtual AND tzid_primary <> zone_representation AND NOT ($any_site AND NOT EXISTS (
                    SELECT 1 FROM sites s WHERE s.merchant_id = c.merchant_id AND s.tzid = c.zone_representation
                                                AND s.weight > 0))""",
            "(FROM cells WHERE NOT is_virtual)",
        ),
        needs=("cells", "site_routes", "sites"),
        applies=_pinned,
    ),
    Check(
        "route.zone_of_day",
        _SITE,
        _FIELD,
        _BLOCK,
        "where weights pick it the primary zone has weight in the merchant's groups of the bucket's UTC day",
        Query(
            """WITH used AS (
                   SELECT DISTINCT merchant_id, tzid_primary, zone_representation,
                          strftime(make_timestamp($start_us + bucket_index * $bucket_us), '%Y-%m-%d') AS utc_day
                   FROM cells WHERE NOT is_virtual),
               days AS (SELECT DISTINCT merchant_id, CAST(utc_day AS VARCHAR) AS utc_day FROM group_weights),
               weights AS (SELECT merchant_id, CAST(utc_day AS VARCHAR) AS utc_day, tz_group_id FROM group_weights
                           WHERE p_group > 0)
               SELECT u.* FROM used u
               WHERE NOT EXISTS (SELECT 1 FROM weights w WHERE w.merchant_id = u.merchant_id
                                 AND w.utc_day = u.utc_day AND w.tz_group_id = u.tzid_primary)
                 AND (u.tzid_primary <> u.zone_representation OR EXISTS (
                     SELECT 1 FROM days d WHERE d.merchant_id = u.merchant_id AND d.utc_day = u.utc_day))
                 AND NOT $any_site""",
            "(FROM cells WHERE NOT is_virtual)",
        ),
        needs=("cells", "site_routes", "group_weights"),
        applies=_weighted,
    ),
    Check(
        "route.physical_zones",
        _SITE,
        _FIELD,
        _BLOCK,
        "a physical arrival's operational and settlement zones are its primary zone",
        ArrivalCondition("foreign_zones", f"{_KEYS}, tzid_primary, tzid_operational, tzid_settlement"),
        needs=("arrivals", "row_faults", "site_routes"),
        applies=no_physical,
    ),
    Check(
        "route.edge_known",
        _EDGE,
        _FIELD,
        _BLOCK,
        "a virtual arrival's edge is one of its merchant's and lies in the operational zone",
        Query(
            """SELECT r.* FROM edge_routes r ANTI JOIN edges e
               ON e.edge_id = r.edge_id AND e.merchant_id = r.merchant_id AND e.tzid = r.tzid_operational""",
            "edge_routes",
        ),
        needs=("edge_routes", "edges"),
        applies=no_virtual,
    ),
    Check(
        "route.virtual_zones",
        _EDGE,
        _FIELD,
        _BLOCK,
        "a virtual arrival settles in its merchant's settlement zone (else operationally), its primary zone is the "
        "one the policy names",
        Query(
            """SELECT r.*, tzid AS merchant_settlement
               FROM edge_routes r LEFT JOIN settlement USING (merchant_id)
               WHERE tzid_settlement <> coalesce(tzid, tzid_operational)
                  OR tzid_primary <> CASE $primary_clock WHEN 'settlement' THEN tzid_settlement
                                                         ELSE tzid_operational END""",
            "edge_routes",
        ),
        needs=("edge_routes", "settlement"),
        applies=no_virtual,
    ),
    Check(
        "route.universe",
        _EDGE,
        _FIELD,
        "structural_checks.s4_arrival_events.require_routing_keys_present",
        "every arrival names the sealed edge universe",
        RowCondition("arrivals", "routing_universe_hash <> $universe", f"{_KEYS}, routing_universe_hash", "constants"),
        needs=("arrivals", "constants"),
    ),
    Check(
        "route.tz_group",
        _SITE,
        _FIELD,
        "structural_checks.s4_arrival_events.require_routing_keys_present",
        "tz_group_id is there for physical arrivals and only for them",
        ArrivalCondition("group_misplaced", f"{_KEYS}, is_virtual, tz_group_id"),
        needs=("arrivals", "row_faults"),
        applies=_carries_group,
    ),
    Check(
        "route.tz_group_is_zone",
        _SITE,
        _FIELD,
        _BLOCK,
        "tz_group_id is the bucket's zone under zone_pinned_v1, else that of the site",
        RowCondition("arrivals", _foreign_group, f"{_KEYS}, zone_representation, tzid_primary, tz_group_id"),
        needs=("arrivals", "sites"),
        applies=_carries_group,
    ),
    Check(
        "s4.lambda_column",
        "5B.S5.COUNT_MISMATCH_S3_S4",
        "counts_match_s3",
        "structural_checks.counts_match_arrivals",
        "lambda_realised of an arrival is that of its bucket",
        Query(
            """SELECT a.*, c.lambda_realised
               FROM (SELECT merchant_id, zone_representation, channel_group, bucket_index,
                            min(least) AS least, max(greatest) AS greatest
                     FROM cells GROUP BY ALL) a
               LEFT JOIN counts c USING (merchant_id, zone_representation, channel_group, bucket_index)
               WHERE (a.least = c.lambda_realised AND a.greatest = c.lambda_realised) IS NOT TRUE""",
            "cells",
        ),
        needs=("cells", "counts"),
        applies=_carries_lambda,
    ),
)
