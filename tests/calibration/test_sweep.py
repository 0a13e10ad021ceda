"""Sweeps over policy values: what candidates are made, their rank, and a sweep of each kind end to end on a small world."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import pytest

from seg5b.calibration import CandidateRunner, Change, PolicyKey, Sweep, Variant, grid, run_sweep
from seg5b.calibration.policies import check_changes, value_if_any
from seg5b.calibration.sweep import SweepRow, announced, differing
from seg5b.calibration.variants import drift, parse_axis, parse_bundle, short_names
from seg5b.digests import dataset_digests
from seg5b.errors import PolicyError
from seg5b.realism.files import reports_folder
from seg5b.runs.root import RunRoot, open_root

ROUTING = "arrival_routing_policy_5B"
COIN = PolicyKey(ROUTING, "hybrid_policy.p_virtual_hybrid")
ZONES = PolicyKey(ROUTING, "physical_router.tz_group_law")
TEMPER, REDIRECT = (PolicyKey(ROUTING, f"virtual_router.edge_temper.{name}") for name in ("enabled", "redirect_p"))
ABSENT = PolicyKey("arrival_count_config_5B", "nb2.kappa.unheard_of")


def test_a_grid_is_every_combination() -> None:
    found = grid({COIN: [0.25, 0.45], ZONES: ["a", "b"]})
    assert [each.label for each in found] == [
        "p_virtual_hybrid=0.25 tz_group_law=a",
        "p_virtual_hybrid=0.25 tz_group_law=b",
        "p_virtual_hybrid=0.45 tz_group_law=a",
        "p_virtual_hybrid=0.45 tz_group_law=b",
    ]
    assert found[1].values == {COIN: 0.25, ZONES: "b"}
    assert grid({}) == []
    assert grid({COIN: [0.123456]})[0].values == {COIN: 0.1235}


def test_axes_and_bundles_from_text() -> None:
    assert parse_axis(f"{COIN}=0.25, 0.45") == (COIN, (0.25, 0.45))
    mild = parse_bundle(f"mild:{TEMPER}=true,{REDIRECT}=0.35")
    assert mild == Variant("mild", (Change(TEMPER, True), Change(REDIRECT, 0.35)))
    for text in (f"{COIN}", f"{COIN}=", f"{COIN}=,"):
        with pytest.raises(PolicyError, match=r"5B\.CALIBRATION\.VARIANT_INVALID"):
            parse_axis(text)
    for text in (f"{COIN}=1", "name:", f":{COIN}=1", f"twice:{COIN}=1,{COIN}=2"):
        with pytest.raises(PolicyError, match=r"5B\.CALIBRATION\.(VARIANT_INVALID|KEY_UNKNOWN)"):
            parse_bundle(text)


def test_names_of_columns() -> None:
    same = PolicyKey("arrival_count_config_5B", "version"), PolicyKey("grouping_policy_5B", "version")
    assert short_names([COIN, ZONES, *same]) == {
        COIN: "p_virtual_hybrid",
        ZONES: ZONES.key,
        same[0]: "arrival_count_config_5B.version",
        same[1]: "grouping_policy_5B.version",
    }


def test_what_differs_from_the_base() -> None:
    originals = {COIN: 0.35, TEMPER: False, REDIRECT: None}
    wanted = differing(
        [
            *grid({COIN: [0.35, 0.55]}),
            Variant("again", (Change(TEMPER, False), Change(COIN, 0.55))),
            Variant("both", (Change(TEMPER, True), Change(REDIRECT, 0.5))),
            Variant("both, turned", (Change(REDIRECT, 0.5), Change(TEMPER, True))),
        ],
        originals,
    )
    assert [each.label for each in wanted] == ["p_virtual_hybrid=0.55", "both"]
    assert announced(wanted) == "2 derived runs beside the base: p_virtual_hybrid=0.55 from S4, both from S4"
    assert "only that is scored" in announced([])


@pytest.fixture(scope="module")
def swept(base: RunRoot, runner: CandidateRunner) -> Sweep:
    return run_sweep(base, runner, grid({COIN: [0.55, 0.35, 0.55]}))


def _matrix(base: RunRoot) -> list[dict[str, str]]:
    with (reports_folder(base) / "sweep_matrix.csv").open() as stream:
        return list(csv.DictReader(stream))


def test_a_sweep_moves_what_it_sweeps(base: RunRoot, swept: Sweep) -> None:
    assert [row.values[COIN] for row in swept.rows] == [0.35, 0.55]
    before, after = swept.rows
    assert after.t7 is not None and before.t7 is not None and after.t7 > before.t7
    assert (after.policy_drift, after.s5_status) == (pytest.approx(0.2), "PASS")
    assert swept.best is before, "both are in the bands; the base drifts less"
    assert [row["label"] for row in _matrix(base)] == ["baseline", "p_virtual_hybrid=0.55"]
    assert _matrix(base)[1]["p_virtual_hybrid"] == "0.55"


def test_a_bundle_changes_its_keys_together(base: RunRoot, swept: Sweep, runner: CandidateRunner) -> None:
    """Tempering does nothing by its switch or its probability alone. Every swept key has its column in every row."""
    said: list[str] = []
    bundle = Variant("tempered", (Change(TEMPER, True), Change(REDIRECT, 1.0)))
    found = run_sweep(base, replace(runner, report_step=said.append), [*grid({COIN: [0.55]}), bundle])
    assert said[0] == "2 derived runs beside the base: p_virtual_hybrid=0.55 from S4, tempered from S4"
    rows = {row["label"]: row for row in _matrix(base)}
    columns = ("p_virtual_hybrid", TEMPER.key, REDIRECT.key)
    assert [rows["baseline"][name] for name in columns] == ["0.35", "False", "0.0"]
    assert [rows["p_virtual_hybrid=0.55"][name] for name in columns] == ["0.55", "False", "0.0"]
    assert [rows["tempered"][name] for name in columns] == ["0.35", "True", "1.0"]
    assert float(rows["tempered"]["policy_drift"]) == 2.0
    both = (base, open_root(base.path.parent, rows["tempered"]["run_id"], base.external_roots))
    own, tempered = (dataset_digests(root, runner.contracts)["arrival_events_5B"] for root in both)
    assert own != tempered
    written = json.loads((reports_folder(base) / "sweep.json").read_text())
    assert written["keys"] == [str(COIN), str(TEMPER), str(REDIRECT)]
    assert found.flat(found.rows[2]).items() >= {"label": "tempered", REDIRECT.key: 1.0}.items()


def test_redrawing_the_zone_scrambles_the_day(base: RunRoot, runner: CandidateRunner) -> None:
    pinned, drawn = run_sweep(base, runner, grid({ZONES: ["group_weights_v1"]})).rows
    assert drawn.t13 is not None and pinned.t13 is not None and drawn.t13 > pinned.t13
    assert drawn.s5_status == "PASS", "S5 alone does not see it"
    assert "T13" not in pinned.own_failures


def test_a_sweep_is_bounded(base: RunRoot, runner: CandidateRunner) -> None:
    before = sorted(path.name for path in base.path.parent.iterdir())
    many: list[float] = [n / 100 for n in range(5, 25)]
    for variants, most in (([], 16), (grid({COIN: many}), 16), (grid({COIN: [0.1, 0.2]}), 1)):
        with pytest.raises(PolicyError, match=r"5B\.CALIBRATION\.TOO_MANY_VALUES"):
            run_sweep(base, runner, variants, most=most)
    assert sorted(path.name for path in base.path.parent.iterdir()) == before


def test_a_key_that_the_policy_leaves_out(base: RunRoot, runner: CandidateRunner) -> None:
    """Whether it may be there, the policy's record says; nothing is computed before it did."""
    with pytest.raises(PolicyError, match="unheard_of"):
        value_if_any(base, runner.contracts, ABSENT)
    with pytest.raises(PolicyError, match="unheard_of"):
        check_changes(base, runner.contracts, [Change(ABSENT, 1)])
    with pytest.raises(PolicyError, match="is not in the policy"):
        check_changes(base, runner.contracts, [Change(PolicyKey(COIN.policy_id, f"{COIN.key}.more"), 1)])


def _row(**values: object) -> SweepRow:
    row = SweepRow("x", "", {}, 0.0, "PASS", 0.5, 0.05, 0.01, "", 0, "", 0.0, 10.0, False, "", "")
    return replace(row, **values)  # type: ignore[arg-type]


def test_rank_of_candidates() -> None:
    ordered = [
        _row(),
        _row(lane_seconds=11.0),
        _row(policy_drift=0.1),
        _row(calibration_distance_to_b=0.01),
        _row(primary_failures_count=1),
        _row(runtime_regression_veto=True),
        _row(frozen_failures="T4"),
    ]
    mixed = [ordered[place] for place in (4, 1, 6, 0, 3, 5, 2)]
    assert sorted(mixed, key=lambda row: row.rank) == ordered
    assert drift(0.55, 0.35) == pytest.approx(0.2)
    assert (drift("a", "a"), drift("a", "b"), drift(True, False), drift(1, None)) == (0.0, 1.0, 1.0, 1.0)
