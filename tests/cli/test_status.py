"""`seg5b status` tells what is there, not only what once passed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from seg5b.api import open_run
from seg5b.cli import main
from seg5b.cli.terminal import stdout
from seg5b.contracts import ContractSource
from seg5b.digests import content_digests
from seg5b.gate.catalogue import BY_ID, POLICIES_OF_STATES
from seg5b.pipeline import STATES, run_states
from seg5b.runs.root import RunRoot
from tests.policies import change_policies
from tests.worlds import copy_run


@pytest.fixture
def root(tiny_run: Path, tmp_path: Path) -> RunRoot:
    """A copy of a sealed run."""
    return copy_run(tiny_run, tmp_path)


def _status(root: RunRoot) -> dict[str, Any]:
    found = CliRunner().invoke(main, ["status", "--json", "--runs-root", str(root.path.parent)])
    assert found.exit_code == 0
    return dict(json.loads(found.stdout))


def test_a_whole_run_lacks_nothing(root: RunRoot) -> None:
    found = _status(root)
    assert found["gone"] == {}
    assert {record["sealed_inputs_digest"] for record in found["states"].values()} == {
        found["states"]["S0"]["sealed_inputs_digest"]
    }, "every record says of what policies"


@pytest.mark.parametrize(("dataset_id", "state"), [("s3_bucket_counts_5B", "S3"), ("sealed_content_5B", "S0")])
def test_what_is_gone_is_named(root: RunRoot, dataset_id: str, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = None if state == "S0" else "baseline_v1"
    place = open_run(root.path.parent).path(dataset_id, scenario)
    place.unlink()
    assert _status(root)["gone"] == {state: [place.relative_to(root.path).as_posix()]}
    monkeypatch.setattr(stdout, "width", 200)
    told = CliRunner().invoke(main, ["status", "--runs-root", str(root.path.parent)]).stdout
    assert "PASS, 1 files gone" in told and f"run --from {state}" in told


def test_what_is_gone_comes_again_by_the_command_that_is_told(root: RunRoot) -> None:
    run = open_run(root.path.parent)
    before = content_digests(root, run.contracts, threads=2)
    run.path("s3_bucket_counts_5B", "baseline_v1").unlink()
    run_states(root, run.contracts, ("S3",))
    assert _status(root)["gone"] == {} and content_digests(root, run.contracts, threads=2) == before


def test_a_bundle_that_is_gone_is_named(root: RunRoot) -> None:
    bundle = open_run(root.path.parent).path("validation_bundle_5B")
    bundle.rename(root.path / "tmp" / "bundle")
    assert _status(root)["gone"].keys() == {"S5"}


def test_files_tell_draws_of_changed_policies_apart(tiny_world: Path, tmp_path: Path) -> None:
    """Run, hashes and seed are the same after a policy is changed and sealed again: the files that follow from it are not."""
    told = []
    for name, changes in (("a", {}), ("b", {"arrival_lgcp_config_5B": {"clipping.max_factor": 4.0}})):
        root = copy_run(tiny_world, tmp_path / name)
        change_policies(root.path, changes)
        run_states(root, ContractSource.packaged(), ("S0", "S1", "S2"))
        run = open_run(root.path.parent)
        files = [run.path(each, "baseline_v1") for each in ("s1_grouping_5B", "s2_realised_intensity_5B")]
        told.append([pq.read_schema(file).metadata for file in files])
    (grouping, intensity), (same, other) = told
    assert intensity[b"seg5b.parameter_hash"] == other[b"seg5b.parameter_hash"]
    assert intensity[b"seg5b.policies_digest"] != other[b"seg5b.policies_digest"]
    assert grouping[b"seg5b.policies_digest"] == same[b"seg5b.policies_digest"], "S1 reads no policy of the field"


def test_policies_of_states_are_those_that_they_read() -> None:
    """In the table of states and in that of the gate."""
    for state in STATES[1:5]:
        known = {name for first, own in POLICIES_OF_STATES if first <= state.id for name in own}
        read = {name for name in state.reads if name in BY_ID and BY_ID[name].role == "policy"}
        earlier = {name for each in STATES if each.id < state.id for name in each.reads}
        assert read <= known <= read | earlier, state.id
