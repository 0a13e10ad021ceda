"""Checks that derive a sample of factors, counts and arrivals again and demand equality (laws L10, L11)."""

from __future__ import annotations

from typing import Any

import numpy as np

from seg5b.errors import RunError
from seg5b.explain.arrivals import derive_arrival
from seg5b.explain.counts import Traits, count_law, derive_count, factor_path
from seg5b.explain.facts import CountRow, find_segments, load_merchants, published_rows
from seg5b.explain.sample import sampled_arrivals, sampled_counts, sampled_groups
from seg5b.explain.why import differences
from seg5b.run_tables.subject import Subject
from seg5b.validation.records import MOST_KEYS, Check, Compute, Finding, Key

_CODE = "5B.S5.REDERIVATION_MISMATCH"
_FIELD = "rng_accounting_ok"
_BLOCK = "rng_accounting_checks.rederived_rows"
_ROWS_PER_PATH = 8


def _wanted(subject: Subject) -> int:
    return subject.policies.validation.rng_accounting_checks.rederived_rows


def _traits(subject: Subject) -> dict[str, Traits]:
    rows = subject.rows(
        "SELECT DISTINCT group_id, demand_class, channel_group, virtual_band, scenario_band FROM grouping"
    )
    return {row[0]: Traits(*row) for row in rows}


def _factors(subject: Subject) -> Finding:
    """Whole paths of some groups, bucket by bucket, and the product with the baseline."""
    traits, buckets = _traits(subject), int(subject.constants["buckets"] or 0)
    groups = sampled_groups(subject, max(_wanted(subject) // _ROWS_PER_PATH, 1))
    cap = subject.policies.lgcp.lambda_max
    wrong: list[Key] = []
    for group in groups:
        path = factor_path(subject, traits[group], buckets)
        for bucket, baseline, factor, realised in _published_path(subject, group):
            product = baseline * path[bucket]
            if factor != path[bucket] or realised != (product if cap is None else min(product, cap)):
                wrong.append({"group_id": group, "bucket_index": bucket, "factor": factor, "derived": path[bucket]})
    rows = buckets * len(groups)
    return Finding(len(wrong), tuple(wrong[:MOST_KEYS]), rows, {"rederived_factors": rows})


def _published_path(subject: Subject, group: str) -> list[tuple[int, float, float, float]]:
    """(bucket, baseline, factor, realised) of the first series of a group."""
    (first,) = subject.row(f"SELECT min(k) FROM series WHERE group_id = {_quoted(group)}")
    buckets = int(subject.constants["buckets"] or 0)
    return subject.rows(
        f"""SELECT bucket_index, lambda_baseline, lambda_random_component, lambda_realised FROM intensity
            WHERE position BETWEEN {first * buckets} AND {(first + 1) * buckets - 1}"""
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _counts(subject: Subject) -> Finding:
    """Counts of some buckets from their published means."""
    traits, wrong = _traits(subject), []
    positions = sampled_counts(subject, _wanted(subject))
    subject.database.table("explain_positions", {"position": np.array(positions, np.int64)}, {"position": "BIGINT"})
    rows = subject.rows(
        """SELECT c.merchant_id, c.zone_representation, c.channel_group, c.bucket_index, c.mu, c.count_N,
                  c.count_capped, g.group_id
           FROM counts c JOIN explain_positions p ON p.position = c.position
           JOIN grouping g USING (merchant_id, zone_representation, channel_group)"""
    )
    for merchant, zone, channel, bucket, mu, count, capped, group in rows:
        drawn = derive_count(
            subject, merchant, CountRow(zone, channel, count), bucket, mu, count_law(subject, traits[group])
        )
        if (drawn.count, drawn.capped) != (count, capped):
            key: dict[str, Any] = {"merchant_id": merchant, "zone_representation": zone, "bucket_index": bucket}
            wrong.append({**key, "count_N": count, "derived": drawn.count})
    return Finding(len(wrong), tuple(wrong[:MOST_KEYS]), len(rows), {"rederived_counts": len(rows)})


def _arrivals(subject: Subject) -> Finding:
    """Arrivals of every virtual mode, column by column, from S3's counts and the sealed inputs."""
    keys = sampled_arrivals(subject, _wanted(subject))
    segments, published = find_segments(subject, keys), published_rows(subject, keys)
    merchants = load_merchants(subject, {merchant for merchant, _ in keys})
    wrong: list[Key] = []
    for key in keys:
        place = {"merchant_id": key[0], "arrival_seq": key[1]}
        if key not in published:
            wrong.append({**place, "differs": "is not published"})
            continue
        try:
            derived = derive_arrival(subject, merchants[key[0]], segments[key])
            differing = differences(derived.values, published[key])
        except RunError as cause:
            differing = [cause.what]
        if differing:
            wrong.append({**place, "differs": ", ".join(differing)})
    by_mode: dict[str, int] = {}
    for merchant, _ in keys:
        by_mode[merchants[merchant].mode] = by_mode.get(merchants[merchant].mode, 0) + 1
    return Finding(len(wrong), tuple(wrong[:MOST_KEYS]), len(keys), {"rederived_arrivals": len(keys), **by_mode})


def _off(subject: Subject) -> str:
    return "" if _wanted(subject) else "rng_accounting_checks.rederived_rows is 0"


CHECKS = (
    Check(
        "rederive.factors",
        _CODE,
        _FIELD,
        _BLOCK,
        "latent factors of a sample of groups, derived again in plain integers and floats, equal S2's",
        Compute(_factors),
        needs=("intensity", "grouping", "series"),
        applies=_off,
    ),
    Check(
        "rederive.counts",
        _CODE,
        _FIELD,
        _BLOCK,
        "a sample of counts, derived again from their means, equals S3's",
        Compute(_counts),
        needs=("counts", "grouping"),
        applies=_off,
    ),
    Check(
        "rederive.arrivals",
        _CODE,
        _FIELD,
        _BLOCK,
        "a sample of arrivals of every virtual mode, derived again from counts and inputs, equals S4's",
        Compute(_arrivals),
        needs=("counts", "modes", "arrivals_all", "sites", "edges", "settlement"),
        applies=_off,
    ),
)
