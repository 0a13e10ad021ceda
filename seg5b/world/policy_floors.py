"""Floors and tolerances of policies that one world cannot meet as they are shipped, set by what the world is.

Law: docs/laws#world-policies. What is expected of the world is computed from its own rows and shapes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seg5b.world import portable
from seg5b.world.identity import shipped_policies
from seg5b.world.policies import (
    COUNT,
    LGCP,
    PLACEMENT,
    ROUTING,
    VALIDATION,
    PolicyChange,
    PolicySet,
    check_policies,
    policy_bytes,
    read_policies,
    set_from_plan,
)
from seg5b.world.policy_groups import set_from_groups
from seg5b.world.spec.refusal import refusal
from seg5b.world.surface import Surface
from seg5b.world.world import BuiltWorld

_SAMPLED_ROWS, _SAMPLED_CELLS = 512, 1 << 21
_STANDARD_ERRORS = 4.5
_MOST_COUNT = 2**31 - 1
_LEAST_ARRIVALS = 50
_HYBRID = 1  # of `Merchants.mode_code`
_LEAST_OF_A_TAIL = 1000
"""Used buckets without which a 99th percentile says nothing."""


def world_policies(world: BuiltWorld, config_root: Path) -> tuple[dict[str, bytes], tuple[PolicyChange, ...]]:
    """Bytes of every policy of a world by path, and what differs from the shipped ones.

    Raises `WorldError` ``5B.WORLD.POLICY_MISSING``, and ``5B.WORLD.SPEC_INVALID`` for stated values that the records of
    `seg5b.policy` refuse.
    """
    shipped_policies(config_root)
    policies = read_policies(config_root, world.plan.document["policies"])
    policies.state()
    check_policies(policy_bytes(policies, config_root))
    set_from_plan(policies, world.plan)
    set_from_world(policies, world)
    content = policy_bytes(policies, config_root)
    check_policies(content)
    return content, tuple(policies.changes)


def set_from_world(policies: PolicySet, world: BuiltWorld) -> None:
    """Everything of `seg5b.world.policies` that depends on the made population. Raises `WorldError`
    ``5B.WORLD.SPEC_INVALID`` where a bucket could hold more arrivals than counts can."""
    _check_arrivals(world)
    set_from_groups(policies, world)
    surface = Surface(world, "")
    _set_limits(policies, world, surface)
    _set_realism_floors(policies, world, _sampled_intensity(world, surface))


def _check_arrivals(world: BuiltWorld) -> None:
    """A scenario without a single arrival cannot be realised: each must expect enough of them."""
    surface = Surface(world, "")
    for scenario_id in world.plan.scenarios:
        expected = 0.0
        for block in surface.blocks(scenario_id):
            expected += float(block.lambda_.sum(dtype=np.float64))
            if expected >= _LEAST_ARRIVALS:
                break
        else:
            what = f"makes {expected:.1f} expected arrivals in scenario {scenario_id}, fewer than {_LEAST_ARRIVALS}"
            raise refusal("volume.weekly_total", world.plan.weekly_total, what, "more volume, hours or days")


def _sampled_intensity(world: BuiltWorld, surface: Surface) -> list[NDArray[np.float64]]:
    """Intensity of each scenario, float64 [rows, buckets], of rows spread over the world."""
    most = max(1, min(_SAMPLED_ROWS, _SAMPLED_CELLS // world.plan.buckets))
    rows = np.arange(0, len(world.channels), max(1, len(world.channels) // most))
    return [surface.of_rows(scenario_id, rows) for scenario_id in world.plan.scenarios]


def _set_limits(policies: PolicySet, world: BuiltWorld, surface: Surface) -> None:
    """Limits on arrivals of one bucket: ten times the largest expected of a normal week, times what overlays add."""
    peak = surface.largest()
    most = math.ceil(peak * min(5.0, _most_overlay(world)) * policies.get(LGCP, "clipping.max_factor") * 2 + 1000)
    if most > _MOST_COUNT:
        what = f"could put {most:,} arrivals into one bucket, more than 2^31 - 1"
        raise refusal("volume.weekly_total", world.plan.weekly_total, what, "lower it, or take more merchants")
    reason = f"a bucket expects up to {peak:,.0f} arrivals in a normal week"
    for policy, key in (
        (COUNT, "max_count_per_bucket"),
        (COUNT, "poisson_sampler.poisson_n_cap_exact"),
        (PLACEMENT, "guardrails.max_arrivals_per_bucket"),
        (VALIDATION, "structural_checks.s3_bucket_counts.max_count_per_bucket"),
    ):
        policies.raise_to(policy, key, most, reason)
    for policy, key in (
        (LGCP, "clipping.lambda_max"),
        (VALIDATION, "structural_checks.s2_realised_intensity.max_lambda_realised"),
    ):
        policies.raise_to(policy, key, float(most), reason)


def _most_overlay(world: BuiltWorld) -> float:
    events = [event for calendar in world.calendars.values() for event in calendar.events]
    by_kind: dict[str, float] = {}
    for event in events:
        by_kind[event.kind] = max(by_kind.get(event.kind, 1.0), event.factor)
    return math.prod(by_kind.values())


def _set_realism_floors(policies: PolicySet, world: BuiltWorld, intensity: list[NDArray[np.float64]]) -> None:
    for scenario_id, cells in zip(world.plan.scenarios, intensity, strict=True):
        used = 1.0 - portable.exp(-np.minimum(cells.ravel(), 600.0))
        share = float(used.mean())
        floor = math.floor(1e6 * 0.2 * share) / 1e6
        reason = f"about {share:.4f} of the buckets of a series have arrivals in {scenario_id}"
        policies.lower(VALIDATION, "realism_checks.count_realism.min_nonzero_bucket_fraction", floor, reason)
        middle, high = _quantiles(np.maximum(1.0, cells.ravel()), used, (0.5, 0.99))
        expected = share * len(world.channels) * world.plan.buckets
        ratio = math.floor(100 * max(1.0, high / middle / 2)) / 100 if expected >= _LEAST_OF_A_TAIL else 1.0
        reason = f"{expected:,.0f} used buckets in {scenario_id}: median count {middle:.1f}, 99th percentile {high:.1f}"
        policies.lower(VALIDATION, "realism_checks.count_realism.p99_p50_ratio_min", ratio, reason)
    _set_country_gap(policies, world, min(float(cells.mean()) for cells in intensity))
    _set_change_windows(policies, world)
    _set_sentinels(policies, world, np.concatenate([cells.ravel() for cells in intensity]))


def _quantiles(values: NDArray[np.float64], weights: NDArray[np.float64], at: tuple[float, ...]) -> list[float]:
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order])
    places = np.searchsorted(total, np.array(at) * total[-1]).clip(max=values.size - 1)
    return [float(value) for value in values[order][places]]


def _virtual_weekly(policies: PolicySet, world: BuiltWorld) -> NDArray[np.float64]:
    """Expected virtual arrivals of each merchant in a normal week."""
    hybrid = policies.get(ROUTING, "hybrid_policy")
    share = np.array([0.0, hybrid["p_virtual_hybrid"], 1.0])
    virtual = np.asarray(world.merchants.weekly * share[world.merchants.mode_code])
    if "virtual_share_profile" in hybrid:
        owner = world.rows.merchant[world.channels.row]
        tossed = np.bincount(owner, world.channels.weekly * _chances(hybrid, world), world.merchants.weekly.size)
        virtual = np.where(world.merchants.mode_code == _HYBRID, tossed, virtual)
    return virtual


def _chances(hybrid: Mapping[str, Any], world: BuiltWorld) -> NDArray[np.float64]:
    """Probability float64 [rows of the surface] that an arrival of a normal week is virtual where its merchant is hybrid: that
    of the row's channel, of its hours each by what the row expects there."""
    coins = [hybrid["virtual_share_profile"].get(name, hybrid["p_virtual_hybrid"]) for name in world.channels.names]
    by_hour = np.array([np.broadcast_to(coin, 24) for coin in coins], np.float64)[world.channels.channel]
    chances = by_hour[:, 0].copy()
    changing = np.flatnonzero((by_hour != by_hour[:, :1]).any(axis=1))
    if changing.size:
        surface = Surface(world, "")
        hours = np.arange(surface.week_buckets) * world.plan.bucket_seconds // 3600 % 24
        for row in changing.tolist():
            (week,) = surface.baseline(row, row + 1)
            chances[row] = (week * by_hour[row, hours]).sum() / week.sum() if week.sum() > 0 else by_hour[row].mean()
    return chances


def _set_country_gap(policies: PolicySet, world: BuiltWorld, mean: float) -> None:
    """``mean`` intensity of a bucket in the scenario that has least."""
    virtual = float(_virtual_weekly(policies, world).sum() / world.merchants.weekly.sum())
    expected = virtual * mean * len(world.channels) * world.plan.buckets
    if expected > 0:
        gap = math.ceil(1000 * min(1.0, _STANDARD_ERRORS * 0.5 / math.sqrt(max(expected, 1.0)))) / 1000
        reason = f"standard error of shares of {expected:,.0f} virtual arrivals"
        policies.raise_to(VALIDATION, "realism_checks.routing_realism.ip_country_max_abs_dev", gap, reason)


def _windows(policies: PolicySet, world: BuiltWorld) -> Iterator[float]:
    """Expected arrivals with a site around each change of the clocks of a zone in the horizon."""
    plan, rows, channels = world.plan, world.rows, world.channels
    half_s = 3600 * int(policies.get(VALIDATION, "civil_time_gates.dst_window_hours"))
    start_s, end_s = int(plan.start_utc.timestamp()), int(plan.end_utc.timestamp())
    physical = 1.0 - _virtual_weekly(policies, world) / world.merchants.weekly
    of_row = physical[rows.merchant[channels.row]]
    surface = Surface(world, "")
    for tzid in (world.geography.tzids[zone] for zone in np.unique(rows.zone).tolist()):
        for change_s, _ in world.cache.steps[tzid][1:]:
            first_s, last_s = max(start_s, change_s - half_s), min(end_s, change_s + half_s)
            if first_s < last_s:
                yield surface.expected_between(tzid, first_s, last_s, of_row)


def _set_change_windows(policies: PolicySet, world: BuiltWorld) -> None:
    block = "civil_time_gates."
    least = policies.get(VALIDATION, block + "dst_window_min_support")
    expected = list(_windows(policies, world))
    material = [value for value in expected if value >= 3 * least]
    reason = (
        f"{len(expected)} changes of clocks in the horizon, {math.fsum(expected):,.0f} arrivals expected around them"
    )
    policies.lower(VALIDATION, block + "dst_window_min_exposed_windows", len(material), reason)
    policies.lower(VALIDATION, block + "dst_window_min_total_support", math.floor(math.fsum(material) / 4), reason)


def _set_sentinels(policies: PolicySet, world: BuiltWorld, cells: NDArray[np.float64]) -> None:
    """Advice of grade b is about worlds of many countries; here it is about this one."""
    block = "calibration_sentinels."
    zones = np.bincount(world.rows.zone, world.rows.weekly, len(world.geography.tzids))
    share = float(np.sort(zones)[-10:].sum() / zones.sum())
    reason = f"{int((zones > 0).sum())} zones have arrivals"
    policies.raise_to(VALIDATION, block + "top10_tz_share_max_b", min(1.0, math.ceil(100 * share + 5) / 100), reason)
    virtual = float(_virtual_weekly(policies, world).sum() / world.merchants.weekly.sum())
    tolerance = policies.get(VALIDATION, "realism_checks.lgcp_realism.mean_factor_abs_tol")
    room = 0.03 + 2 * tolerance * virtual * (1 - virtual)
    for value in (max(0.0, virtual - room), min(1.0, virtual + room)):
        reason = f"{virtual:.4f} of the expected arrivals are virtual"
        policies.admit_between(VALIDATION, block + "virtual_share_{}_b", math.floor(1000 * value + 0.5) / 1000, reason)
    spread = math.sqrt(1.0 + expected_excess(policies, cells))
    for value in (0.9 * min(1.0, spread), 2.5 * spread):
        reason = "counts of this world scatter around their means by its dispersion and volume"
        policies.admit_between(VALIDATION, block + "residual_std_{}_b", math.floor(1000 * value) / 1000, reason)
    policies.lower(
        VALIDATION, "calibration_sentinels.min_sample_rows", _sample(world, cells), "expected arrivals and cells"
    )


def expected_excess(policies: PolicySet, cells: NDArray[np.float64]) -> float:
    """Mean of mu / kappa over cells of means ``cells``, by the kappa of a baseline before class multipliers."""
    law = policies.get(COUNT, "nb2.kappa_law")
    kappa, volume = law["base_by_scenario_band"]["baseline"], law.get("volume_power")
    if policies.get(COUNT, "count_law_id") == "poisson":
        return 0.0
    if volume is None:
        return float(cells.mean() / kappa)
    ratio = np.maximum(cells / volume["reference_mean"], np.finfo(np.float64).tiny)
    return float((cells / np.clip(kappa * portable.power(ratio, volume["power"]), *law["kappa_bounds"])).mean())


def _sample(world: BuiltWorld, cells: NDArray[np.float64]) -> int:
    """Rows to judge sentinels by: never more than the world can be expected to have."""
    count_rows = len(world.channels) * world.plan.buckets * len(world.plan.scenarios)
    arrivals = float(cells.mean()) * count_rows
    return max(1, math.floor(min(arrivals / 3, count_rows / 3)))
