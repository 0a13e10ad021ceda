"""Times against budgets and baselines, and what stands against a certificate, on ledgers made by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from seg5b.calibration import score_performance
from seg5b.calibration.baseline import KIND, read_baseline, structure_of, write_lock
from seg5b.calibration.budgets import BUDGETS, REFERENCE_ARRIVALS
from seg5b.calibration.lanes import CLASSES, class_seconds, code_of
from seg5b.calibration.performance import elapsed_csv, hms
from seg5b.cli import main
from seg5b.errors import PublishError, RunError
from seg5b.runs.root import RunRoot, open_root
from tests.calibration.ledgers import append_records

REPOSITORY = Path(__file__).parents[2]
RUN, OTHER = "a" * 32, "b" * 32
TIMES = {"S0": 1.0, "S1": 90.0, "S2": 40.0, "S3": 46.0, "S4": 240.1, "S5": 5.0}
FAST = {"S0": 0.5, "S1": 1.0, "S2": 2.0, "S3": 2.0, "S4": 10.0, "S5": 9.0}
ROWS = {"bucket_rows": 10, "arrival_rows": 20, "arrivals_total": 20, "arrival_virtual": 1, "missing_group_weights": 0}
FACTS: dict[str, dict[str, Any]] = {
    "S4": {
        "total_arrivals": REFERENCE_ARRIVALS,
        "details": {"baseline_v1": ROWS},
        "published_files": {"data/part-000000.parquet": "1" * 64},
        "backend": {"backend": "cpu"},
    },
    "S5": {"checks": {"PASS": 135}, "bundle_digest": "2" * 64},
}


def _run(folder: Path, name: str = RUN, seed: int = 1) -> RunRoot:
    (folder / name).mkdir(parents=True)
    identity = {"run_id": name, "seed": seed, "parameter_hash": "0" * 64, "manifest_fingerprint": "1" * 64}
    (folder / name / "run_receipt.json").write_text(json.dumps(identity))
    return open_root(folder, name)


@pytest.fixture
def timed(tmp_path: Path) -> RunRoot:
    """A slow run; its last S4 found everything there, which is no timing."""
    root = _run(tmp_path)
    append_records(root.path, TIMES)
    append_records(root.path, {"S4": 3.0}, outcome="unchanged")
    return root


@pytest.fixture
def sound(tmp_path: Path) -> RunRoot:
    """A quick run of the reference world that was validated twice."""
    root = _run(tmp_path / "sound")
    append_records(root.path, FAST, facts=FACTS)
    append_records(root.path, {"S5": 0.3}, facts=FACTS, outcome="unchanged")
    return root


@pytest.fixture
def lock(sound: RunRoot, tmp_path: Path) -> Path:
    """What that run came to."""
    write_lock(sound, score_performance(sound), tmp_path / "lock.json")
    return tmp_path / "lock.json"


def test_colours_shares_and_hotspots(timed: RunRoot) -> None:
    report = score_performance(timed, budget="reference_engine")
    colours = {state: budget["status_vs_target"] for state, budget in report["state_budgets"].items()}
    assert colours == {"S1": "GREEN", "S2": "AMBER", "S3": "RED", "S4": "AMBER", "S5": "GREEN"}
    assert [each["state"] for each in report["hotspots"]] == ["S4", "S1", "S3"]
    assert sum(each["segment_share"] for each in report["states"]) == pytest.approx(1.0)
    assert report["state_budgets"]["S4"]["required_reduction_s_to_target"] == pytest.approx(0.1)
    assert report["candidate_lane_s"] == pytest.approx(421.1) and not report["candidate_lane_pass"]
    assert report["lanes_measured"] is False and report["hotspots"][0]["lane"] is None
    assert elapsed_csv(report).splitlines()[5].startswith("S4,PASS,240.1,00:04:00")
    assert hms(3725.6) == "01:02:06"


def test_lanes_come_from_timers_and_say_where_to_look(tmp_path: Path) -> None:
    root = _run(tmp_path)
    append_records(root.path, {"S2": 3.0}, durations={"lanes_s": {"encode": 1.0, "intensities": 4.5}})
    report = score_performance(root)
    (state,), (hotspot,) = report["states"], report["hotspots"]
    assert state["lane_decomposition"] == {"encode": 1.0, "intensities": 4.5}
    assert (hotspot["lane"], hotspot["lane_classes"]["compute"], hotspot["lane_classes"]["write"]) == (
        "intensities",
        4.5,
        1.0,
    )
    assert "4.50 s in intensities" in hotspot["evidence"] and hotspot["candidate_actions"]
    assert all((REPOSITORY / code).exists() for code in hotspot["code_refs"])


def test_every_lane_that_is_measured_has_a_class_and_code(tiny_run: Path) -> None:
    lanes = {
        name for each in score_performance(open_root(tiny_run))["states"] for name in each["lane_decomposition"] or ()
    }
    assert lanes and class_seconds(dict.fromkeys(lanes, 1.0)).keys() == set(CLASSES), "none is unknown"
    assert all(code_of(lane) and all((REPOSITORY / code).exists() for code in code_of(lane)) for lane in lanes)


def test_budgets_are_those_of_the_machine_and_grow_with_the_world(sound: RunRoot, tmp_path: Path) -> None:
    report = score_performance(sound)
    assert report["budget"] == "box" and report["state_budgets"]["S4"]["target_s"] == 13.0
    device = _run(tmp_path / "device")
    double = {**FACTS, "S4": {**FACTS["S4"], "total_arrivals": 2 * REFERENCE_ARRIVALS, "backend": {"backend": "cuda"}}}
    append_records(device.path, FAST, facts=double)
    report = score_performance(device)
    assert report["budget"] == "workstation" and report["state_budgets"]["S4"]["target_s"] == 5.0
    assert all(low <= high for budgets in BUDGETS.values() for low, high in budgets.states.values())


def test_a_run_equal_to_its_baseline_is_certified(sound: RunRoot, lock: Path) -> None:
    report = score_performance(sound, lock)
    assert (report["against_a_certificate"], report["verdict"]) == ([], "PASS_RUNTIME_CERTIFIED")
    slow = score_performance(sound, lock, "workstation")
    assert slow["verdict"] == "PASS_RUNTIME_CERTIFIED_WITH_ACCEPTED_RESIDUAL_BUDGET_MISS"


Spoil = Callable[[RunRoot], object]
AGAINST: dict[str, tuple[Spoil, str]] = {
    "cold": (
        lambda root: append_records(root.path, {"S4": 10.0}, facts=FACTS, durations={"compile_s": 8.0}),
        "S4 was timed cold: 8.0 s",
    ),
    "small": (
        lambda root: append_records(root.path, {"S4": 10.0}, facts={"S4": {**FACTS["S4"], "total_arrivals": 1000}}),
        "1,000 arrivals say nothing of 124,000,000",
    ),
    "failed": (lambda root: append_records(root.path, {"S5": 9.0}, status="FAIL"), "S5 has not passed"),
    "another bundle": (
        lambda root: append_records(root.path, {"S5": 9.0}, facts={"S5": {**FACTS["S5"], "bundle_digest": "3" * 64}}),
        "S5 came to several bundles",
    ),
    "other rows": (
        lambda root: append_records(
            root.path,
            {"S4": 9.0},
            facts={"S4": {**FACTS["S4"], "details": {"baseline_v1": {**ROWS, "arrival_rows": 19}}}},
        ),
        "S4: other rows than the baseline",
    ),
    "other files": (
        lambda root: append_records(
            root.path,
            {"S4": 9.0},
            facts={"S4": {**FACTS["S4"], "published_files": {"data/part-000000.parquet": "4" * 64}}},
        ),
        "1 files have other digests, first data/part-000000.parquet",
    ),
    "other verdicts": (
        lambda root: append_records(
            root.path, {"S5": 9.0}, facts={"S5": {**FACTS["S5"], "checks": {"PASS": 134, "WARN": 1}}}
        ),
        "S5 came to other verdicts",
    ),
    "slower": (lambda root: append_records(root.path, {"S4": 12.5}, facts=FACTS), "S4 is slower than the baseline"),
}


@pytest.mark.parametrize("name", AGAINST)
def test_what_stands_against_a_certificate(name: str, sound: RunRoot, lock: Path) -> None:
    spoil, reason = AGAINST[name]
    spoil(sound)
    report = score_performance(sound, lock)
    assert any(reason in told for told in report["against_a_certificate"])
    assert report["verdict"] == "HOLD_POPT5_REOPEN"


def test_times_alone_certify_nothing(sound: RunRoot, tmp_path: Path) -> None:
    told = score_performance(sound)["against_a_certificate"]
    assert len(told) == 1 and "no baseline with rows, digests and gates" in told[0]
    once = _run(tmp_path / "once")
    append_records(once.path, FAST, facts=FACTS)
    assert any("not run a second time" in reason for reason in score_performance(once)["against_a_certificate"])


def test_a_baseline_of_another_world_is_none(lock: Path, tmp_path: Path) -> None:
    other = _run(tmp_path / "other", OTHER, seed=2)
    append_records(other.path, FAST, facts=FACTS)
    assert "the baseline is of another world or seed" in score_performance(other, lock)["against_a_certificate"]


def test_a_lock_names_its_authority_and_is_not_replaced(sound: RunRoot, lock: Path) -> None:
    written = json.loads(lock.read_text("utf-8"))
    assert written["kind"] == KIND and written["authority"]["run_id"] == RUN
    assert written["structure"] == structure_of(sound)
    assert RUN in lock.with_suffix(".md").read_text("utf-8")
    with pytest.raises(PublishError, match=r"5B\.BENCH\.LOCK_NOT_WRITTEN"):
        write_lock(sound, score_performance(sound), lock)


def test_change_against_a_baseline(timed: RunRoot, tmp_path: Path) -> None:
    before = tmp_path / "before.json"
    report = score_performance(timed)
    for each in report["states"]:
        each["elapsed_s"] /= 1.25 if each["state"] in ("S4", "S0") else 1.1
    before.write_text(json.dumps(report))
    again = score_performance(timed, before)
    assert again["slower_than_baseline"] == ["S4"], "S0 is slower by less than noise"
    assert again["verdict"] == "HOLD_POPT5_REOPEN"
    ledger = next(timed.path.rglob("segment_state_runs.jsonl"))
    assert read_baseline(ledger).seconds == TIMES


def test_unusable_files_are_typed_errors(timed: RunRoot, lock: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    spoiled = {**json.loads(lock.read_text("utf-8")), "structure": {"rows": 3}}
    for content in ({"states": 3}, spoiled):
        bad.write_text(json.dumps(content))
        with pytest.raises(RunError, match=r"5B\.BENCH\.BASELINE_UNREADABLE"):
            score_performance(timed, bad)
    empty = _run(tmp_path / "empty", OTHER)
    with pytest.raises(RunError, match=r"5B\.BENCH\.NOTHING_TIMED"):
        score_performance(empty)
    next(timed.path.rglob("segment_state_runs.jsonl")).write_text("no json\n")
    with pytest.raises(RunError, match=r"5B\.BENCH\.NOTHING_TIMED"):
        score_performance(timed)


def test_the_command_locks_and_tells_why_not(sound: RunRoot, tmp_path: Path) -> None:
    arguments = ["bench", "--runs-root", str(sound.path.parent), "--lock", str(tmp_path / "new.json")]
    told = CliRunner().invoke(main, arguments).stdout
    assert "no certificate: no baseline" in told and "HOLD_POPT5_REOPEN" in told
    again = CliRunner().invoke(main, [*arguments[:3], "--baseline", str(tmp_path / "new.json")]).stdout
    assert "no certificate" not in again and "PASS_RUNTIME_CERTIFIED" in again
