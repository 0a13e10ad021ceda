"""Alias blobs and their indexes that hold anything: a violation that says what is wrong, and no fault of the program."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable
from typing import Any

import pytest

from seg5b.policy import AliasLayoutPolicy
from seg5b.run_tables.policies import load_policies
from seg5b.validation import CHECKS, Status
from seg5b.validation.alias_blobs import BlobError, BlobSlice, decoded_masses
from tests.validation.harness import Run

BY_ID = {check.check_id: check for check in CHECKS}
Damage = Callable[[dict[str, Any]], None]


def judged(run: Run, check_id: str) -> tuple[Status, str]:
    result = run.judge([BY_ID[check_id]])[check_id]
    return result.status, f"{result.reason} {[dict(key) for key in result.keys]}"


def damage(run: Run, artifact_id: str, change: Damage) -> None:
    path = run.gate.path(artifact_id)
    payload = json.loads(path.read_bytes())
    change(payload)
    path.write_bytes(json.dumps(payload).encode())


INDEXES: dict[str, Damage] = {
    "no merchants": lambda index: index.pop("merchants"),
    "merchants are no list": lambda index: index.update(merchants={}),
    "a merchant is no object": lambda index: index["merchants"].insert(1, 7),
    "an offset is a text": lambda index: index["merchants"][0].update(offset="0"),
    "a length is negative": lambda index: index["merchants"][0].update(length=-16),
    "no number of sites": lambda index: index["merchants"][0].pop("sites"),
    "a merchant is too large": lambda index: index["merchants"][0].update(merchant_id=1 << 64),
    "a checksum is a number": lambda index: index["merchants"][0].update(checksum=1),
    "a size is no whole number": lambda index: index.update(blob_size_bytes=1.5),
    "no digest of the blob": lambda index: index.update(blob_sha256=None),
}


@pytest.mark.parametrize("name", INDEXES)
def test_a_site_index_of_another_form(plain: Run, copied: Callable[[Run], Run], name: str) -> None:
    run = copied(plain)
    damage(run, "s2_alias_index", INDEXES[name])
    status, said = judged(run, "inputs.site_blob")
    assert status is Status.FAIL and "s2_alias_index is not usable: $" in said


UNIVERSES: dict[str, Damage] = {
    "no component": lambda fields: fields.pop("virtual_rules_digest"),
    "a component is no digest": lambda fields: fields.update(cdn_weights_digest="x" * 64),
    "a component is a number": lambda fields: fields.update(edge_alias_index_digest=5),
    "no universe": lambda fields: fields.pop("universe_hash"),
    "no identity": lambda fields: fields.pop("parameter_hash"),
}


@pytest.mark.parametrize("name", UNIVERSES)
def test_a_universe_hash_of_another_form(plain: Run, copied: Callable[[Run], Run], name: str) -> None:
    run = copied(plain)
    damage(run, "edge_universe_hash_3B", UNIVERSES[name])
    status, said = judged(run, "inputs.universe_hash")
    assert status is Status.FAIL and "edge_universe_hash_3B is not usable: $" in said


def empty_slice(layout: AliasLayoutPolicy) -> bytes:
    """A header for no entries."""
    return struct.pack("<4I" if layout.endianness == "little" else ">4I", 0, layout.prob_qbits, 0, 0)


def test_a_slice_of_no_entries_holds_none(plain: Run) -> None:
    layout = load_policies(plain.gate, plain.contracts).alias
    raw = empty_slice(layout)
    with pytest.raises(BlobError, match="16 bytes do not hold 0 entries"):
        decoded_masses(raw, BlobSlice(1, 0, 16, 0, hashlib.sha256(raw).hexdigest()), layout)


def test_a_merchant_with_no_sites_has_no_slice(plain: Run, copied: Callable[[Run], Run]) -> None:
    """Blob and index agree in every respect but that."""
    run = copied(plain)
    layout = load_policies(run.gate, run.contracts).alias
    path, raw = run.gate.path("s2_alias_blob"), empty_slice(layout)
    blob = path.read_bytes()
    blob += bytes(-len(blob) % layout.alignment_bytes)
    path.write_bytes(blob + raw)

    def add(index: dict[str, Any]) -> None:
        row = {"merchant_id": 1, "offset": len(blob), "length": 16, "sites": 0}
        index["merchants"].append({**row, "checksum": hashlib.sha256(raw).hexdigest()})
        index["merchants_count"] += 1
        index.update(blob_sha256=hashlib.sha256(blob + raw).hexdigest(), blob_size_bytes=len(blob + raw))

    damage(run, "s2_alias_index", add)
    status, said = judged(run, "inputs.site_blob")
    assert status is Status.FAIL and "16 bytes do not hold 0 entries" in said and said.count("problem") == 1
