"""The policies of the reference engine as its users have them are read, and ours are policies of that engine.

Both lie beside the repository, not in it; where they are not there, these tests skip.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from seg5b.contracts import ContractSource, load_json, load_yaml
from seg5b.errors import PolicyError
from seg5b.policy import ADDITIONS, RECORDS
from seg5b.resources import resource_root
from seg5b.spelling import is_old, is_there
from tests.other_contracts import reference_contracts, reference_root
from tests.policies import TWO_LEVELS, put

POLICIES = [name for name in RECORDS if name.endswith("_5B")]
DIFFERENT = {"bundle_layout_policy_5B"}
"""Where theirs says something else than ours: which members a bundle has, and where."""


@pytest.fixture(scope="module")
def theirs() -> Callable[[str], Path]:
    """File of a policy of the reference engine."""
    root = reference_root()
    return lambda name: root / f"config/layer2/5B/{name}.yaml"


@pytest.fixture(scope="module")
def contracts() -> ContractSource:
    """Contracts of the reference engine."""
    return reference_contracts()


@pytest.mark.parametrize("name", POLICIES)
def test_ours_are_policies_of_the_reference_engine(
    name: str, contracts: ContractSource, payload_of: Callable[[str], dict[str, Any]]
) -> None:
    """Its schemas are closed: there is no key of ours in them."""
    validator = contracts.validator(contracts.dictionary().entry(name).schema_ref)
    payload = payload_of(name)
    assert list(validator.iter_errors(payload)) == []
    assert not validator.is_valid({**payload, "policy_id": 1}) or name in DIFFERENT
    assert not any(is_there(payload, key) for key in ADDITIONS[name].keys) and not is_old(name, payload)


@pytest.mark.parametrize("name", ["alias_layout_policy_v1", "route_rng_policy_v1"])
def test_ours_of_2b_are_policies_of_the_reference_engine(name: str, contracts: ContractSource) -> None:
    validator = contracts.validator(contracts.dictionary().entry(name).schema_ref)
    payload = load_json(resource_root() / f"config/layer1/2B/policy/{name}.json")
    assert list(validator.iter_errors(payload)) == []


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("under", ["packaged", "their own"])
def test_theirs_are_read(
    name: str,
    under: str,
    theirs: Callable[[str], Path],
    contracts: ContractSource,
    shipped: Callable[[str], Any],
) -> None:
    """Without a change, under our contracts and under theirs; they say what ours say."""
    used = ContractSource.packaged() if under == "packaged" else contracts
    record = RECORDS[name].load(theirs(name), used)
    assert (record == shipped(name)) == (name not in DIFFERENT)


def test_members_that_a_run_cannot_have_are_left_out(theirs: Callable[[str], Path], tmp_path: Path) -> None:
    policy = RECORDS["bundle_layout_policy_5B"].load(theirs("bundle_layout_policy_5B"), ContractSource.packaged())
    groups = {group.group: group for group in policy.evidence_groups}
    assert groups["run_reports"].members == () and not groups["run_reports"].required
    assert [member.dataset_id for member in groups["gate_receipts"].members] == [
        "s0_gate_receipt_5B",
        "sealed_inputs_5B",
    ]
    payload = load_yaml(theirs("bundle_layout_policy_5B"))
    payload["evidence_groups"]["run_reports"]["required"] = True
    file = tmp_path / "bundle_layout_policy_5B.yaml"
    file.write_text(yaml.safe_dump(payload))
    with pytest.raises(PolicyError, match="s1_run_report_5B"):
        RECORDS["bundle_layout_policy_5B"].load(file, ContractSource.packaged())


EXTENDED: dict[str, dict[str, Any]] = {
    "grouping_policy_5B": {"in_stratum_buckets": 4, "realism_targets.min_multi_member_fraction": 0.5},
    "arrival_lgcp_config_5B": {
        "realism_floors.stress_sigma_threshold": 0.3,
        "latent_model_id": "log_gaussian_two_level_v1",
    },
    "arrival_count_config_5B": {"nb2.kappa_law.volume_power": {"reference_mean": 5.0, "power": 0.5}},
    "arrival_time_placement_policy_5B": {"placement_kind": "linear_v1", "files.row_groups_per_part": 2},
    "arrival_routing_policy_5B": {
        "physical_router.tz_group_law": "group_weights_v1",
        "virtual_router.edge_temper.enabled": True,
        "optional_columns.tz_group_id": True,
    },
    "arrival_rng_policy_5B": {
        f"families.{index}.domain_key_law": "merchant_zone_channel_bucket" for index in range(1, 5)
    },
    "validation_policy_5B": {
        "failure_policy.mode": "report_only",
        "sampling.mode": "sampled",
        "structural_checks.sorted_output": False,
    },
}


@pytest.mark.parametrize("name", EXTENDED)
def test_what_we_add_is_judged_by_our_schema_and_the_rest_by_theirs(
    name: str, theirs: Callable[[str], Path], contracts: ContractSource, tmp_path: Path
) -> None:
    """With all that this engine adds to a policy it is read under their contracts too, and a key that nobody knows is refused."""
    payload = load_yaml(theirs(name))
    for key, value in EXTENDED[name].items():
        put(payload, key, value)
    if name == "arrival_lgcp_config_5B":
        payload["levels"] = json.loads(json.dumps(TWO_LEVELS[name]["levels"].value))
    if name == "arrival_rng_policy_5B":
        sixth = {**payload["families"][4], "family_id": "S4.arrival_edge_temper.v1"}
        law = {"kind": "fixed", "draws_u64": 2}
        payload["families"].append({**sixth, "substream_label": "arrival_edge_temper", "draws_u64_law": law})
    file = tmp_path / f"{name}.yaml"
    file.write_text(yaml.safe_dump(payload))
    record = RECORDS[name].load(file, contracts)
    assert record == RECORDS[name].load(file, ContractSource.packaged())
    assert record != RECORDS[name].load(theirs(name), contracts) or name == "arrival_rng_policy_5B"
    file.write_text(yaml.safe_dump({**payload, "surprise": 1}))
    with pytest.raises(PolicyError, match="surprise"):
        RECORDS[name].load(file, contracts)


def test_their_schema_is_asked(theirs: Callable[[str], Path], contracts: ContractSource, tmp_path: Path) -> None:
    """What ours admits and theirs does not is refused under their contracts: one weekend day."""
    payload = load_yaml(theirs("time_grid_policy_5B"))
    payload["local_annotations"]["weekend_days"] = [7]
    file = tmp_path / "time_grid_policy_5B.yaml"
    file.write_text(yaml.safe_dump(payload))
    assert RECORDS["time_grid_policy_5B"].load(file, ContractSource.packaged()).weekend_days == (7,)
    with pytest.raises(PolicyError, match="weekend_days"):
        RECORDS["time_grid_policy_5B"].load(file, contracts)


DETERMINED: dict[str, tuple[str, ...]] = {
    "time_grid_policy_5B": ("alignment_mode", "bucket_index_base", "local_annotations.day_of_week_encoding"),
    "grouping_policy_5B": ("mode", "scenario_band_law", "virtual_band_law", "stratum_fields", "group_id_format"),
    "arrival_lgcp_config_5B": (
        "diagnostics",
        "latent_transform",
        "normal_method",
        "hyperparam_law.group_feature_sources",
    ),
    "arrival_count_config_5B": ("nb2.gamma_sampler", "nb2.poisson_on_gamma", "poisson_sampler.recurrence"),
    "arrival_time_placement_policy_5B": ("u_mapping", "offset_quantisation", "ordering", "interval_semantics"),
    "arrival_routing_policy_5B": (
        "fail_closed_rules",
        "virtual_router",
        "virtual_mode_source",
        "hybrid_policy.coin_source",
    ),
    "arrival_rng_policy_5B": ("encoding", "counter_width_bits", "wrap_policy", "derivation.forbid_inputs"),
    "validation_policy_5B": ("rng_accounting_checks.budgets.s4_site_pick_draws_u64",),
    "bundle_layout_policy_5B": ("layout_version", "index_filename", "passed_flag_filename", "member_rules"),
}
"""Keys that older releases of the reference engine may lack, and that can only mean one thing."""


@pytest.mark.parametrize(("name", "key"), [(name, key) for name, keys in DETERMINED.items() for key in keys])
def test_a_key_that_can_only_mean_one_thing_may_be_absent(
    name: str, key: str, theirs: Callable[[str], Path], tmp_path: Path
) -> None:
    payload = load_yaml(theirs(name))
    put(payload, key, ...)
    file = tmp_path / f"{name}.yaml"
    file.write_text(yaml.safe_dump(payload))
    packaged = ContractSource.packaged()
    assert RECORDS[name].load(file, packaged) == RECORDS[name].load(theirs(name), packaged)


UNDETERMINED: dict[str, tuple[str, ...]] = {
    "time_grid_policy_5B": ("bucket_duration_seconds", "guardrails"),
    "grouping_policy_5B": ("in_stratum_buckets", "realism_targets.max_single_group_share"),
    "arrival_lgcp_config_5B": ("hyperparam_law.sigma.sigma_bounds", "clipping.max_factor", "latent_model_id"),
    "arrival_count_config_5B": ("nb2.kappa_law", "lambda_zero_eps"),
    "arrival_time_placement_policy_5B": ("placement_kind", "guardrails.max_arrivals_per_bucket"),
    "arrival_routing_policy_5B": ("hybrid_policy.p_virtual_hybrid", "realism_floors.hybrid_p_virtual_bounds"),
    "arrival_rng_policy_5B": ("derivation.domain_sep", "families"),
    "validation_policy_5B": ("civil_time_gates", "structural_checks.s4_arrival_events.require_time_half_open"),
    "bundle_layout_policy_5B": ("evidence_groups",),
}


@pytest.mark.parametrize(("name", "key"), [(name, key) for name, keys in UNDETERMINED.items() for key in keys])
def test_a_key_that_could_mean_several_things_may_not(
    name: str, key: str, theirs: Callable[[str], Path], tmp_path: Path
) -> None:
    payload = load_yaml(theirs(name))
    put(payload, key, ...)
    file = tmp_path / f"{name}.yaml"
    file.write_text(yaml.safe_dump(payload))
    with pytest.raises(PolicyError, match=key.rpartition(".")[2]):
        RECORDS[name].load(file, ContractSource.packaged())


def test_poisson_needs_no_dispersion(theirs: Callable[[str], Path], tmp_path: Path) -> None:
    payload = {**load_yaml(theirs("arrival_count_config_5B")), "count_law_id": "poisson"}
    del payload["nb2"]
    file = tmp_path / "arrival_count_config_5B.yaml"
    file.write_text(yaml.safe_dump(payload))
    record = RECORDS["arrival_count_config_5B"].load(file, ContractSource.packaged())
    assert (record.count_law_id, record.kappa_base, record.volume_power) == ("poisson", {}, None)
