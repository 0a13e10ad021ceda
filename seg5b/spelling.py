"""How releases before 0.2 spelled policies, as data: which key stands where now, and what an old file says without a word.

Policies are written under the key names of the reference engine. Files that a run has sealed under the old ones, and dotted
keys of old specifications, stay readable for ever: they are spelled anew before anybody looks at them. A table of names is no
law: both readings of the policies (`seg5b.policy`, `seg5b.twin`) share it. Law: docs/laws#policy-spelling.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

Pairs = Iterator[tuple[str, Any]]
"""Dotted keys with their values."""

_STREAMS: Final = "rng_accounting_checks.streams."
_EVENTS: Final = "structural_checks.s4_arrival_events."
_ENCODING: Final = ("key_bytes", "counter_hi_bytes", "counter_lo_bytes")

MOVED: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "arrival_count_config_5B": {
        "nb2.kappa.bounds": ("nb2.kappa_law.kappa_bounds",),
        "nb2.kappa": ("nb2.kappa_law",),
        "nb2.gamma": ("nb2.gamma_sampler.kind",),
    },
    "arrival_lgcp_config_5B": {
        "kernel.length_scale_bounds": ("kernel.length_scale_buckets_bounds",),
        "sigma.bounds": ("hyperparam_law.sigma.sigma_bounds",),
        "sigma": ("hyperparam_law.sigma",),
        "length_scale.bounds": ("hyperparam_law.length_scale_buckets.length_scale_bounds",),
        "length_scale": ("hyperparam_law.length_scale_buckets",),
    },
    "arrival_rng_policy_5B": {
        "block_outputs": ("block_outputs_u64",),
        "counter_wrap_policy": ("wrap_policy",),
        "derivation.hash": ("encoding.hash",),
        "derivation.string_encoding": ("encoding.uer",),
        "derivation.integer_encoding": ("encoding.seed_encoding",),
        **{f"derivation.{name}": (f"encoding.{name}",) for name in _ENCODING},
        "derivation.forbidden_inputs": ("derivation.forbid_inputs",),
    },
    "arrival_routing_policy_5B": {
        "hybrid_policy.p_virtual_hybrid_bounds": ("realism_floors.hybrid_p_virtual_bounds",),
        "hybrid_policy.coin": ("hybrid_policy.coin_source",),
        "physical": ("physical_router",),
        "virtual": ("virtual_router",),
    },
    "arrival_time_placement_policy_5B": {
        "placement.law": ("placement_kind",),
        "ordering.keys": ("ordering.sort_by",),
    },
    "bundle_layout_policy_5B": {
        "bundle_root": ("bundle_root_template",),
        "index_file": ("index_filename",),
        "flag_file": ("passed_flag_filename",),
        "entry_order": ("index_ordering",),
    },
    "validation_policy_5B": {
        "require_upstream_pass.layer1_conditional.segments": ("require_upstream_pass.optional",),
        "require_upstream_pass.layer1_conditional.required_when": ("require_upstream_pass.optional_required_when",),
        "structural_checks.max_lambda_realised": ("structural_checks.s2_realised_intensity.max_lambda_realised",),
        "structural_checks.max_count_per_bucket": ("structural_checks.s3_bucket_counts.max_count_per_bucket",),
        "structural_checks.event_time_in_bucket": (
            f"{_EVENTS}require_event_time_in_bucket",
            f"{_EVENTS}require_time_half_open",
        ),
        "structural_checks.routing_keys_present": (f"{_EVENTS}require_routing_keys_present",),
        "rng_accounting_checks.trace_complete": (
            "rng_accounting_checks.trace.require_trace_row_per_rng_event",
            "rng_accounting_checks.trace.require_append_after_each_event",
        ),
        "rng_accounting_checks.no_counter_wrap": (
            f"{_STREAMS}require_monotonic_counters",
            f"{_STREAMS}require_next_before_equals_prev_after",
            f"{_STREAMS}forbid_counter_overlap",
            f"{_STREAMS}abort_on_wrap",
        ),
        "realism_checks.mean_factor_abs_tol": ("realism_checks.lgcp_realism.mean_factor_abs_tol",),
        "realism_checks.min_nonzero_bucket_fraction": ("realism_checks.count_realism.min_nonzero_bucket_fraction",),
        "realism_checks.p99_p50_ratio_min": ("realism_checks.count_realism.p99_p50_ratio_min",),
        "realism_checks.min_distinct_offsets_per_1000": (
            "realism_checks.time_realism.min_distinct_offsets_per_1000_events",
        ),
        "realism_checks.ip_country_max_abs_dev": ("realism_checks.routing_realism.ip_country_max_abs_dev",),
        "sampling.min_sample_rows": ("calibration_sentinels.min_sample_rows",),
        **{
            f"calibration_sentinels.{grade}.{name}": (f"calibration_sentinels.{name}_{grade}",)
            for grade in ("b", "bplus")
            for name in ("top10_tz_share_max", "weekend_share_delta_pp_max")
        },
    },
}
"""By policy: an old dotted key, or how old keys begin, and where it stands now. Several: each has its value. The longest old
key that fits is taken."""

SPLIT: Final[Mapping[str, Mapping[str, tuple[str, str]]]] = {
    "validation_policy_5B": {
        "realism_checks.factor_bounds": (
            "realism_checks.lgcp_realism.min_factor",
            "realism_checks.lgcp_realism.max_factor",
        ),
        **{
            f"calibration_sentinels.{grade}.{name}_bounds": (
                f"calibration_sentinels.{name}_min_{grade}",
                f"calibration_sentinels.{name}_max_{grade}",
            )
            for grade in ("b", "bplus")
            for name in ("virtual_share", "residual_std")
        },
    },
}
"""By policy: an old key of a pair [low, high], and the two keys that hold its ends."""

SAID: Final[Mapping[str, Mapping[str, Mapping[str, str]]]] = {
    "arrival_rng_policy_5B": {"encoding.hash": {"sha256": "SHA256"}},
    "arrival_time_placement_policy_5B": {"placement_kind": {"uniform_floor_us_v1": "uniform_within_bucket_v1"}},
    "bundle_layout_policy_5B": {"index_ordering": {"path_ascending": "path_ascii_lex"}},
}
"""By policy: a key as it is called now, and what its old values are called now."""

DROPPED: Final[Mapping[str, Mapping[str, str]]] = {
    "arrival_time_placement_policy_5B": {"placement.clamp": "below_bucket_end"},
    "bundle_layout_policy_5B": {"digest_law": "sha256_of_concatenated_member_bytes"},
}
"""By policy: old keys that had one legal value and have no successor."""

IMPLIED: Final[Mapping[str, Mapping[str, Any]]] = {
    "validation_policy_5B": {
        "structural_checks.s1_time_grid.require_bucket_index_contiguous": True,
        "structural_checks.s1_time_grid.require_half_open_intervals": True,
        "structural_checks.s1_time_grid.require_duration_seconds_matches_policy": True,
        "structural_checks.s1_time_grid.max_buckets_per_scenario": 2147483647,
        "structural_checks.s2_realised_intensity.require_nonnegative_lambda": True,
        "structural_checks.s2_realised_intensity.require_finite_lambda": True,
        "structural_checks.s2_realised_intensity.require_lambda_zero_implies_count_zero": True,
        "structural_checks.s3_bucket_counts.require_integer_counts": True,
        "structural_checks.s3_bucket_counts.require_counts_nonnegative": True,
        "structural_checks.s3_bucket_counts.require_no_rng_event_when_lambda_zero": True,
        f"{_EVENTS}require_sorted_within_bucket": True,
        f"{_EVENTS}require_exactly_N_events_per_bucket": True,
        "rng_accounting_checks.budgets.s2_latent_vector.require_one_event_per_group_when_enabled": True,
        "rng_accounting_checks.budgets.s3_bucket_count.require_no_event_when_deterministic_zero": True,
        "realism_checks.lgcp_realism.require_mean_factor_near_one": True,
        "realism_checks.lgcp_realism.require_factor_bounds_respected": True,
        "realism_checks.count_realism.require_nontrivial_nonzero_fraction": True,
        "realism_checks.count_realism.require_heavy_tail": True,
        "realism_checks.time_realism.require_not_all_at_bucket_start": True,
        "realism_checks.routing_realism.require_2B_pass_if_physical_present": True,
        "realism_checks.routing_realism.require_physical_and_virtual_coverage_when_present": True,
        "realism_checks.routing_realism.require_no_missing_alias_rows": True,
        "realism_checks.routing_realism.require_country_mix_close_if_virtual": True,
    },
}
"""By policy: what a file in the old spelling always meant, and a file in the present one has to say."""


def spelled_anew(policy_id: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    """A policy under the keys of today: itself, or, where it is in the old spelling, spelled anew.

    A key that neither spelling has stays where it is, for the schema to refuse. Raises `ValueError` for a key that is there
    under both names, and for one of the old spelling with a value that it could not have.
    """
    if not is_old(policy_id, payload):
        return dict(payload)
    anew: dict[str, Any] = {}
    for key, value in _leaves(payload):
        for new, said in now(policy_id, key, value):
            _put(anew, new, said)
    for key, value in IMPLIED.get(policy_id, {}).items():
        if _at(anew, key) is None:
            _put(anew, key, value)
    return anew


def is_old(policy_id: str, payload: Mapping[str, Any]) -> bool:
    """Whether a policy has a key that only the old spelling has."""
    if any(_at(payload, key) is not None for key in _old_keys(policy_id)):
        return True
    return any(is_old_form(_at(payload, key)) for key, (is_old_form, _) in _RESHAPED.get(policy_id, {}).items())


def now(policy_id: str, key: str, value: Any) -> Pairs:
    """What a dotted key of either spelling with its value is called today; nothing for a key without a successor.

    A block that holds renamed keys is taken apart. Raises `ValueError` as `spelled_anew`.
    """
    moved, dropped = MOVED.get(policy_id, {}), DROPPED.get(policy_id, {})
    if isinstance(value, Mapping) and any(old.startswith(f"{key}.") for old in _old_keys(policy_id)):
        for name, below in value.items():
            yield from now(policy_id, f"{key}.{name}", below)
    elif key in _RESHAPED.get(policy_id, {}):
        yield from _RESHAPED[policy_id][key][1](value)
    elif key in SPLIT.get(policy_id, {}):
        yield from _ends(key, value, SPLIT[policy_id][key])
    elif key in dropped:
        if value != dropped[key]:
            raise ValueError(f"{key} is {value!r}, and can only be {dropped[key]!r}")
    else:
        old = max((each for each in moved if key == each or key.startswith(f"{each}.")), key=len, default="")
        for new in moved[old] if old else (key,):
            name = new + key[len(old) :] if old else key
            said = SAID.get(policy_id, {}).get(name, {}) if old else {}
            yield name, said.get(value, value) if isinstance(value, str) else value


def _old_keys(policy_id: str) -> tuple[str, ...]:
    """Keys, or beginnings of keys, that no policy has today."""
    tables: tuple[Mapping[str, Any], ...] = (
        MOVED.get(policy_id, {}),
        SPLIT.get(policy_id, {}),
        DROPPED.get(policy_id, {}),
    )
    return tuple(key for table in tables for key in table)


def _ends(key: str, value: Any, names: tuple[str, str]) -> Pairs:
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError(f"{key} is {value!r}, not a pair [low, high]")
    yield from zip(names, value, strict=True)


def _families(value: Any) -> Pairs:
    """Families with their law of draws under its present names."""
    if not isinstance(value, list) or not all(isinstance(family, Mapping) for family in value):
        raise ValueError("families is no list of families")
    yield "families", [_family(family) for family in value]


def _family(family: Mapping[str, Any]) -> dict[str, Any]:
    anew = {name: value for name, value in family.items() if name != "draws_law"}
    draws = family.get("draws_law")
    if "draws_law" not in family:
        return anew
    if not isinstance(draws, Mapping):
        raise ValueError(f"draws_law of a family is {draws!r}, not a mapping")
    names = {
        "uniforms_per_normal": "uniforms_per_standard_normal",
        "latent_dims_mode": "latent_dims",
        "draws": "draws_u64",
    }
    law = {names.get(name, name): value for name, value in draws.items() if name not in ("poisson", "nb2")}
    laws = {name: draws[name] for name in ("poisson", "nb2") if name in draws}
    if str(law.get("kind")).startswith("per_"):
        law["kind"] = "fixed"
    return {**anew, "draws_u64_law": {**law, **({"laws": laws} if laws else {})}}


def _groups(value: Any) -> Pairs:
    """Evidence groups by name; those that were never included have nothing to say."""
    groups: dict[str, Any] = {}
    for group in value if isinstance(value, list) else ():
        if not isinstance(group, Mapping) or group.get("include") not in ("always", "if_present", "never"):
            raise ValueError("evidence_groups has an entry that is no group, with include always, if_present or never")
        if group.get("group") in groups:
            raise ValueError(f"evidence_groups lists the group {group.get('group')!r} twice")
        if group["include"] != "never":
            groups[str(group.get("group"))] = {
                **{name: said for name, said in group.items() if name not in ("group", "include", "members")},
                "required": group["include"] == "always",
                "members": [_member(member) for member in group.get("members", [])],
            }
    yield "evidence_groups", groups if isinstance(value, list) else value


def _member(member: Any) -> Any:
    if not isinstance(member, Mapping):
        return member
    return {"path" if name == "bundle_path" else name: said for name, said in member.items()}


def _poisson(value: Any) -> Pairs:
    """The sampler of counts, which was a text."""
    yield ("nb2.poisson_on_gamma.kind" if isinstance(value, str) else "nb2.poisson_on_gamma"), value


def _has_old_draws(families: Any) -> bool:
    return isinstance(families, list) and any(isinstance(each, Mapping) and "draws_law" in each for each in families)


_RESHAPED: Final[Mapping[str, Mapping[str, tuple[Callable[[Any], bool], Callable[[Any], Pairs]]]]] = {
    "arrival_count_config_5B": {"nb2.poisson_on_gamma": (lambda value: isinstance(value, str), _poisson)},
    "arrival_rng_policy_5B": {"families": (_has_old_draws, _families)},
    "bundle_layout_policy_5B": {"evidence_groups": (lambda value: isinstance(value, list), _groups)},
}
"""By policy: a key that kept its name and not its form, how its old form is known, and what it is today."""


_NOWHERE: Final = object()


def _at(payload: Mapping[str, Any], key: str, absent: Any = None) -> Any:
    """Value of a dotted key; ``absent`` where there is none."""
    node: Any = payload
    for part in key.split("."):
        if not isinstance(node, Mapping) or part not in node:
            return absent
        node = node[part]
    return node


def is_there(payload: Mapping[str, Any], key: str) -> bool:
    """Whether a policy states a dotted key."""
    return _at(payload, key, _NOWHERE) is not _NOWHERE


def _leaves(node: Mapping[str, Any], above: str = "") -> Pairs:
    for name, value in node.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _put(anew: dict[str, Any], key: str, value: Any) -> None:
    *above, last = key.split(".")
    for part in above:
        below = anew.setdefault(part, {})
        if not isinstance(below, dict):
            raise ValueError(f"{key} cannot be beside {part}, which is no mapping")
        anew = below
    if last in anew:
        raise ValueError(f"{key} is there twice, under its old name and under the present one")
    anew[last] = value
