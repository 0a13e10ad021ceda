"""Bounds on factors, counts, offsets and countries of a plausible history (block realism_checks)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from seg5b.run_tables.cell_tables import cell_totals
from seg5b.run_tables.part_tables import BATCH
from seg5b.run_tables.subject import Subject
from seg5b.validation.clipped_factor import expected_factor_mean
from seg5b.validation.count_chances import at_least, read_means
from seg5b.validation.placement import MOST_PAIRS
from seg5b.validation.records import Check, Compute, Facts, Finding

_CODE = "5B.S5.REALISM_OUT_OF_BOUNDS"
_FIELD = "realism_ok"
_LEAST_VIRTUAL = 1000
_UNLIKELY = 1e-8


def _judged(value: float | None, low: float, high: float, rows: int, name: str) -> Finding:
    """One measured value against closed bounds."""
    inside = value is not None and low <= value <= high
    facts = {name: value, "low": low, "high": None if high == float("inf") else high}
    return Finding(0 if inside else 1, () if inside else (facts,), rows, facts)


def _factor_mean(subject: Subject) -> Finding:
    """The mean factor beside the law's, and the law's beside one: a clip takes mean away (docs/laws#latent-field)."""
    totals = cell_totals(subject, "intensity")  # an integer sum: the order of threads cannot show in the report
    law, tolerance = (
        expected_factor_mean(subject),
        subject.policies.validation.realism_checks.lgcp_realism.mean_factor_abs_tol,
    )
    mean = totals.factor_sum / 1e9 / totals.rows if totals.rows and totals.factor_sum is not None else None
    lawful = mean is not None and abs(mean - law.expected) <= law.allowed + 1e-9
    facts = {
        "factor_mean": mean,
        "expected": round(law.expected, 9),
        "standard_error": round(law.standard_error, 9),
        "low": round(max(law.expected - law.allowed, 0.0), 9),
        "high": round(law.expected + law.allowed, 9),
        "mean_taken_by_clip": {each.demand_class: round(1.0 - each.expected, 9) for each in law.classes},
    }
    wrong = not (lawful and abs(law.expected - 1.0) <= tolerance)
    return Finding(int(wrong), (facts,) if wrong else (), totals.rows, facts)


def _factor_bounds(subject: Subject) -> Finding:
    low, high = subject.policies.validation.realism_checks.factor_bounds
    totals = cell_totals(subject, "intensity")
    least, most = totals.factor_bounds or (None, None)
    facts = {"factor_min": least, "factor_max": most, "low": low, "high": high}
    wrong = least is not None and most is not None and not (low <= least and most <= high)
    return Finding(int(wrong), (facts,) if wrong else (), totals.rows, facts)


def _occupied(subject: Subject, least: int, facts: Facts, bad: bool, found: int, rows: int) -> Finding:
    """Whether as many of ``rows`` buckets have ``least`` arrivals or more as their means and the count law make it, and
    ``facts`` are not ``bad`` by themselves."""
    key = f"means {subject.scenario_id}"
    means = subject.shared[key] = subject.shared.get(key) or read_means(subject)
    chance = at_least(subject, means, least)
    told = {**facts, "buckets": found, "expected_buckets": round(chance.expected, 1)}
    wrong = bad or not chance.allows(found, rows)
    return Finding(int(wrong), (told,) if wrong else (), rows, told)


def _nonzero(subject: Subject) -> Finding:
    """Buckets that have arrivals."""
    rows = cell_totals(subject, "counts").rows
    (used,) = subject.row("SELECT coalesce(sum(rows) FILTER (count_n > 0), 0)::BIGINT FROM count_histogram")
    least = subject.policies.validation.realism_checks.count_realism.min_nonzero_bucket_fraction
    share = used / rows if rows else None
    facts = {"nonzero_bucket_fraction": share, "low": least}
    return _occupied(subject, 1, facts, share is None or share < least, used, rows)


def _tail(subject: Subject) -> Finding:
    """p99 to p50 of the counts of buckets that have arrivals, and buckets with at least so many times the median."""
    found = subject.rows("SELECT count_n, rows FROM count_histogram WHERE count_n > 0 ORDER BY ALL")
    values, often = (np.array([row[place] for row in found], np.int64) for place in (0, 1))
    rows = int(often.sum())
    least = subject.policies.validation.realism_checks.count_realism.p99_p50_ratio_min
    if not rows:
        return Finding(1, ({"p99_p50_ratio": None, "low": least},))
    middle, high = (int(values[np.searchsorted(np.cumsum(often), math.ceil(rows * q))]) for q in (0.5, 0.99))
    busy = max(math.ceil(least * middle), 1)
    facts = {"p99_p50_ratio": high / middle, "low": least, "busy_from": busy}
    return _occupied(subject, busy, facts, high / middle < least, int(often[values >= busy].sum()), rows)


def _offsets(subject: Subject) -> Finding:
    """Distinct microseconds-in-bucket per 1000 arrivals, in batches of about 1000 that are spread by a hash, and how many
    arrivals share theirs with another of their batch: of n among M microseconds n (n - 1) / 2 M on average."""
    (arrivals,) = subject.row("SELECT coalesce(sum(judged), 0)::BIGINT FROM part_tables")
    if arrivals < BATCH:
        return Finding(skipped=f"{arrivals} arrivals, {BATCH} are needed")
    batches = subject.rows("SELECT count(*), count(DISTINCT offset_us) FROM picks GROUP BY batch ORDER BY ALL")
    rows, kinds = (sum(batch[place] for batch in batches) for place in (0, 1))
    if not rows:
        return Finding(skipped="no arrival was picked")
    expected = sum(n * (n - 1) for n, _ in batches) / 2 / int(subject.constants["bucket_us"] or 1)
    if subject.policies.readings.follows_intensity:
        expected *= MOST_PAIRS
    least = subject.policies.validation.realism_checks.time_realism.min_distinct_offsets_per_1000_events
    distinct = BATCH * kinds / rows
    facts = {"distinct_offsets_per_1000": distinct, "low": least, "high": BATCH, "shared_offsets": rows - kinds}
    facts["expected_shared_offsets"] = round(expected, 6)
    wrong = not least <= distinct <= BATCH or _so_many_by_chance(rows - kinds, expected) < _UNLIKELY
    return Finding(int(wrong), (facts,) if wrong else (), rows, facts)


def _so_many_by_chance(found: int, expected: float) -> float:
    """An upper bound of the Poisson chance of ``found`` or more, where fewer are expected; 1 elsewhere."""
    if found <= expected:
        return 1.0
    first = math.exp(found * math.log(expected) - expected - math.lgamma(found + 1)) if expected else 0.0
    return min(first * (found + 1) / (found + 1 - expected), 1.0)


def _country_mix(subject: Subject) -> Finding:
    """Largest gap between the share of a country among virtual arrivals and the share that edge weights give it."""
    (virtual,) = subject.row("SELECT coalesce(sum(arrivals), 0)::BIGINT FROM edge_routes")
    if virtual < _LEAST_VIRTUAL:
        return Finding(skipped=f"{virtual} virtual arrivals, {_LEAST_VIRTUAL} are needed to judge shares")
    (gap,) = subject.row(
        """WITH used AS (SELECT merchant_id, edge_id, arrivals FROM edge_routes),
                volume AS (SELECT merchant_id, sum(arrivals) AS n FROM used GROUP BY ALL),
                share AS (SELECT merchant_id, country, weight / sum(weight) OVER (PARTITION BY merchant_id) AS p
                          FROM edges),
                expected AS (SELECT country, sum(n * p) AS n FROM volume JOIN share USING (merchant_id) GROUP BY ALL),
                found AS (SELECT country, sum(arrivals) AS n FROM used JOIN edges USING (merchant_id, edge_id)
                          GROUP BY ALL)
           SELECT max(abs(coalesce(found.n, 0) - coalesce(expected.n, 0)) / (SELECT sum(n) FROM volume))
           FROM found FULL JOIN expected USING (country)"""
    )
    most = subject.policies.validation.realism_checks.routing_realism.ip_country_max_abs_dev
    return _judged(None if gap is None else round(gap, 9), 0.0, most, virtual, "country_share_gap")


def _enabled(subject: Subject) -> str:
    return "" if subject.policies.validation.realism_checks.enabled else "realism_checks.enabled is false"


def _modelled(subject: Subject) -> str:
    return _enabled(subject) or ("the latent model is none" if subject.policies.lgcp.latent_model_id == "none" else "")


def _tighter_than_clip(subject: Subject) -> str:
    """The clip of the field policy keeps factors within its own bounds, as ``s2.factor_clip`` sees."""
    policies = subject.policies
    low, high = policies.validation.realism_checks.factor_bounds
    least, most = float(subject.constants["least_factor"] or 0), float(subject.constants["most_factor"] or 0)
    told = f"s2.factor_clip judges factors by [{least:g}, {most:g}], nothing wider need be asked"
    return _enabled(subject) or (told if low <= least and most <= high else _beyond(subject, low, high))


def _beyond(subject: Subject, low: float, high: float) -> str:
    """Why bounds cannot be asked of factors that no clip keeps within them: lawful ones leave them now and then."""
    read = subject.policies.readings
    if not read.has_levels:
        return ""
    traits = subject.rows(
        """SELECT scenario_band, demand_class, channel_group, virtual_band, count(*) FROM grouping GROUP BY ALL ORDER BY ALL"""
    )
    buckets, expected = int(subject.constants["buckets"] or 0), 0.0
    for *names, series in traits:
        sigma = read.sigma(*names)
        ends = (math.log(bound) / sigma + sigma / 2.0 for bound in (low, high))
        outside = sum(math.erfc(sign * end / math.sqrt(2.0)) / 2.0 for sign, end in zip((-1.0, 1.0), ends, strict=True))
        expected += series * buckets * outside
    return (
        f"nothing is clipped, and the law lets {expected:.2g} factors out of [{low:g}, {high:g}]"
        if expected > _UNLIKELY
        else ""
    )


def _untempered(subject: Subject) -> str:
    tempered = subject.policies.routing.edge_temper.enabled
    return _enabled(subject) or ("edges are tempered: shares are not the weights'" if tempered else "")


def _check(
    check_id: str, key: str, switch: str, states: str, function: Callable[[Subject], Finding], *needs: str
) -> Check:
    return Check(
        check_id,
        _CODE,
        _FIELD,
        f"realism_checks.{key}",
        states,
        Compute(function),
        needs=needs,
        applies=_enabled,
        switches=(f"realism_checks.{switch}",),
    )


CHECKS = (
    replace(
        _check(
            "realism.factor_mean",
            "lgcp_realism.mean_factor_abs_tol",
            "lgcp_realism.require_mean_factor_near_one",
            "latent factors have the mean that the law says, and the clip leaves it near one",
            _factor_mean,
            "intensity_faults",
            "grouping",
        ),
        applies=_modelled,
    ),
    replace(
        _check(
            "realism.factor_bounds",
            "lgcp_realism",
            "lgcp_realism.require_factor_bounds_respected",
            "latent factors stay within bounds, where these are tighter than the clip of the field policy",
            _factor_bounds,
            "intensity_faults",
        ),
        applies=_tighter_than_clip,
    ),
    _check(
        "realism.nonzero",
        "count_realism.min_nonzero_bucket_fraction",
        "count_realism.require_nontrivial_nonzero_fraction",
        "enough buckets have arrivals, and as many as their means make it",
        _nonzero,
        "counts",
        "count_faults",
        "count_histogram",
    ),
    _check(
        "realism.tail",
        "count_realism.p99_p50_ratio_min",
        "count_realism.require_heavy_tail",
        "busy buckets are much busier than the median one, and there are as many as their means make it",
        _tail,
        "counts",
        "count_histogram",
    ),
    _check(
        "realism.offsets",
        "time_realism.min_distinct_offsets_per_1000_events",
        "time_realism.require_not_all_at_bucket_start",
        "arrivals share no more offsets within their bucket than chance allows",
        _offsets,
        "picks",
        "part_tables",
    ),
    replace(
        _check(
            "realism.country_mix",
            "routing_realism.ip_country_max_abs_dev",
            "routing_realism.require_country_mix_close_if_virtual",
            "virtual arrivals come from countries as edge weights say",
            _country_mix,
            "edge_routes",
            "edges",
        ),
        applies=_untempered,
    ),
)
