"""Every policy refuses what no law offers, with its state's code, the key and a remedy."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seg5b.contracts import ContractSource
from seg5b.errors import PolicyError
from seg5b.resources import resource_root

PathOf = Callable[[str], Path]

CODES = {
    "time_grid_policy_5B": "5B.S1.TIME_GRID_POLICY_SCHEMA_INVALID",
    "grouping_policy_5B": "5B.S1.GROUPING_POLICY_SCHEMA_INVALID",
    "arrival_lgcp_config_5B": "5B.S2.LGCP_CONFIG_INVALID",
    "arrival_count_config_5B": "5B.S3.COUNT_CONFIG_INVALID",
    "arrival_time_placement_policy_5B": "5B.S4.TIME_POLICY_INVALID",
    "arrival_routing_policy_5B": "5B.S4.ROUTING_POLICY_INVALID",
    "arrival_rng_policy_5B": "5B.S2.RNG_POLICY_INVALID",
    "validation_policy_5B": "5B.S5.CONTRACT_INVALID",
    "bundle_layout_policy_5B": "5B.S5.CONTRACT_INVALID",
    "alias_layout_policy_v1": "5B.S4.RNG_POLICY_INVALID",
}
MISSING = {
    **CODES,
    "time_grid_policy_5B": "5B.S1.TIME_GRID_POLICY_MISSING",
    "grouping_policy_5B": "5B.S1.GROUPING_POLICY_MISSING",
}

GRID, GROUPING = "time_grid_policy_5B", "grouping_policy_5B"
LGCP, COUNT = "arrival_lgcp_config_5B", "arrival_count_config_5B"
PLACEMENT, ROUTING, RNG = (
    "arrival_time_placement_policy_5B",
    "arrival_routing_policy_5B",
    "arrival_rng_policy_5B",
)
VALIDATION, BUNDLE, ALIAS = "validation_policy_5B", "bundle_layout_policy_5B", "alias_layout_policy_v1"

TWO_LEVEL = "log_gaussian_two_level_v1"


def some_levels(policy: Any = None) -> dict[str, dict[str, float]]:
    """The block ``levels``, new for each policy."""
    return {
        "country": {"variance_share": 0.15, "length_buckets": 40.0},
        "zone": {"variance_share": 0.12, "length_buckets": 20.0},
    }


DAMAGES: list[tuple[str, dict[str, Any], str]] = [
    (GRID, {"bucket_duration_seconds": 60}, "bucket_duration_seconds"),
    (GRID, {"bucket_duration_seconds": "3600"}, "bucket_duration_seconds"),
    (GRID, {"alignment_mode": "floor"}, "alignment_mode"),
    (GRID, {"bucket_index_base": 1}, "bucket_index_base"),
    (GRID, {"local_annotations.reference_tzid": "Europe/London"}, "reference_tzid"),
    (GRID, {"local_annotations.weekend_days": [0]}, "weekend_days"),
    (GRID, {"guardrails.min_horizon_days": 121}, "min_horizon_days"),
    (GRID, {"guardrails.max_buckets_per_scenario": 0}, "max_buckets_per_scenario"),
    (GRID, {"guardrails.max_horizon_days": 28.5}, "max_horizon_days"),
    (GRID, {"carry_scenario_fields.required": ["scenario_is_baseline"]}, "scenario_is_stress"),
    (GROUPING, {"mode": "other"}, "mode"),
    (GROUPING, {"zone_group_buckets": 0}, "zone_group_buckets"),
    (GROUPING, {"zone_group_buckets": 257}, "zone_group_buckets"),
    (GROUPING, {"stratum_fields": ["demand_class"]}, "stratum_fields"),
    (GROUPING, {"realism_targets.min_groups_per_scenario": 50001}, "min_groups_per_scenario"),
    (GROUPING, {"realism_targets.max_single_group_share": 1.5}, "max_single_group_share"),
    (GROUPING, {"realism_targets.min_multi_member_fraction": -0.1}, "min_multi_member_fraction"),
    (GROUPING, {"realism_targets.max_single_group_share": ...}, "max_single_group_share"),
    (LGCP, {"latent_model_id": "gaussian"}, "latent_model_id"),
    (LGCP, {"latent_model_id": "log_gaussian_iid_v1"}, "kernel.kind"),
    (LGCP, {"kernel.kind": "iid_v1"}, "kernel.kind"),
    (LGCP, {"latent_transform.kind": "exp"}, "latent_transform"),
    (LGCP, {"levels": some_levels}, "levels is given"),
    (LGCP, {"latent_model_id": TWO_LEVEL}, "levels is missing"),
    (LGCP, {"latent_model_id": TWO_LEVEL, "levels": some_levels, "kernel.kind": "iid_v1"}, "kernel.kind"),
    (LGCP, {"latent_model_id": TWO_LEVEL, "levels": {"country": some_levels()["country"]}}, "zone"),
    (LGCP, {"latent_model_id": TWO_LEVEL, "levels": some_levels, "levels.town": some_levels()["zone"]}, "town"),
    (LGCP, {"latent_model_id": TWO_LEVEL, "levels": some_levels, "levels.zone.variance_share": -0.1}, "variance_share"),
    (LGCP, {"latent_model_id": TWO_LEVEL, "levels": some_levels, "levels.zone.variance_share": 0.85}, "own path"),
    (LGCP, {"latent_model_id": TWO_LEVEL, "levels": some_levels, "levels.country.length_buckets": 0}, "length_buckets"),
    (
        LGCP,
        {"latent_model_id": TWO_LEVEL, "levels": some_levels, "levels.country.length_buckets": 169.0},
        "length_scale_buckets_bounds",
    ),
    (LGCP, {"latent_model_id": TWO_LEVEL, "levels": some_levels, "clipping.min_factor": 0.6}, "clipping"),
    (
        LGCP,
        {"latent_model_id": TWO_LEVEL, "levels": some_levels, "diagnostics.emit_latent_field_diagnostic": True},
        "emit_latent_field_diagnostic",
    ),
    (LGCP, {"hyperparam_law.sigma.sigma_bounds": [1.2, 0.05]}, "reversed"),
    (LGCP, {"hyperparam_law.sigma.sigma_bounds": [0.0, 1.2]}, "hyperparam_law.sigma.sigma_bounds"),
    (LGCP, {"hyperparam_law.sigma.sigma_bounds": [0.05]}, "hyperparam_law.sigma.sigma_bounds"),
    (LGCP, {"hyperparam_law.length_scale_buckets.length_scale_bounds": [200.0, 300.0]}, "do not meet"),
    (LGCP, {"hyperparam_law.sigma.class_multipliers.online_24h": ...}, "online_24h"),
    (LGCP, {"hyperparam_law.sigma.class_multipliers.online_24h": 0}, "online_24h"),
    (LGCP, {"hyperparam_law.sigma.class_multipliers.new_class": 1.0}, "new_class"),
    (LGCP, {"hyperparam_law.sigma.channel_multipliers.mixed": ...}, "mixed"),
    (LGCP, {"hyperparam_law.sigma.virtual_multipliers.virtual": -1}, "virtual"),
    (LGCP, {"hyperparam_law.sigma.base_by_scenario_band.stress": ...}, "stress"),
    (LGCP, {"clipping.min_factor": 0.6, "clipping.max_factor": 10.0}, "clipping"),
    (LGCP, {"clipping.max_factor": 2.9, "clipping.min_factor": 0.1}, "clipping"),
    (LGCP, {"clipping.min_factor": 0.5, "clipping.max_factor": 4.9}, "clipping"),
    (LGCP, {"clipping.lambda_max": 0}, "lambda_max"),
    (LGCP, {"realism_floors.stress_sigma_threshold": -0.1}, "stress_sigma_threshold"),
    (LGCP, {"realism_floors.require_stress_sigma_ge_fraction": ...}, "require_stress_sigma_ge_fraction"),
    (LGCP, {"hyperparam_law.group_feature_sources.zone_group_id": "by_hand"}, "zone_group_id"),
    (LGCP, {"realism_floors.require_baseline_median_L_bounds": [72, 8]}, "reversed"),
    (COUNT, {"count_law_id": "zip"}, "count_law_id"),
    (COUNT, {"nb2": ...}, "nb2"),
    (COUNT, {"lambda_zero_eps": 2.0e-6}, "lambda_zero_eps"),
    (COUNT, {"lambda_zero_eps": -1.0e-9}, "lambda_zero_eps"),
    (COUNT, {"max_count_per_bucket": 1999}, "max_count_per_bucket"),
    (COUNT, {"max_count_per_bucket": 200001}, "poisson_n_cap_exact"),
    (COUNT, {"poisson_sampler.poisson_exact_lambda_max": 0}, "poisson_exact_lambda_max"),
    (COUNT, {"poisson_sampler.normal_icdf": "acklam"}, "normal_icdf"),
    (COUNT, {"nb2.kappa_law.kappa_bounds": [200, 2]}, "reversed"),
    (COUNT, {"nb2.kappa_law.kappa_bounds": [0, 2]}, "kappa_bounds"),
    (COUNT, {"nb2.kappa_law.class_multipliers.office_hours": ...}, "office_hours"),
    (COUNT, {"nb2.kappa_law.volume_power": {"power": 1.0}}, "reference_mean"),
    (COUNT, {"nb2.kappa_law.volume_power": {"reference_mean": 10.0}}, "power"),
    (COUNT, {"nb2.kappa_law.volume_power": {"reference_mean": 0.0, "power": 1.0}}, "reference_mean"),
    (COUNT, {"nb2.kappa_law.volume_power": {"reference_mean": 10.0, "power": 1.1}}, "power"),
    (COUNT, {"nb2.kappa_law.volume_power": {"reference_mean": 10.0, "power": -0.1}}, "power"),
    (COUNT, {"nb2.kappa_law.volume_power": {"reference_mean": 10.0, "power": 1.0, "offset": 0.0}}, "offset"),
    (COUNT, {"realism_floors.baseline_median_kappa_bounds": [80.0, 10.0]}, "reversed"),
    (PLACEMENT, {"placement_kind": "poisson"}, "placement_kind"),
    (PLACEMENT, {"guardrails.max_arrivals_per_bucket": 0}, "max_arrivals_per_bucket"),
    (PLACEMENT, {"guardrails.max_bucket_duration_seconds": ...}, "max_bucket_duration_seconds"),
    (PLACEMENT, {"files.arrivals_per_row_group": 0}, "arrivals_per_row_group"),
    (PLACEMENT, {"files.row_groups_per_part": 1.5}, "row_groups_per_part"),
    (PLACEMENT, {"ordering.stable": False}, "stable"),
    (ROUTING, {"hybrid_policy.p_virtual_hybrid": 0.81}, "p_virtual_hybrid"),
    (ROUTING, {"hybrid_policy.p_virtual_hybrid": 1.0}, "p_virtual_hybrid"),
    (ROUTING, {"hybrid_policy.virtual_share_profile": {"card_present": 1.1}}, "virtual_share_profile"),
    (ROUTING, {"hybrid_policy.virtual_share_profile": {"wallet": -0.1}}, "virtual_share_profile"),
    (ROUTING, {"hybrid_policy.virtual_share_profile": {"mixed": [0.5]}}, "virtual_share_profile"),
    (ROUTING, {"hybrid_policy.virtual_share_profile": {"mixed": [0.5] * 25}}, "24"),
    (ROUTING, {"hybrid_policy.virtual_share_profile": {"mixed": [0.5] * 23 + [1.1]}}, "mixed[23]"),
    (ROUTING, {"hybrid_policy.virtual_share_profile": {"mixed": [-0.1] + [0.5] * 23}}, "mixed[0]"),
    (ROUTING, {"hybrid_policy.virtual_share_profile": {"mixed": [True] * 24}}, "mixed[0]"),
    (ROUTING, {"hybrid_policy.virtual_share_profile": {"mixed": None}}, "mixed"),
    (ROUTING, {"hybrid_policy.virtual_share_profile": {}}, "virtual_share_profile"),
    (ROUTING, {"realism_floors.hybrid_p_virtual_bounds": [0.9, 0.1]}, "reversed"),
    (ROUTING, {"fail_closed_rules.require_2B_pass": False}, "require_2B_pass"),
    (ROUTING, {"physical_router.use_group_weights": ...}, "use_group_weights"),
    (ROUTING, {"physical_router.tz_group_law": "random"}, "tz_group_law"),
    (
        ROUTING,
        {"physical_router.tz_group_law": "group_weights_v1", "physical_router.use_group_weights": False},
        "tz_group_law",
    ),
    (ROUTING, {"physical_router.on_missing_site_table": "invent"}, "on_missing_site_table"),
    (ROUTING, {"virtual_router.primary_clock": "local"}, "primary_clock"),
    (ROUTING, {"virtual_router.edge_temper.redirect_p": 1.1}, "redirect_p"),
    (ROUTING, {"virtual_router.edge_temper.top_k": 0}, "top_k"),
    (ROUTING, {"optional_columns.lambda_realised": "yes"}, "lambda_realised"),
    (RNG, {"rng_engine": "pcg64"}, "rng_engine"),
    (RNG, {"derivation.domain_sep": ""}, "domain_sep"),
    (RNG, {"encoding.key_bytes": [8, 16]}, "key_bytes"),
    (RNG, {"derivation.forbid_inputs": []}, "forbid_inputs"),
    (RNG, {"derivation.required_inputs": ["seed", "run_id"]}, "required_inputs"),
    (RNG, {"uniform_law": "closed_interval"}, "uniform_law"),
    (RNG, {"families.4": ...}, "S4.arrival_edge_pick.v1"),
    (RNG, {"families.4": lambda policy: policy["families"][3]}, "twice"),
    (RNG, {"families.4.family_id": "S4.arrival_other.v1"}, "S4.arrival_other.v1"),
    (RNG, {"families.1.domain_key_law": "merchant_zone_channel_bucket"}, "domain key laws"),
    (RNG, {"families.0.domain_key_law": "merchant_zone_bucket"}, "not group_id"),
    (RNG, {f"families.{index}.domain_key_law": "group_id" for index in range(1, 5)}, "domain key laws"),
    (RNG, {"families.1.domain_key_law": "arrival_identity"}, "domain_key_law"),
    (RNG, {"families.2.module": "5B.S3"}, "module"),
    (RNG, {"families.2.substream_label": "jitter"}, "substream_label"),
    (RNG, {"families.3.draws_u64_law.draws_u64": 1}, "draws_u64_law"),
    (RNG, {"families.1.draws_u64_law.laws.nb2": ...}, "draws_u64_law"),
    (VALIDATION, {"calibration_sentinels.evaluation_mode": "enforce"}, "evaluation_mode"),
    (VALIDATION, {"calibration_sentinels.virtual_share_min_b": 0.09}, "reversed"),
    (VALIDATION, {"civil_time_gates.max_civil_mismatch_rate": 5}, "max_civil_mismatch_rate"),
    (VALIDATION, {"calibration_sentinels.min_sample_rows": 200001}, "min_sample_rows"),
    (VALIDATION, {"sampling.mode": "head"}, "sampling.mode"),
    (VALIDATION, {"structural_checks.s1_time_grid": ...}, "s1_time_grid"),
    (VALIDATION, {"require_upstream_pass.optional_required_when": "sometimes"}, "optional_required_when"),
    (VALIDATION, {"structural_checks.schemas": 1}, "schemas"),
    (VALIDATION, {"realism_checks.lgcp_realism.min_factor": 5.1}, "reversed"),
    (VALIDATION, {"require_upstream_pass.layer1_required": ["9Z"]}, "layer1_required"),
    (VALIDATION, {"failure_policy.max_warnings": -1}, "max_warnings"),
    (BUNDLE, {"bundle_root_template": "data/layer2/5B/elsewhere/"}, "bundle_root_template"),
    (BUNDLE, {"index_filename": "i.json"}, "index_filename"),
    (BUNDLE, {"evidence_groups.core_validation": ...}, "core_validation"),
    (BUNDLE, {"evidence_groups.core_validation.required": False}, "core_validation"),
    (BUNDLE, {"evidence_groups.rng_evidence.required": 1}, "required"),
    (BUNDLE, {"evidence_groups.gate_receipts.members.0.dataset_id": "nothing"}, "nothing"),
    (BUNDLE, {"evidence_groups.gate_receipts.members.0.path": "../x"}, "path"),
    (BUNDLE, {"evidence_groups.gate_receipts.members.0.path": "index.json"}, "on top of"),
    (BUNDLE, {"evidence_groups.rng_evidence.members.0.path": "evidence/rng/trace/a"}, "on top of"),
    (ALIAS, {"endianness": "middle"}, "endianness"),
    (ALIAS, {"record_layout.prob_qbits": 33}, "prob_qbits"),
    (ALIAS, {"alignment_bytes": 0}, "alignment_bytes"),
    (ALIAS, {"decode_law": "linear_scan"}, "decode_law"),
]


@pytest.mark.parametrize(
    ("policy_id", "changes", "named"),
    DAMAGES,
    ids=[f"{policy_id}-{'-'.join(changes)}-{index}" for index, (policy_id, changes, _) in enumerate(DAMAGES)],
)
def test_damage(
    changed: Callable[..., Any],
    path_of: PathOf,
    policy_id: str,
    changes: dict[str, Any],
    named: str,
) -> None:
    with pytest.raises(PolicyError) as caught:
        changed(policy_id, changes)
    error = caught.value
    assert error.code == CODES[policy_id]
    assert named in str(error)
    assert path_of(policy_id).name in error.where
    assert error.remedy


@pytest.mark.parametrize("policy_id", sorted(CODES))
class TestEveryPolicy:
    def test_missing(self, tmp_path: Path, kinds: dict[str, Any], path_of: PathOf, policy_id: str) -> None:
        with pytest.raises(PolicyError, match="does not exist") as caught:
            kinds[policy_id].load(tmp_path / path_of(policy_id).name, ContractSource.packaged())
        assert caught.value.code == MISSING[policy_id]

    @pytest.mark.parametrize(("key", "value"), [("policy_id", "other"), ("surprise", 1), ("policy_id", ...)])
    def test_identity_and_unknown_keys(self, changed: Callable[..., Any], policy_id: str, key: str, value: Any) -> None:
        with pytest.raises(PolicyError, match=key) as caught:
            changed(policy_id, {key: value})
        assert caught.value.code == CODES[policy_id]

    def test_unreadable(self, tmp_path: Path, kinds: dict[str, Any], path_of: PathOf, policy_id: str) -> None:
        path = tmp_path / path_of(policy_id).name
        text = path_of(policy_id).read_text()
        repeated = f'{{"policy_id": 1, {text.lstrip()[1:]}' if path.suffix == ".json" else f"{text}version: v9.9.9\n"
        path.write_text(repeated)
        with pytest.raises(PolicyError, match="appears twice") as caught:
            kinds[policy_id].load(path, ContractSource.packaged())
        assert caught.value.code == CODES[policy_id]


def test_whole_numbers_may_be_written_as_floats(changed: Callable[..., Any]) -> None:
    policy = changed(PLACEMENT, {"files.row_groups_per_part": 4.0})
    assert policy.row_groups_per_part == 4 and isinstance(policy.row_groups_per_part, int)


def test_a_coin_may_follow_the_hour(changed: Callable[..., Any]) -> None:
    hours = [hour / 24 for hour in range(24)]
    policy = changed(ROUTING, {"hybrid_policy.virtual_share_profile": {"mixed": hours, "card_present": 0.25}})
    assert policy.p_virtual("mixed") == tuple(hours)
    assert policy.p_virtual("card_present") == (0.25,) * 24 and policy.p_virtual("other") == (0.35,) * 24


def test_lambda_max_may_be_off(changed: Callable[..., Any]) -> None:
    assert changed(LGCP, {"clipping.lambda_max_enabled": False}).lambda_max is None


def test_levels_leave_the_rest_to_the_own_path_and_clip_nothing(changed: Callable[..., Any]) -> None:
    policy = changed(LGCP, {"latent_model_id": TWO_LEVEL, "levels": some_levels})
    assert policy.levels.shares == (0.15, 0.12, 1.0 - (0.15 + 0.12))
    assert (policy.levels.country.length_buckets, policy.levels.zone.length_buckets) == (40.0, 20.0)
    assert (policy.min_factor, policy.max_factor) == (0.0, float("inf"))
    shipped = changed(LGCP, {})
    assert shipped.levels is None and (shipped.min_factor, shipped.max_factor) == (0.2, 5.0)


@pytest.mark.parametrize("kind", ["ou_ar1_buckets_v1", "iid_v1"])
def test_no_latent_field_takes_any_kernel(changed: Callable[..., Any], kind: str) -> None:
    assert changed(LGCP, {"latent_model_id": "none", "kernel.kind": kind}).latent_model_id == "none"


def test_length_bounds_are_the_intersection(changed: Callable[..., Any]) -> None:
    policy = changed(
        LGCP,
        {
            "hyperparam_law.length_scale_buckets.length_scale_bounds": [1.0, 20.0],
            "kernel.length_scale_buckets_bounds": [8.0, 168.0],
        },
    )
    assert policy.length_bounds == (8.0, 20.0)
    assert policy.length("baseline", "bills_utilities") == 20.0
    assert policy.length("stress", "online_bursty") == 8.0


def test_hyper_parameters_are_clamped(changed: Callable[..., Any]) -> None:
    policy = changed(LGCP, {"hyperparam_law.sigma.sigma_bounds": [0.3, 0.5]})
    assert policy.sigma("baseline", "office_hours", "card_present", "physical") == 0.3
    assert policy.sigma("stress", "online_bursty", "card_not_present", "virtual") == 0.5
    count = changed(COUNT, {"nb2.kappa_law.kappa_bounds": [10, 20]})
    assert (count.kappa("baseline", "office_hours"), count.kappa("stress", "online_bursty")) == (20, 10)


def test_dispersion_may_follow_the_mean(changed: Callable[..., Any]) -> None:
    """The dispersion of groups stays what it is."""
    policy = changed(COUNT, {"nb2.kappa_law.volume_power": {"reference_mean": 20, "power": 1}})
    assert (policy.volume_power.reference_mean, policy.volume_power.power) == (20.0, 1.0)
    assert policy.kappa("baseline", "office_hours") == changed(COUNT, {}).kappa("baseline", "office_hours")
    assert changed(COUNT, {}).volume_power is None


def test_the_second_domain_key_law(changed: Callable[..., Any]) -> None:
    law = "merchant_zone_channel_bucket"
    policy = changed(RNG, {f"families.{index}.domain_key_law": law for index in range(1, 5)})
    assert policy.bucket_key_law == law


def test_foreign_contracts_do_not_loosen_the_law(tmp_path: Path, kinds: dict[str, Any], path_of: PathOf) -> None:
    """A contract tree whose policy schema admits anything still meets the shipped schema."""
    root = tmp_path / "root"
    shutil.copytree(resource_root() / "contracts", root / "contracts")
    pack = root / "contracts/schemas/layer2/schemas.5B.yaml"
    pack.write_text(pack.read_text().split("\nconfig:\n")[0] + "\nconfig:\n  grouping_policy_5B: {type: object}\n")
    path = tmp_path / "grouping_policy_5B.yaml"
    path.write_text(path_of(GROUPING).read_text() + "surprise: 1\n")
    source = ContractSource.open(root, "contracts")
    source.validate("schemas.5B.yaml#/config/grouping_policy_5B", {}, code="X", where="x")
    with pytest.raises(PolicyError, match="surprise") as caught:
        kinds[GROUPING].load(path, source)
    assert caught.value.code == CODES[GROUPING]
