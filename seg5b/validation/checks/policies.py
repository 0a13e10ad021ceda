"""The two readings of the policies agree: the one that the states use, and the scalar twin's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Any

from seg5b.errors import PolicyError
from seg5b.run_tables.policies import RunPolicies
from seg5b.run_tables.subject import Subject
from seg5b.twin.readings import CODE
from seg5b.validation.records import MOST_KEYS, Check, Compute, Finding, Key

_ABSENT = "none"


def _agree(subject: Subject) -> Finding:
    """Every number by itself, and every combination of names that a law can ask for."""
    wrong: list[Key] = []
    rows = 0
    for name, first, second in both_readings(subject.policies):
        rows += 1
        if first != second:
            wrong.append({"number": name, "states": first, "twin": second})
    return Finding(len(wrong), tuple(wrong[:MOST_KEYS]), rows)


def both_readings(policies: RunPolicies) -> Iterator[tuple[str, Any, Any]]:
    """(name, as the states read it, as the twin reads it) of every number and law; a number that a reading refuses is
    ``none``."""
    read, lgcp, count = policies.readings, policies.lgcp, policies.count
    yield from _plain(policies)
    bands, classes = _names(lgcp.sigma_base, read.sigma_base), _names(lgcp.sigma_class, read.sigma_class)
    channels = _names(lgcp.sigma_channel, read.sigma_channel)
    of_virtual = _names(lgcp.sigma_virtual, read.sigma_virtual)
    for of_group in product(bands, classes, channels, of_virtual):
        yield f"sigma {' '.join(of_group)}", *_tried(lgcp.sigma, read.sigma, *of_group)
    independent = read.latent_model == "log_gaussian_iid_v1"
    for names in product(bands, _names(lgcp.length_class, read.length_class)):
        first, second = _tried(lgcp.length, read.length, *names)
        yield f"length {' '.join(names)}", 0.0 if independent else first, second
    dispersed = count.count_law_id == "nb2"
    for names in product(_names(count.kappa_base, read.kappa_base), _names(count.kappa_class, read.kappa_class)):
        first, second = _tried(count.kappa, read.kappa, *names)
        yield f"kappa {' '.join(names)}", first if dispersed else None, second


def _plain(policies: RunPolicies) -> Iterator[tuple[str, Any, Any]]:
    """What is a number or name of its own."""
    read, lgcp, count, routing = policies.readings, policies.lgcp, policies.count, policies.routing
    rng, grid, grouping = policies.rng, policies.time_grid, policies.grouping
    yield "latent_model_id", lgcp.latent_model_id, read.latent_model
    shared = (lgcp.levels.country, lgcp.levels.zone) if lgcp.levels else ()
    yield "levels", tuple((each.variance_share, each.length_buckets) for each in shared), read.shared_levels
    yield "clipping", (lgcp.min_factor, lgcp.max_factor), read.factor_bounds
    yield "lambda_max", float("inf") if lgcp.lambda_max is None else lgcp.lambda_max, read.lambda_max
    yield "emit_latent_field_diagnostic", lgcp.emit_latent_field, read.emit_latent
    yield "count_law_id", count.count_law_id, read.count_law
    yield "lambda_zero_eps", count.lambda_zero_eps, read.zero_eps
    yield "poisson_exact_lambda_max", count.poisson_exact_lambda_max, read.exact_max
    yield "poisson_n_cap_exact", count.poisson_n_cap_exact, read.term_cap
    yield "max_count_per_bucket", count.max_count_per_bucket, read.count_cap
    volume = count.volume_power
    yield "kappa_bounds", count.kappa_bounds, read.kappa_bounds
    yield "volume_power", volume and (volume.reference_mean, volume.power), read.volume_power
    yield "placement_law", policies.placement.law, read.placement_law
    yield "p_virtual_hybrid", routing.p_virtual_hybrid, read.p_virtual_hybrid
    yield "virtual_share_profile", dict(routing.virtual_share_profile), dict(read.virtual_shares)
    yield "tz_group_law", routing.tz_group_law, read.tz_group_law
    yield "on_missing_site_table", routing.on_missing_site_table, read.on_missing_site_table
    yield "primary_clock", routing.primary_clock, read.primary_clock
    temper = routing.edge_temper
    yield (
        "edge_temper",
        (temper.enabled, temper.top_k, temper.redirect_p),
        (read.temper, read.temper_zones, read.temper_p),
    )
    carried = (routing.carry_lambda, routing.carry_tz_group)
    yield "optional_columns", carried, (read.carry_lambda, read.carry_tz_group)
    yield "domain_sep", rng.domain_sep, read.domain_sep
    yield "domain_key_law", rng.bucket_key_law, read.bucket_key_law
    labels = {name: family.substream_label for name, family in rng.families.items()}
    yield "substream_label", labels, dict(read.labels)
    yield "bucket_duration_seconds", grid.bucket_duration_seconds, read.bucket_s
    yield "horizon_days", (grid.min_horizon_days, grid.max_horizon_days), read.horizon_days
    yield "max_buckets_per_scenario", grid.max_buckets_per_scenario, read.most_buckets
    yield "zone_group_buckets", grouping.zone_group_buckets, read.zone_group_buckets
    yield "in_stratum_buckets", grouping.in_stratum_buckets, read.in_stratum_buckets
    yield "endianness", policies.alias.endianness, read.endianness


def _names(one: Mapping[str, float], other: Mapping[str, float]) -> list[str]:
    return sorted(one.keys() | other.keys())


def _tried(first: Callable[..., Any], second: Callable[..., Any], *names: str) -> tuple[Any, Any]:
    return _or_absent(first, names), _or_absent(second, names)


def _or_absent(function: Callable[..., Any], names: tuple[str, ...]) -> Any:
    try:
        return function(*names)
    except PolicyError:
        return _ABSENT


CHECKS = (
    Check(
        "policy.readings",
        CODE,
        "rng_accounting_ok",
        "rng_accounting_checks.rederived_rows",
        "the policies, read a second time by code of its own, give every number that the states read",
        Compute(_agree),
        per_scenario=False,
    ),
)
