"""The 52 sealed rows against the reference's table (docs/laws#sealed-artefacts)."""

from __future__ import annotations

import json

from seg5b.gate import run_gate

# owner, artefact, manifest key, team, role, status, scope, digest law (Bundle, Policy, Content, Structural), scenarios
TABLE = """
1A validation_bundle_1A mlr.1A.validation.bundle - validation_bundle R META B
1A validation_passed_flag_1A mlr.1A.validation.passed - validation_flag R META B
1B site_locations mlr.1B.egress.site_locations mlr-1b-core dataset R META S
1B validation_bundle_1B mlr.1B.validation.bundle mlr-1b-core validation_bundle R META B
1B validation_passed_flag_1B mlr.1B.validation.passed mlr-1b-core validation_flag R META B
2A site_timezones mlr.2A.egress.site_timezones mlr-2a-core dataset R META S
2A tz_timetable_cache mlr.2A.cache.tz_timetable mlr-2a-core dataset O META C
2A validation_bundle_2A mlr.2A.validation.bundle mlr-2a-validation validation_bundle R META B
2A validation_passed_flag_2A mlr.2A.validation.passed mlr-2a-validation validation_flag R META B
2B alias_layout_policy_v1 mlr.2B.policy.alias_layout_v1 l1-2b-governance policy R ROW P
2B route_rng_policy_v1 mlr.2B.policy.route_rng_v1 l1-2b-governance policy R ROW P
2B s1_site_weights mlr.2B.s1.site_weights l1-2b-core dataset R META S
2B s2_alias_blob mlr.2B.s2.alias_blob l1-2b-core dataset R META S
2B s2_alias_index mlr.2B.s2.alias_index l1-2b-core dataset R META S
2B s3_day_effects mlr.2B.s3.day_effects l1-2b-core dataset R META S
2B s4_group_weights mlr.2B.s4.group_weights l1-2b-core dataset R META S
2B validation_bundle_2B mlr.2B.validation.bundle l1-2b-governance validation_bundle R META B
2B validation_passed_flag_2B mlr.2B.validation.passed l1-2b-governance validation_flag R META B
3A validation_bundle_3A mlr.3A.validation.bundle mlr-3a-core validation_bundle R META B
3A validation_passed_flag_3A mlr.3A.validation.passed mlr-3a-core validation_flag R META B
3A zone_alloc mlr.3A.zone_alloc mlr-3a-core dataset R META S
3A zone_alloc_universe_hash mlr.3A.zone_alloc_universe_hash mlr-3a-core dataset R META C
3B edge_alias_blob_3B mlr.3B.s3.edge_alias_blob - dataset R META S
3B edge_alias_index_3B mlr.3B.s3.edge_alias_index - dataset R META S
3B edge_catalogue_3B mlr.3B.s2.edge_catalogue - dataset R META S
3B edge_catalogue_index_3B mlr.3B.s2.edge_catalogue_index - dataset R META S
3B edge_universe_hash_3B mlr.3B.validation.edge_universe_hash - dataset R META C
3B validation_bundle_3B mlr.3B.validation.bundle - validation_bundle R META B
3B validation_passed_flag_3B mlr.3B.validation.passed - validation_flag R META B
3B virtual_classification_3B mlr.3B.s1.virtual_classification - dataset R ROW S
3B virtual_routing_policy_3B mlr.3B.virtual.routing_policy - dataset R META C
3B virtual_settlement_3B mlr.3B.s1.virtual_settlement - dataset O META S
3B virtual_validation_contract_3B mlr.3B.virtual.validation_contract - dataset R META C
5A class_zone_shape_5A mlr.5A.model.class_zone_shape data-engineering dataset R META S scenarios
5A merchant_zone_baseline_local_5A mlr.5A.model.merchant_zone_baseline_local data-engineering dataset R META S scenarios
5A merchant_zone_overlay_factors_5A mlr.5A.model.merchant_zone_overlay_factors data-engineering dataset O META S scenarios
5A merchant_zone_profile_5A mlr.5A.model.merchant_zone_profile data-engineering dataset R ROW S
5A merchant_zone_scenario_local_5A mlr.5A.model.merchant_zone_scenario_local data-engineering dataset R ROW S scenarios
5A merchant_zone_scenario_utc_5A mlr.5A.model.merchant_zone_scenario_utc data-engineering dataset O META S scenarios
5A scenario_manifest_5A mlr.5A.validation.scenario_manifest data-engineering dataset R ROW C
5A shape_grid_definition_5A mlr.5A.model.shape_grid_definition data-engineering dataset R META S scenarios
5A validation_bundle_5A mlr.5A.validation.bundle data-engineering validation_bundle R META B
5A validation_passed_flag_5A mlr.5A.validation.passed data-engineering validation_flag R META B
5B arrival_count_config_5B mlr.5B.config.arrival_count_config data-engineering policy R ROW P
5B arrival_lgcp_config_5B mlr.5B.config.arrival_lgcp_config data-engineering policy R ROW P
5B arrival_rng_policy_5B mlr.5B.config.arrival_rng_policy data-engineering policy R ROW P
5B arrival_routing_policy_5B mlr.5B.config.arrival_routing_policy data-engineering policy R ROW P
5B arrival_time_placement_policy_5B mlr.5B.config.arrival_time_placement_policy data-engineering policy R ROW P
5B bundle_layout_policy_5B mlr.5B.config.bundle_layout_policy data-engineering policy O ROW P
5B grouping_policy_5B mlr.5B.config.grouping_policy data-engineering policy R ROW P
5B time_grid_policy_5B mlr.5B.config.time_grid_policy data-engineering policy R ROW P
5B validation_policy_5B mlr.5B.config.validation_policy data-engineering policy R ROW P
"""

STRUCTURAL = """
site_locations 9cc2156fc550968a4b49eec65fb40764fc31d4a1d95c4d885f2830554c8d18cb
site_timezones 432d9cdc23f44af056634c675ad0d7d0270579905539fc589dea3ff7af28336d
s1_site_weights 919a2d8381f8ea770b088c7f833f3c5e2a33055f5349748c15e764a7d80105b1
s2_alias_blob b7f1e62d0c1ff2c803efbcfff4c2fb16b39cabfdded9fb70b4166948ffce9c8f
s2_alias_index 9b82519e82c529187a00326a3d17cd97e08729bf81887a144d9ed1e350430d63
s3_day_effects 71fc89346251080433c1baab91a427899fd363c4858c4ccb3595d589d77865aa
s4_group_weights 30c8385b20900f04986f6cbb4c05f2d948800d375130841864d2a01c7528974f
zone_alloc 697fc8c8971d816cccfc4ed28ac794afdbf5ec2763ad75b8c8dc57119fc9dd0e
edge_alias_blob_3B aec50436e2debd3cc1443fbf6a0a1453a7bd3f4438413da644ba55f7da603add
edge_alias_index_3B 84c6b62ea4ec193f48e709100a3429a4a1935e98c8301acb2795d60683c4de21
edge_catalogue_3B b4441e1e3a20f5bd46ddf2957d1bfbcd26e3852f54051c97bf9beaa49331d69e
edge_catalogue_index_3B a3d594d9e5d6c220ab66973178a4efa75d32393645257c7ffec4fb2430f0ebc1
virtual_classification_3B a68c3cb0271bcf7d8dbbfcf9b273eb6c2fee31cddf5da84f8ceae3e06a280588
virtual_settlement_3B 14e2b8ff392cd895b88568d1a1f70770f920b8ed57a80b7b926c93b1e312777b
class_zone_shape_5A 1bee0b1aa13e20ac86987617da7a7e7b59a8ddd5802fdb90f57ae412c7ee5dc9
merchant_zone_baseline_local_5A 644913980275060ec0fdfde1051f45c67ae587b7a766b41e5c0297a60f216fde
merchant_zone_overlay_factors_5A 12430db3f17af10832527130d8e6eb2e53334310b5e66d4c2d2e37dc8cd059ca
merchant_zone_profile_5A 462b6bea1b79ac67ff21ffb6ae536d2c626ae4662dc71904e909471e66e9375a
merchant_zone_scenario_local_5A 2b2d2d89d6963e4cfda0983fdf6ae4d6d0939d369e1944f21df0e2ceff48331e
merchant_zone_scenario_utc_5A b572fcd07f3ef826139403578b455bb7072e285a9720e7ce2cc26f33c5de59f2
shape_grid_definition_5A 039fe2dd909be8ac56c7d5d25f3b30ac06d14871e513d903b1bc21cef111f35c
"""


def _sealed(world) -> list[dict]:
    run_gate(world.root, world.contracts)
    return json.loads(world.sealed().read_bytes())


def test_rows_are_those_of_the_reference_in_its_order(world) -> None:
    scopes = {"ROW": "ROW_LEVEL", "META": "METADATA_ONLY"}
    statuses = {"R": "REQUIRED", "O": "OPTIONAL"}
    rows = iter(_sealed(world))
    for line in TABLE.split("\n")[1:-1]:
        owner, artifact_id, key, team, role, status, scope, law, *per_scenario = line.split()
        row = next(rows)
        note = "structural_digest=path_template" if law == "S" else ""
        note += ";scenario_ids=baseline_v1,stress_v1" if per_scenario else ""
        wanted = (owner, artifact_id, key, team.strip("-"), role, statuses[status], scopes[scope], note)
        names = ("owner_segment", "artifact_id", "manifest_key", "owner_team", "role", "status", "read_scope", "notes")
        assert tuple(row[name] for name in names) == wanted
        assert row["owner_layer"] == ("layer2" if owner.startswith("5") else "layer1")
        assert (row["manifest_fingerprint"], row["parameter_hash"]) == (world.FINGERPRINT, world.PARAMETERS)
        assert len(row) == 15
    assert next(rows, None) is None


def test_structural_digests_meet_the_known_answers(world) -> None:
    found = {row["artifact_id"]: row["sha256_hex"] for row in _sealed(world)}
    for line in STRUCTURAL.split("\n")[1:-1]:
        artifact_id, digest = line.split()
        assert found[artifact_id] == digest, artifact_id


def test_other_digests_are_over_bytes(world) -> None:
    found = {row["artifact_id"]: row["sha256_hex"] for row in _sealed(world)}
    for artifact_id in ("grouping_policy_5B", "route_rng_policy_v1", "scenario_manifest_5A", "edge_universe_hash_3B"):
        assert found[artifact_id] == world.sha(world.place(artifact_id).read_bytes())
    assert found["tz_timetable_cache"] == world.sha(b"TZC1{}")  # both files, in path order
    flagged = world.flag("2B").read_text().split()[-1]
    assert found["validation_bundle_2B"] == found["validation_passed_flag_2B"] == flagged


def test_an_absent_optional_input_has_no_row(world) -> None:
    for artifact_id, scenario_id in (("bundle_layout_policy_5B", None), ("merchant_zone_scenario_utc_5A", "stress_v1")):
        world.place(artifact_id, scenario_id).unlink()
    found = {row["artifact_id"] for row in _sealed(world)}
    assert len(found) == 50
    assert not found & {"bundle_layout_policy_5B", "merchant_zone_scenario_utc_5A"}
