"""The table of states says what is true: what each reads and writes, in which mode it ran, also when it failed."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from seg5b import session
from seg5b.api import open_run
from seg5b.cli import main
from seg5b.context import StateWork
from seg5b.contracts import ContractSource
from seg5b.errors import PublishError, RunError, ValidationFailure
from seg5b.gate import Gate
from seg5b.options import Options, ValidationOptions
from seg5b.pipeline import EVERYTHING, STATE_IDS, STATES, run_states, states_between
from seg5b.runs.ledger import last_records
from seg5b.runs.root import RunRoot
from tests.policies import change_policies
from tests.worlds import copy_run

REPOSITORY = Path(__file__).parents[2]
REALISING = STATES[1:5]
OPTIONAL = {"s2_latent_field_5B", "virtual_settlement_3B"}
Seen = dict[str, set[str]]


@pytest.fixture
def seen(world: RunRoot, monkeypatch: pytest.MonkeyPatch) -> tuple[Seen, Seen]:
    """Ids of what each of S1-S4 asked for and of what it wrote, in a run of the tiny world."""
    read, written = defaultdict(set), defaultdict(set)

    def noting(kind: type, name: str, note: Callable[[Any, str], None]) -> None:
        original = getattr(kind, name)

        def wrapped(self: Any, first: Any, *others: Any, **named: Any) -> Any:
            note(self, first)
            return original(self, first, *others, **named)

        monkeypatch.setattr(kind, name, wrapped)

    for name in ("files", "path", "sealed_bytes", "verify", "require"):
        noting(Gate, name, lambda gate, dataset_id: read[gate.state].add(dataset_id))
    noting(StateWork, "path", lambda work, dataset_id: read[work.id].add(dataset_id))
    noting(StateWork, "target", lambda work, dataset_id: written[work.id].add(dataset_id))
    opened_gate = session.opened_gate

    def forgetting(call: session.Session, state: session.State) -> Gate:
        gate = opened_gate(call, state)
        read[state.id].clear()  # opening the gate looks at everything that is sealed
        return gate

    monkeypatch.setattr(session, "opened_gate", forgetting)
    run_states(world, ContractSource.packaged(), STATE_IDS[:5])
    return read, written


def test_a_state_reads_and_writes_what_the_table_says(seen: tuple[Seen, Seen]) -> None:
    read, written = seen
    for state in REALISING:
        assert written[state.id] == set(state.writes) - OPTIONAL - ({"rng_audit_log"} - written[state.id]), state.id
        assert read[state.id] - written[state.id] - {"rng_audit_log"} <= set(state.reads), state.id
        assert set(state.reads) - OPTIONAL <= read[state.id], state.id


def test_ids_of_the_table_are_contracted() -> None:
    entries = ContractSource.packaged().dictionary("5B").entries
    for state in STATES:
        named = {*state.reads, *state.writes} - set(EVERYTHING)
        assert named <= entries.keys(), state.id


def test_nowhere_else_is_a_list_of_states() -> None:
    listed = re.compile(r"""["'][sS]0["'],\s*["'][sS]1["'],\s*["'][sS]2["']""")
    files = [file for room in ("seg5b", "bench", "kernels") for file in (REPOSITORY / room).rglob("*.py")]
    assert [str(file) for file in files if listed.search(file.read_text("utf-8"))] == []


def test_states_come_in_order() -> None:
    assert states_between("S2", "S4") == ("S2", "S3", "S4")
    with pytest.raises(RunError, match=r"5B\.RUN\.STATE_UNKNOWN: .*exchange --from and --to"):
        states_between("S4", "S2")
    with pytest.raises(RunError, match=r"'S9' is no state"):
        states_between("S0", "S9")


def _keep_one_row(root: RunRoot) -> None:
    """One row of the summary only: a check of S5 finds it."""
    file = open_run(root.path.parent).path("s4_arrival_summary_5B", "baseline_v1")
    table = pq.read_table(file, partitioning=None)
    file.unlink()
    pq.write_table(table.slice(0, 1).cast(table.schema), file)


@pytest.mark.parametrize("mode", ["full", "sampled"])
def test_a_failing_validation_leaves_what_it_found(realised: RunRoot, mode: Any) -> None:
    _keep_one_row(realised)
    with pytest.raises(ValidationFailure) as failure:
        run_states(realised, ContractSource.packaged(), ("S5",), options=Options(validation=ValidationOptions(mode)))
    record = last_records(realised)["S5"]
    assert record["status"] == "FAIL" and record["error_code"] == failure.value.code
    assert record["validation_mode"] == mode == record["metrics"]["mode"]
    assert record["checks"]["FAIL"] > 0 and record["checks"]["PASS"] > 0
    assert record["warned"] == [] or all(isinstance(check_id, str) for check_id in record["warned"])


def test_a_passing_validation_tells_its_mode(realised: RunRoot) -> None:
    run_states(realised, ContractSource.packaged(), ("S5",), options=Options(validation=ValidationOptions("sampled")))
    records = last_records(realised)
    assert records["S5"]["validation_mode"] == "sampled"
    assert all("validation_mode" not in records[state.id] for state in REALISING), "they validate nothing"


def _validated(root: RunRoot, mode: Any) -> Any:
    run_states(root, ContractSource.packaged(), ("S5",), options=Options(validation=ValidationOptions(mode)))
    return last_records(root)["S5"]


def test_a_sample_after_a_full_scan_is_a_result_of_its_own(realised: RunRoot) -> None:
    full, sampled = _validated(realised, "full"), _validated(realised, "sampled")
    assert (sampled["status"], sampled["validation_mode"], sampled["outcome"]) == ("PASS", "sampled", "unchanged")
    assert sampled["bundle_digest"] == full["bundle_digest"], "the bundle of the full scan stays"
    assert not (realised.path / "superseded").exists()


def test_a_full_scan_takes_the_place_of_a_sample(realised: RunRoot) -> None:
    sampled, full = _validated(realised, "sampled"), _validated(realised, "full")
    assert full["outcome"] == "written" and full["bundle_digest"] != sampled["bundle_digest"]
    (aside,) = (realised.path / "superseded").rglob("_passed.flag")
    assert sampled["bundle_digest"] in aside.read_text("utf-8")


def test_a_verdict_that_cannot_be_published_is_recorded(realised: RunRoot) -> None:
    """Another bundle lies there already: the record says what was judged."""
    root = realised
    run_states(root, ContractSource.packaged(), ("S5",))
    report = min(root.path.rglob("validation_report_5B.json"))
    report.write_bytes(report.read_bytes().replace(b"PASS", b"pass", 1))
    with pytest.raises(PublishError, match=r"5B\.S5\.IO_WRITE_CONFLICT"):
        run_states(root, ContractSource.packaged(), ("S5",))
    record = last_records(root)["S5"]
    assert (record["status"], record["error_code"]) == ("FAIL", "5B.S5.IO_WRITE_CONFLICT")
    assert record["validation_mode"] == record["metrics"]["mode"] == "full"
    assert record["checks"]["PASS"] > 0 and "FAIL" not in record["checks"] and record["warned"] is not None


def test_the_policy_chooses_the_mode_where_the_command_does_not(tiny_world: Path, tmp_path: Path) -> None:
    root = copy_run(tiny_world, tmp_path)
    change_policies(root.path, {"validation_policy_5B": {"sampling.mode": "sampled"}})
    run_states(root, ContractSource.packaged(), STATE_IDS[:5])
    CliRunner().invoke(main, ["s5", "--runs-root", str(root.path.parent)])
    assert last_records(root)["S5"]["validation_mode"] == "sampled"
    CliRunner().invoke(main, ["s5", "--mode", "full", "--runs-root", str(root.path.parent)])
    assert last_records(root)["S5"]["validation_mode"] == "full"
