"""S1: the time grid and the grouping of series. No random numbers. Law L3."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from seg5b.axes import DAY_US, MICROSECONDS
from seg5b.context import StateWork
from seg5b.errors import DomainError, InputError
from seg5b.gate import Scenario
from seg5b.inputs.profile import Profile, read_profile, read_virtual_modes
from seg5b.inputs.surface import Components, component_volumes, scan_components
from seg5b.policy import GroupingPolicy, TimeGridPolicy
from seg5b.tables import Coded, Constant, Moments, write_table
from seg5b.tables.columns import Column, text_values
from seg5b.tables.formats import GROUPING, TIME_GRID

DOMAIN = "GROUP_DOMAIN_DERIVATION_FAILED"
ASSIGNMENT = "GROUP_ASSIGNMENT_INCOMPLETE"


@dataclass(frozen=True, slots=True)
class GroupedSeries:
    """One series and its group."""

    merchant_id: int
    tzid: str
    channel: str
    demand_class: str
    virtual_band: str
    zone_group_id: str
    group_id: str
    component_count: int


def run(state: StateWork) -> dict[str, Any]:
    """Write ``s1_time_grid_5B`` and ``s1_grouping_5B`` of every scenario.

    Returns the facts of the run record (docs/laws#run-record). Raises with ``5B.S1.``: ``SCENARIO_HORIZON_INVALID``,
    ``GROUP_DOMAIN_DERIVATION_FAILED``, ``GROUP_ASSIGNMENT_INCOMPLETE``, ``GROUP_ID_DOMAIN_INVALID``, and policy
    codes.
    """
    code = state.code(DOMAIN)
    state.open_inputs(missing=DOMAIN)
    grid_policy = state.policy(TimeGridPolicy, "time_grid_policy_5B")
    grouping_policy = state.policy(GroupingPolicy, "grouping_policy_5B")
    with state.timers.lane("read"):
        profile = read_profile(state.gate.files("merchant_zone_profile_5A"), code=code)
        modes = read_virtual_modes(state.gate.files("virtual_classification_3B"), code=code)
    details, scenarios = state.reached.details, {each.scenario_id: each for each in state.gate.scenarios}
    with state.reporter.track("grid and groups", len(scenarios), "scenario") as advance:
        for scenario in (scenarios[scenario_id] for scenario_id in state.reached.each(state.gate.scenario_ids)):
            with state.timers.lane("encode"):
                buckets = _write_grid(state, scenario, grid_policy)
            members, conflicts = _assign(state, scenario, grouping_policy, profile, modes)
            with state.timers.lane("encode"):
                _write_grouping(state, scenario, members)
            details[scenario.scenario_id] = {
                "bucket_count": buckets,
                **_check_realism(state, scenario, members, grouping_policy),
                "demand_class_conflicts": conflicts,
            }
            advance(1)
    below = below_guide(grid_policy, grouping_policy)
    for name, (value, guide) in below.items():
        state.log.info("%s is %d, which the authoring guide of these policies puts at %d or more", name, value, guide)
    return {**_report(details), "guardrails_below_guide": sorted(below)}


def below_guide(grid: TimeGridPolicy, grouping: GroupingPolicy) -> dict[str, tuple[int, int]]:
    """Guardrails that are looser than the reference engine's authoring guide would have them: value and guide by name. A policy
    is what is sealed, not what a guide says, so they are told and obeyed."""
    guide = (
        ("min_horizon_days", grid.min_horizon_days, 14),
        ("max_buckets_per_scenario", grid.max_buckets_per_scenario, 10_000),
        ("min_groups_per_scenario", grouping.min_groups, 200),
    )
    return {name: (value, least) for name, value, least in guide if value < least}


def bucket_count(scenario: Scenario, policy: TimeGridPolicy, code: str) -> int:
    """Number of buckets of a scenario's horizon. Raises `DomainError` ``code`` where the horizon breaks a rule."""
    step_us = policy.bucket_duration_seconds * MICROSECONDS
    length_us = scenario.end_us - scenario.start_us
    minute_us = 60 * MICROSECONDS
    step_minutes = step_us // minute_us
    days = length_us / DAY_US
    buckets = length_us // step_us
    problem = None
    if length_us <= 0:
        problem = "ends before it starts"
    elif any(moment % minute_us for moment in (scenario.start_us, scenario.end_us)):
        problem = "does not start and end on whole minutes"
    elif any(moment // minute_us % 60 % step_minutes for moment in (scenario.start_us, scenario.end_us)):
        problem = f"does not start and end on a multiple of {step_minutes} minutes"
    elif length_us % step_us:
        problem = f"is no multiple of {policy.bucket_duration_seconds} s long"
    elif not policy.min_horizon_days <= days <= policy.max_horizon_days:
        problem = f"has {days:g} days, outside {policy.min_horizon_days}..{policy.max_horizon_days}"
    elif buckets > policy.max_buckets_per_scenario:
        problem = f"has {buckets} buckets, more than {policy.max_buckets_per_scenario}"
    elif scenario.is_baseline == scenario.is_stress:
        problem = "is both or neither of baseline and stress"
    if problem:
        raise DomainError(
            code,
            f"horizon of {scenario.scenario_id} {problem}",
            where="scenario_manifest_5A",
            remedy="correct the scenario in 5A, or the guardrails of time_grid_policy_5B",
        )
    return buckets


def scenario_band(scenario: Scenario) -> str:
    """``baseline`` or ``stress``."""
    return "baseline" if scenario.is_baseline else "stress"


def zone_group_id(tzid: str, groups: int) -> str:
    """``zg`` and two digits: first byte of SHA-256 of ``5B.zone_group|<tzid>``, mod ``groups``."""
    return f"zg{hashlib.sha256(f'5B.zone_group|{tzid}'.encode()).digest()[0] % groups:02d}"


def in_stratum_bucket(scenario_id: str, stratum: tuple[str, ...], merchant_id: int, buckets: int) -> int:
    """Big-endian uint64 of the first 8 bytes of SHA-256 of ``5B.group|scenario|class|channel|virtual band|zone
    group|merchant``, mod ``buckets``."""
    message = "|".join(("5B.group", scenario_id, *stratum, str(merchant_id)))
    return int.from_bytes(hashlib.sha256(message.encode()).digest()[:8], "big") % buckets


def _write_grid(state: StateWork, scenario: Scenario, policy: TimeGridPolicy) -> int:
    buckets = bucket_count(scenario, policy, state.code("SCENARIO_HORIZON_INVALID"))
    step_us = policy.bucket_duration_seconds * MICROSECONDS
    start = scenario.start_us + np.arange(buckets, dtype=np.int64) * step_us
    weekday = (start // DAY_US + 3) % 7 + 1  # 1970-01-01 was a Thursday, ISO day 4
    columns: dict[str, Column] = {
        **state.identity_columns(scenario.scenario_id, seed=False),
        "bucket_index": np.arange(buckets, dtype=np.int64),
        "bucket_start_utc": Moments(start),
        "bucket_end_utc": Moments(start + step_us),
        "bucket_duration_seconds": Constant(policy.bucket_duration_seconds),
        "scenario_is_baseline": Constant(scenario.is_baseline),
        "scenario_is_stress": Constant(scenario.is_stress),
        "scenario_labels": Constant(list(scenario.labels)),
        "local_day_of_week": weekday,
        "local_minutes_since_midnight": start % DAY_US // (60 * MICROSECONDS),
        "is_weekend": np.isin(weekday, list(policy.weekend_days)),
    }
    form = TIME_GRID.without(*_uncarried(policy))
    target = state.target("s1_time_grid_5B", scenario.scenario_id)
    write_table(target, form, columns, buckets, state.metadata(scenario.scenario_id))
    return buckets


def _uncarried(policy: TimeGridPolicy) -> list[str]:
    """Optional grid columns that the policy does not ask for. S2 needs the flags, so those always stay."""
    dropped = [] if "scenario_labels" in (*policy.carry_required, *policy.carry_optional) else ["scenario_labels"]
    local = ["local_day_of_week", "local_minutes_since_midnight", "is_weekend"]
    return dropped + ([] if policy.emit_local else local)


def _assign(
    state: StateWork, scenario: Scenario, policy: GroupingPolicy, profile: Profile, modes: dict[int, str]
) -> tuple[list[GroupedSeries], int]:
    """Series of a scenario in canonical order with their groups, and how many had components of several classes."""
    code = state.code(DOMAIN)
    files = state.gate.files("merchant_zone_scenario_local_5A", scenario.scenario_id)
    with state.timers.lane("surface_read"):
        components = scan_components(files, scenario.scenario_id, code=code)
    with state.timers.lane("group"):
        return _grouped(state, scenario, policy, profile, modes, components, files)


def _grouped(
    state: StateWork,
    scenario: Scenario,
    policy: GroupingPolicy,
    profile: Profile,
    modes: dict[int, str],
    components: Components,
    files: tuple[Any, ...],
) -> tuple[list[GroupedSeries], int]:
    code = state.code(DOMAIN)
    by_series: dict[tuple[int, str, str], list[tuple[int, str, str]]] = {}
    for key, channel in zip(_component_keys(components), components.channel, strict=True):
        series = (key[0], key[2], channel or _known(profile.channel, key, "channel_group", code))
        by_series.setdefault(series, []).append(key)
    classes = {
        series: {_known(profile.demand_class, key, "demand_class", state.code(ASSIGNMENT)) for key in keys}
        for series, keys in by_series.items()
    }
    contested = {series for series, found in classes.items() if len(found) > 1}
    chosen = _dominant_classes(files, {s: by_series[s] for s in contested}, profile, code) if contested else {}
    for series in sorted(contested):
        state.log.info("series %s spans classes %s, takes %s", series, sorted(classes[series]), chosen[series])
    ordered = sorted(by_series, key=lambda series: (series[0], series[1].encode(), series[2].encode()))
    members = [
        _member(state, scenario, policy, series, chosen.get(series) or min(classes[series]), modes, by_series[series])
        for series in ordered
    ]
    return members, len(contested)


def _component_keys(components: Components) -> list[tuple[int, str, str]]:
    """(merchant_id, country, tzid) of each component."""
    return list(zip(components.merchant_id.tolist(), components.country, components.tzid, strict=True))


def _known(table: dict[tuple[int, str, str], str], key: tuple[int, str, str], name: str, code: str) -> str:
    if key not in table:
        raise InputError(
            code,
            f"the profile has no {name} for merchant {key[0]}, country {key[1]}, tzid {key[2]}",
            where="merchant_zone_profile_5A",
            remedy="profile and surface of 5A must cover the same keys",
        )
    return table[key]


def _dominant_classes(
    files: tuple[Any, ...],
    contested: dict[tuple[int, str, str], list[tuple[int, str, str]]],
    profile: Profile,
    code: str,
) -> dict[tuple[int, str, str], str]:
    """Of each contested series the class with the largest expected volume; ties go to the smallest name."""
    volumes = component_volumes(files, {key for keys in contested.values() for key in keys}, code=code)
    chosen = {}
    for series, keys in contested.items():
        total: Counter[str] = Counter()
        for key in keys:
            total[profile.demand_class[key]] += volumes[key]  # type: ignore[assignment]
        chosen[series] = min(total, key=lambda name: (-total[name], name))
    return chosen


def _member(
    state: StateWork,
    scenario: Scenario,
    policy: GroupingPolicy,
    series: tuple[int, str, str],
    demand_class: str,
    modes: dict[int, str],
    components: list[tuple[int, str, str]],
) -> GroupedSeries:
    merchant_id, tzid, channel = series
    if merchant_id not in modes:
        raise InputError(
            state.code(ASSIGNMENT),
            f"merchant {merchant_id} has no virtual mode",
            where="virtual_classification_3B",
            remedy="every merchant of the surface needs a classification row",
        )
    virtual_band = "physical" if modes[merchant_id] == "NON_VIRTUAL" else "virtual"
    zone_group = zone_group_id(tzid, policy.zone_group_buckets)
    stratum = (demand_class, channel, virtual_band, zone_group)
    bucket = in_stratum_bucket(scenario.scenario_id, stratum, merchant_id, policy.in_stratum_buckets)
    group_id = "|".join(("g", scenario_band(scenario), *stratum, f"b{bucket:02d}"))
    if not group_id.isascii():
        raise DomainError(
            state.code("GROUP_ID_DOMAIN_INVALID"),
            f"group id {group_id!r} is not ASCII",
            where=f"merchant {merchant_id}",
            remedy="demand classes and channels must be ASCII names",
        )
    return GroupedSeries(merchant_id, tzid, channel, demand_class, virtual_band, zone_group, group_id, len(components))


def _check_realism(
    state: StateWork, scenario: Scenario, members: list[GroupedSeries], policy: GroupingPolicy
) -> dict[str, int | float]:
    """Guardrails on group sizes, counted in country components as the reference engine counts them."""
    sizes: Counter[str] = Counter()
    for member in members:
        sizes[member.group_id] += member.component_count
    rows = sum(sizes.values())
    facts = {
        "grouping_row_count": len(members),
        "component_row_count": rows,
        "group_id_count": len(sizes),
        "median_members_per_group": float(median(sizes.values())),
        "max_group_share": max(sizes.values()) / rows,
        "multi_member_fraction": sum(size > 1 for size in sizes.values()) / len(sizes),
    }
    limits = (
        ("group_id_count", policy.min_groups, policy.max_groups),
        ("median_members_per_group", policy.min_group_members_median, float("inf")),
        ("max_group_share", 0.0, policy.max_single_group_share),
        ("multi_member_fraction", policy.min_multi_member_fraction, 1.0),
    )
    for name, low, high in limits:
        if not low <= facts[name] <= high:
            raise DomainError(
                state.code(ASSIGNMENT),
                f"{name} is {facts[name]:g}, outside {low:g}..{high:g}",
                where=f"scenario {scenario.scenario_id}",
                remedy="coarsen or refine grouping_policy_5B, or enlarge the world",
            )
    return facts


def _write_grouping(state: StateWork, scenario: Scenario, members: list[GroupedSeries]) -> None:
    columns: dict[str, Column] = {
        **state.identity_columns(scenario.scenario_id, seed=False),
        "merchant_id": np.array([member.merchant_id for member in members], np.uint64),
        "zone_representation": _coded([member.tzid for member in members]),
        "channel_group": _coded([member.channel for member in members]),
        "group_id": _coded([member.group_id for member in members]),
        "scenario_band": Constant(scenario_band(scenario)),
        "demand_class": _coded([member.demand_class for member in members]),
        "virtual_band": _coded([member.virtual_band for member in members]),
        "zone_group_id": _coded([member.zone_group_id for member in members]),
        "component_count": np.array([member.component_count for member in members], np.int64),
    }
    target = state.target("s1_grouping_5B", scenario.scenario_id)
    write_table(target, GROUPING, columns, len(members), state.metadata(scenario.scenario_id))


def _coded(strings: list[str]) -> Coded:
    values = sorted(set(strings), key=str.encode)
    position = {value: code for code, value in enumerate(values)}
    return Coded(np.array([position[value] for value in strings], np.int32), text_values(values))


def _report(details: dict[str, dict[str, int | float]]) -> dict[str, Any]:
    buckets = [int(facts["bucket_count"]) for facts in details.values()]
    groups = [int(facts["group_id_count"]) for facts in details.values()]
    medians = [float(facts["median_members_per_group"]) for facts in details.values()]
    return {
        "total_bucket_count": sum(buckets),
        "total_grouping_rows": sum(int(facts["grouping_row_count"]) for facts in details.values()),
        "total_unique_group_ids": sum(groups),
        "bucket_count_min": min(buckets),
        "bucket_count_max": max(buckets),
        "bucket_count_mean": sum(buckets) / len(buckets),
        "group_ids_per_scenario_min": min(groups),
        "group_ids_per_scenario_max": max(groups),
        "median_members_per_group_min": min(medians),
        "median_members_per_group_max": max(medians),
        "details": details,
    }
