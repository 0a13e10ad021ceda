"""Known answers: the 21 structural digests of docs/laws#structural-digest."""

from __future__ import annotations

import dataclasses

import pytest

from seg5b.contracts import ContractSource, structural_digest

KNOWN = {
    "site_locations": "9cc2156fc550968a4b49eec65fb40764fc31d4a1d95c4d885f2830554c8d18cb",
    "site_timezones": "432d9cdc23f44af056634c675ad0d7d0270579905539fc589dea3ff7af28336d",
    "s1_site_weights": "919a2d8381f8ea770b088c7f833f3c5e2a33055f5349748c15e764a7d80105b1",
    "s2_alias_blob": "b7f1e62d0c1ff2c803efbcfff4c2fb16b39cabfdded9fb70b4166948ffce9c8f",
    "s2_alias_index": "9b82519e82c529187a00326a3d17cd97e08729bf81887a144d9ed1e350430d63",
    "s3_day_effects": "71fc89346251080433c1baab91a427899fd363c4858c4ccb3595d589d77865aa",
    "s4_group_weights": "30c8385b20900f04986f6cbb4c05f2d948800d375130841864d2a01c7528974f",
    "zone_alloc": "697fc8c8971d816cccfc4ed28ac794afdbf5ec2763ad75b8c8dc57119fc9dd0e",
    "edge_alias_blob_3B": "aec50436e2debd3cc1443fbf6a0a1453a7bd3f4438413da644ba55f7da603add",
    "edge_alias_index_3B": "84c6b62ea4ec193f48e709100a3429a4a1935e98c8301acb2795d60683c4de21",
    "edge_catalogue_3B": "b4441e1e3a20f5bd46ddf2957d1bfbcd26e3852f54051c97bf9beaa49331d69e",
    "edge_catalogue_index_3B": "a3d594d9e5d6c220ab66973178a4efa75d32393645257c7ffec4fb2430f0ebc1",
    "virtual_classification_3B": "a68c3cb0271bcf7d8dbbfcf9b273eb6c2fee31cddf5da84f8ceae3e06a280588",
    "virtual_settlement_3B": "14e2b8ff392cd895b88568d1a1f70770f920b8ed57a80b7b926c93b1e312777b",
    "class_zone_shape_5A": "1bee0b1aa13e20ac86987617da7a7e7b59a8ddd5802fdb90f57ae412c7ee5dc9",
    "merchant_zone_baseline_local_5A": "644913980275060ec0fdfde1051f45c67ae587b7a766b41e5c0297a60f216fde",
    "merchant_zone_overlay_factors_5A": "12430db3f17af10832527130d8e6eb2e53334310b5e66d4c2d2e37dc8cd059ca",
    "merchant_zone_profile_5A": "462b6bea1b79ac67ff21ffb6ae536d2c626ae4662dc71904e909471e66e9375a",
    "merchant_zone_scenario_local_5A": "2b2d2d89d6963e4cfda0983fdf6ae4d6d0939d369e1944f21df0e2ceff48331e",
    "merchant_zone_scenario_utc_5A": "b572fcd07f3ef826139403578b455bb7072e285a9720e7ce2cc26f33c5de59f2",
    "shape_grid_definition_5A": "039fe2dd909be8ac56c7d5d25f3b30ac06d14871e513d903b1bc21cef111f35c",
}


@pytest.mark.parametrize("dataset_id", sorted(KNOWN))
def test_known_answer(shipped: ContractSource, dataset_id: str) -> None:
    entry = shipped.dictionary().entry(dataset_id)
    manifest_key = shipped.registry().artifact(dataset_id).manifest_key
    assert structural_digest(entry, manifest_key) == KNOWN[dataset_id]


@pytest.mark.parametrize("field", ["id", "path", "schema_ref", "partitioning"])
def test_every_hashed_field_matters(shipped: ContractSource, field: str) -> None:
    entry = shipped.dictionary().entry("site_locations")
    other = dataclasses.replace(entry, **{field: ("seed",) if field == "partitioning" else "other"})
    assert structural_digest(other, "k") != structural_digest(entry, "k")
    assert structural_digest(entry, "k") != structural_digest(entry, "l")


def test_format_and_version_do_not_matter(shipped: ContractSource) -> None:
    entry = shipped.dictionary().entry("site_locations")
    other = dataclasses.replace(entry, version="9", format="csv")
    assert structural_digest(other, "k") == structural_digest(entry, "k")
