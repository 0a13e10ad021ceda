"""Bodies of S2 and S3 are dropped, told of and made again; and what a run does to a score that is at work beside it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from seg5b.calibration import CandidateRunner, Derived, analyse, plan_prune, prune
from seg5b.calibration.bodies import DATASETS, bodies_of
from seg5b.cli import main
from seg5b.errors import RunError
from seg5b.hashing import tree_digests
from seg5b.options import Options
from seg5b.pipeline import STATE_IDS, run_states
from seg5b.realism import require_realised, score_run
from seg5b.run_tables.outputs import dataset_path
from seg5b.run_tables.part_tables import forget_scans
from seg5b.runs.dropped import DROPPED, dropped_files
from seg5b.runs.root import RunRoot
from seg5b.validation import verify_validation_bundle
from tests.worlds import copy_run, make_own


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory, runner: CandidateRunner) -> RunRoot:
    """A small world of two scenarios that S5 passed, with its latent field."""
    root = make_own(tmp_path_factory.mktemp("storage"))
    assert runner.realise(Derived(root, STATE_IDS)) == "PASS"
    return root


@pytest.fixture
def own(sealed: RunRoot, tmp_path: Path) -> RunRoot:
    """A copy of it alone, to be written to."""
    return copy_run(sealed.path.parent, tmp_path)


def _status(root: RunRoot) -> str:
    return CliRunner().invoke(main, ["status", "--runs-root", str(root.path.parent)]).output


def test_bodies_are_dropped_and_made_again(own: RunRoot, runner: CandidateRunner) -> None:
    before = tree_digests(own.path / "data")
    plan = plan_prune(own.path.parent, kinds=("bodies",))
    assert [item.kind for item in plan.removable] == ["bodies"] * 4, "S2 and S3 of two scenarios"
    assert tree_digests(own.path / "data") == before, "sizes first"
    sizes = sum(item.size_bytes for item in plan.removable)
    done = prune(plan)
    assert done.errors == () and done.reclaimed_mb == pytest.approx(sizes / 1e6) and sizes > 0

    gone = {each.path.removeprefix("data/"): each.sha256_hex for each in dropped_files(own)}
    assert gone == {path: digest for path, digest in before.items() if path not in tree_digests(own.path / "data")}
    assert (
        {each.dataset_id for each in dropped_files(own)}
        == {"s2_realised_intensity_5B", "s3_bucket_counts_5B"}
        <= DATASETS
    )
    written = json.loads((own.path / DROPPED).read_text())
    assert written["make_again"] == f"seg5b run --run-id {own.identity.run_id}"
    assert {"dropped_utc", "dropped_by", "encoder"} <= written.keys()

    assert "dropped by prune: s2_realised_intensity_5B, s3_bucket_counts_5B" in _status(own)
    problems = verify_validation_bundle(own, runner.contracts).problems
    assert {problem.path.removeprefix("data/") for problem in problems} == gone.keys()
    assert all(f"seg5b run --run-id {own.identity.run_id}" in problem.what for problem in problems)
    for needs_them in (require_realised, analyse):
        with pytest.raises(RunError, match=r"5B\.RUN\.BODY_DROPPED.*dropped by prune"):
            needs_them(own, runner.contracts)
    told = CliRunner().invoke(
        main, ["explain", "--runs-root", str(own.path.parent), "--merchant", "1", "--number", "1"]
    )
    assert told.exit_code == 1 and "dropped by prune" in told.output
    assert plan_prune(own.path.parent, kinds=("bodies",)).removable == ()

    result = run_states(own, runner.contracts, STATE_IDS, backend=runner.backend)
    outcomes = {state: result.facts(state)["outcome"] for state in ("S1", "S2", "S3", "S4", "S5")}
    assert outcomes == {"S1": "unchanged", "S2": "written", "S3": "written", "S4": "unchanged", "S5": "unchanged"}
    assert tree_digests(own.path / "data") == before
    assert verify_validation_bundle(own, runner.contracts).ok
    assert dropped_files(own) == [] and "dropped by prune" not in _status(own)


def test_only_what_a_bundle_vouches_for_is_dropped(own: RunRoot, runner: CandidateRunner) -> None:
    plan = plan_prune(own.path.parent, kinds=("bodies",))
    counts = next(item.path for item in plan.removable if "s3_bucket_counts" in str(item.path))
    counts.write_bytes(counts.read_bytes() + b"more")
    done = prune(plan)
    assert [path for path, _ in done.errors] == [str(counts)] and counts.exists()
    assert "is not what the bundle lists" in done.errors[0][1]
    (dataset_path(own, runner.contracts, "validation_bundle_5B") / "_passed.flag").unlink()
    assert bodies_of(own, runner.contracts) == []


def test_a_run_that_is_named_keeps_its_bodies(own: RunRoot) -> None:
    assert plan_prune(own.path.parent, kinds=("bodies",), keep=[own.identity.run_id]).removable == ()


@pytest.mark.parametrize("recompute", [False, True])
def test_a_run_that_starts_beside_a_score_takes_nothing_from_it(
    own: RunRoot, runner: CandidateRunner, recompute: bool
) -> None:
    """Whole runs begin while the score is at its checks, also such as believe nothing that is kept of scans."""
    alone = score_run(own, runner.contracts, threads=2)
    started = []

    def beside(_: str, done: int, __: int) -> None:
        if done in (1, 2, 3):
            started.append(done)
            run_states(own, runner.contracts, STATE_IDS, backend=runner.backend, options=Options(recompute=recompute))

    disturbed = score_run(own, runner.contracts, threads=2, progress=beside)
    assert len(started) == 3
    assert {gate.gate_id: gate.as_json() for gate in disturbed.gates} == {
        gate.gate_id: gate.as_json() for gate in alone.gates
    }


def test_a_score_does_not_need_what_is_kept_of_scans(own: RunRoot, runner: CandidateRunner) -> None:
    """A validation that computes again deletes it, and makes it again only later; prune deletes it too."""
    alone = score_run(own, runner.contracts, threads=2)
    taken = []

    def beside(_: str, done: int, __: int) -> None:
        if (own.kept() / "parts").is_dir():
            taken.append(done)
            forget_scans(own, [path.name for path in (own.kept() / "parts").iterdir()])

    disturbed = score_run(own, runner.contracts, threads=2, progress=beside)
    assert len(taken) > 2
    assert {gate.gate_id: gate.as_json() for gate in disturbed.gates} == {
        gate.gate_id: gate.as_json() for gate in alone.gates
    }
