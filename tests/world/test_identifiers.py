"""Identifiers and hashes against the examples of docs/laws#identifiers and others."""

from __future__ import annotations

from seg5b.world.edges import edge_id, settlement_site_id
from seg5b.world.segment_3b import universe_hash
from seg5b.world.zone_shares import zone_group


def test_edge_ids() -> None:
    assert [edge_id(1000000000000007, number) for number in (0, 1)] == ["19fa0c9ad7aad2f9", "f745765638b06113"]


def test_settlement_site_id() -> None:
    assert settlement_site_id(1000000000000007) == "791d16566bbe2a57"


def test_zone_groups() -> None:
    assert [zone_group(tzid) for tzid in ("America/New_York", "Europe/London", "Etc/UTC")] == [12, 7, 9]


def test_universe_hash() -> None:
    names = ("cdn_weights", "edge_alias_index", "edge_catalogue_index", "virtual_rules")
    digests = {name: letter * 64 for name, letter in zip(names, "abcd", strict=True)}
    assert universe_hash(digests) == "3ff35cb7290979311e8666ab3ed542816933d59f54074f50ebb327855dc84508"
