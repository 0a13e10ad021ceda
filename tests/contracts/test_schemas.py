"""Schemas: every reference resolves, shorthands mean what they say, failures are readable."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from seg5b.contracts import ContractSource, layout, load_yaml
from seg5b.contracts.schemas import rewrite
from seg5b.errors import ContractError, GateError, InputError
from seg5b.resources import resource_root

L1 = "schemas.layer1.yaml#/$defs/"
INDEXES = [
    "schemas.1A.yaml#/validation/validation_bundle_index_1A",
    "schemas.1B.yaml#/validation/validation_bundle_index_1B",
    "schemas.2A.yaml#/validation/validation_bundle_index_2A",
    "schemas.2B.yaml#/validation/validation_bundle_index_2B",
    "schemas.layer1.yaml#/validation/validation_bundle_index_3A",
    "schemas.layer1.yaml#/validation/validation_bundle_index_3B",
    "schemas.layer2.yaml#/validation/validation_bundle_index_5A",
    "schemas.layer2.yaml#/validation/validation_bundle_index_5B",
]
HEX = "0123456789abcdef" * 4
MICROS = "2026-01-01T00:00:00.000000Z"


def valid(source: ContractSource, ref: str, instance: Any) -> bool:
    return bool(source.validator(ref).is_valid(instance))


def test_dictionary_references(shipped: ContractSource) -> None:
    for entry in shipped.dictionary().entries.values():
        Draft202012Validator.check_schema(shipped.schema(entry.schema_ref))


@pytest.mark.parametrize("ref", INDEXES)
def test_index_references(shipped: ContractSource, ref: str) -> None:
    Draft202012Validator.check_schema(shipped.schema(ref))
    assert not valid(shipped, ref, "an index")


def _refs(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from _refs(child)


def test_every_inner_reference_resolves(shipped: ContractSource) -> None:
    for pack in layout.PACKS:
        document = load_yaml(resource_root() / layout.pack_path(layout.CONTRACTS, pack))
        for ref in _refs(document):
            shipped.schema(f"{pack.file_name}{ref}" if ref.startswith("#") else ref)


@pytest.mark.parametrize(
    ("primitive", "good", "bad"),
    [
        ("hex64", [HEX], [HEX.upper(), HEX[1:], HEX + "\n", 1, None]),
        ("id64", [1, 2**64 - 1], [0, 2**64, 1.5, True, "1"]),
        ("uint64", [0, 2**64 - 1], [-1, 2**64]),
        ("iso2", ["GB"], ["gb", "GBR", "GB\n"]),
        (
            "iana_tzid",
            ["UTC", "America/Argentina/La_Rioja", "Etc/GMT+3"],
            ["", "/x", "a//b", "Europe/ London"],
        ),
        ("rfc3339_micros", [MICROS], ["2026-01-01T00:00:00Z", MICROS[:-1], MICROS + "\n"]),
        ("local_micros", [MICROS[:-1]], [MICROS]),
    ],
)
def test_primitives(shipped: ContractSource, primitive: str, good: list[Any], bad: list[Any]) -> None:
    assert [value for value in good if not valid(shipped, L1 + primitive, value)] == []
    assert [value for value in bad if valid(shipped, L1 + primitive, value)] == []


def test_nullable_is_a_union_with_null() -> None:
    schema = rewrite({"type": "integer", "minimum": 1, "nullable": True})
    accepts = Draft202012Validator(schema).is_valid
    assert accepts(None) and accepts(1) and not accepts(0)
    assert not Draft202012Validator(rewrite({"type": "integer", "nullable": False})).is_valid(None)


def test_tables_become_row_schemas() -> None:
    columns = [
        {"name": "id", "type": "uint64"},
        {"name": "w", "type": "float64", "minimum": 0, "nullable": True},
        {"name": "k", "enum": ["a", "b"]},
    ]
    accepts = Draft202012Validator(rewrite({"type": "table", "columns": columns})).is_valid
    assert accepts({"id": 2**64 - 1, "w": None, "k": "a"})
    assert accepts({"id": 0, "w": 0.5, "k": "b"})
    assert not accepts({"id": -1, "w": 0.5, "k": "a"})
    assert not accepts({"id": 1, "w": -0.5, "k": "a"})
    assert not accepts({"id": 1, "w": 0.5, "k": None})
    assert not accepts({"id": 1, "k": "a"})
    assert not accepts({"id": 1, "w": 0.5, "k": "a", "extra": 1})


def test_index_rows(shipped: ContractSource) -> None:
    row = {"artifact_id": "MANIFEST", "kind": "summary", "path": "MANIFEST.json", "mime": None, "notes": None}
    assert valid(shipped, INDEXES[0], row)
    assert not valid(shipped, INDEXES[0], {**row, "path": None})
    assert not valid(shipped, INDEXES[0], {key: row[key] for key in row if key != "mime"})


@pytest.mark.parametrize("path", ["/abs", "a/../b", "a\\b", ""])
def test_2b_index_paths(shipped: ContractSource, path: str) -> None:
    assert valid(shipped, INDEXES[3], [{"path": "data/x.json", "sha256_hex": HEX}])
    assert not valid(shipped, INDEXES[3], [{"path": path, "sha256_hex": HEX}])


ARRIVAL: dict[str, Any] = {
    "manifest_fingerprint": HEX,
    "parameter_hash": HEX,
    "seed": 42,
    "scenario_id": "baseline_v1",
    "merchant_id": 2**64 - 1,
    "zone_representation": "Europe/London",
    "channel_group": "card_present",
    "bucket_index": 0,
    "arrival_seq": 1,
    "ts_utc": MICROS,
    "tzid_primary": "Europe/London",
    "ts_local_primary": MICROS[:-1],
    "tzid_settlement": "Europe/London",
    "ts_local_settlement": MICROS[:-1],
    "tzid_operational": "Europe/London",
    "ts_local_operational": MICROS[:-1],
    "routing_universe_hash": HEX,
    "is_virtual": False,
    "s4_spec_version": "1.0.0",
    "site_id": 7,
    "edge_id": None,
    "utc_offset_min_primary": 0,
    "utc_offset_min_settlement": 0,
    "utc_offset_min_operational": 0,
}
EVENT: dict[str, Any] = {
    **{key: ARRIVAL[key] for key in ("manifest_fingerprint", "parameter_hash", "seed", "scenario_id")},
    **{f"rng_counter_{when}_{half}": 0 for when in ("before", "after") for half in ("lo", "hi")},
    "ts_utc": MICROS,
    "run_id": "a" * 32,
    "module": "5B.S4",
    "substream_label": "arrival_edge_temper",
    "draws": "1",
    "blocks": 1,
    "merchant_id": 1,
    "bucket_index": 0,
}


def test_arrival_rows(shipped: ContractSource) -> None:
    ref = shipped.dictionary().entry("arrival_events_5B").schema_ref
    assert list(shipped.schema(ref)["properties"])[: len(ARRIVAL)] == list(ARRIVAL)
    assert valid(shipped, ref, ARRIVAL)
    assert valid(shipped, ref, {**ARRIVAL, "lambda_realised": 0.5, "tz_group_id": None})
    for change in ({"ts_local_primary": MICROS}, {"arrival_seq": 0}, {"unknown": 1}, {"channel_group": None}):
        assert not valid(shipped, ref, {**ARRIVAL, **change}), change
    for key in ARRIVAL:
        assert not valid(shipped, ref, {k: v for k, v in ARRIVAL.items() if k != key}), key


def test_event_rows(shipped: ContractSource) -> None:
    ref = shipped.dictionary().entry("rng_event_arrival_edge_temper").schema_ref
    assert valid(shipped, ref, EVENT)
    assert valid(shipped, ref, {**EVENT, "zone_representation": "Etc/UTC", "arrival_index": 3})
    for change in ({"module": "5B.S3"}, {"substream_label": "x"}, {"draws": 1}, {"group_id": "g"}):
        assert not valid(shipped, ref, {**EVENT, **change}), change
    assert not valid(shipped, ref, {key: EVENT[key] for key in EVENT if key != "merchant_id"})


@pytest.mark.parametrize(
    "ref",
    [
        "schemas.9Z.yaml#/x",
        "schemas.5B.yaml",
        "schemas.5B.yaml#anchor",
        "schemas.5B.yaml#/model/nothing",
        "schemas.5B.yaml#/version",
        "",
    ],
)
def test_bad_references(shipped: ContractSource, ref: str) -> None:
    with pytest.raises(ContractError) as caught:
        shipped.schema(ref)
    assert caught.value.code == "5B.S0.CATALOGUE_INCOMPLETE"


def test_a_dangling_inner_reference_is_a_contract_error(tree: Callable[[str], Path]) -> None:
    root = tree("contracts")
    pack = root / layout.pack_path("contracts", layout.Pack("1B", "1B"))
    pack.write_text(pack.read_text().replace("$defs/iso2", "$defs/iso3"))
    source = ContractSource.open(root, "contracts")
    row = {"merchant_id": 1, "legal_country_iso": "GB", "site_order": 1, "lon_deg": 0.0, "lat_deg": 0.0}
    ref = "schemas.1B.yaml#/egress/site_locations"
    ContractSource.packaged().validate(ref, row, code="X", where="w")
    with pytest.raises(ContractError, match="iso3"):
        source.validate(ref, row, code="X", where="w")


def test_failures_name_the_place(shipped: ContractSource) -> None:
    index = [{"path": "data/x", "sha256_hex": HEX}, {"path": "data/y", "sha256_hex": "no"}]
    with pytest.raises(InputError) as caught:
        shipped.validate(INDEXES[3], index, code="5B.S0.X", where="index.json")
    assert caught.value.what.startswith("$[1].sha256_hex: 'no' does not match")
    assert (caught.value.code, caught.value.where) == ("5B.S0.X", "index.json")


def test_failures_count_and_take_the_callers_class(shipped: ContractSource) -> None:
    with pytest.raises(GateError, match=r"and 1 more") as caught:
        shipped.validate(INDEXES[2], {"files": [{"path": "", "sha256_hex": "x"}]}, code="C", where="w", error=GateError)
    assert caught.value.what.startswith("$.files[0].path")


def test_long_values_are_shortened(shipped: ContractSource) -> None:
    with pytest.raises(InputError) as caught:
        shipped.validate(L1 + "iso2", "x" * 10_000, code="C", where="w")
    assert len(caught.value.what) < 400
