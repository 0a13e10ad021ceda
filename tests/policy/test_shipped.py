"""Shipped values, spot-checked against the reference's (docs/laws#shipped-policies, docs/laws#layer1-policies)."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seg5b.contracts import ContractSource
from seg5b.errors import PolicyError
from seg5b.policy import RngPolicy, load_policy, policy_version_matches
from seg5b.policy.rng import EDGE_TEMPER
from seg5b.policy.validation import SentinelLimits

Shipped = Callable[[str], Any]
PathOf = Callable[[str], Path]
PayloadOf = Callable[[str], dict[str, Any]]
POLICIES = [
    "time_grid_policy_5B",
    "grouping_policy_5B",
    "arrival_lgcp_config_5B",
    "arrival_count_config_5B",
    "arrival_time_placement_policy_5B",
    "arrival_routing_policy_5B",
    "arrival_rng_policy_5B",
    "validation_policy_5B",
    "bundle_layout_policy_5B",
    "alias_layout_policy_v1",
]


@pytest.mark.parametrize("policy_id", POLICIES)
def test_loads_both_ways_and_travels(shipped: Shipped, kinds: dict[str, Any], path_of: PathOf, policy_id: str) -> None:
    policy = shipped(policy_id)
    assert load_policy(kinds[policy_id], path_of(policy_id), ContractSource.packaged()) == policy
    assert pickle.loads(pickle.dumps(policy)) == policy


@pytest.mark.parametrize("policy_id", [*POLICIES, "route_rng_policy_v1"])
def test_versions_satisfy_the_dictionary(payload_of: PayloadOf, policy_id: str) -> None:
    entry = ContractSource.packaged().dictionary().entry(policy_id)
    assert policy_version_matches(entry.version, payload_of(policy_id))


def test_route_rng_policy_satisfies_its_schema(payload_of: PayloadOf) -> None:
    source = ContractSource.packaged()
    ref = source.dictionary().entry("route_rng_policy_v1").schema_ref
    payload = payload_of("route_rng_policy_v1")
    source.validate(ref, payload, code="X", where="x")
    assert payload["streams"]["routing_selection"]["draws_per_unit"] == {"draws_per_selection": 2}
    assert not source.validator(ref).is_valid({**payload, "extra": 1})
    assert source.validator(ref).is_valid({**payload, "extensions": {"anything": [1]}})


def test_time_grid(shipped: Shipped) -> None:
    policy = shipped("time_grid_policy_5B")
    assert policy.bucket_duration_seconds == 3600
    assert policy.carry_required == ("scenario_is_baseline", "scenario_is_stress")
    assert (policy.carry_optional, policy.emit_local) == (("scenario_labels",), True)
    assert policy.weekend_days == (6, 7)
    assert (policy.min_horizon_days, policy.max_horizon_days) == (28, 120)
    assert policy.max_buckets_per_scenario == 5000


def test_grouping(shipped: Shipped) -> None:
    policy = shipped("grouping_policy_5B")
    assert (policy.zone_group_buckets, policy.in_stratum_buckets) == (16, 32)
    assert (policy.min_groups, policy.max_groups, policy.min_group_members_median) == (100, 50000, 3)
    assert (policy.max_single_group_share, policy.min_multi_member_fraction) == (0.02, 0.70)


def test_lgcp_values(shipped: Shipped) -> None:
    policy = shipped("arrival_lgcp_config_5B")
    assert policy.latent_model_id == "log_gaussian_ou_v1"
    assert (policy.sigma_base, policy.length_base) == (
        {"baseline": 0.25, "stress": 0.40},
        {"baseline": 24, "stress": 12},
    )
    assert (policy.sigma_bounds, policy.length_bounds) == ((0.05, 1.20), (2, 168))
    assert (policy.min_factor, policy.max_factor, policy.lambda_max) == (0.20, 5.0, 200000)
    assert policy.emit_latent_field is False
    assert (policy.min_distinct_sigma, policy.min_stress_sigma_fraction) == (3, 0.10)
    assert (policy.stress_sigma_threshold, policy.baseline_median_length_bounds) == (0.35, (8, 72))


CLASSES = {
    "office_hours": (0.85, 1.20, 1.10),
    "consumer_daytime": (1, 1, 1),
    "retail_daytime": (1, 1, 1),
    "evening_weekend": (1.05, 0.95, 0.90),
    "always_on_local": (0.95, 1.10, 1.05),
    "online_24h": (1.10, 0.90, 0.85),
    "online_bursty": (1.60, 0.50, 0.40),
    "travel_hospitality": (1.15, 0.80, 0.80),
    "fuel_convenience": (1.05, 0.85, 0.95),
    "bills_utilities": (0.90, 1.10, 1.20),
    "low_volume_tail": (1.25, 0.70, 0.60),
}


def test_class_multipliers(shipped: Shipped) -> None:
    lgcp, count = shipped("arrival_lgcp_config_5B"), shipped("arrival_count_config_5B")
    shipped_multipliers = {
        name: (lgcp.sigma_class[name], lgcp.length_class[name], count.kappa_class[name])
        for name in lgcp.sigma_class.keys() | count.kappa_class.keys()
    }
    assert shipped_multipliers == CLASSES


def test_lgcp_hyper_parameters(shipped: Shipped) -> None:
    policy = shipped("arrival_lgcp_config_5B")
    sigma = policy.sigma("stress", "online_bursty", "card_not_present", "virtual")
    assert sigma == pytest.approx(0.40 * 1.60 * 1.10 * 1.15)
    assert policy.sigma("baseline", "office_hours", "mixed", "physical") == pytest.approx(0.25 * 0.85 * 1.05)
    assert policy.length("stress", "online_bursty") == 6.0
    assert policy.length("baseline", "bills_utilities") == pytest.approx(26.4)


@pytest.mark.parametrize(
    "names",
    [
        ("calm", "online_24h", "mixed", "physical"),
        ("stress", "nobody", "mixed", "physical"),
        ("stress", "online_24h", "cash", "physical"),
        ("stress", "online_24h", "mixed", "both"),
    ],
)
def test_unknown_names_have_no_sigma(shipped: Shipped, names: tuple[str, ...]) -> None:
    with pytest.raises(PolicyError) as caught:
        shipped("arrival_lgcp_config_5B").sigma(*names)
    assert caught.value.code == "5B.S2.LGCP_CONFIG_INVALID"


def test_unknown_names_have_no_length_and_no_kappa(shipped: Shipped) -> None:
    with pytest.raises(PolicyError, match="nobody"):
        shipped("arrival_lgcp_config_5B").length("stress", "nobody")
    with pytest.raises(PolicyError, match="nobody") as caught:
        shipped("arrival_count_config_5B").kappa("stress", "nobody")
    assert caught.value.code == "5B.S3.COUNT_CONFIG_INVALID"


def test_count(shipped: Shipped) -> None:
    policy = shipped("arrival_count_config_5B")
    assert (policy.count_law_id, policy.lambda_zero_eps, policy.max_count_per_bucket) == ("nb2", 1e-9, 50000)
    assert (policy.poisson_exact_lambda_max, policy.poisson_n_cap_exact) == (50, 200000)
    assert (policy.kappa_base, policy.kappa_bounds) == ({"baseline": 30, "stress": 12}, (2, 200))
    assert (policy.min_distinct_kappa, policy.baseline_median_kappa_bounds) == (3, (10, 80))
    assert policy.kappa("stress", "online_bursty") == pytest.approx(4.8)


def test_placement(shipped: Shipped) -> None:
    policy = shipped("arrival_time_placement_policy_5B")
    assert (policy.max_arrivals_per_bucket, policy.max_bucket_duration_seconds) == (50000, 86400)
    assert (policy.arrivals_per_row_group, policy.row_groups_per_part) == (1048576, 4)


def test_routing(shipped: Shipped) -> None:
    policy = shipped("arrival_routing_policy_5B")
    assert (policy.p_virtual_hybrid, policy.use_group_weights) == (0.35, True)
    assert (policy.tz_group_law, policy.on_missing_site_table) == ("zone_pinned_v1", "abort")
    assert (policy.primary_clock, policy.carry_lambda, policy.carry_tz_group) == ("operational", False, False)
    temper = policy.edge_temper
    assert (temper.enabled, temper.top_k, temper.redirect_p) == (False, 10, 0.0)


def test_rng(shipped: Shipped) -> None:
    policy = shipped("arrival_rng_policy_5B")
    assert policy.domain_sep == "5B.rng.v1"
    assert [(f.family_id, f.module, f.substream_label) for f in policy.families.values()] == [
        ("S2.latent_vector.v1", "5B.S2", "latent_vector"),
        ("S3.bucket_count.v1", "5B.S3", "bucket_count"),
        ("S4.arrival_time_jitter.v1", "5B.S4", "arrival_time_jitter"),
        ("S4.arrival_site_pick.v1", "5B.S4", "arrival_site_pick"),
        ("S4.arrival_edge_pick.v1", "5B.S4", "arrival_edge_pick"),
        ("S4.arrival_edge_temper.v1", "5B.S4", "arrival_edge_temper"),
    ]
    assert policy.bucket_key_law == policy.families[EDGE_TEMPER].domain_key_law == "merchant_zone_bucket"


@pytest.mark.parametrize("state", ["S3", "S4"])
def test_rng_faults_carry_the_reading_state(tmp_path: Path, state: str) -> None:
    with pytest.raises(PolicyError) as caught:
        RngPolicy.load(tmp_path / "gone.yaml", ContractSource.packaged(), state)
    assert caught.value.code == f"5B.{state}.RNG_POLICY_INVALID"


def test_alias_layout(shipped: Shipped) -> None:
    policy = shipped("alias_layout_policy_v1")
    assert (policy.endianness, policy.prob_qbits, policy.alignment_bytes) == ("little", 32, 8)


def test_validation_blocks(shipped: Shipped) -> None:
    policy = shipped("validation_policy_5B")
    gates = policy.civil_time_gates
    assert (gates.max_civil_mismatch_rate, gates.max_one_hour_shift_rate) == (0.005, 0.001)
    assert (gates.dst_window_hour_bin_mae_pp_max, gates.dst_window_min_support) == (1.5, 50)
    assert (gates.dst_window_min_exposed_windows, gates.dst_window_min_total_support) == (3, 2000)
    assert (policy.failure_policy.mode, policy.failure_policy.max_warnings) == ("fail_closed", 0)
    realism = policy.realism_checks
    assert (realism.lgcp_realism.mean_factor_abs_tol, realism.factor_bounds) == (0.05, (0.20, 5.0))
    counts = realism.count_realism
    assert (counts.min_nonzero_bucket_fraction, counts.p99_p50_ratio_min) == (0.01, 4.0)
    assert realism.time_realism.min_distinct_offsets_per_1000_events == 50
    assert realism.routing_realism.ip_country_max_abs_dev == 0.05
    structure = policy.structural_checks
    assert structure.s2_realised_intensity.max_lambda_realised == 200000
    assert structure.s3_bucket_counts.max_count_per_bucket == 50000
    assert structure.s1_time_grid.max_buckets_per_scenario == 5000


def test_validation_upstream(shipped: Shipped) -> None:
    required = shipped("validation_policy_5B").require_upstream_pass
    assert required.required(physical_arrivals=False) == ("1A", "1B", "2A", "3A", "3B", "5A")
    assert required.required(physical_arrivals=True) == ("1A", "1B", "2A", "2B", "3A", "3B", "5A")


@pytest.mark.parametrize(("when", "counted"), [("always", True), ("never", False)])
def test_validation_upstream_conditions(changed: Callable[..., Any], when: str, counted: bool) -> None:
    key = "require_upstream_pass.optional_required_when"
    required = changed("validation_policy_5B", {key: when}).require_upstream_pass
    assert [("2B" in required.required(physical_arrivals=flag)) for flag in (True, False)] == [counted] * 2


def test_validation_sentinels(shipped: Shipped) -> None:
    sentinels = shipped("validation_policy_5B").calibration_sentinels
    assert sentinels.evaluation_mode == "warn_only"
    assert sentinels.b == SentinelLimits(0.72, (0.03, 0.08), 0.20, (1.20, 1.60))
    assert sentinels.bplus == SentinelLimits(0.62, (0.05, 0.12), 0.10, (1.25, 1.50))


@pytest.mark.parametrize(
    ("mode", "target", "severity"),
    [("warn_only", "b", "WARN"), ("enforce_b", "b", "ERROR"), ("enforce_bplus", "bplus", "ERROR")],
)
def test_sentinel_modes(changed: Callable[..., Any], mode: str, target: str, severity: str) -> None:
    policy = changed("validation_policy_5B", {"calibration_sentinels.evaluation_mode": mode})
    sentinels = policy.calibration_sentinels
    assert (sentinels.target, sentinels.severity_on_fail) == (target, severity)
    assert sentinels.limits == (sentinels.bplus if target == "bplus" else sentinels.b)


@pytest.mark.parametrize(
    ("rows", "arrivals", "counts"),
    [(0, 25000, 25000), (2_000_000, 25000, 40000), (10_000_000, 50000, 200000), (10**9, 200000, 200000)],
)
def test_sample_sizes(shipped: Shipped, rows: int, arrivals: int, counts: int) -> None:
    sampling = shipped("validation_policy_5B").sampling
    assert sampling.mode == "full_scan"
    assert (sampling.arrival_target(rows), sampling.count_target(rows)) == (arrivals, counts)


def test_bundle_layout(shipped: Shipped) -> None:
    policy = shipped("bundle_layout_policy_5B")
    assert (policy.index_file, policy.flag_file) == ("index.json", "_passed.flag")
    assert [(group.group, group.required) for group in policy.evidence_groups] == [
        ("core_validation", True),
        ("gate_receipts", True),
        ("rng_evidence", False),
    ]
    core = policy.evidence_groups[0].members
    assert [member.bundle_path for member in core] == [
        "validation_report_5B.json",
        "validation_issue_table_5B.parquet",
    ]
