"""The second reading of the policies: the shipped numbers, worked out by hand, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from seg5b.contracts import ContractSource
from seg5b.errors import PolicyError
from seg5b.gate import open_gate
from seg5b.pipeline import run_states
from seg5b.resources import resource_root
from seg5b.run_tables.policies import load_policies
from seg5b.runs.root import RunRoot, open_root
from seg5b.twin.readings import Readings, read_policies
from seg5b.validation.checks.policies import both_readings
from tests.policies import TWO_LEVELS, Changes, put
from tests.validation.harness import Run
from tests.worlds import EVERY_OPTION, SMALLEST

# Base of a band times the multiplier of a class, channel and virtual band, clamped: 0.25 and 0.40 of sigma (0.05 to 1.20, before
# channel and virtual band), 24 and 12 buckets of length (2 to 168), 30 and 12 of kappa (2 to 200).
BY_CLASS = {
    #                     sigma             length          kappa
    "office_hours": ((0.2125, 0.34), (28.8, 14.4), (33.0, 13.2)),
    "consumer_daytime": ((0.25, 0.40), (24.0, 12.0), (30.0, 12.0)),
    "retail_daytime": ((0.25, 0.40), (24.0, 12.0), (30.0, 12.0)),
    "evening_weekend": ((0.2625, 0.42), (22.8, 11.4), (27.0, 10.8)),
    "always_on_local": ((0.2375, 0.38), (26.4, 13.2), (31.5, 12.6)),
    "online_24h": ((0.275, 0.44), (21.6, 10.8), (25.5, 10.2)),
    "online_bursty": ((0.40, 0.64), (12.0, 6.0), (12.0, 4.8)),
    "travel_hospitality": ((0.2875, 0.46), (19.2, 9.6), (24.0, 9.6)),
    "fuel_convenience": ((0.2625, 0.42), (20.4, 10.2), (28.5, 11.4)),
    "bills_utilities": ((0.225, 0.36), (26.4, 13.2), (36.0, 14.4)),
    "low_volume_tail": ((0.3125, 0.50), (16.8, 8.4), (18.0, 7.2)),
}
BY_CHANNEL = {"card_present": 1.0, "card_not_present": 1.10, "mixed": 1.05}
BY_VIRTUAL = {"physical": 1.0, "virtual": 1.15}


def shipped(name: str) -> Path:
    config = resource_root() / "config"
    return (
        config / f"layer1/2B/policy/{name}.json"
        if name == "alias_layout_policy_v1"
        else config / f"layer2/5B/{name}.yaml"
    )


def test_shipped_numbers_of_every_class() -> None:
    read = read_policies(shipped)
    assert set(read.sigma_class) == set(read.kappa_class) == set(BY_CLASS)
    for name, (sigma, length, kappa) in BY_CLASS.items():
        for place, band in enumerate(("baseline", "stress")):
            for channel, by_channel in BY_CHANNEL.items():
                for virtual_band, by_virtual in BY_VIRTUAL.items():
                    expected = min(max(sigma[place] * by_channel * by_virtual, 0.05), 1.20)
                    assert read.sigma(band, name, channel, virtual_band) == pytest.approx(expected, rel=1e-15, abs=0)
            assert read.length(band, name) == pytest.approx(length[place], rel=1e-15, abs=0)
            assert read.kappa(band, name) == pytest.approx(kappa[place], rel=1e-15, abs=0)


def test_shipped_numbers_of_their_own() -> None:
    read = read_policies(shipped)
    assert (read.latent_model, read.factor_bounds, read.lambda_max) == ("log_gaussian_ou_v1", (0.2, 5.0), 200_000.0)
    assert (read.sigma_bounds, read.length_bounds, read.kappa_bounds) == ((0.05, 1.2), (2.0, 168.0), (2.0, 200.0))
    assert (read.count_law, read.zero_eps, read.exact_max) == ("nb2", 1e-9, 50.0)
    assert (read.term_cap, read.count_cap) == (200_000, 50_000)
    assert (read.p_virtual_hybrid, read.tz_group_law) == (0.35, "zone_pinned_v1")
    assert (read.on_missing_site_table, read.primary_clock) == ("abort", "operational")
    assert (read.temper, read.temper_zones, read.temper_p) == (False, 10, 0.0)
    assert (read.domain_sep, read.bucket_key_law) == ("5B.rng.v1", "merchant_zone_bucket")
    assert (read.bucket_s, read.horizon_days, read.most_buckets) == (3600, (28, 120), 5000)
    assert (read.zone_group_buckets, read.in_stratum_buckets, read.endianness) == (16, 32, "little")


def test_bounds_bind() -> None:
    read = read_policies(shipped)
    low = {**vars_of(read), "sigma_bounds": (0.3, 0.35), "length_bounds": (20.0, 21.0), "kappa_bounds": (26.0, 27.0)}
    bound = Readings(**low)
    assert bound.sigma("baseline", "office_hours", "card_present", "physical") == 0.3
    assert bound.sigma("stress", "online_bursty", "mixed", "virtual") == 0.35
    assert (bound.length("baseline", "online_24h"), bound.length("stress", "online_24h")) == (21.0, 20.0)
    assert (bound.kappa("baseline", "office_hours"), bound.kappa("stress", "office_hours")) == (27.0, 26.0)
    independent = Readings(**{**vars_of(read), "latent_model": "log_gaussian_iid_v1", "count_law": "poisson"})
    assert (independent.length("baseline", "online_24h"), independent.kappa("baseline", "online_24h")) == (0.0, None)


def vars_of(read: Readings) -> dict[str, Any]:
    return {name: getattr(read, name) for name in Readings.__dataclass_fields__}


def test_levels_are_read_and_nothing_is_clipped(tmp_path: Path) -> None:
    document = yaml.safe_load(shipped("arrival_lgcp_config_5B").read_text())
    levels = {
        "country": {"variance_share": 0.2, "length_buckets": 40},
        "zone": {"variance_share": 0, "length_buckets": 9.5},
    }
    for key, value in {"latent_model_id": "log_gaussian_two_level_v1", "levels": levels}.items():
        put(document, key, value)
    (tmp_path / "lgcp.yaml").write_text(yaml.safe_dump(document))
    read = read_policies(lambda name: tmp_path / "lgcp.yaml" if name == "arrival_lgcp_config_5B" else shipped(name))
    assert (read.shared_levels, read.has_levels) == (((0.2, 40.0), (0.0, 9.5)), True)
    assert read.factor_bounds == (0.0, float("inf"))
    assert read_policies(shipped).shared_levels == () and not read_policies(shipped).has_levels


CHANGES: dict[str, tuple[str, str, Any]] = {
    "missing": ("arrival_lgcp_config_5B", "clipping.min_factor", ...),
    "no number": ("arrival_count_config_5B", "lambda_zero_eps", "little"),
    "infinite": ("arrival_count_config_5B", "lambda_zero_eps", float("inf")),
    "flag for a number": ("arrival_routing_policy_5B", "hybrid_policy.p_virtual_hybrid", True),
    "no pair": ("arrival_lgcp_config_5B", "hyperparam_law.sigma.sigma_bounds", [0.05]),
    "no table": ("arrival_lgcp_config_5B", "hyperparam_law.sigma.class_multipliers", 1.0),
    "no flag": ("arrival_routing_policy_5B", "virtual_router.edge_temper.enabled", 1),
    "no whole number": ("time_grid_policy_5B", "bucket_duration_seconds", 3600.5),
    "laws of families differ": ("arrival_rng_policy_5B", "families.2.domain_key_law", "merchant_zone_channel_bucket"),
    "no levels": ("arrival_lgcp_config_5B", "latent_model_id", "log_gaussian_two_level_v1"),
    "a family less": ("arrival_rng_policy_5B", "families.4", ...),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_it_refuses(change: str, tmp_path: Path) -> None:
    policy, key, value = CHANGES[change]
    document = yaml.safe_load(shipped(policy).read_text())
    put(document, key, value)
    (tmp_path / f"{policy}.yaml").write_text(yaml.safe_dump(document))
    with pytest.raises(PolicyError, match=r"5B\.S5\.CONTRACT_INVALID"):
        read_policies(lambda name: tmp_path / f"{name}.yaml" if name == policy else shipped(name))


def test_an_unknown_name_has_no_number() -> None:
    read = read_policies(shipped)
    with pytest.raises(PolicyError, match="no number for 'nobody'"):
        read.sigma("baseline", "nobody", "mixed", "virtual")


def agreement(root: RunRoot) -> None:
    contracts = ContractSource.packaged()
    policies = load_policies(open_gate(root, contracts, state="S5"), contracts)
    compared = list(both_readings(policies))
    assert len(compared) > 100
    assert [name for name, first, second in compared if first != second] == []


@pytest.mark.parametrize("shape", ["plain", "ornate", "small"])
def test_readings_agree_in_judged_worlds(shape: str, request: pytest.FixtureRequest) -> None:
    run: Run = request.getfixturevalue(shape)
    agreement(run.root)


def test_readings_agree_in_the_tiny_world(tiny_arrivals: Path) -> None:
    agreement(open_root(tiny_arrivals))


OTHER: dict[str, Changes] = {
    "independent buckets": {
        "arrival_lgcp_config_5B": {"latent_model_id": "log_gaussian_iid_v1", "kernel.kind": "iid_v1"},
    },
    "no field, no cap": {"arrival_lgcp_config_5B": {"latent_model_id": "none", "clipping.lambda_max_enabled": False}},
    "every option": EVERY_OPTION,
    "two levels": TWO_LEVELS,
    "short buckets": {
        "time_grid_policy_5B": {"bucket_duration_seconds": 900},
        "arrival_routing_policy_5B": {"physical_router.on_missing_site_table": "merchant_sites"},
    },
}


@pytest.mark.parametrize("law", OTHER)
def test_readings_agree_under_other_laws(law: str, tmp_path: Path) -> None:
    root = SMALLEST.make(tmp_path, OTHER[law])
    run_states(root, ContractSource.packaged(), ("S0",))
    agreement(root)
