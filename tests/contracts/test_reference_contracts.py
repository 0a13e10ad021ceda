"""Contracts of the reference engine: what they lack is added, and rows are judged by what they say of rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from seg5b.contracts import ContractSource, layout, structural_digest
from seg5b.contracts.source import ADDITIONS
from seg5b.errors import ContractError, InputError
from tests.contracts.test_structural_digests import KNOWN
from tests.other_contracts import reference_contracts

Tree = Callable[[str], Path]
PACK = layout.pack_path(layout.CONTRACTS, layout.Pack("5B", "5B"))
TRACE = {
    "ts_utc": "2026-01-01T00:00:00.000000Z",
    "run_id": "a" * 32,
    "seed": 42,
    "scenario_id": "baseline_v1",
    "module": "5B.S2",
    "substream_label": "latent_vector",
    "part": 0,
    **{f"rng_counter_{name}": 0 for name in ("before_hi", "before_lo", "after_hi", "after_lo")},
    **{f"{name}_total": 1 for name in ("events", "draws", "blocks")},
}


@pytest.fixture(scope="module")
def reference() -> ContractSource:
    return reference_contracts()


def test_every_schema_that_a_row_is_judged_by_is_one_of_an_object(reference: ContractSource) -> None:
    for dataset_id in reference.dictionary().entries:
        row = reference.schema(reference.row_ref(dataset_id))
        assert row.get("type") not in ("array", "stream") or dataset_id == "validation_bundle_2B", dataset_id
    assert reference.row_ref("scenario_manifest_5A") == "schemas.5A.yaml#/validation/scenario_manifest_5A/items"
    assert reference.row_ref("rng_trace_log").endswith("/rng_trace_log/record")


@pytest.mark.parametrize("dataset_id", sorted(KNOWN))
def test_structural_digests(reference: ContractSource, dataset_id: str) -> None:
    manifest_key = reference.registry().artifact(dataset_id).manifest_key
    assert structural_digest(reference.dictionary().entry(dataset_id), manifest_key) == KNOWN[dataset_id]


def test_what_only_this_engine_writes_is_described_by_the_packaged_contracts(
    reference: ContractSource, shipped: ContractSource
) -> None:
    assert reference.added() == ADDITIONS
    assert shipped.added() == ()
    for dataset_id in ADDITIONS:
        assert reference.dictionary().entry(dataset_id) == shipped.dictionary().entry(dataset_id)
        assert reference.schema(reference.row_ref(dataset_id)) == shipped.schema(shipped.row_ref(dataset_id))
    content = {"manifest_fingerprint": "1" * 64, "parameter_hash": "2" * 64, "entries": []}
    reference.validate_row("sealed_content_5B", content, code="X", where="here")
    with pytest.raises(InputError, match="is not of type 'array'"):
        reference.validate_row("sealed_content_5B", {**content, "entries": 1}, code="X", where="here")


def test_nothing_else_is_added(tree: Tree) -> None:
    root = tree(layout.CONTRACTS)
    path = root / layout.dictionary_path(layout.CONTRACTS, "5B")
    document = yaml.safe_load(path.read_text())
    document["datasets"] = [
        entry for entry in document["datasets"] if entry["id"] not in ("s2_latent_field_5B", *ADDITIONS)
    ]
    path.write_text(yaml.safe_dump(document))
    source = ContractSource.open(root, layout.CONTRACTS)
    assert source.added() == ADDITIONS
    with pytest.raises(ContractError, match="no dataset 's2_latent_field_5B'"):
        source.dictionary().entry("s2_latent_field_5B")


def test_own_keys_of_a_closed_row_are_left_to_the_packaged_schema(reference: ContractSource) -> None:
    reference.validate_row("rng_trace_log", TRACE, code="X", where="here")
    for row, what in (
        ({**TRACE, "part": "first"}, "part"),  # ours, judged by ours
        ({**TRACE, "draws_total": -1}, "draws_total"),  # theirs too
        ({**TRACE, "weather": "fine"}, "weather"),  # nobody's
        ({key: value for key, value in TRACE.items() if key != "module"}, "module"),
    ):
        with pytest.raises(InputError, match=what):
            reference.validate_row("rng_trace_log", row, code="X", where="here")


def test_columns_of_another_form_are_left_to_the_packaged_schema(reference: ContractSource) -> None:
    row: dict[str, Any] = {
        "manifest_fingerprint": "1" * 64,
        "parameter_hash": "2" * 64,
        "seed": 42,
        "scenario_id": "baseline_v1",
        "anomaly_id": "a000000",
        "anomaly_code": "CODE",
        "severity": "WARN",
        "message": "words",
        "context": "{}",
        "s4_spec_version": "1.0.0",
    }
    reference.validate_row("s4_arrival_anomalies_5B", row, code="X", where="here")
    for change in ({"anomaly_id": 1}, {"context": 7}, {"severity": "LOUD"}, {"parameter_hash": "x"}):
        with pytest.raises(InputError):
            reference.validate_row("s4_arrival_anomalies_5B", {**row, **change}, code="X", where="here")


@pytest.mark.parametrize(
    ("dataset_id", "folder"),
    [("arrival_events_5B", "scenario_id=s/"), ("rng_event_arrival_site_pick", f"run_id={'a' * 32}/")],
)
def test_a_pattern_of_file_names_is_their_folder(reference: ContractSource, dataset_id: str, folder: str) -> None:
    tokens = dict.fromkeys(("seed", "manifest_fingerprint", "parameter_hash", "run_id"), "a" * 32)
    entry = reference.dictionary().entry(dataset_id)
    assert "*" in entry.path
    assert entry.render({**tokens, "scenario_id": "s"}).endswith(folder)
