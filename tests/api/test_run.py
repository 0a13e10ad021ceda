"""`seg5b.run`: states in order, from Python."""

from __future__ import annotations

from pathlib import Path

import pytest

import seg5b
from seg5b.digests import dataset_digests
from seg5b.errors import BackendError, GateError, RunError
from tests.worlds import copy_run, make_own


@pytest.fixture
def world(tiny_world: Path, tmp_path: Path) -> Path:
    """Runs root with an unrealised tiny world of one's own."""
    return copy_run(tiny_world, tmp_path).path.parent


def test_states_run_one_after_another_and_all_over_again_change_nothing(world: Path, tiny_run: Path) -> None:
    first = seg5b.run(world, last="S2", backend="cpu")
    assert [state.state for state in first.states] == ["S0", "S1", "S2"]
    run = seg5b.open_run(world)
    assert (first.run_id, first.path) == (run.identity.run_id, run.root.path)
    rest = seg5b.run(str(world), first.run_id, first="S3", backend="cpu")
    assert [state.state for state in rest.states] == ["S3", "S4", "S5"] and run.checks()
    again = seg5b.run(world, backend="cpu")
    assert {state.record["outcome"] for state in again.states} == {"unchanged"}
    whole = seg5b.open_run(tiny_run)
    assert dataset_digests(run.root, run.contracts) == dataset_digests(whole.root, whole.contracts)


def test_what_cannot_run_is_a_typed_error(world: Path, tmp_path: Path) -> None:
    for first, last in (("S4", "S2"), ("S0", "S9")):
        with pytest.raises(RunError, match="STATE_UNKNOWN"):
            seg5b.run(world, first=first, last=last, backend="cpu")
    with pytest.raises(RunError, match="NO_RUN"):
        seg5b.run(tmp_path / "nowhere", backend="cpu")
    with pytest.raises(BackendError, match="UNKNOWN"):
        seg5b.run(world, backend="abacus")


def test_a_state_that_fails_raises_its_own_error(world: Path) -> None:
    with pytest.raises(GateError) as caught:
        seg5b.run(world, first="S1", last="S1", backend="cpu")
    assert caught.value.code.startswith("5B.S1."), "there is no gate yet"


def test_another_seed_and_some_scenarios_are_a_run_beside_it(tmp_path: Path) -> None:
    base = make_own(tmp_path)
    drawn = seg5b.run(tmp_path, seed=7, scenarios=["quiet"], last="S1", backend="cpu")
    assert (drawn.seed, drawn.scenarios, drawn.derived_from) == (7, ("quiet",), base.identity.run_id)
    assert seg5b.open_run(tmp_path, drawn.run_id).identity.seed == 7
    again = seg5b.run(tmp_path, seed=7, scenarios=("quiet",), last="S1", backend="cpu")
    assert again.run_id == drawn.run_id
    assert {state.record["outcome"] for state in again.states} == {"unchanged"}
    own = seg5b.run(tmp_path, seed=42, scenarios=["quiet", "busy"], last="S1", backend="cpu")
    assert (own.run_id, own.seed, own.scenarios) == (base.identity.run_id, 42, ("busy", "quiet"))
    assert own.derived_from is None
    with pytest.raises(RunError, match="SEED_NOT_IN_WORLD"):
        (base.path / "reports/world_spec.yaml").unlink()
        seg5b.run(tmp_path, seed=8, backend="cpu")
