"""S0 under the reference engine's own contracts seals, byte for byte, what it seals under the packaged ones."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest

from seg5b.contracts import ContractSource
from seg5b.errors import InputError
from seg5b.gate import run_gate
from seg5b.gate.upstream import GateProgress
from tests.other_contracts import lay_layer_1_policies, with_own_policies


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> ContractSource:
    return with_own_policies(tmp_path_factory.mktemp("reference"))


def _seal(world: Any, contracts: ContractSource) -> tuple[bytes, bytes, dict[str, Any], list[str]]:
    """Bytes of the sealed inputs and of their content, the receipt without its time, and what was said."""
    said: list[str] = []
    run_gate(world.root, contracts, note=said.append)
    receipt = json.loads(world.receipt().read_bytes())
    del receipt["created_utc"]
    sealed = (world.sealed().read_bytes(), world.content().read_bytes(), receipt, said)
    for path in (world.sealed(), world.content(), world.receipt()):
        path.unlink()
    return sealed


def test_the_same_is_sealed(world: Any, reference: ContractSource) -> None:
    lay_layer_1_policies(world.root.path)
    inputs, content, receipt, said = _seal(world, reference)
    own_inputs, own_content, own_receipt, own_said = _seal(world, world.contracts)
    assert (inputs, content) == (own_inputs, own_content)
    assert receipt["sealed_inputs_digest"] == own_receipt["sealed_inputs_digest"]
    assert len(json.loads(inputs)) == 52
    lacking = "contracts in use lack sealed_content_5B, rng_event_arrival_edge_temper: the packaged ones describe them"
    assert lacking in said and lacking not in own_said


def test_upstream_versions_are_those_of_the_contracts(world: Any, reference: ContractSource) -> None:
    """That engine's registry has a placeholder where ours states a version; its pack states one."""
    lay_layer_1_policies(world.root.path)
    receipt = _seal(world, reference)[2]
    assert receipt["spec_version"] == "1.0.0"
    assert receipt["upstream_segments"]["1A"]["spec_version"] == reference.pack_version("1A") == "1.0"


def test_the_record_says_which_contracts_were_packaged(world: Any, reference: ContractSource) -> None:
    lay_layer_1_policies(world.root.path)
    progress = GateProgress()
    run_gate(world.root, reference, progress=progress)
    assert progress.summary()["packaged_contracts"] == ["sealed_content_5B", "rng_event_arrival_edge_temper"]


def test_a_wrong_row_of_the_manifest_is_still_refused(world: Any, reference: ContractSource) -> None:
    lay_layer_1_policies(world.root.path)
    world.write_manifest(scenario_version=pa.array([1, 2]))
    with pytest.raises(InputError, match="scenario_version") as caught:
        run_gate(world.root, reference)
    assert caught.value.code == "5B.S0.SEALED_INPUTS_SCHEMA_INVALID"
