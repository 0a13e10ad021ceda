"""Identifiers and hashes against the reference engine's own (docs/laws#identifiers and others), wherever they are computed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pyarrow.compute as pc

from seg5b.api import open_run
from seg5b.inputs import sites
from seg5b.run_tables import inputs
from seg5b.states.s1_grid import in_stratum_bucket, zone_group_id
from seg5b.twin.merchants import Site
from seg5b.world.edges import edge_id, settlement_site_id
from seg5b.world.segment_3b import universe_hash
from seg5b.world.zone_shares import zone_group
from tests.oracle.walk import site_number

Answers = Callable[[str], list[list[str]]]
BASELINE = "baseline_v1"


def _by_the_twin(merchant: int, country: str, order: int) -> int:
    return Site(country, order, "Etc/UTC", 1.0).site_id(merchant)


def test_site_ids(known_answers: Answers) -> None:
    for merchant, country, order, wanted in known_answers("siteid"):
        for site_id in (sites.site_id, inputs.site_id, _by_the_twin, site_number):
            assert site_id(int(merchant), country, int(order)) == int(wanted)


def _fallback(merchant: int, tzid: str) -> int:
    return int.from_bytes(hashlib.sha256(f"fallback:{merchant}:{tzid}".encode()).digest()[24:], "little") or 1


def test_no_arrival_has_an_invented_site(known_answers: Answers, tiny_arrivals: Path) -> None:
    for merchant, tzid, wanted in known_answers("fallbackid"):
        assert _fallback(int(merchant), tzid) == int(wanted)
    run = open_run(tiny_arrivals)
    arrivals = run.table("arrival_events_5B", BASELINE, ["merchant_id", "zone_representation", "site_id"])
    pairs = arrivals.group_by(["merchant_id", "zone_representation"]).aggregate([])
    invented = {_fallback(each["merchant_id"], each["zone_representation"]) for each in pairs.to_pylist()}
    published = set(pc.unique(arrivals.column("site_id").drop_null()).to_pylist())
    assert len(invented) > 20 and len(published) > 20 and not invented & published


def test_edge_and_settlement_ids(known_answers: Answers) -> None:
    for merchant, number, wanted in known_answers("edgeid"):
        assert edge_id(int(merchant), int(number)) == wanted
    for merchant, wanted in known_answers("settlementid"):
        assert settlement_site_id(int(merchant)) == wanted


def test_groups(known_answers: Answers) -> None:
    for tzid, groups, wanted in known_answers("zonegroup"):
        assert zone_group_id(tzid, int(groups)) == wanted == f"zg{zone_group(tzid):02d}"
    for scenario, *stratum, merchant, buckets, wanted in known_answers("group"):
        assert in_stratum_bucket(scenario, tuple(stratum), int(merchant), int(buckets)) == int(wanted)


def test_universe_hash() -> None:
    names = ("cdn_weights", "edge_alias_index", "edge_catalogue_index", "virtual_rules")
    digests = {name: letter * 64 for name, letter in zip(names, "abcd", strict=True)}
    assert universe_hash(digests) == "3ff35cb7290979311e8666ab3ed542816933d59f54074f50ebb327855dc84508"
