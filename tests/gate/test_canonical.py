"""Canonical JSON, strict reading, and the digest of sealed rows."""

from __future__ import annotations

import pytest

from seg5b.canonical_json import canonical_json
from seg5b.foreign_json import parse_json
from seg5b.gate.sealed_digest import sealed_inputs_digest, sealed_row_bytes

# docs/laws#sealed-inputs-digest: the row of site_locations under made-up hashes.
ROW = {
    "owner_team": "mlr-1b-core",
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
    "sha256_hex": "9cc2156fc550968a4b49eec65fb40764fc31d4a1d95c4d885f2830554c8d18cb",
    "status": "REQUIRED",
    "read_scope": "METADATA_ONLY",
    "notes": "structural_digest=path_template",
}


def test_digest_of_sealed_rows_meets_the_known_answers() -> None:
    assert len(sealed_row_bytes(ROW)) == 742
    assert sealed_inputs_digest([ROW]) == "cbed57b684d2c93bbb7820989e7f70510d48e54cbf00c2e773bfdba980acf344"
    assert sealed_inputs_digest([ROW, ROW]) == "d6ef7f395d34a044a380d5d0c04d2253a47becfa842d5e2c238aed8c1dd899f2"


def test_canonical_form_is_sorted_compact_and_ascii() -> None:
    assert canonical_json({"b": [1, None], "a": "é"}) == b'{"a":"\\u00e9","b":[1,null]}'


BROKEN = {
    "empty": b"",
    "truncated": b"{",
    "repeated-key": b'{"a":1,"a":2}',
    "nan": b"[NaN]",
    "infinity": b"[-Infinity]",
    "overflow": b"[1e999]",
    "utf16": b"\xff\xfe",
    "cut-utf8": b'"\xc3"',
    "deep": b"[" * 80 + b"]" * 80,
    "bottomless": b"[" * 100_000,
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_what_is_not_plain_json_is_a_value_error(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_json(content)


def test_plain_json_is_read() -> None:
    assert parse_json(b'{"a":[1,2.5,"x",null,true]}') == {"a": [1, 2.5, "x", None, True]}
