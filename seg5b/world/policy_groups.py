"""The groups that a world's series will have in S1, and what follows from them in policies: groups and their sizes, floors on
sigma and kappa, tolerance of the mean factor. Law: docs/laws#world-policies."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from dataclasses import dataclass
from statistics import median

import numpy as np

from seg5b.world import portable
from seg5b.world.policies import COUNT, GROUPING, LGCP, VALIDATION, PolicySet
from seg5b.world.vocabulary import CLASSES
from seg5b.world.world import BuiltWorld

_MOST_BUCKETS_IN_STRATUM = 32
_MEMBERS_WANTED = 4
_STANDARD_ERRORS = 4.5
_LENGTH, _KAPPA = "hyperparam_law.length_scale_buckets", "nb2.kappa_law"
_BOUNDS = {_LENGTH: "length_scale_bounds", _KAPPA: "kappa_bounds"}
Stratum = tuple[str, str, str, str]
"""Demand class, channel, virtual band, zone group."""


@dataclass(frozen=True, slots=True)
class Groups:
    """Groups of one scenario under the law of S1: their strata, and series in each."""

    is_baseline: bool
    strata: tuple[Stratum, ...]
    sizes: tuple[int, ...]


def set_from_groups(policies: PolicySet, world: BuiltWorld) -> None:
    """Everything of `seg5b.world.policies` that depends on the groups of a world."""
    series = _series(world, int(policies.get(GROUPING, "zone_group_buckets")))
    _set_buckets_in_stratum(policies, series)
    per_stratum = int(policies.get(GROUPING, "in_stratum_buckets"))
    scenarios = [world.plan.scenario(name) for name in world.plan.scenarios]
    groups = [_groups(each.scenario_id, each.is_baseline, series, per_stratum) for each in scenarios]
    _set_group_targets(policies, groups)
    _set_latent_floors(policies, groups)
    _set_count_floors(policies, groups)
    _set_factor_tolerance(policies, groups, world.plan.buckets)


def _series(world: BuiltWorld, zone_groups: int) -> list[tuple[Stratum, int]]:
    """Stratum and merchant id of every series."""
    rows, channels = world.rows, world.channels
    merchant = rows.merchant[channels.row]
    zone_group = {
        zone: f"zg{hashlib.sha256(b'5B.zone_group|' + world.geography.tzids[zone].encode()).digest()[0] % zone_groups:02d}"
        for zone in np.unique(rows.zone).tolist()
    }
    bands = ("physical", "virtual")
    columns = (
        world.merchants.id[merchant].tolist(),
        rows.class_code[channels.row].tolist(),
        channels.channel.tolist(),
        (world.merchants.mode_code[merchant] > 0).tolist(),
        rows.zone[channels.row].tolist(),
    )
    return [
        ((CLASSES[code], channels.names[channel], bands[virtual], zone_group[zone]), merchant_id)
        for merchant_id, code, channel, virtual, zone in zip(*columns, strict=True)
    ]


def _set_buckets_in_stratum(policies: PolicySet, series: list[tuple[Stratum, int]]) -> None:
    strata = len({stratum for stratum, _ in series})
    wanted = min(max(1, len(series) // (_MEMBERS_WANTED * strata)), _MOST_BUCKETS_IN_STRATUM)
    reason = f"{len(series)} series in {strata} strata: about {_MEMBERS_WANTED} in each group"
    policies.set(GROUPING, "in_stratum_buckets", wanted, reason)


def _groups(scenario_id: str, is_baseline: bool, series: list[tuple[Stratum, int]], buckets: int) -> Groups:
    sizes: Counter[tuple[Stratum, int]] = Counter()
    for stratum, merchant_id in series:
        message = "|".join(("5B.group", scenario_id, *stratum, str(merchant_id)))
        place = int.from_bytes(hashlib.sha256(message.encode()).digest()[:8], "big") % buckets
        sizes[stratum, place] += 1
    return Groups(is_baseline, tuple(stratum for stratum, _ in sizes), tuple(sizes.values()))


def _set_group_targets(policies: PolicySet, groups: list[Groups]) -> None:
    """The targets of S1 where the groups miss them."""
    counts = [len(each.sizes) for each in groups]
    facts = {
        "min_groups_per_scenario": (min, min(counts)),
        "max_groups_per_scenario": (max, max(counts)),
        "min_group_members_median": (min, min(float(median(each.sizes)) for each in groups)),
        "max_single_group_share": (max, max(max(each.sizes) / sum(each.sizes) for each in groups)),
        "min_multi_member_fraction": (
            min,
            min(sum(size > 1 for size in each.sizes) / len(each.sizes) for each in groups),
        ),
    }
    for name, (choose, value) in facts.items():
        key = f"realism_targets.{name}"
        reason = f"the series of this world fall into {min(counts)} groups"
        policies.set(GROUPING, key, choose(policies.get(GROUPING, key), value), reason)


def _sigma(policies: PolicySet, groups: Groups) -> list[float]:
    """Sigma of each group, as S2 has it."""
    band = "baseline" if groups.is_baseline else "stress"
    base = policies.get(LGCP, f"hyperparam_law.sigma.base_by_scenario_band.{band}")
    by_class, by_channel, by_virtual = (
        policies.get(LGCP, f"hyperparam_law.sigma.{name}_multipliers") for name in ("class", "channel", "virtual")
    )
    low, high = policies.get(LGCP, "hyperparam_law.sigma.sigma_bounds")
    products = (base * by_class[name] * by_channel[way] * by_virtual[kind] for name, way, kind, _ in groups.strata)
    return [min(max(product, low), high) for product in products]


def _scaled_by_class(policies: PolicySet, policy: str, holder: str, groups: Groups) -> list[float]:
    """A number of each group that depends on band and class alone: correlation length in buckets, or kappa."""
    band = "baseline" if groups.is_baseline else "stress"
    base = policies.get(policy, f"{holder}.base_by_scenario_band.{band}")
    by_class = policies.get(policy, f"{holder}.class_multipliers")
    low, high = policies.get(policy, f"{holder}.{_BOUNDS[holder]}")
    if policy == LGCP:
        outer = policies.get(LGCP, "kernel.length_scale_buckets_bounds")
        low, high = max(low, outer[0]), min(high, outer[1])
    return [min(max(base * by_class[stratum[0]], low), high) for stratum in groups.strata]


def _set_latent_floors(policies: PolicySet, groups: list[Groups]) -> None:
    reason = "classes and channels of this world"
    distinct, fraction = "require_sigma_distinct_values_min", "require_stress_sigma_ge_fraction"
    threshold = policies.get(LGCP, "realism_floors.stress_sigma_threshold")
    for each in groups:
        sigma = _sigma(policies, each)
        if each.is_baseline:
            policies.lower(LGCP, f"realism_floors.{distinct}", len({round(value, 6) for value in sigma}), reason)
            length = median(_scaled_by_class(policies, LGCP, _LENGTH, each))
            policies.admit(LGCP, "realism_floors.require_baseline_median_L_bounds", length, reason)
        else:
            share = sum(value >= threshold for value in sigma) / len(sigma)
            policies.lower(LGCP, f"realism_floors.{fraction}", math.floor(1000 * share) / 1000, reason)


def _set_count_floors(policies: PolicySet, groups: list[Groups]) -> None:
    reason = "classes of this world"
    for each in groups:
        if each.is_baseline:
            kappa = _scaled_by_class(policies, COUNT, _KAPPA, each)
            distinct = len({round(value, 6) for value in kappa})
            policies.lower(COUNT, "realism_floors.require_kappa_distinct_values_min", distinct, reason)
            policies.admit(COUNT, "realism_floors.baseline_median_kappa_bounds", median(kappa), reason)


def _set_factor_tolerance(policies: PolicySet, groups: list[Groups], buckets: int) -> None:
    """The mean factor of a run scatters about one: its standard error follows from variance, memory and groups."""
    if policies.get(LGCP, "latent_model_id") == "none":
        return
    has_memory = policies.get(LGCP, "kernel.kind") == "ou_ar1_buckets_v1"
    worst = 0.0
    for each in groups:
        sigma = np.array(_sigma(policies, each))
        length = np.array(_scaled_by_class(policies, LGCP, _LENGTH, each)) if has_memory else np.zeros(sigma.size)
        memory = portable.exp(-1 / length) if has_memory else length
        independent = np.minimum(1.0, (1 + memory) / (1 - memory) / buckets)
        share = np.array(each.sizes) / sum(each.sizes)
        worst = max(worst, float((share**2 * (portable.exp(sigma * sigma) - 1) * independent).sum()))
    tolerance = math.ceil(1000 * (0.02 + _STANDARD_ERRORS * math.sqrt(worst))) / 1000
    reason = f"standard error {math.sqrt(worst):.4f} of the mean over {min(len(g.sizes) for g in groups)} groups"
    policies.raise_to(VALIDATION, "realism_checks.lgcp_realism.mean_factor_abs_tol", tolerance, reason)
    bounds = [policies.get(LGCP, f"clipping.{name}") for name in ("min_factor", "max_factor")]
    for bound in bounds:
        policies.admit_between(
            VALIDATION, "realism_checks.lgcp_realism.{}_factor", bound, "clipping of the latent factor"
        )
