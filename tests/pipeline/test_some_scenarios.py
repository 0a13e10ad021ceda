"""A run of some scenarios of its world: the same bytes as of all, and nothing of the others anywhere (law L2,
docs/laws#derived-runs)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import seg5b
from seg5b.api import Run, open_run
from seg5b.calibration import analyse
from seg5b.contracts import dataset_files
from seg5b.errors import GateError, RunError
from seg5b.explain import explain_arrival
from seg5b.gate import open_gate, run_gate
from seg5b.hashing import sha256_file
from seg5b.page import write_page
from seg5b.realism import score_run
from seg5b.replay import replay
from seg5b.run_tables.outputs import OUTPUT_TABLES
from seg5b.validation import verify_validation_bundle
from seg5b.world import World
from tests.worlds import OWN, copy_run, make_own

OTHER, CHOSEN = "busy", "quiet"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A world of two scenarios, both realised; derived runs may lie beside it."""
    root = make_own(tmp_path_factory.mktemp("whole"))
    seg5b.run(root.path.parent, backend="cpu")
    return open_run(root.path.parent)


@pytest.fixture(scope="module")
def some(whole: Run) -> Run:
    """Its run of the scenario that is not the first, realised."""
    result = seg5b.run(whole.root.path.parent, scenarios=[CHOSEN], backend="cpu")
    assert (result.scenarios, result.derived_from) == ((CHOSEN,), whole.identity.run_id)
    assert {state.record["status"] for state in result.states} == {"PASS"}
    assert [result.facts(state)["scenario_set"] for state in ("S0", "S1", "S4")] == [[CHOSEN]] * 3
    return open_run(result.path.parent, result.run_id)


def _files(run: Run, scenario_id: str) -> dict[str, list[str]]:
    """Digests of the files of every published dataset of a scenario."""
    places = {output.dataset_id: run.path(output.dataset_id, scenario_id) for output in OUTPUT_TABLES}
    found = {name: dataset_files(path, code="") for name, path in places.items() if path.exists()}
    return {name: [sha256_file(file) for file in files] for name, files in found.items()}


def test_its_datasets_are_those_of_a_run_of_all(whole: Run, some: Run) -> None:
    assert _files(some, CHOSEN) == _files(whole, CHOSEN)
    assert len(_files(some, CHOSEN)) == 7
    assert _files(some, OTHER) == {} and _files(whole, OTHER) != {}
    assert not list((some.root.path / "data/layer2/5B").rglob(f"*{OTHER}*"))


def test_the_receipt_says_so(whole: Run, some: Run) -> None:
    receipt = json.loads((some.root.path / "run_receipt.json").read_text())
    assert receipt.keys() - whole.root.receipt.keys() == {"derived_from", "derived_law", "derived_changes", "scenarios"}
    assert receipt["scenarios"] == [CHOSEN] and some.identity.seed == whole.identity.seed
    again = seg5b.run(whole.root.path.parent, scenarios=[CHOSEN, CHOSEN], backend="cpu")
    assert again.run_id == some.identity.run_id
    assert {state.record["outcome"] for state in again.states} == {"unchanged"}


def test_the_gate_seals_what_it_needs(some: Run) -> None:
    gate = open_gate(some.root, some.contracts, state="S5")
    assert gate.scenario_ids == (CHOSEN,)
    assert gate.content is not None and {scenario for _, scenario in gate.content} == {"", CHOSEN}
    sealed = json.loads(some.path("sealed_inputs_5B").read_text())
    (notes,) = (row["notes"] for row in sealed if row["artifact_id"] == "merchant_zone_scenario_local_5A")
    assert notes == f"structural_digest=path_template;scenario_ids={CHOSEN}"


def test_every_reader_sees_that_scenario_alone(some: Run, tmp_path: Path) -> None:
    assert verify_validation_bundle(some.root, some.contracts).ok
    replayed = replay(some.root, some.contracts)
    assert replayed.ok and replayed.files > 0
    board = score_run(some.root, some.contracts)
    assert board.gate("T1").value is not None
    arrivals = some.table("arrival_events_5B", CHOSEN, ["merchant_id", "arrival_seq"])
    assert analyse(some.root, some.contracts)["baseline_observed"]["arrivals"] == arrivals.num_rows
    page = write_page(some.root, some.contracts, out=tmp_path / "page.html")
    assert f'"{CHOSEN}"' in page.path.read_text() and f'"{OTHER}"' not in page.path.read_text()
    assert page.arrivals == arrivals.num_rows


def test_an_arrival_is_explained(some: Run) -> None:
    merchant = some.table("arrival_events_5B", CHOSEN, ["merchant_id"])["merchant_id"][0].as_py()
    why = explain_arrival(some.root, some.contracts, merchant, 1)
    assert why.holds
    with pytest.raises(RunError, match=f"SCENARIO_UNKNOWN.*{CHOSEN}"):
        explain_arrival(some.root, some.contracts, merchant, 1, scenario_id=OTHER)


def test_floors_on_all_scenarios_are_not_asked_of_some(tmp_path: Path) -> None:
    """Arrivals around a change of the clocks that six scenarios have together, one of them has not."""
    busy = [{"id": f"busy_{number}", "kind": "stress", "calendar": "drawn_v1"} for number in range(5)]
    run_id = World.from_mapping({**OWN, "scenarios": [{"id": "quiet"}, *busy]}).make(tmp_path)
    verdicts = []
    for scenarios in ([], ["quiet"]):
        result = seg5b.run(tmp_path, run_id, scenarios=scenarios, backend="cpu")
        checks = {check["check_id"]: check for check in open_run(tmp_path, result.run_id).checks()}
        verdicts.append(checks["civil.dst_power"]["status"])
    assert verdicts == ["PASS", "NOT_APPLICABLE"]


def test_all_scenarios_are_no_restriction(whole: Run, some: Run) -> None:
    runs_root = whole.root.path.parent
    both = seg5b.run(runs_root, scenarios=[CHOSEN, OTHER], last="S0", backend="cpu")
    assert (both.run_id, both.derived_from) == (whole.identity.run_id, None)
    lifted = seg5b.run(runs_root, some.identity.run_id, scenarios=[OTHER, CHOSEN], last="S0", backend="cpu")
    assert (lifted.scenarios, lifted.derived_from) == ((OTHER, CHOSEN), some.identity.run_id)
    kept = seg5b.run(runs_root, some.identity.run_id, scenarios=[CHOSEN], last="S0", backend="cpu")
    assert kept.run_id == some.identity.run_id


def test_an_unknown_scenario_is_told_those_of_the_world(whole: Run) -> None:
    before = sorted(whole.root.path.parent.iterdir())
    with pytest.raises(RunError, match=r"5B\.RUN\.SCENARIO_UNKNOWN") as raised:
        seg5b.run(whole.root.path.parent, scenarios=[OTHER, "nowhere"], backend="cpu")
    assert "nowhere" in raised.value.what and f"{OTHER}, {CHOSEN}" in raised.value.remedy
    assert sorted(whole.root.path.parent.iterdir()) == before


def _with_scenarios(run: Run, folder: Path, stated: Any) -> Run:
    root = copy_run(run.root.path.parent, folder).path.parent / run.identity.run_id
    path = root / "run_receipt.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "scenarios": stated}))
    return open_run(root.parent, root.name)


@pytest.mark.parametrize("stated", [[OTHER], [OTHER, CHOSEN]])
def test_a_receipt_that_was_changed_after_the_gate(some: Run, tmp_path: Path, stated: list[str]) -> None:
    changed = _with_scenarios(some, tmp_path, stated)
    with pytest.raises(GateError, match=r"5B\.S2\.S0_GATE_INVALID.*scenario_set"):
        open_gate(changed.root, changed.contracts, state="S2")


@pytest.mark.parametrize("stated", [[], ["nowhere"], [CHOSEN, OTHER], [CHOSEN, CHOSEN]])
def test_a_receipt_of_no_scenarios_of_the_world(some: Run, tmp_path: Path, stated: list[str]) -> None:
    changed = _with_scenarios(some, tmp_path, stated)
    with pytest.raises(RunError, match=r"5B\.S0\.RUN_IDENTITY_INVALID.*scenarios"):
        run_gate(changed.root, changed.contracts)


@pytest.mark.parametrize("stated", [None, 5, CHOSEN, [5], {"a": 1}])
def test_a_receipt_of_no_list_of_scenarios(some: Run, tmp_path: Path, stated: Any) -> None:
    with pytest.raises(RunError, match=r"5B\.S0\.RUN_IDENTITY_INVALID.*scenarios"):
        _with_scenarios(some, tmp_path, stated)


def test_scenarios_of_another_receipt_restrict_nothing(tmp_path: Path) -> None:
    """Receipts of other writers may have such a field: only that of a derived run is a restriction."""
    make_own(tmp_path / "runs")
    run = _with_scenarios(open_run(tmp_path / "runs"), tmp_path / "other", [CHOSEN])
    assert run_gate(run.root, run.contracts).scenario_ids == (OTHER, CHOSEN)
