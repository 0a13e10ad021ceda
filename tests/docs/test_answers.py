"""Worked answers on the pages of docs/laws, recomputed with the standard library from what the pages say, and compared
with the product."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from seg5b.clocks import read_tz_cache
from seg5b.gate.sealed_digest import sealed_inputs_digest
from seg5b.inputs.sites import site_id
from seg5b.states.s1_grid import in_stratum_bucket, zone_group_id
from seg5b.twin.alias import vose
from seg5b.twin.randomness import Origin, philox2x64
from seg5b.world.alias import encode_slice
from seg5b.world.edges import edge_id, settlement_site_id
from seg5b.world.segment_3b import universe_hash
from tests.docs.pages import rows, section
from tests.oracle import randomness as oracle

FINGERPRINT, PARAMETERS, SEED, SCENARIO = "a" * 64, "b" * 64, 42, "baseline_v1"


def test_streams() -> None:
    """docs/laws#stream-message: key, counter and words of each row, by the oracle and by `seg5b.explain`."""
    origin = Origin("5B.rng.v1", FINGERPRINT, PARAMETERS, SEED, SCENARIO)
    answers = rows(section("streams.md", "stream-message"))
    for family, domain, *expected in answers:
        key, base = oracle.stream(oracle.message("5B.rng.v1", family, FINGERPRINT, PARAMETERS, SEED, SCENARIO, domain))
        high, low = divmod(base, 2**64)
        assert [f"{value:016x}" for value in (key, high, low, *oracle.philox(base, key))] == expected
        stream = origin.stream(family, domain)
        draw = stream.draw(0)
        assert (stream.key, stream.base) == (key, base)
        assert [f"{draw.word0:016x}", f"{draw.word1:016x}"] == expected[3:]
    assert len(answers) == 3


def test_philox() -> None:
    """docs/laws#philox: the known answers."""
    answers = [[int(cell, 16) for cell in row] for row in rows(section("streams.md", "philox"))]
    for low, high, key, *words in answers:
        counter = high << 64 | low
        assert list(oracle.philox(counter, key)) == words == list(philox2x64(counter, key))
    assert len(answers) == 3


def test_time_zone_cache(tmp_path: Path) -> None:
    """docs/laws#tz-cache: the 78 bytes are the two zones that the page names."""
    text = section("layouts.md", "tz-cache")
    raw = bytes.fromhex(next(line for line in text.splitlines() if line.startswith("545a4331")))
    (tmp_path / "cache.bin").write_bytes(raw)
    cache = read_tz_cache(tmp_path / "cache.bin", code="C")
    assert len(raw) == 78
    assert cache.tzids == ("Etc/UTC", "Europe/London")
    assert cache.second.tolist() == [-(2**63), -(2**63), 1774746000]
    assert cache.offset_min.tolist() == [0, -1, 60]


def test_alias_slices() -> None:
    """docs/laws#alias-slice: each slice gives its weights back, and the encoder makes it."""
    answers = rows(section("layouts.md", "alias-slice"))[-3:]
    for weights_text, slice_hex in answers:
        weights = [float(part) for part in weights_text.split(",")]
        raw = bytes.fromhex(slice_hex)
        count, bits, *zeros = struct.unpack("<4I", raw[:16])
        pairs = list(struct.iter_unpack("<2I", raw[16:]))
        assert (count, bits, zeros, len(pairs)) == (len(weights), 32, [0, 0], count)
        masses = [0.0] * count
        for entry, (probability, alias) in enumerate(pairs):
            masses[entry] += probability / 2**32 / count
            masses[alias] += (1 - probability / 2**32) / count
        assert max(abs(a - b) for a, b in zip(masses, weights, strict=True)) < 1.2e-7
        assert encode_slice(np.array(weights)) == raw


def test_alias_table() -> None:
    """docs/laws#alias-tables: the table of three weights."""
    stated = "p = 1, 0.8999999999999999, 0.6000000000000001 and aliases 0, 0, 0"
    assert stated in " ".join(section("arrivals.md", "alias-tables").split())
    assert vose([0.5, 0.3, 0.2]) == [(1.0, 0), (0.8999999999999999, 0), (0.6000000000000001, 0)]


def test_identifiers_and_groups() -> None:
    """docs/laws#identifiers, docs/laws#group-ids and docs/laws#universe-hash: the examples."""
    merchant = 1000000000000007
    ids = section("layouts.md", "identifiers")
    assert str(site_id(123456789, "GB", 1)) in ids
    assert edge_id(merchant, 0) in ids
    assert settlement_site_id(merchant) in ids
    groups = section("grid.md", "group-ids")
    for tzid, zone_group in (("Europe/London", "zg07"), ("America/New_York", "zg12"), ("Etc/UTC", "zg09")):
        assert zone_group_id(tzid, 16) == zone_group and f"`{tzid}`" in groups and f"`{zone_group}`" in groups
    stratum = ("online_24h", "card_not_present", "virtual", "zg07")
    assert in_stratum_bucket("baseline_v1", stratum, 123456789, 32) == 1
    names = ("cdn_weights", "edge_alias_index", "edge_catalogue_index", "virtual_rules")
    made = universe_hash({name: digit * 64 for name, digit in zip(names, "abcd", strict=True)})
    assert made in section("bundles.md", "universe-hash")


def test_digest_of_sealed_rows() -> None:
    """docs/laws#sealed-inputs-digest: the row of site_locations."""
    digest = section("gate.md", "structural-digest").split("`site_locations`")[1].lstrip(" \n`")[:64]
    row = {
        "manifest_fingerprint": "0" * 64,
        "parameter_hash": "1" * 64,
        "owner_layer": "layer1",
        "owner_segment": "1B",
        "artifact_id": "site_locations",
        "manifest_key": "mlr.1B.egress.site_locations",
        "role": "dataset",
        "schema_ref": "schemas.1B.yaml#/egress/site_locations",
        "path_template": "data/layer1/1B/site_locations/seed={seed}/manifest_fingerprint={manifest_fingerprint}/",
        "partition_keys": ["seed", "manifest_fingerprint"],
        "sha256_hex": digest,
        "status": "REQUIRED",
        "read_scope": "METADATA_ONLY",
        "notes": "structural_digest=path_template",
        "owner_team": "mlr-1b-core",
    }
    assert sealed_inputs_digest([row]) in section("gate.md", "sealed-inputs-digest")
