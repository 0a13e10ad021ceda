"""Hybrid merchants whose channels have coins of their own (law L7.routing): S5, the gates and the model of T7 know them."""

from __future__ import annotations

from typing import Any

import pytest

from seg5b import api
from seg5b.calibration import analyse
from seg5b.explain import explain_arrival
from seg5b.gate import open_gate
from seg5b.pipeline import run_states
from seg5b.realism.expected import expected_totals
from seg5b.realism.profile import profile_cells
from seg5b.run_tables import RunPolicies
from seg5b.validation import Status
from seg5b.validation.checks import law_routes, policies, rederivation
from seg5b.world import World
from tests.conftest import TO_ARRIVALS
from tests.validation.half_a_million import looked_at
from tests.validation.harness import Run, twin_reads

REMOTE = {"card_not_present": 1.0, "card_present": 0.0}
TWO_CHANNELS: dict[str, Any] = {
    "name": "two_channels",
    "horizon": {"start": "2026-10-26", "days": 14},
    "places": {"countries": {"US": 2, "GB": 1, "IN": 1}},
    "merchants": {"count": 40},
    "volume": {"weekly_total": 40_000},
    "channels": {"card_present": {"share": 2}, "card_not_present": {"share": 1}},
    "virtual": {"only": 0.02, "hybrid": 0.14, "hybrid_probability": 0.6},
    "scenarios": [{"id": "quiet"}],
    "policies": {"arrival_routing_policy_5B": {"hybrid_policy.virtual_share_profile": REMOTE}},
}
CHECKS = (*law_routes.CHECKS, *rederivation.CHECKS, *policies.CHECKS)


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One scenario in which hybrid merchants sell to an edge exactly what is sold without a card present, both channels in every
    zone."""
    folder = tmp_path_factory.mktemp("remote")
    World.from_mapping(TWO_CHANNELS).make(folder, seeds=(5,))
    run = api.open_run(folder)
    run_states(run.root, run.contracts, TO_ARRIVALS)
    return Run(run.root, run.contracts, open_gate(run.root, run.contracts, state="S5"))


def failed(run: Run, change: Any = None) -> set[str]:
    results = run.judge(CHECKS, policies=change)
    return {name for name, result in results.items() if result.status is Status.FAIL}


def test_channels_decide_and_s5_finds_nothing_wrong(remote: Run) -> None:
    with looked_at(remote) as subject:
        rows = subject.rows(
            """SELECT channel_group, bool_and(is_virtual), bool_or(is_virtual), count(*) FROM arrivals
               JOIN modes USING (merchant_id) WHERE virtual_mode = 'HYBRID' GROUP BY ALL ORDER BY ALL"""
        )
    assert [row[:3] for row in rows] == [("card_not_present", True, True), ("card_present", False, False)]
    assert min(row[3] for row in rows) > 1000 and failed(remote) == set()


@pytest.mark.parametrize(
    "shares", [{}, {"card_not_present": 0.9, "card_present": 0.0}, {**REMOTE, "card_present": 0.1}]
)
def test_other_coins_are_seen(remote: Run, shares: dict[str, float]) -> None:
    """As if the policy said otherwise than the arrivals were made."""
    other: Any = twin_reads(virtual_shares={channel: (p,) * 24 for channel, p in shares.items()})

    def change(sealed: RunPolicies) -> RunPolicies:
        changed: RunPolicies = other(sealed)
        return changed

    assert {"law.routes_coin", "rederive.arrivals", "policy.readings"} <= failed(remote, change)


def test_gates_and_explanations_expect_what_is_there(remote: Run) -> None:
    with looked_at(remote) as subject:
        assert profile_cells(subject).violations == 0
        statistics = {each["name"]: each for each in expected_totals(subject).facts["statistics"]}
        assert abs(statistics["virtual share (T7)"]["z"]) < 4.0
        hybrid = subject.rows(
            "SELECT merchant_id FROM merchant_parts JOIN modes USING (merchant_id) WHERE virtual_mode = 'HYBRID'"
        )
    found = explain_arrival(remote.root, remote.contracts, hybrid[0][0], 1)
    assert found.holds


def test_the_model_of_t7_leaves_to_the_coin_what_is_its_own(remote: Run) -> None:
    mass = analyse(remote.root, remote.contracts)["virtual_mode_mass"]
    with looked_at(remote) as subject:
        (virtual, every) = subject.row("SELECT count_if(is_virtual), count(*) FROM arrivals")
    assert mass["share_hybrid"] == 0.0
    assert mass["share_virtual_only"] == pytest.approx(virtual / every, abs=1e-9)
