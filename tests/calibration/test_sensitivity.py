"""The hybrid coin and the owners of the busiest zones, against published numbers and against the data."""

from __future__ import annotations

import csv
import json

import pytest

from seg5b.calibration import analyse
from seg5b.calibration.sensitivity import (
    Coin,
    ModeShares,
    candidate_grid,
    coverage_count,
    reachable,
    verdict,
    write_analysis,
)
from seg5b.contracts import ContractSource
from seg5b.runs.root import RunRoot

COIN = Coin(0.35, 0.05, 0.80)
MEASURED = ModeShares(1 - 0.0224656, 0.0, 0.0224656)
MIXED = ModeShares(0.885, 0.085, 0.03)


def test_without_hybrid_merchants_the_coin_moves_nothing() -> None:
    assert MEASURED.t7(0.05) == MEASURED.t7(0.80) == 0.0224656
    assert MEASURED.p_needed(0.03) is None
    assert not reachable(MEASURED, COIN, 0.03)
    assert verdict(False, False) == "locally_blocked_for_t7_b_under_current_bounds"
    assert candidate_grid(MEASURED, COIN) == [0.35, 0.45, 0.55, 0.65, 0.8]


def test_with_hybrid_merchants() -> None:
    assert MIXED.t7(0.35) == pytest.approx(0.05975)
    assert MIXED.p_needed(0.05) == pytest.approx(0.02 / 0.085)
    assert reachable(MIXED, COIN, 0.05)
    assert reachable(ModeShares(0.9, 0.05, 0.01), COIN, 0.05)  # p needed is exactly 0.80
    assert not reachable(ModeShares(0.9, 0.0499, 0.01), COIN, 0.05)
    assert candidate_grid(MIXED, COIN) == [0.05, 0.2353, 0.35, 0.45, 0.55, 0.65, 0.8]
    assert verdict(True, False) == "reachable_policy_only_for_t7_but_t6_requires_empirical_sweep"


def test_coverage() -> None:
    assert coverage_count([50, 30, 20], 100, 0.80) == (2, 0.8)
    assert coverage_count([50, 20], 100, 0.80) == (2, 0.7)


def test_a_run_is_analysed(base: RunRoot) -> None:
    found = analyse(base, ContractSource.packaged())
    mass = found["virtual_mode_mass"]
    assert mass["share_non_virtual"] + mass["share_hybrid"] + mass["share_virtual_only"] == pytest.approx(1.0)
    assert mass["total_weighted_arrivals"] == found["baseline_observed"]["arrivals"] == found["observed"]["n_total"]
    assert found["hybrid_coin_policy"]["p_bounds"] == [0.05, 0.80]
    assert found["hybrid_coin_policy"]["t7_model_at_current"] == pytest.approx(
        found["baseline_observed"]["t7"], rel=0.1
    )
    assert len(found["concentration_decomposition"]["top10_tzids"]) == 10
    assert found["observed"]["t6_observed"] == pytest.approx(found["baseline_observed"]["t6"])
    assert found["local_feasibility_verdict"]["t6_status"] == "already_b"
    assert found["required_reduction"]["to_b_count"] == 0
    assert sum(row["in_top10"] for row in found["classes"]) == found["observed"]["top10_total"]
    assert found["offender_set"]["coverage_target_met"]


def test_tables_of_the_busiest_zones_are_files(base: RunRoot) -> None:
    found = analyse(base, ContractSource.packaged())
    paths = write_analysis(base, found)
    tables = {}
    for name in ("t6_zones.csv", "t6_merchants.csv", "t6_hotspots.csv", "t6_classes.csv"):
        with paths[name].open() as stream:
            tables[name] = list(csv.DictReader(stream))
    top = found["observed"]["top10_total"]
    assert len(tables["t6_zones.csv"]) == 10
    assert sum(int(row["arrivals"]) for row in tables["t6_zones.csv"]) == top
    merchants = tables["t6_merchants.csv"]
    assert sum(int(row["arrivals_in_top10"]) for row in merchants) == top
    assert float(merchants[-1]["coverage"]) == pytest.approx(1.0)
    needed = [row for row in merchants if row["within_coverage"] == "True"]
    assert len(needed) == found["offender_set"]["merchant_count_for_coverage_target"]
    assert len(tables["t6_hotspots.csv"]) == min(1000, len(found["hotspots"]))
    assert sum(int(row["in_top10"]) for row in tables["t6_classes.csv"]) == top
    written = json.loads(paths["sensitivity.json"].read_text())
    assert "merchants" not in written["offender_set"] and "t7_leverage" not in written
